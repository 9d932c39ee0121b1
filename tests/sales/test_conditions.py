import datetime as dt

import pytest
from django.utils import timezone

from contacts.conditions import contact_fields
from contacts.models import Contact
from crmcem.lib.conditions import parse, to_q
from crmcem.lib.conditions.errors import ConditionError
from sales.models import DealContact
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db


def test_contacts_are_found_by_their_deals(cast: Cast) -> None:
    pipeline = PipelineFactory()
    busy, rich, none = (ContactFactory(first_name=name) for name in ("busy", "rich", "none"))
    for contact, status, amount, currency in [
        (busy, "open", 10, "EUR"),
        (busy, "open", 20, "EUR"),
        (busy, "open", 900, "USD"),
        (rich, "won", 500, "EUR"),
        (rich, "lost", 700, "EUR"),
    ]:
        deal = DealFactory(pipeline=pipeline, status=status, amount=amount, currency=currency)
        DealContact.objects.create(deal=deal, contact=contact)

    def found(field: str, op: str, value: int) -> list[str]:
        node = parse({"field": field, "op": op, "value": value}, contact_fields, user=cast.admin)
        q = to_q(node, now=timezone.now(), tz=dt.UTC, user=cast.admin)
        return sorted(Contact.objects.filter(q).values_list("first_name", flat=True))

    assert found("deals.open", "gte", 1) == ["busy"]
    assert found("deals.open", "eq", 0) == ["none", "rich"]
    assert found("deals.open_amount", "eq", 30) == ["busy"]
    assert found("deals.won_amount", "gt", 499) == ["rich"]
    assert found("deals.won", "eq", 1) == ["rich"]
    assert none.pk


def test_who_sees_only_some_deals_does_not_know_these_fields(cast: Cast) -> None:
    for who in (cast.rep, cast.manager, cast.nobody):
        with pytest.raises(ConditionError):
            parse({"field": "deals.open", "op": "gte", "value": 1}, contact_fields, user=who)
    parse({"field": "deals.open", "op": "gte", "value": 1}, contact_fields, user=None)
