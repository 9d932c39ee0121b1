"""No reference to a customer is forgotten by a merge: the database's own catalogue is the witness."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from contacts.models import Company, Contact
from crmcem.lib import merging
from crmcem.lib.merging import pointers, self_pointers, uniques

pytestmark = pytest.mark.django_db
TARGETS = (Contact, Company)


def foreign_keys(table: str) -> set[str]:
    """``table.column`` of every foreign key of the database that leads to ``table``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.conrelid::regclass::text || '.' || a.attname FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)"
            " WHERE c.contype = 'f' AND c.confrelid = to_regclass(%s) AND c.conparentid = 0",
            [table],
        )
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize("model", TARGETS)
def test_every_foreign_key_of_the_database_is_followed(model: Any) -> None:
    known = {p.key for p in (*pointers(model), *self_pointers(model))}
    assert foreign_keys(model._meta.db_table) <= known


def soft_columns() -> list[str]:
    """Columns that could hold an id of a customer without a constraint, by their names."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        for each in model._meta.local_fields:
            numeric = isinstance(each, models.IntegerField) and not each.is_relation
            if numeric and not each.primary_key and re.search(r"contact|company|winner|loser", each.column):
                found.append(f"{model._meta.db_table}.{each.column}")
    return found


def test_every_column_that_may_hold_a_customer_is_declared_or_exempt() -> None:
    known = {p.key for model in TARGETS for p in pointers(model)} | merging.exemptions().keys()
    assert [name for name in soft_columns() if name not in known] == []
    assert all(len(why) > 20 for why in merging.exemptions().values())


def test_a_row_that_others_hang_on_is_never_removed_by_the_general_way() -> None:
    """A unique rule that would remove it needs a handler, which says what becomes of the rows behind it."""
    for model in TARGETS:
        for pointer in pointers(model):
            if merging.handler_of(pointer) is not None:
                continue
            removing = [u for u in uniques(pointer.model, pointer.column) if not u.flag]
            behind = foreign_keys(pointer.table)
            assert not (removing and behind), (
                f"{pointer.key} is unique and {behind} hang on it: register a handler"
            )


def test_unique_rules_by_expressions_are_handled() -> None:
    with connection.cursor() as cursor:
        for model in TARGETS:
            for pointer in pointers(model):
                cursor.execute(
                    "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = to_regclass(%s) AND indisunique"
                    " AND indexprs IS NOT NULL AND (SELECT attnum FROM pg_attribute"
                    " WHERE attrelid = indrelid AND attname = %s) = ANY(indkey::int2[])",
                    [pointer.table, pointer.column],
                )
                assert cursor.fetchall() == [] or merging.handler_of(pointer) is not None, pointer.key
