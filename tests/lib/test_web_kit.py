"""Small parts of the web kit: columns that need room, signed figures, an accent that stays readable."""

import datetime as dt

import pytest

from crmcem.lib.web import cells
from crmcem.lib.web.columns import Column, chosen
from crmcem.workspace.theme import DARK, LIGHT, TINT, contrast, parse, readable

COLUMNS = (
    Column("name", "Name", str, phone=True),
    Column("tags", "Tags", str, css="num", roomy=True),
    Column("owner", "Owner", str, default=False),
)


def everything(scope: str) -> bool:
    return True


def test_a_roomy_column_waits_for_room_until_somebody_asks_for_it() -> None:
    assert [(c.key, c.classes) for c in chosen(COLUMNS, "", everything)] == [
        ("name", ""),
        ("tags", "num wide roomy"),
    ]
    asked = chosen(COLUMNS, "tags,owner,nothing", everything)
    assert [(c.key, c.classes) for c in asked] == [("tags", "num wide"), ("owner", "wide")]


@pytest.mark.parametrize(("value", "shown"), [(42, "+42"), (0, "0"), (-0.4, "0"), (-7, "−7"), (12.6, "+13")])
def test_a_score_carries_its_sign(value: float, shown: str) -> None:
    assert cells.signed(value) == shown


def test_a_day_of_another_year_names_it() -> None:
    assert ">Feb. 8, 2001<" in cells.day(dt.date(2001, 2, 8))


@pytest.mark.parametrize("accent", ["#0054a6", "#ffffff", "#000000", "#ffd400", "#e4002b", "#00b140"])
@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_the_accent_is_readable_on_its_own_tint(accent: str, ground: tuple[int, int, int]) -> None:
    found = readable(parse(accent), ground)
    red, green, blue = (round(a + (b - a) * TINT) for a, b in zip(ground, found, strict=True))
    assert contrast(found, ground) >= 4.5
    assert contrast(found, (red, green, blue)) >= 4.5
