"""From compiled conditions to pieces of SQL with named parameters, for set-based statements."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import connection
from django.db.models import Q

from contacts.conditions import contact_fields
from contacts.models import Activity
from crmcem.lib.conditions import Node, where_q
from crmcem.workspace.organisation import organisation

_PLACEHOLDER = re.compile(r"%%|%s")


def zone() -> ZoneInfo:
    """The organisation's time zone, whose days the conditions mean."""
    return ZoneInfo(organisation().time_zone)


def payload_q(where: Node | None, now: dt.datetime) -> Q:
    """The filter on an activity's payload as a Q on activities."""
    if where is None:
        return Q()
    assert contact_fields.activities is not None
    return where_q(where, contact_fields.activities, now=now, tz=zone())


def activity_sql(q: Q, prefix: str) -> tuple[str, dict[str, Any]]:
    """``q`` as SQL on a relation named ``contacts_activity`` (the table, or an alias of that name).

    Parameters are named ``<prefix>0``, ``<prefix>1``, …
    """
    query = Activity._base_manager.filter(q).query
    compiler = query.get_compiler(connection=connection)
    try:
        sql, params = compiler.compile(query.where)
    except EmptyResultSet:
        return "FALSE", {}
    except FullResultSet:
        return "TRUE", {}
    if not sql:
        return "TRUE", {}
    named: dict[str, Any] = {}

    def replace(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%%"
        name = f"{prefix}{len(named)}"
        named[name] = params[len(named)]
        return f"%({name})s"

    return _PLACEHOLDER.sub(replace, sql), named
