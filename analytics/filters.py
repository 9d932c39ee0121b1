"""The parameters of every figure: one reading for the API and for the dashboard."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from analytics.selectors.counting import GROUPS, TIME_GROUPS, Scope, today
from analytics.selectors.figures import MAX_GROUPS
from contacts.conditions import contact_fields
from crmcem.lib.api.fields import parse_id
from crmcem.lib.conditions import parse, to_q
from crmcem.lib.errors import DomainError, FieldError
from crmcem.workspace.organisation import organisation
from feedback.models import Survey

WHO = ("survey", "touchpoint", "owner", "company", "segment", "conditions")
NAMES = (*WHO, "from", "to", "period", "group_by", "compare", "limit")
#: preset → days up to today
PERIODS: Mapping[str, int] = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
DEFAULT_PERIOD = "30d"
MAX_DAYS = 3660
MAX_SURVEYS = 50
MAX_VALUE = 2000
MAX_POINTS = 1100


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about figures, as the parameters say it."""

    scope: Scope
    group: str = ""
    compare: bool = False
    limit: int = 200


class FigureParameters:
    """Reads a query string. Raises DomainError with one error per wrong parameter."""

    def __init__(
        self, params: Any, user: Any, *, groups: tuple[str, ...] = GROUPS, names: tuple[str, ...] = NAMES
    ) -> None:
        self.params, self.user, self.groups, self.names = params, user, groups, names
        self.errors: list[FieldError] = []

    def asked(self) -> Asked:
        self._check_names()
        first, last = self._period()
        group = self._choice("group_by", self.groups)
        compare = self._choice("compare", ("previous",)) == "previous"
        if compare and group in TIME_GROUPS:
            self._wrong(
                "compare", "conflict", _("Compare totals or groups of people, not days, weeks or months.")
            )
        limit = self._number("limit", 200, MAX_GROUPS)
        scope = Scope(
            user=self.user,
            first=first,
            last=last,
            surveys=self._surveys(),
            touchpoint=self._touchpoint(),
            owner=self._reference("owner", me=True),
            company=self._reference("company"),
            people=self._people(),
        )
        if group == "day" and scope.days > MAX_POINTS:
            detail = _("By day at most %(days)s days can be told. Take weeks or months.") % {
                "days": MAX_POINTS
            }
            self._wrong("group_by", "too_many", detail)
        if self.errors:
            raise DomainError(*self.errors)
        return Asked(scope, group, compare, limit)

    # --- one parameter each ------------------------------------------------------------------------
    def _wrong(self, name: str, code: str, detail: str) -> None:
        self.errors.append(FieldError(name, code, detail))

    def _check_names(self) -> None:
        for name in self.params:
            value = self.params.get(name) or ""
            if name not in self.names:
                known = ", ".join(self.names)
                self._wrong(
                    name[:80],
                    "unknown_parameter",
                    _("Unknown parameter. Known: %(known)s.") % {"known": known},
                )
            elif "\x00" in value or len(value) > MAX_VALUE:
                self._wrong(name, "invalid", _("This value holds a NUL character or is too long."))
            elif name != "survey" and len(self.params.getlist(name)) > 1:
                self._wrong(name, "invalid", _("Give this parameter once."))
        if self.errors:
            raise DomainError(*self.errors)

    def _text(self, name: str) -> str:
        return (self.params.get(name) or "").strip() if name in self.names else ""

    def _choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self._text(name)
        if value and value not in allowed:
            self._wrong(
                name, "invalid_choice", _("Choose one of: %(known)s.") % {"known": ", ".join(allowed)}
            )
            return ""
        return value

    def _number(self, name: str, usual: int, most: int) -> int:
        value = self._text(name)
        if not value:
            return usual
        if not value.isascii() or not value.isdigit() or len(value) > 6 or not 1 <= int(value) <= most:
            self._wrong(name, "invalid", _("Give a whole number from 1 to %(most)s.") % {"most": most})
            return usual
        return int(value)

    def _day(self, name: str) -> dt.date | None:
        value = self._text(name)
        if not value:
            return None
        try:
            found = parse_date(value)
        except ValueError:
            found = None
        if found is None or not 1970 <= found.year <= 2200:
            self._wrong(name, "invalid", _("Give a day as YYYY-MM-DD, between 1970 and 2200."))
            return None
        return found

    def _period(self) -> tuple[dt.date, dt.date]:
        now = today()
        preset = self._choice("period", tuple(PERIODS)) or DEFAULT_PERIOD
        first, last = self._day("from"), self._day("to")
        if last is None:
            last = now if first is None or first <= now else first
        if first is None:
            first = last - dt.timedelta(days=PERIODS[preset] - 1)
        if first > last:
            self._wrong("from", "invalid", _("The first day must not lie after the last one."))
        elif (last - first).days >= MAX_DAYS:
            self._wrong("from", "too_long", _("A period has at most %(days)s days.") % {"days": MAX_DAYS})
        return first, last

    def _surveys(self) -> tuple[int, ...]:
        texts = [t.strip() for value in self.params.getlist("survey") for t in value.split(",") if t.strip()]
        ids = {parse_id(text) for text in texts}
        if len(texts) > MAX_SURVEYS:
            self._wrong("survey", "too_many", _("Name at most %(most)s surveys.") % {"most": MAX_SURVEYS})
            return ()
        known = [i for i in ids if i is not None]
        if None in ids or (known and Survey.objects.filter(pk__in=known).count() < len(known)):
            self._wrong("survey", "does_not_exist", _("There is no such survey."))
            return ()
        return tuple(sorted(known))

    def _touchpoint(self) -> str | None:
        value = self._text("touchpoint")
        return None if not value else "" if value == "none" else value

    def _reference(self, name: str, *, me: bool = False) -> str | None:
        value = self._text(name)
        if not value:
            return None
        if value == "none":
            return ""
        if me and value == "me":
            return str(self.user.pk)
        pk = parse_id(value)
        if pk is None:
            words = _("Give an id, me or none.") if me else _("Give an id or none.")
            self._wrong(name, "invalid", words)
            return None
        return str(pk)

    def _people(self) -> Q | None:
        """The condition on contacts that ``segment`` and ``conditions`` make together."""
        found: Q | None = None
        for name in ("segment", "conditions"):
            value = self._text(name)
            if not value:
                continue
            try:
                data = {"segment": value} if name == "segment" else json.loads(value)
            except (ValueError, RecursionError):
                self._wrong(name, "invalid", _("Send the conditions as JSON."))
                continue
            try:
                node = parse(data, contact_fields, user=self.user)
                zone = ZoneInfo(organisation().time_zone)
                one = to_q(node, now=timezone.now(), tz=zone, user=self.user)
            except DomainError as error:
                self.errors += [FieldError(name, e.code, e.detail) for e in error.errors]
                continue
            found = one if found is None else found & one
        return found
