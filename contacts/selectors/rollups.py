"""What the people of a company add up to."""

from collections.abc import Collection
from typing import Any

from django.db.models import Avg, Count, Max, Min, Q, Sum

from contacts.models import Pulse


def company_pulses(ids: Collection[int], user: Any) -> dict[int, dict[str, Any]]:
    """``{company id: figures}`` over those of its people that ``user`` may see, in one statement.

    ``nps`` is the score of the latest answers (null without any), ``health`` the mean, ``churn_risk`` the
    highest; ``…_n`` is how many people stand behind a figure.
    """
    if not ids:
        return {}
    rows = (
        Pulse.objects.visible_to(user)
        .filter(contact__company_id__in=ids)
        .values("contact__company_id")
        .annotate(
            contacts=Count("pk"),
            nps_n=Count("nps"),
            promoters=Count("pk", filter=Q(nps__gte=9)),
            detractors=Count("pk", filter=Q(nps__lte=6)),
            newest_nps_at=Max("nps_at"),
            cases=Sum("open_cases"),
            health_mean=Avg("health"),
            health_n=Count("health"),
            newest_health_at=Max("health_at"),
            risk=Max("churn_risk"),
            newest_risk_at=Max("churn_risk_at"),
            value=Sum("clv"),
            newest_clv_at=Max("clv_at"),
            bought=Sum("orders"),
            earned=Sum("revenue"),
            seen=Max("last_seen_at"),
            touched=Max("last_touched_at"),
            following=Min("next_activity_at"),
        )
    )
    return {row.pop("contact__company_id"): _figures(row) for row in rows}


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    n = row["nps_n"]
    return {
        "contacts": row["contacts"],
        "nps": round(100 * (row["promoters"] - row["detractors"]) / n) if n else None,
        "nps_n": n,
        "nps_at": row["newest_nps_at"],
        "open_cases": row["cases"],
        "health": None if row["health_mean"] is None else round(row["health_mean"]),
        "health_n": row["health_n"],
        "health_at": row["newest_health_at"],
        "churn_risk": row["risk"],
        "churn_risk_at": row["newest_risk_at"],
        "clv": row["value"],
        "clv_at": row["newest_clv_at"],
        "orders": row["bought"],
        "revenue": row["earned"],
        "last_seen_at": row["seen"],
        "last_touched_at": row["touched"],
        "next_activity_at": row["following"],
    }


#: The figures of a company where the person sees nobody.
NOBODY: dict[str, Any] = _figures(
    dict.fromkeys(("contacts", "nps_n", "health_n", "cases", "bought", "earned"), 0)
    | dict.fromkeys(
        (
            *("promoters", "detractors", "newest_nps_at", "health_mean", "newest_health_at", "risk"),
            *("newest_risk_at", "value", "newest_clv_at", "seen", "touched", "following"),
        )
    )
)
