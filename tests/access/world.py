"""One record of every kind, all of them the rep's, and a fingerprint of everything that is stored."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from django.core.files.base import ContentFile
from django.db import connection
from django.utils import timezone

from contacts.models import (
    Activity,
    Attachment,
    CustomField,
    DuplicatePair,
    FieldLayout,
    ImportJob,
    SavedView,
    Segment,
    SegmentMember,
    Tag,
)
from contacts.services.merge import contact_merge
from crmcem.lib.actors import person
from crmcem.workspace.models import ApiToken, BulkEdit, Export, Notification, Trash, User
from journeys.models import Automation, AutomationVersion, Run, RunStep
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory
from tests.factories.feedback import CaseFactory, InvitationFactory, ResponseFactory, SurveyFactory
from tests.factories.sales import DealFactory

MISSING = 10**12

#: what a request may well change: the session, when a token was used, and what counts sign-ins and requests
_IGNORED = (
    "django_session",
    "workspace_apitoken",
    "workspace_idempotencykey",
    "django_celery_%",
    "axes_%",
    "auth_%",
    "django_migrations",
    "django_content_type",
    "contacts_activity_%",
)


@dataclass(frozen=True)
class World:
    """``ids`` by kind of record; every one belongs to ``owner``."""

    owner: User
    ids: dict[str, int]
    #: parts of what somebody of the other team owns
    outside: dict[str, int]


def make_world(cast: Cast) -> World:
    rep: Any = cast.rep
    own = {"owner": rep, "team": rep.team}
    company = CompanyFactory(name="Hidden & Sons", domain="hidden.example", **own)
    contact = ContactFactory(first_name="Hidden", last_name="Person", company=company, tags=["secret"], **own)
    task = TaskFactory(title="Hidden task", contact=contact, **own)
    interaction = InteractionFactory(subject="Hidden call", contact=contact, **own)
    deal = DealFactory(name="Hidden deal", company=company, amount="900.00", **own)
    deal.deal_contacts.create(contact=contact, role="buyer") if hasattr(deal, "deal_contacts") else None
    survey = SurveyFactory()
    invitation = InvitationFactory(survey=survey, contact=contact)
    response = ResponseFactory(
        survey=survey, contact=contact, invitation=invitation, nps=2, comment="Hidden words", owner=rep
    )
    case = CaseFactory(contact=contact, subject="Hidden case", **own)
    job = ImportJob.objects.create(
        owner=rep, team=rep.team, object="contacts", file_name="hidden.csv", columns=["email"], status="done"
    )
    automation, run = _automation(contact)
    Activity.objects.create(kind="contact.created", contact_id=contact.pk, company_id=company.pk)
    view = SavedView.objects.create(owner=rep, entity="contact", name="Hidden view")
    segment = Segment.objects.create(
        owner=rep,
        name="Hidden segment",
        conditions={"field": "tags", "op": "has_any", "value": ["secret"]},
        filled_at=timezone.now(),
        size=1,
    )
    SegmentMember.objects.create(segment=segment, contact=contact, since=timezone.now())
    layout = FieldLayout.objects.create(entity="contact", groups=[], hidden=["custom.tier"])
    field = CustomField.objects.create(entity="contact", key="tier", label="Tier", type="text")
    note = Notification.objects.create(user=rep, kind="task", title="Hidden note", url="/")
    token = ApiToken.objects.create(user=rep, name="Hidden token", prefix="crm_xxxx", digest="0" * 64)
    # Of the same team, so that whoever may see the record may see its merge.
    gone = ContactFactory(first_name="Hidden", last_name="Twin", **own)
    kept = ContactFactory(first_name="Hidden", last_name="Original", **own)
    merge, _contact = contact_merge(winner=kept, loser=gone, actor=person(rep))
    outside = _pointers(cast.rep2, company, contact, deal)
    trash = Trash.objects.create(
        user=rep,
        entity="contact",
        title="Hidden trash",
        scope="contacts:delete",
        path="/contacts/",
        count=1,
        data='{"rows":[],"loose":[]}',
        expires_at=timezone.now() + dt.timedelta(minutes=5),
    )
    edit = BulkEdit.objects.create(
        user=rep,
        model="contacts.Contact",
        title="Hidden edit",
        label="Job title",
        key="job_title",
        value="x",
        path="/contacts/",
        status="done",
        changed=1,
        expires_at=timezone.now() + dt.timedelta(minutes=5),
    )
    repair = BulkEdit.objects.create(
        user=rep,
        model="repair:contact.unowned",
        title="Hidden repair",
        label="Give to the owner of their company",
        key="owner",
        path="/contacts/",
        query="quality=unowned",
        status="done",
        changed=1,
        expires_at=timezone.now() + dt.timedelta(minutes=5),
    )
    export = Export.objects.create(
        owner=rep,
        entity="contact",
        title="Hidden list",
        scope="contacts:export",
        path="/contacts/",
        status="done",
    )
    twin = ContactFactory(first_name="Hidden", last_name="Other twin", **own)
    pair = DuplicatePair.objects.create(
        entity="contact", left_id=contact.pk, right_id=twin.pk, score=0.9, reasons=[{"code": "name"}]
    )
    rows = {
        "edit": edit,
        "repair": repair,
        "export": export,
        "trash": trash,
        "company": company,
        "duplicate": pair,
        "merge": merge,
        "contact": contact,
        "task": task,
        "interaction": interaction,
        "deal": deal,
        "pipeline": deal.pipeline,
        "stage": deal.stage,
        "survey": survey,
        "invitation": invitation,
        "response": response,
        "case": case,
        "import": job,
        "automation": automation,
        "run": run,
        "view": view,
        "segment": segment,
        "field": field,
        "tag": Tag.objects.create(name="known", names=["known"], is_kept=True),
        "layout": layout,
        "notification": note,
        "token": token,
        "user": rep,
        "team": rep.team,
    }
    rows |= parts_of(contact, company)
    return World(rep, {name: row.pk for name, row in rows.items()}, outside)


def parts_of(contact: Any, company: Any) -> dict[str, Any]:
    """One part of each kind of a contact and of a company."""
    return {
        "employment": contact.employments.first()
        or contact.employments.create(company=company, title="Hidden"),
        "point": contact.points.create(kind="email", value=f"hidden{contact.pk}@x.example"),
        "company_domain": company.domains.create(domain=f"hidden{company.pk}.example"),
        "stage_change": contact.lifecycle_changes.create(
            from_stage="lead", to_stage="former", at=timezone.now(), reason="Hidden"
        ),
        "relationship": contact.relationships.create(
            related=ContactFactory(first_name="Hidden", owner=contact.owner, team=contact.team), kind="spouse"
        ),
        "address": contact.address_set.create(city="Hidden City"),
        "company_address": company.address_set.create(city="Hidden City"),
        "profile": contact.socialprofile_set.create(network="other", handle="Hidden handle"),
        "attachment": attached(contact),
        "follower": contact.follower_set.create(user=contact.owner),
        "company_profile": company.socialprofile_set.create(network="other", handle="Hidden handle"),
    }


def attached(contact: Any) -> Attachment:
    row = Attachment(contact=contact, name="Hidden.txt", content_type="text/plain", size=6)
    row.file.save("x", ContentFile(b"Hidden"), save=False)
    row.save()
    return row


def _pointers(outsider: Any, company: Any, contact: Any, deal: Any) -> dict[str, int]:
    """What somebody of another team owns may point to what they may not see. Answers the parts of it."""
    own = {"owner": outsider, "team": outsider.team}
    friend = ContactFactory(first_name="Plain", last_name="Friend", **own)
    plain = ContactFactory(first_name="Plain", company=company, **own)
    TaskFactory(title="Plain task", contact=contact, company=company, deal_id=deal.pk, **own)
    InteractionFactory(subject="Plain call", contact=contact, company=company, deal_id=deal.pk, **own)
    DealFactory(name="Plain deal", pipeline=deal.pipeline, company=company, **own)
    CaseFactory(subject="Plain case", contact=contact, **own)
    parts = {
        "employment": plain.employments.get(),
        "point": plain.points.create(kind="phone", value="+49301"),
        "address": plain.address_set.create(city="Plain City"),
        "profile": plain.socialprofile_set.create(network="other", handle="plain"),
        "relationship": plain.relationships.create(related=friend, kind="spouse"),
    }
    plain.relationships.create(related=contact, kind="influences")
    return {name: row.pk for name, row in parts.items()}


def _automation(contact: Any) -> tuple[Automation, Run]:
    automation = Automation.objects.create(name="Greet")
    definition = {
        "trigger": {"type": "event", "event": "order.placed"},
        "steps": [{"key": "tag", "type": "action", "action": "add_tag", "parameters": {"tag": "greeted"}}],
    }
    version = AutomationVersion.objects.create(automation=automation, number=1, definition=definition)
    Automation.objects.filter(pk=automation.pk).update(current_version=version)
    run = Run.objects.create(
        automation=automation,
        automation_version=version,
        contact=contact,
        trigger_key="hidden",
        status="done",
        ended_at=timezone.now() - dt.timedelta(days=1),
    )
    RunStep.objects.create(run=run, step_key="tag", kind="action", status="done")
    return automation, run


def fingerprint() -> dict[str, str]:
    """A digest of every table's rows, apart from those of sessions, throttles and the like."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        names = [name for (name,) in cursor.fetchall() if not any(_like(name, each) for each in _IGNORED)]
        parts = " UNION ALL ".join(
            f"SELECT '{name}', md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM \"{name}\" t"
            for name in names
        )
        cursor.execute(parts)
        return dict(cursor.fetchall())


def _like(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("%") else name == pattern


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
