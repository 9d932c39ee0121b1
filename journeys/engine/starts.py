"""Making runs: conditions, re-entry, caps and hold-out for many contacts in a few statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext as _

from contacts.models import Contact
from contacts.services.stream import NewActivity, activities_append
from crmcem.lib.actors import Actor
from crmcem.lib.conditions import to_q
from crmcem.lib.jobs import soon
from journeys.definition import Definition, EventTrigger
from journeys.definition.nodes import interval
from journeys.engine import chance, sql
from journeys.engine.marks import Mark
from journeys.models import Automation, Run

#: Automations that trigger each other: the run that would be one more of these in a row is refused.
MAX_DEPTH = 5
#: Segments are kept by the system, so who comes and goes in a circle of automations has no depth: a customer starts
#: an automation on segments so many times within a day, and once more as a run that says why not.
MAX_TURNS = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact that met the trigger, and by what.

    ``key`` tells one cause from another (see ``trigger_key``). ``mark`` is the place in the stream where the
    run begins: the activity that came in.
    """

    contact_id: int
    cause: str
    activity_id: int | None
    received_at: dt.datetime | None
    depth: int
    mark: Mark


def trigger_key(definition: Definition, cause: str) -> str:
    """Unique per automation and contact: under "once" every cause is the same cause."""
    return "once" if definition.reentry.policy == "once" else cause


def limits(definition: Definition) -> list[tuple[int, str]]:
    """(n, interval): at most n starts of one contact in that time."""
    found = []
    if definition.reentry.policy == "after":
        found.append((1, f"{definition.reentry.days} days"))
    if definition.frequency_cap is not None:
        found.append((definition.frequency_cap.count, interval(definition.frequency_cap.within)))
    return found


def allowed(definition: Definition, contact_ids: set[int], now: dt.datetime) -> set[int]:
    """Those of the contacts that exist and meet the automation's conditions: one statement for all."""
    rows = Contact._base_manager.filter(pk__in=contact_ids)
    if definition.conditions is not None:
        rows = rows.filter(to_q(definition.conditions, now=now, tz=sql.zone(), narrow=True))
    return set(rows.values_list("pk", flat=True))


_INSERT = """
WITH given AS (
    SELECT * FROM unnest(%(contacts)s::bigint[], %(keys)s::text[], %(activities)s::bigint[],
                         %(received)s::timestamptz[], %(depths)s::int[], %(txids)s::text[],
                         %(marks)s::bigint[], %(times)s::timestamptz[], %(snapshots)s::text[])
         WITH ORDINALITY AS g(contact_id, key, activity_id, received_at, depth, txid, mark_id, mark_at,
                              snapshot, n)
), first AS (
    SELECT DISTINCT ON (contact_id, key) * FROM given ORDER BY contact_id, key, n
), fresh AS (
    SELECT f.*, row_number() OVER (PARTITION BY contact_id ORDER BY n) AS nth
    FROM first f WHERE NOT EXISTS (
        SELECT 1 FROM journeys_run r
        WHERE r.automation_id = %(automation)s AND r.contact_id = f.contact_id AND r.trigger_key = f.key)
), chosen AS (
    SELECT f.*, depth > %(max_depth)s OR {turns} > %(max_turns)s AS deep, {share} < %(holdout)s AS held,
           CASE WHEN depth > %(max_depth)s THEN %(deep_reason)s ELSE %(turns_reason)s END AS why_not
    FROM fresh f WHERE {limits}
)
INSERT INTO journeys_run (automation_id, automation_version_id, contact_id, trigger_key, trigger_activity_id,
                          status, step_key, context, depth, attempts, due_at, wake_on, started_at, ended_at,
                          reason, error)
SELECT %(automation)s, %(version)s, f.contact_id, f.key, f.activity_id,
       CASE WHEN deep THEN 'failed' WHEN held THEN 'exited' ELSE 'active' END,
       CASE WHEN deep OR held THEN '' ELSE %(first)s END,
       jsonb_strip_nulls(jsonb_build_object(
           'start', jsonb_build_object('txid', f.txid, 'id', f.mark_id, 'at', f.mark_at,
                                       'snapshot', f.snapshot),
           'event', CASE WHEN a.id IS NOT NULL THEN jsonb_build_object(
               'id', a.id, 'kind', a.kind, 'occurred_at', a.occurred_at, 'properties', a.payload,
               'subject_type', a.subject_type, 'subject_id', a.subject_id) END)),
       least(f.depth, 32767), 0, CASE WHEN deep OR held THEN NULL ELSE %(now)s END, %(wake)s, %(now)s,
       CASE WHEN deep OR held THEN %(now)s END,
       CASE WHEN deep THEN why_not WHEN held THEN %(held_reason)s ELSE '' END,
       CASE WHEN deep THEN why_not ELSE '' END
FROM chosen f
LEFT JOIN contacts_activity a ON a.id = f.activity_id AND a.received_at = f.received_at
ON CONFLICT DO NOTHING
RETURNING id, contact_id, status
"""

_LIMIT = """f.nth <= %(count{n})s - (
    SELECT count(*) FROM journeys_run r
    WHERE r.automation_id = %(automation)s AND r.contact_id = f.contact_id
      AND r.started_at > %(now)s::timestamptz - %(within{n})s::interval)"""

_TURNS = """(f.nth + (
    SELECT count(*) FROM journeys_run r
    WHERE r.automation_id = %(automation)s AND r.contact_id = f.contact_id
      AND r.started_at > %(now)s::timestamptz - interval '1 day'))"""


def on_segments(definition: Definition) -> bool:
    """Whether entering or leaving a segment starts it."""
    return isinstance(definition.trigger, EventTrigger) and definition.trigger.event.startswith("segment.")


def runs_start(
    *, automation: Automation, definition: Definition, candidates: Sequence[Candidate], now: dt.datetime
) -> int:
    """Make the runs that conditions, re-entry and caps allow, in the caller's transaction.

    Returns how many set out. A contact in the hold-out group, or one automation too deep, gets a run that
    has ended, with its reason, so that it is seen and counted.
    """
    may = allowed(definition, {c.contact_id for c in candidates}, now)
    chosen = [c for c in candidates if c.contact_id in may]
    if not chosen:
        return 0
    bounds = limits(definition)
    salt = chance.holdout_salt(automation.pk)
    share = chance.SHARE_SQL.replace("contact_id", "f.contact_id")
    turns = _TURNS if on_segments(definition) else "0"
    conditions = [_LIMIT.format(n=n) for n in range(len(bounds))]
    conditions.append(f"{turns} <= %(max_turns)s + 1")
    statement = _INSERT.format(share=share, limits=" AND ".join(conditions), turns=turns)
    params = {
        "automation": automation.pk,
        "version": automation.current_version_id,
        "contacts": [c.contact_id for c in chosen],
        "keys": [trigger_key(definition, c.cause) for c in chosen],
        "activities": [c.activity_id for c in chosen],
        "received": [c.received_at for c in chosen],
        "depths": [c.depth for c in chosen],
        "txids": [c.mark.txid for c in chosen],
        "marks": [c.mark.id for c in chosen],
        "times": [c.mark.at for c in chosen],
        "snapshots": [c.mark.snapshot for c in chosen],
        "max_depth": MAX_DEPTH,
        "max_turns": MAX_TURNS,
        "holdout": round(definition.holdout_percent * 100),
        "salt": salt,
        "first": definition.first,
        "wake": list(definition.listens_to),
        "now": now,
        "deep_reason": _("Not started: %(n)s automations in a row had set each other off.")
        % {"n": MAX_DEPTH},
        "turns_reason": _(
            "Not started: the customer came and went %(n)s times within a day, as where automations set each other"
            " off in a circle."
        )
        % {"n": MAX_TURNS},
        "held_reason": _("In the hold-out group: nothing is done, so that the effect can be measured."),
    }
    for n, (count, within) in enumerate(bounds):
        params |= {f"count{n}": count, f"within{n}": within}
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    begun = [(run, contact) for run, contact, status in rows if status == Run.Status.ACTIVE]
    _announce(automation, begun)
    return len(begun)


def _announce(automation: Automation, begun: list[tuple[int, int]]) -> None:
    """The runs on the timelines of their contacts, and a word to the workers."""
    if not begun:
        return
    payload = {"automation": automation.pk, "name": automation.name}
    activities_append(
        actor=Actor("automation", automation.pk),
        activities=[
            NewActivity("automation.started", contact_id=contact, subject=("run", run), payload=payload)
            for run, contact in begun
        ],
    )
    soon("journeys.tasks.advance_runs", debounce=0.2)
