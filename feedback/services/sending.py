"""A survey for everybody of a segment: a job that asks each of them as one alone would be asked.

The keeper of edits of many records (``crmcem.workspace.services.edits``) walks the members by id, chunk by chunk, each
in one transaction with its invitations, so a worker that dies leaves nobody asked twice. What is sent can't be taken
back: such a job can be stopped, not undone (``BulkEdit.is_sending``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from contacts.models import Contact, Segment
from contacts.selectors.segments import members
from crmcem.lib.actors import Actor, acting
from crmcem.lib.bulk_edits import Line, Restored, Written, register
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import capped_count
from crmcem.lib.records import visible_rows
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.policies import require
from crmcem.workspace.services.edits import edit_start
from crmcem.workspace.services.lists import list_behind
from feedback.models import Survey

from .invitations import REASONS, check_asking, invitation_create

WRITE = "surveys:write"
#: what such a job is called among the edits
MODEL = "send:survey"
#: so many are asked in one transaction: each has a letter to be written
CHUNK = 50


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many members the person sees (``exact``, or more than were counted), and how many of them have no address
    or have refused e-mail."""

    members: int
    exact: bool
    unreachable: int


@dataclass(slots=True)
class SurveySending:
    """The key of a job is the survey's id, its value ``{"touchpoint": …}``."""

    scope: str = WRITE
    at_once: int | None = 0
    chunk: int | None = CHUNK
    assign: str = WRITE
    entity: str = "contact"
    keys: Sequence[str] = ()

    def check(self, *, key: str, raw: Any, actor: Actor) -> Any:
        """``raw`` as it is: ``survey_send_to_segment`` has looked at it."""
        require(actor, WRITE)
        return raw

    def differing(self, *, key: str, value: Any) -> Any:
        return Q()

    def barred(self, *, key: str, value: Any) -> list[tuple[Any, str]]:
        return []

    def kinds(self, key: str) -> Sequence[str]:
        """Nothing is changed that an undo could be expected of."""
        return ()

    def write(self, *, key: str, value: Any, ids: list[int], actor: Actor) -> Written:
        """Ask those of the customers whom the actor may see. Raises DomainError where the survey takes no answers."""
        require(actor, WRITE)
        survey = Survey.objects.filter(pk=int(key)).first()
        if survey is None:
            raise DomainError.of("survey", "does_not_exist", _("The survey is gone."))
        asked: list[tuple[int, Any, int]] = []
        left: list[Line] = []
        with acting(actor):
            for contact in visible_rows(Contact, actor).filter(pk__in=ids).order_by("pk"):
                made = invitation_create(
                    survey=survey, contact=contact, actor=actor, touchpoint=value["touchpoint"]
                )
                if made.suppressed_reason:
                    left.append((str(contact), str(REASONS[made.suppressed_reason]), contact.pk))
                else:
                    asked.append((contact.pk, None, 0))
        return Written(asked, left)

    def restore(self, *, key: str, before: dict[int, tuple[Any, int]], actor: Actor) -> Restored:
        """What is sent stays sent."""
        return Restored(0)


def survey_send_to_segment(
    *, survey: Survey, segment: Segment, actor: Actor, touchpoint: str = ""
) -> BulkEdit:
    """Begin to ask every member of the segment whom the actor may see, by e-mail. Answers the job.

    Raises DomainError for a survey that is not live, a bad touchpoint, or where too many jobs of theirs are open.
    """
    require(actor, WRITE)
    check_asking(survey, "email", touchpoint)
    edit = BulkEdit(
        user=actor.user,
        model=MODEL,
        title=survey.name[:120],
        label=(_("Send to “%(name)s”") % {"name": segment.name})[:120],
        path=reverse("contacts:list"),
        query=f"segment={segment.pk}",
        key=str(survey.pk),
        value={"touchpoint": touchpoint},
    )
    page = list_behind(edit.user, edit.path, edit.query)
    return edit_start(edit=edit, rows=page.filtered(), actor=actor)


def sending_forecast(segment: Segment, user: Any) -> Forecast:
    """What sending to the segment would meet, before how often somebody may be asked is looked at."""
    rows = members(segment, user)
    unreachable = Q(email=None) | Q(email="") | Q(consent__email__status="denied")
    count, exact = capped_count(rows)
    without, _exact = capped_count(rows.filter(unreachable))
    return Forecast(count, exact, without)


def register_sending() -> None:
    """Called when the app is ready."""
    register(MODEL, SurveySending())
