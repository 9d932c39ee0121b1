"""The pinned figures of every definition."""

import pytest

from crmcem.lib.measures import (
    NOTHING,
    Outcome,
    ces,
    csat,
    csat_top,
    is_significant,
    nps,
    response_rate,
    rr1,
    rr2,
    share,
    z_score,
)


class TestNps:
    @pytest.mark.parametrize(("size", "margin"), [(1, 15.31), (10, 4.84)])
    def test_value_and_interval(self, size: int, margin: float) -> None:
        score = nps(50 * size, 30 * size, 20 * size)
        assert score.value == 30
        assert score.n == 100 * size
        assert score.se is not None
        assert round(1.96 * score.se, 2) == margin
        assert score.low is not None
        assert score.high is not None
        assert round(score.high - score.value, 2) == round(score.value - score.low, 2) == margin

    def test_two_samples_that_do_not_differ(self) -> None:
        z = z_score(nps(60, 25, 15), nps(50, 30, 20))
        assert z is not None
        assert round(z, 3) == 1.394
        assert not is_significant(z)
        assert is_significant(z_score(nps(600, 250, 150), nps(500, 300, 200)))

    def test_nobody_has_no_score(self) -> None:
        assert nps(0, 0, 0) == NOTHING
        assert NOTHING.value is None
        assert z_score(nps(0, 0, 0), nps(1, 1, 1)) is None
        assert z_score(nps(3, 0, 0), nps(4, 0, 0)) is None
        assert not is_significant(None)

    def test_few_answers_are_unreliable_and_the_interval_stays_within_the_scale(self) -> None:
        assert not nps(29, 0, 0).reliable
        assert nps(30, 0, 0).reliable
        few = nps(2, 0, 1)
        assert few.high == 100
        assert nps(0, 0, 5).value == -100

    def test_counts_are_not_negative(self) -> None:
        with pytest.raises(ValueError, match="negative"):
            nps(1, -1, 0)


class TestShares:
    def test_csat_is_the_top_two_of_five_with_wilsons_interval(self) -> None:
        found = csat({1: 5, 2: 5, 3: 10, 4: 30, 5: 50})
        assert (found.value, found.n) == (80, 100)
        assert (round(found.low or 0, 1), round(found.high or 0, 1)) == (71.1, 86.7)

    @pytest.mark.parametrize(("scale", "lowest"), [(3, 3), (4, 3), (5, 4), (6, 5), (7, 6), (10, 8)])
    def test_top_boxes_of_other_scales(self, scale: int, lowest: int) -> None:
        assert csat_top(scale) == lowest
        assert csat({lowest: 1, lowest - 1: 1}, scale).value == 50

    def test_scales_are_never_mixed(self) -> None:
        with pytest.raises(ValueError, match="scale"):
            csat_top(9)
        with pytest.raises(ValueError, match="between"):
            csat({6: 1}, 5)
        with pytest.raises(ValueError, match="between"):
            ces({0: 1})

    def test_ces_is_the_share_from_five_and_the_mean(self) -> None:
        effort = ces({7: 2, 5: 1, 4: 1})
        assert (effort.easy.value, effort.easy.n, effort.mean) == (75, 4, 5.75)
        assert (ces({}).easy, ces({}).mean) == (NOTHING, None)

    def test_extremes_keep_a_width(self) -> None:
        everybody = share(10, 10)
        assert (everybody.value, everybody.high) == (100, 100)
        assert round(everybody.low or 0, 1) == 72.2
        assert share(0, 10).low == 0
        assert share(0, 0) == NOTHING
        with pytest.raises(ValueError, match="negative"):
            share(3, 2)


def test_response_rates() -> None:
    outcome = Outcome(complete=180, partial=20, refused=30, no_contact=250, unknown=20)
    assert (rr1(outcome).value, rr2(outcome).value, rr1(outcome).n) == (36, 40, 500)
    assert response_rate(45, 60).value == 75
    assert response_rate(0, 0).value is None
