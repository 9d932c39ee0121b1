import pytest

from contacts.models import Contact
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order, capped_count, keyset_page
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db


def walk(order: Order, size: int) -> tuple[list[int], list[int]]:
    """All ids forwards, then all ids by walking back from the last page."""
    queryset = Contact.objects.select_related("pulse")
    forwards, cursor, pages = [], None, []
    while True:
        page = keyset_page(queryset, order, cursor, size)
        forwards += [row.pk for row in page.rows]
        pages.append(page)
        if page.next is None:
            break
        cursor = page.next
    backwards = [row.pk for row in pages[-1].rows]
    previous = pages[-1].previous
    while previous:
        page = keyset_page(queryset, order, previous, size)
        backwards = [row.pk for row in page.rows] + backwards
        previous = page.previous
    return forwards, backwards


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_pages_walk_every_row_once_in_both_directions_with_ties_and_nulls(
    descending: bool, size: int
) -> None:
    values = [3, None, 1, 3, None, 2, 3]
    rows = [ContactFactory(pulse={"nps": value}) for value in values]
    known = [r for r, v in zip(rows, values, strict=True) if v is not None]
    unknown = [r for r, v in zip(rows, values, strict=True) if v is None]
    sign = -1 if descending else 1
    expected = [r.pk for r in sorted(known, key=lambda r: (sign * r.pulse.nps, sign * r.pk))]
    expected += sorted((r.pk for r in unknown), reverse=descending)

    forwards, backwards = walk(Order("pulse__nps", descending, nullable=True), size)

    assert forwards == expected
    assert backwards == expected


def test_id_order_is_newest_first() -> None:
    rows = [ContactFactory() for _ in range(5)]
    forwards, backwards = walk(Order("id", descending=True), 2)
    assert forwards == backwards == [r.pk for r in reversed(rows)]


@pytest.mark.parametrize("cursor", ["x", "W10", "bm9wZQ", "WyJ2IiwxLCJhIiwwXQ", "\x00", "é"])
def test_a_made_up_cursor_is_a_clear_error(cursor: str) -> None:
    with pytest.raises(DomainError) as caught:
        keyset_page(Contact.objects.all(), Order("id"), cursor, 2)
    assert caught.value.errors[0].field == "cursor"


def test_counts_are_capped_and_say_whether_they_are_exact() -> None:
    for _ in range(4):
        ContactFactory()
    assert capped_count(Contact.objects.all(), cap=10) == (4, True)
    assert capped_count(Contact.objects.all(), cap=3) == (3, False)
