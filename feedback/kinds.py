"""What feedback's activities look like on a timeline."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crmcem.lib.activities import Kind, register


def _name(payload: Mapping[str, Any]) -> str:
    return str(payload.get("name") or _("a survey"))


def _invited(payload: Mapping[str, Any]) -> str:
    return _("Asked by “%(name)s”") % {"name": _name(payload)}


def _suppressed(payload: Mapping[str, Any]) -> str:
    from feedback.services.invitations import REASONS

    reason = REASONS.get(str(payload.get("reason")), "")
    return _("Not asked by “%(name)s”: %(reason)s") % {"name": _name(payload), "reason": reason}


def _opened(payload: Mapping[str, Any]) -> str:
    return _("Began to answer “%(name)s”") % {"name": _name(payload)}


def _answered(payload: Mapping[str, Any]) -> str:
    parts = [
        f"{label} {payload[key]}"
        for key, label in (("nps", "NPS"), ("csat", "CSAT"), ("ces", "CES"))
        if payload.get(key) is not None
    ]
    comment = payload.get("comment")
    if comment:
        parts.append(_("“%(quote)s”") % {"quote": comment})
    return " · ".join(parts) or _("Answered “%(name)s”") % {"name": _name(payload)}


def _corrected(payload: Mapping[str, Any]) -> str:
    return _("The mood of an answer was set to %(label)s") % {"label": payload.get("label", "")}


def _case(payload: Mapping[str, Any]) -> str:
    return str(payload.get("subject") or "")


def _resolved(payload: Mapping[str, Any]) -> str:
    parts = [str(payload.get(key) or "") for key in ("subject", "resolution")]
    return " · ".join(part for part in parts if part)


def register_kinds() -> None:
    register(
        Kind(
            "survey.invited", gettext_lazy("Survey sent"), "mail-question", "feedback", _invited, touch=True
        ),
        Kind("survey.suppressed", gettext_lazy("Survey not sent"), "mail-off", "feedback", _suppressed),
        Kind("survey.opened", gettext_lazy("Survey opened"), "eye", "feedback", _opened, seen=True),
        Kind(
            "survey.answered",
            gettext_lazy("Survey answered"),
            "message-star",
            "feedback",
            _answered,
            seen=True,
        ),
        Kind("survey.corrected", gettext_lazy("Mood corrected"), "mood-edit", "feedback", _corrected),
        Kind("case.opened", gettext_lazy("Case opened"), "lifebuoy", "feedback", _case),
        Kind("case.updated", gettext_lazy("Case changed"), "lifebuoy", "feedback", _case),
        Kind(
            "case.resolved", gettext_lazy("Case resolved"), "circle-check", "feedback", _resolved, touch=True
        ),
        Kind("case.closed", gettext_lazy("Case closed"), "circle-check", "feedback", _case),
        Kind("case.reopened", gettext_lazy("Case reopened"), "rotate", "feedback", _case),
        Kind("case.deleted", gettext_lazy("Case deleted"), "trash", "feedback", _case),
        Kind("case.restored", gettext_lazy("Case brought back"), "arrow-back-up", "feedback", _case),
    )
