"""The rules of feedback in one place: who counts as a detractor, how urgent a case is, when it is due."""

import datetime as dt
from collections.abc import Mapping

from .models import Case

#: NPS answers up to this one come from detractors; from PROMOTER on from promoters
DETRACTOR = 6
PROMOTER = 9
#: the lowest answers
FURIOUS = 3
#: an older answer (an import) opens no case: nobody waits for our call any more
FOLLOW_UP_DAYS = 30
#: customers with so many orders, or so likely to leave, come one step sooner
LOYAL_ORDERS = 5
RISKY = 0.5

#: hours until a case must be resolved
SLA_HOURS: Mapping[str, int] = {
    Case.Priority.URGENT: 4,
    Case.Priority.HIGH: 24,
    Case.Priority.NORMAL: 48,
    Case.Priority.LOW: 120,
}
#: hours before the end in which a case is shown as due soon
SLA_WARNING_HOURS = 4


def sla_due(priority: str, start: dt.datetime) -> dt.datetime:
    """When a case of this priority, opened at ``start``, must be resolved."""
    return start + dt.timedelta(hours=SLA_HOURS[priority])


def sla_state(case: Case, now: dt.datetime) -> str:
    """none · on_track · due_soon · overdue while open; met · missed once resolved."""
    if case.sla_due_at is None:
        return "none"
    if not case.is_open:
        return "met" if (case.resolved_at or now) <= case.sla_due_at else "missed"
    if now > case.sla_due_at:
        return "overdue"
    return "due_soon" if case.sla_due_at - now <= dt.timedelta(hours=SLA_WARNING_HOURS) else "on_track"


def detractor_priority(nps: int, orders: int, churn_risk: float | None) -> str:
    """How soon to call a detractor: by the answer, one step sooner for a loyal or endangered customer."""
    valued = orders >= LOYAL_ORDERS or (churn_risk or 0) >= RISKY
    if nps <= FURIOUS:
        return Case.Priority.URGENT if valued else Case.Priority.HIGH
    return Case.Priority.HIGH if valued else Case.Priority.NORMAL
