"""How deals look on a timeline."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crmcem.lib.activities import Kind, register
from sales.models import Deal


def _worth(payload: Mapping[str, Any]) -> str:
    """``Fleet (1,200.50 EUR)``"""
    name = str(payload.get("name") or "")
    amount = _money(payload.get("amount"), payload.get("currency"))
    return f"{name} ({amount})" if amount else name


def _money(amount: Any, currency: Any) -> str:
    """An amount as people write it; cents only where there are any. Empty for what is no amount."""
    try:
        value = Decimal(str(amount))
    except ArithmeticError:
        return ""
    if not value.is_finite():
        return ""
    digits = 0 if value == value.to_integral_value() else 2
    return f"{number_format(value, digits, use_l10n=True, force_grouping=True)} {currency or ''}".strip()


def _changed(payload: Mapping[str, Any]) -> str:
    """The names of the changed fields; an amount with what it was and is."""
    changes = payload.get("changes")
    if not isinstance(changes, Mapping):
        return _worth(payload)
    known = {field.name: field for field in Deal._meta.get_fields()}
    said = []
    for name, pair in changes.items():
        label = str(getattr(known.get(name), "verbose_name", name))
        if name == "amount" and isinstance(pair, list) and len(pair) == 2:
            old, new = (_money(value, payload.get("currency")) or "–" for value in pair)
            said.append(f"{label} {old} → {new}")
        else:
            said.append(label)
    return f"{payload.get('name') or ''}: {', '.join(said)}" if said else _worth(payload)


def _moved(payload: Mapping[str, Any]) -> str:
    return _("%(name)s from %(old)s to %(new)s") % {
        "name": _worth(payload),
        "old": payload.get("from", ""),
        "new": payload.get("to", ""),
    }


def _closed(payload: Mapping[str, Any]) -> str:
    reason = payload.get("reason")
    return f"{_worth(payload)}: {reason}" if reason else _worth(payload)


def register_kinds() -> None:
    register(
        Kind("deal.created", gettext_lazy("Deal opened"), "coin", "deals", _worth),
        Kind("deal.updated", gettext_lazy("Deal changed"), "pencil", "deals", _changed),
        Kind("deal.moved", gettext_lazy("Deal moved"), "arrows-right", "deals", _moved),
        Kind("deal.won", gettext_lazy("Deal won"), "trophy", "deals", _closed),
        Kind("deal.lost", gettext_lazy("Deal lost"), "mood-sad", "deals", _closed),
        Kind("deal.reopened", gettext_lazy("Deal reopened"), "refresh", "deals", _worth),
        Kind("deal.deleted", gettext_lazy("Deal deleted"), "trash", "deals", _worth),
    )
