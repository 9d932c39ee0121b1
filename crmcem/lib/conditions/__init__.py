"""The one condition language: saved views, segments, branches, targeting, assignment, scoring and alerts all
speak it.

A condition is JSON: ``{"all": […]}``, ``{"any": […]}``, ``{"not": {…}}`` and leaves ::

    {"field": "email", "op": "contains", "value": "@example.com"}
    {"field": "created_at", "op": "in_last", "value": {"days": 30}}
    {"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 90},
     "where": [{"property": "amount", "op": "gt", "value": 10}]}
    {"activity": "order.placed", "op": "gte", "count": 2, "together": {"days": 90}, "within": {"years": 2}}
    {"activity": "order.placed", "op": "gte", "sum": 100, "of": "amount", "within": {"years": 1}}
    {"activity": "order.placed", "op": "before", "last": {"ago": {"days": 30}}, "within": {"years": 1}}
    {"segment": "17"}
    {"related": "deals", "has": {"at_least": 2}, "where": {"field": "status", "op": "eq", "value": "open"}}

``parse`` it against a registry (ConditionError, a DomainError, tells every fault), then ``to_q`` for one Q,
``matches`` and ``reasons`` for one record, ``explain`` for words, ``to_json`` to store it. ``parse_where``
and ``where_q`` do the same for the payload of an activity. Values of dates are dates, instants with an
offset, ``now today yesterday tomorrow``, ``{"ago": {"days": 12}}``, ``{"from_now": …}``, ``{"start_of":
"month", "offset": -1}`` and ``{"end_of": …}``: see ``moments``. Empty values: see ``operators``.
"""

from crmcem.lib.conditions.compiler import matches, to_q, where_q
from crmcem.lib.conditions.due import due, possible, timed
from crmcem.lib.conditions.errors import ConditionError, Problem
from crmcem.lib.conditions.explain import explain, span_words
from crmcem.lib.conditions.moments import Clock, Span
from crmcem.lib.conditions.nodes import All, AnyOf, Node, Not, fields_used, kinds_used, to_json, walk
from crmcem.lib.conditions.operators import FieldType
from crmcem.lib.conditions.parser import parse, parse_where
from crmcem.lib.conditions.reasons import Reason, reasons
from crmcem.lib.conditions.registry import ActivitySource, Field, FieldRegistry, SegmentBody
from crmcem.lib.conditions.relations import Relation
from crmcem.lib.conditions.schema import describe, schema

__all__ = [
    "ActivitySource",
    "All",
    "AnyOf",
    "Clock",
    "ConditionError",
    "Field",
    "FieldRegistry",
    "FieldType",
    "Node",
    "Not",
    "Problem",
    "Reason",
    "Relation",
    "SegmentBody",
    "Span",
    "describe",
    "due",
    "explain",
    "fields_used",
    "kinds_used",
    "matches",
    "parse",
    "parse_where",
    "possible",
    "reasons",
    "schema",
    "span_words",
    "timed",
    "to_json",
    "to_q",
    "walk",
    "where_q",
]
