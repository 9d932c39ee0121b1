"""What the workers do for contacts: every task only wakes work that lies in rows."""

import time

from celery import shared_task

from contacts.importing import runner
from contacts.services import (
    attachments,
    duplicates,
    field_indexes,
    milestones,
    outbox,
    quality_watch,
    reminders,
    tagging,
    upkeep,
)
from contacts.services.messages import SEND
from contacts.services.segmenting import keeping
from contacts.services.stream import PUMP, wake_consumers
from crmcem.lib import stream_runner
from crmcem.lib.jobs import soon, started


@shared_task(name=PUMP)
def pump_stream() -> int:
    """Run the consumers until the stream is read, or hand the rest to another turn."""
    started(PUMP)
    seconds = 30.0
    begin = time.monotonic()
    rows = stream_runner.pump(seconds=seconds)
    if time.monotonic() - begin >= seconds:
        wake_consumers()
    return rows


@shared_task(name=SEND)
def send_messages() -> int:
    """Send the queued messages that are due; those found half-sent become ``uncertain``."""
    started(SEND)
    return outbox.send_messages()


@shared_task(name="contacts.tasks.keep_partitions")
def keep_partitions() -> int:
    """Make the stream's partitions of the coming months. Returns how many were made."""
    return upkeep.partitions_keep()


@shared_task(name="contacts.tasks.forget_attachments")
def forget_attachments() -> int:
    """Take away the files of records that are gone. Returns how many."""
    return attachments.attachments_forget()


@shared_task(name="contacts.tasks.expire_event_keys")
def expire_event_keys() -> int:
    """Forget the message ids of events older than the retention, in batches."""
    return upkeep.event_keys_expire()


@shared_task(name="contacts.tasks.tell_milestones")
def tell_milestones() -> int:
    """Write the birthdays and anniversaries of the organisation's day. Returns how many."""
    return milestones.milestones_tell()


@shared_task(name="contacts.tasks.send_reminders")
def send_reminders() -> int:
    """Turn the reminders that are due into notifications, each exactly once."""
    return reminders.reminders_send()


@shared_task(name=runner.RUN)
def run_import(job_id: int) -> str:
    """Take an import one turn further; one that another worker has is left to it."""
    return runner.run(job_id)


@shared_task(name="contacts.tasks.resume_imports")
def resume_imports() -> int:
    """Wake a worker for each import that nobody works on: never begun, or left by a worker that died."""
    waiting = runner.orphans()
    for job_id in waiting:
        soon(runner.RUN, job_id)
    return len(waiting)


@shared_task(name=keeping.KEEP)
def keep_segments() -> int:
    """Bring the segments up to date: fill new ones, take up what moved and what became due."""
    started(keeping.KEEP)
    return keeping.segments_keep()


@shared_task(name=field_indexes.KEEP)
def keep_field_indexes() -> tuple[int, int]:
    """Make and drop the indexes of filterable custom fields; a worker that is killed leaves the rest to the next."""
    started(field_indexes.KEEP)
    return field_indexes.field_indexes_keep()


@shared_task(name=duplicates.SCAN)
def scan_duplicates() -> bool:
    """Take the search for duplicates one turn further, or begin one that is due. Whether there is more to do."""
    started(duplicates.SCAN)
    duplicates.scans_due()
    more = duplicates.scan_run(seconds=30.0)
    if more:
        soon(duplicates.SCAN, debounce=0.2)
    return more


@shared_task(name=tagging.KEEP)
def keep_tags() -> int:
    """Count the tags, and take renamings, merges and deletions further."""
    started(tagging.KEEP)
    return tagging.tags_keep()


@shared_task(name="contacts.tasks.recount_tags")
def recount_tags() -> None:
    """Count all tags anew."""
    tagging.tags_recount()


@shared_task(name="contacts.tasks.find_faults")
def find_faults() -> bool:
    """Look on for stored values that are out of form. Whether there is more to do."""
    return quality_watch.faults_find()


@shared_task(name="contacts.tasks.note_quality")
def note_quality() -> int:
    """Note the numbers of the data quality for today. How many checks were counted."""
    return quality_watch.quality_note()
