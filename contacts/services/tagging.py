"""Keeping the register of tags: counts from notes, new words, and changes that go over all contacts in steps."""

import time
from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from contacts.models import Tag, TagChange, TagJob
from contacts.selectors.tags import meant
from contacts.services.segmenting.keeping import wake_keeper
from contacts.services.stream import wake_consumers
from crmcem.lib.actors import SYSTEM, Actor, acting, person
from crmcem.lib.jobs import soon

KEEP = "contacts.tasks.keep_tags"
#: contacts of one transaction
STEP = 1_000
#: what a change of few contacts takes: the contacts, another look, the end
TURNS = 3
#: notes taken up at once
NOTES = 50_000

_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('contacts_tags_kept'))"
_FOLD = """
WITH gone AS (
    DELETE FROM contacts_tagchange WHERE id IN (SELECT id FROM contacts_tagchange ORDER BY id LIMIT %s)
    RETURNING name, n
) SELECT name, sum(n)::bigint, count(*) FROM gone GROUP BY name
"""
# One snapshot sees contacts and the notes on them alike, so nothing is counted twice or missed.
_COUNT = """
WITH gone AS (DELETE FROM contacts_tagchange)
SELECT t, count(*) FROM contacts_contact, unnest(tags) t GROUP BY t
"""
_TURN = """
WITH picked AS (
    SELECT id, tags FROM contacts_contact WHERE id > %(last)s AND tags @> ARRAY[%(old)s]::varchar[]
    ORDER BY id LIMIT %(step)s FOR UPDATE
), changed AS (
    UPDATE contacts_contact c SET version = c.version + 1, updated_at = now(), tags = ARRAY(
        SELECT word FROM (
            SELECT CASE WHEN t = %(old)s THEN %(new)s ELSE t END AS word, place
            FROM unnest(p.tags) WITH ORDINALITY AS u (t, place)
        ) words WHERE word <> '' GROUP BY word ORDER BY min(place))
    FROM picked p WHERE p.id = c.id
    RETURNING c.id, c.company_id, p.tags AS before, c.tags AS after
), said AS (
    INSERT INTO contacts_activity (kind, contact_id, company_id, actor_kind, actor_id, payload)
    SELECT 'contact.updated', id, company_id, %(actor)s, %(actor_id)s, jsonb_build_object('changes',
        jsonb_build_object('tags', jsonb_build_array(to_jsonb(before), to_jsonb(after))))
    FROM changed ORDER BY id
)
SELECT count(*), max(id) FROM changed
"""


def wake_tags() -> None:
    """Ask the workers, after commit and debounced, to go on with what is being changed."""
    soon(KEEP, debounce=0.3)


def tags_keep(*, seconds: float = 20.0) -> int:
    """Fold the notes into the counts and take the changes further, at most about ``seconds``. How much was done."""
    deadline = time.monotonic() + seconds
    total = 0
    while True:
        done = take_notes() + sum(job_step(pk) for pk in _waiting())
        total += done
        if not done or time.monotonic() >= deadline:
            return total


def tags_recount() -> None:
    """Have everything counted anew at the next turn; whatever went astray is mended by that."""
    TagChange.objects.create(name="", n=0)


def _waiting() -> list[int]:
    return list(TagJob.objects.filter(finished_at=None).order_by("pk").values_list("pk", flat=True))


# --- counts ----------------------------------------------------------------------------------------------------
def take_notes() -> int:
    """Take up the oldest notes in one transaction. How many; 0 also where another keeper is at it."""
    with acting(SYSTEM), connection.cursor() as cursor:
        cursor.execute(_ALONE)
        if not cursor.fetchone()[0]:
            return 0
        if TagChange.objects.filter(name="").exists():
            cursor.execute(_COUNT)
            counted = dict(cursor.fetchall())
            Tag.objects.exclude(name__in=counted).exclude(count=0).update(count=0)
            _keep(counted, anew=True)
            return 1
        cursor.execute(_FOLD, [NOTES])
        rows = cursor.fetchall()
        _keep({name: n for name, n, _notes in rows}, anew=False)
        return sum(notes for _name, _n, notes in rows)


def _keep(counts: dict[str, int], *, anew: bool) -> None:
    """Move the counts of known tags, register new words, and have other spellings of known tags become those."""
    known = {tag.name: tag for tag in Tag.objects.filter(name__in=counts)}
    for name, tag in sorted(known.items()):
        before = 0 if anew else F("count")
        if anew or counts[name]:
            Tag.objects.filter(pk=tag.pk).update(count=Greatest(before + Value(counts[name]), Value(0)))
    _register(name for name, n in sorted(counts.items()) if n > 0 and name and name not in known)
    for name, n in counts.items():
        if n > 0 and name not in known:
            Tag.objects.filter(name=name).update(count=n)
    Tag.objects.filter(is_kept=False, count=0).delete()


def _register(words: Iterable[str]) -> None:
    for word in words:
        other = meant([word]).get(word)
        if other is None:
            tag_made(word)
        elif not TagJob.objects.filter(old=word, finished_at=None).exists():
            TagJob.objects.create(old=word, new=other)


def tag_made(name: str, **values: object) -> Tag:
    """A new row of the register, known by its own name."""
    tag: Tag = Tag.objects.create(name=name, **values)
    Tag.objects.filter(pk=tag.pk).update(names=[folded(name)])
    tag.refresh_from_db()
    return tag


def folded(name: str) -> str:
    """A name without case and accents, as the database folds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT crmcem_fold(%s)", [name])
        return str(cursor.fetchone()[0])


# --- changes over all contacts -----------------------------------------------------------------------------------
def job_begin(*, old: str, new: str, actor: Actor, total: int) -> TagJob:
    """Have ``old`` become ``new`` (nothing: go) on every contact: at once where they are few, else by the workers.

    The caller is in a transaction.
    """
    job = TagJob.objects.filter(old=old, finished_at=None).first()
    if job is None:
        job = TagJob.objects.create(old=old, new=new, total=total, user=actor.user)
    else:  # one that is on its way: it goes over everybody once more
        TagJob.objects.filter(pk=job.pk).update(new=new, last_id=0)
    TagJob.objects.filter(finished_at=None, new=old).update(new=new, last_id=0)
    if total <= STEP:
        for _turn in range(TURNS):
            if not job_step(job.pk, actor):
                break
    wake_tags()
    return job


def job_step(pk: int, actor: Actor | None = None) -> int:
    """The next contacts, in one transaction. How many; the job is finished where a whole round finds none."""
    job = TagJob.objects.filter(pk=pk).select_related("user").first()
    if job is None:
        return 0
    by = actor or (person(job.user) if job.user else SYSTEM)
    with acting(by), connection.cursor() as cursor:
        job = TagJob.objects.select_for_update(skip_locked=True).filter(pk=pk, finished_at=None).first()
        if job is None:
            return 0
        values: dict[str, Any] = {"last": job.last_id, "old": job.old, "new": job.new, "step": STEP}
        cursor.execute(_TURN, values | {"actor": by.kind, "actor_id": by.id})
        count, last = cursor.fetchone()
        if count:
            job.done, job.last_id = job.done + count, last
            job.total = max(job.total, job.done)
            wake_consumers()
            wake_keeper()
        elif job.last_id:
            job.last_id = 0  # once more from the beginning: somebody may have used the old word meanwhile
        else:
            job.finished_at = timezone.now()
        job.save(update_fields=["done", "total", "last_id", "finished_at"])
        return int(count) or int(job.finished_at is None)
