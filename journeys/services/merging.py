"""What a merge of two people means for their automations."""

from crmcem.lib import merging
from crmcem.lib.merge_follow import clashing
from crmcem.lib.merging import Journal, Pointer, uniques
from journeys.models import AbsenceTimer, Run


def register() -> None:
    """Called once when the app is ready."""
    merging.handle("journeys_run.contact_id", keep_runs)
    merging.handle("journeys_absencetimer.contact_id", fold_timers)
    merging.quiet(AbsenceTimer)


def keep_runs(journal: Journal, pointer: Pointer) -> None:
    """Every run stays, with its steps. Of two for the same cause the loser's gets a key of its own.

    The winner's keeps the key, so the cause that started both starts none again.
    """
    for unique in uniques(Run, pointer.column):
        journal.set(
            Run, "trigger_key = left(t.trigger_key, 130) || ':merged:' || t.id", clashing(pointer, unique)
        )
    journal.move(pointer)


def fold_timers(journal: Journal, pointer: Pointer) -> None:
    """One timer per automation: the one that was reset last, for that is when the person was last seen."""
    twin = (
        "FROM journeys_absencetimer l WHERE l.automation_id = t.automation_id AND l.contact_id = %(loser)s"
        " AND l.last_at > t.last_at"
    )
    journal.set(
        AbsenceTimer,
        f"(last_at, due_at, fired_at) = (SELECT l.last_at, l.due_at, l.fired_at {twin})",
        f"t.contact_id = %(winner)s AND EXISTS (SELECT 1 {twin})",
    )
    journal.remove(
        AbsenceTimer,
        "t.contact_id = %(loser)s AND EXISTS (SELECT 1 FROM journeys_absencetimer w"
        " WHERE w.automation_id = t.automation_id AND w.contact_id = %(winner)s)",
    )
    journal.move(pointer)
