"""Two records become one, nothing is lost, and they can be parted again row by row."""

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from contacts.custom.links import link_names
from contacts.models import (
    Activity,
    Company,
    Contact,
    ContactPoint,
    Employment,
    IdentityAlias,
    Interaction,
    MergeRecord,
    Message,
    Pulse,
    Task,
)
from contacts.services.companies import company_update
from contacts.services.contacts import contact_create, contact_delete, contact_update
from contacts.services.merge import company_merge, contact_merge, merge_undo
from crmcem.lib.actors import Actor
from crmcem.lib.errors import Conflict, DomainError, NotAllowed, StaleWrite
from crmcem.workspace.models import User
from journeys.models import AbsenceTimer, Automation, AutomationVersion, Run, RunStep
from sales.models import DealContact
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory
from tests.factories.feedback import CaseFactory, InvitationFactory, ResponseFactory, SurveyFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
Acts = Callable[[User], Actor]

#: what a merge and its undo write by design: the journal, what happened, and the audit
_WRITTEN = (
    "contacts_segmentdirty",
    "contacts_tagchange",
    "contacts_mergerecord",
    "contacts_mergestep",
    "workspace_auditentry",
    "contacts_activity_",
)
#: activities that tell consumers to look again
_SAID = ("contact.stitched", "survey.recount")


def rows_of_everything() -> dict[str, list[str]]:
    """Every row of every table as text; of the records themselves without version and time of change.

    The stream without what the merge itself says.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        tables = [n for (n,) in cursor.fetchall() if not n.startswith(_WRITTEN)]
        found = {}
        for table in tables:
            minus = " - 'version' - 'updated_at'" if table in ("contacts_contact", "contacts_company") else ""
            where = ""
            if table == "contacts_activity":
                where = f" WHERE kind NOT LIKE '%.merge%' AND kind <> ALL('{{{','.join(_SAID)}}}')"
            cursor.execute(f'SELECT (to_jsonb(t){minus})::text FROM "{table}" t{where} ORDER BY 1')
            found[table] = [row for (row,) in cursor.fetchall()]
    return found


def automation_of(*contacts: Contact) -> None:
    """Runs of both for the same cause, steps, and timers of absence: what unique rules would refuse."""
    automation = Automation.objects.create(name="Greet")
    version = AutomationVersion.objects.create(automation=automation, number=1, definition={})
    for number, contact in enumerate(contacts):
        run = Run.objects.create(
            automation=automation, automation_version=version, contact=contact, trigger_key="once"
        )
        RunStep.objects.create(run=run, step_key="a", kind="action", status="done")
        at = timezone.now() - dt.timedelta(days=10 - number)
        AbsenceTimer.objects.create(automation=automation, contact=contact, last_at=at, due_at=at)


def everything_about(contact: Contact, own: dict[str, Any]) -> None:
    """A row of every table that points at a contact."""
    TaskFactory(contact=contact, due_at=timezone.now(), **own)
    InteractionFactory(contact=contact, **own)
    Message.objects.create(contact=contact, to_address="a@b.example", idempotency_key=f"m{contact.pk}")
    IdentityAlias.objects.create(anonymous_id=f"visitor-{contact.pk}", contact=contact)
    survey = SurveyFactory()
    invitation = InvitationFactory(survey=survey, contact=contact)
    ResponseFactory(survey=survey, contact=contact, invitation=invitation, company=contact.company)
    CaseFactory(contact=contact, **own)
    DealFactory(company=contact.company, **own).deal_contacts.create(contact=contact, role="champion")
    contact.address_set.create(city="Ware", is_primary=True)
    contact.socialprofile_set.create(network="github", handle="ada")
    contact.lifecycle_changes.create(from_stage="subscriber", to_stage="lead", at=timezone.now())
    friend = ContactFactory(**own)
    contact.relationships.create(related=friend, kind="spouse")
    friend.relationships.create(related=contact, kind="reports_to")
    Activity.objects.create(kind="order.placed", contact_id=contact.pk, payload={"amount": "12.50"})
    Activity.objects.create(kind="page.viewed", contact_id=contact.pk)


@pytest.fixture
def own(cast: Cast) -> dict[str, Any]:
    return {"owner": cast.rep, "team": cast.north}


@pytest.fixture
def pair(cast: Cast, own: dict[str, Any], actor: Acts) -> tuple[Contact, Contact]:
    """Two records of one person, both with everything, made as people make them."""
    rep = actor(cast.rep)
    made = []
    for number in (1, 2):
        company = CompanyFactory(name=f"Works {number}", **own)
        made.append(
            contact_create(
                data={
                    "first_name": "Ada",
                    "last_name": "Lovelace" if number == 1 else "Byron",
                    "email": f"ada{number}@works.example",
                    "phone": "+4930123456",
                    "external_id": f"A-{number}",
                    "tags": ["both", f"tag{number}"],
                    "consent": {"email": {"status": "granted", "at": f"2026-0{number}-01T00:00:00Z"}},
                    "company": company,
                },
                actor=rep,
            )
        )
        everything_about(made[-1], own)
        made[-1].custom = {"plan": f"p{number}", f"only{number}": 1.5}
        made[-1].save(update_fields=["custom"])
    chief = ContactFactory(**own)
    for row in made:
        row.relationships.create(related=chief, kind="reports_to")
        chief.relationships.create(related=row, kind="influences")
    made[0].relationships.create(related=made[1], kind="partner")
    made[1].relationships.create(related=made[0], kind="influences")
    deal = DealFactory(**own)
    deal.deal_contacts.create(contact=made[0], role="other")
    deal.deal_contacts.create(contact=made[1], role="decision_maker", is_primary=True)
    automation_of(*made)
    Pulse.objects.filter(pk=made[0].pk).update(
        orders=3, revenue="10.10", open_cases=1, nps=3, nps_at=timezone.now()
    )
    Pulse.objects.filter(pk=made[1].pk).update(
        orders=2, revenue="20.05", open_cases=1, nps=9, nps_at=timezone.now() - dt.timedelta(days=9)
    )
    return made[0], made[1]


def test_everything_follows(cast: Cast, pair: tuple[Contact, Contact], actor: Acts) -> None:
    winner, loser = pair
    merge, kept = contact_merge(winner=winner, loser=loser, actor=actor(cast.rep))
    assert kept.pk == winner.pk
    assert not Contact.objects.filter(pk=loser.pk).exists()
    for model in (Task, Interaction, Message, IdentityAlias, Run):
        assert model.objects.filter(contact=winner).count() == 2, model
    assert Activity.objects.filter(contact_id=loser.pk).count() == 0
    assert Activity.objects.filter(contact_id=winner.pk, kind="order.placed").count() == 2
    assert RunStep.objects.filter(run__contact=winner).count() == 2
    assert AbsenceTimer.objects.get(contact=winner).last_at > timezone.now() - dt.timedelta(days=9, hours=1)
    committee = DealContact.objects.filter(contact=winner)
    assert sorted(committee.values_list("role", "is_primary")) == [
        ("champion", False),
        ("champion", False),
        ("decision_maker", True),
    ]
    pulse = Pulse.objects.get(contact=winner)
    assert (pulse.orders, str(pulse.revenue), pulse.open_cases, pulse.nps) == (5, "30.15", 2, 3)
    points = ContactPoint.objects.filter(contact=winner).order_by("kind", "value")
    assert list(points.values_list("value", "is_primary")) == [
        ("ada1@works.example", True),
        ("ada2@works.example", False),
        ("A-2", False),
        ("+4930123456", True),
    ]
    assert (merge.winner_id, merge.loser_id) == (winner.pk, loser.pk)
    jobs = Employment.objects.filter(contact=winner).order_by("company_id")
    assert list(jobs.values_list("company_id", "is_primary")) == [
        (winner.company_id, True),
        (loser.company_id, False),
    ]
    assert merge.moved["tasks"] == 1
    assert merge.moved["cases"] == 1


def test_without_a_choice_nothing_of_the_winner_is_overwritten(
    cast: Cast, pair: tuple[Contact, Contact], actor: Acts
) -> None:
    winner, loser = pair
    Contact.objects.filter(pk=loser.pk).update(job_title="Countess")
    _merge, kept = contact_merge(winner=winner, loser=loser, actor=actor(cast.rep))
    kept.refresh_from_db()
    assert (kept.last_name, kept.email, kept.external_id) == ("Lovelace", "ada1@works.example", "A-1")
    assert kept.job_title == "Countess"
    assert kept.tags == ["both", "tag1", "tag2"]
    assert kept.custom == {"plan": "p1", "only1": 1.5, "only2": 1.5}
    assert kept.consent["email"]["at"] == "2026-02-01T00:00:00+00:00"


def test_each_field_can_be_chosen(cast: Cast, pair: tuple[Contact, Contact], actor: Acts) -> None:
    winner, loser = pair
    choices = {
        **dict.fromkeys(("last_name", "email", "external_id", "company", "custom.plan", "tags"), "loser"),
        "custom.only2": "winner",
    }
    _merge, kept = contact_merge(winner=winner, loser=loser, fields=choices, actor=actor(cast.rep))
    kept.refresh_from_db()
    assert (kept.last_name, kept.email, kept.external_id) == ("Byron", "ada2@works.example", "A-2")
    assert kept.company_id == loser.company_id
    assert kept.tags == ["both", "tag2"]
    assert kept.custom == {"plan": "p2", "only1": 1.5}
    further = ContactPoint.objects.filter(contact=winner, kind="external_id")
    assert [p.value for p in further] == ["A-1"]
    jobs = Employment.objects.filter(contact=winner, is_primary=True)
    assert [job.company_id for job in jobs] == [loser.company_id]
    primary = ContactPoint.objects.filter(contact=winner, is_primary=True, kind="email")
    assert [p.value for p in primary] == ["ada2@works.example"]


@pytest.mark.parametrize("fields", [{}, dict.fromkeys(("email", "company", "external_id", "tags"), "loser")])
def test_undo_restores_every_row_of_every_table(
    cast: Cast, pair: tuple[Contact, Contact], actor: Acts, fields: dict[str, str]
) -> None:
    before = rows_of_everything()
    merge, _kept = contact_merge(winner=pair[0], loser=pair[1], fields=fields, actor=actor(cast.rep))
    assert rows_of_everything() != before
    merge, winner, loser = merge_undo(merge=merge, actor=actor(cast.rep))
    assert rows_of_everything() == before
    assert merge.kept == []
    assert merge.undone_at is not None
    assert (winner.version, loser.version) == (3, 2)


def test_undo_after_a_chain_of_merges(
    cast: Cast, pair: tuple[Contact, Contact], own: Any, actor: Acts
) -> None:
    rep = actor(cast.rep)
    third = ContactFactory(**own)
    everything_about(third, own)
    before = rows_of_everything()
    first, _ = contact_merge(winner=pair[0], loser=pair[1], actor=rep)
    middle = rows_of_everything()
    second, _ = contact_merge(winner=third, loser=pair[0], actor=rep)
    with pytest.raises(Conflict) as refused:
        merge_undo(merge=first, actor=rep)
    assert refused.value.code == "merged_on"
    merge_undo(merge=second, actor=rep)
    assert rows_of_everything() == middle
    merge_undo(merge=first, actor=rep)
    assert rows_of_everything() == before
    with pytest.raises(Conflict) as twice:
        merge_undo(merge=first, actor=rep)
    assert twice.value.code == "undone"


def test_undo_keeps_and_lists_what_was_changed_since(
    cast: Cast, pair: tuple[Contact, Contact], own: Any, actor: Acts
) -> None:
    rep, (winner, loser) = actor(cast.rep), pair
    third = ContactFactory(**own)
    moved, gone = loser.tasks.get(), loser.interactions.get()
    merge, kept = contact_merge(winner=winner, loser=loser, fields={"last_name": "loser"}, actor=rep)
    contact_update(contact=kept, data={"last_name": "King"}, actor=rep)
    Task.objects.filter(pk=moved.pk).update(contact=third)
    Interaction.objects.filter(pk=gone.pk).delete()
    merge, winner, loser = merge_undo(merge=merge, actor=rep)
    assert winner.last_name == "King"
    assert loser.last_name == "Byron"
    assert Task.objects.get(pk=moved.pk).contact_id == third.pk
    assert [(k["table"], k["row"], k["why"]) for k in merge.kept] == [
        ("contacts_contact", winner.pk, "changed"),
        ("contacts_task", moved.pk, "changed"),
        ("contacts_interaction", gone.pk, "gone"),
    ]


def test_undo_is_refused_where_a_third_record_took_the_address(
    cast: Cast, pair: tuple[Contact, Contact], actor: Acts
) -> None:
    rep, (winner, loser) = actor(cast.rep), pair
    merge, _ = contact_merge(winner=winner, loser=loser, actor=rep)
    ContactPoint.objects.filter(value="ada2@works.example").delete()
    contact_create(data={"email": "ada2@works.example"}, actor=rep)
    before = rows_of_everything()
    with pytest.raises(Conflict) as refused, transaction.atomic():
        merge_undo(merge=merge, actor=rep)
    assert refused.value.code == "taken"
    assert rows_of_everything() == before


def test_companies_too(cast: Cast, own: Any, actor: Acts) -> None:
    rep = actor(cast.rep)
    winner = CompanyFactory(name="Works", domain="works.example", **own)
    loser = CompanyFactory(name="Works Ltd", domain="works.test", external_id="W2", industry="Looms", **own)
    person = ContactFactory(company=loser, **own)
    deal = DealFactory(company=loser, **own)
    TaskFactory(company=loser, **own)
    InteractionFactory(company=loser, **own)
    ResponseFactory(contact=person, company=loser)
    Activity.objects.create(kind="note.made", company_id=loser.pk)
    below = CompanyFactory(parent=loser, **own)
    loser.domains.create(domain="works.org")
    loser.address_set.create(city="Ware", is_primary=True)
    winner.address_set.create(city="Bow", is_primary=True)
    before = rows_of_everything()
    merge, kept = company_merge(winner=winner, loser=loser, actor=rep)
    assert list(kept.domains.order_by("domain").values_list("domain", "is_primary")) == [
        ("works.example", True),
        ("works.org", False),
        ("works.test", False),
    ]
    assert list(kept.address_set.order_by("id").values_list("city", "is_primary")) == [
        ("Ware", False),
        ("Bow", True),
    ]
    below.refresh_from_db()
    assert below.parent == kept
    assert (kept.domain, kept.external_id, kept.industry) == ("works.example", "W2", "Looms")
    assert (merge.domain, merge.external_id) == ("works.test", None)
    person.refresh_from_db()
    deal.refresh_from_db()
    assert (person.company_id, deal.company_id) == (winner.pk, winner.pk)
    assert Activity.objects.filter(company_id=loser.pk).count() == 0
    merge_undo(merge=merge, actor=rep)
    assert rows_of_everything() == before
    company_update(company=Company.objects.get(pk=loser.pk), data={"name": "Again"}, actor=rep)


def test_a_dry_run_says_all_and_does_nothing(cast: Cast, pair: tuple[Contact, Contact], actor: Acts) -> None:
    before = rows_of_everything()
    merge, shown = contact_merge(
        winner=pair[0], loser=pair[1], fields={"last_name": "loser"}, dry_run=True, actor=actor(cast.rep)
    )
    assert (merge.pk, shown.last_name, merge.moved["tasks"]) == (None, "Byron", 1)
    assert rows_of_everything() == before
    assert not MergeRecord.objects.exists()


def test_who_may_not_see_one_of_them_merges_nothing(
    cast: Cast, pair: tuple[Contact, Contact], actor: Acts
) -> None:
    hidden = ContactFactory(owner=cast.rep2, team=cast.south)
    before = rows_of_everything()
    with pytest.raises(DomainError) as refused:
        contact_merge(winner=pair[0], loser=hidden, actor=actor(cast.rep))
    assert refused.value.errors[0].code == "does_not_exist"
    with pytest.raises(NotAllowed):
        contact_merge(winner=pair[0], loser=pair[1], actor=actor(cast.readonly))
    with pytest.raises(StaleWrite):
        contact_merge(winner=pair[0], loser=pair[1], actor=actor(cast.rep), expected_version=99)
    with pytest.raises(DomainError) as same:
        contact_merge(winner=pair[0], loser=pair[0], actor=actor(cast.rep))
    assert same.value.errors[0].code == "same_record"
    with pytest.raises(DomainError) as unknown:
        contact_merge(
            winner=pair[0], loser=pair[1], fields={"nose": "loser", "email": "both"}, actor=actor(cast.rep)
        )
    assert [(e.field, e.code) for e in unknown.value.errors] == [
        ("fields.nose", "unknown_field"),
        ("fields.email", "invalid_choice"),
    ]
    assert rows_of_everything() == before


def test_hidden_rows_follow_but_are_neither_counted_nor_changed_otherwise(
    cast: Cast, pair: tuple[Contact, Contact], actor: Acts
) -> None:
    """Somebody else's task about the customer is not lost; nothing of it shows."""
    winner, loser = pair
    theirs = {"owner": cast.rep2, "team": cast.south}
    task = TaskFactory(contact=loser, title="Secret", **theirs)
    case = CaseFactory(contact=loser, **theirs)
    deal = DealFactory(**theirs)
    seat = deal.deal_contacts.create(contact=loser, role="user")
    before = Task.objects.values().get(pk=task.pk)
    merge, _ = contact_merge(winner=winner, loser=loser, actor=actor(cast.rep))
    assert (merge.moved["tasks"], merge.moved["cases"], merge.moved["deal contacts"]) == (1, 1, 2)
    assert Task.objects.values().get(pk=task.pk) == {**before, "contact_id": winner.pk}
    case.refresh_from_db()
    seat.refresh_from_db()
    assert (case.contact_id, seat.contact_id) == (winner.pk, winner.pk)
    assert (case.owner_id, deal.owner_id) == (cast.rep2.pk, cast.rep2.pk)


def test_the_owner_of_the_other_needs_the_right_to_assign(cast: Cast, own: Any, actor: Acts) -> None:
    winner, loser = ContactFactory(**own), ContactFactory(owner=cast.manager, team=cast.north)
    talk = InteractionFactory(contact=loser, owner=cast.manager, team=cast.north)
    cx = actor(cast.cx)
    with pytest.raises(NotAllowed):
        contact_merge(winner=winner, loser=loser, fields={"owner": "loser"}, actor=cx)
    _merge, kept = contact_merge(winner=winner, loser=loser, actor=cx)
    talk.refresh_from_db()
    assert (kept.owner_id, talk.owner_id) == (cast.rep.pk, cast.rep.pk)


def test_deleting_the_winner_forgets_the_journal(
    cast: Cast, pair: tuple[Contact, Contact], actor: Acts
) -> None:
    admin, (winner, loser) = actor(cast.admin), pair
    third = ContactFactory()
    contact_merge(winner=winner, loser=loser, actor=admin)
    contact_merge(winner=third, loser=winner, actor=admin)
    assert MergeRecord.objects.count() == 2
    contact_delete(contact=third, actor=admin)
    assert MergeRecord.objects.count() == 0


def test_the_chosen_domain_is_the_primary_one(cast: Cast, own: Any, actor: Acts) -> None:
    rep = actor(cast.rep)
    winner = CompanyFactory(name="Works", domain="works.example", **own)
    loser = CompanyFactory(name="Works Ltd", domain="works.test", **own)
    before = rows_of_everything()
    merge, kept = company_merge(winner=winner, loser=loser, actor=rep, fields={"domain": "loser"})
    assert kept.domain == "works.test"
    assert list(kept.domains.order_by("domain").values_list("domain", "is_primary")) == [
        ("works.example", False),
        ("works.test", True),
    ]
    merge_undo(merge=merge, actor=rep)
    assert rows_of_everything() == before


def test_a_custom_field_that_links_to_the_loser_leads_to_the_winner(
    cast: Cast, own: Any, actor: Acts
) -> None:
    winner, loser = ContactFactory(last_name="Stays", **own), ContactFactory(**own)
    link = SimpleNamespace(type="link", key="buddy", options={"entity": "contact"})
    holder = SimpleNamespace(custom={"buddy": str(loser.pk)})
    links: Any = [link]
    contact_merge(winner=winner, loser=loser, actor=actor(cast.rep))
    assert link_names(links, [holder], cast.rep) == {("contact", str(loser.pk)): str(winner)}
    assert link_names(links, [holder], cast.rep2) == {}
