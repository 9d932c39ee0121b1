"""The custom fields of a deal on its page."""

from typing import Any

from contacts.custom.computed import put_computed, readable
from contacts.custom.definitions import active
from contacts.custom.layouts import arrange
from contacts.custom.links import link_names
from contacts.views.custom_cells import shown, value_of
from sales.models import Deal


def custom_groups(deal: Deal, user: Any) -> list[dict[str, Any]]:
    """``[{label, fields}]`` of the custom fields, as the layout of the person's team has them."""
    fields = {each.name: each for each in active("deal").values() if readable(each, user.may)}
    if not fields:
        return []
    row: Any = deal
    names = link_names(fields.values(), [row], user)
    put_computed("deal", [row], list(fields.values()), user)
    groups = []
    for group in arrange("deal", [], user.team_id):
        found = [
            {
                "name": f"custom-{each.key}",
                "label": each.label,
                "html": shown(each, value_of(each, row), names),
                "editable": not each.computed and user.may("deals:write"),
            }
            for each in (fields[name] for name in group.names if name in fields)
        ]
        if found:
            groups.append({"label": group.label, "fields": found})
    return groups
