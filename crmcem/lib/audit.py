"""Audit by statement-level database triggers: they see bulk writes, COPY and raw SQL alike.

An insert is recorded by its row's id alone (the row itself is the value), an update by the old and the
new value of each changed column, a delete by the whole old row: together they give every past state.
"""

import pgtrigger

_ACTOR = """
    nullif(split_part(coalesce(current_setting('crmcem.actor', true), ''), ':', 1), '') AS kind,
    nullif(split_part(coalesce(current_setting('crmcem.actor', true), ''), ':', 2), '')::bigint AS id
"""
_INSERT = "INSERT INTO workspace_auditentry (at, actor_kind, actor_id, table_name, row_id, op, changes)"


def audited(*secret: str, ignore: tuple[str, ...] = ("updated_at", "version")) -> list[pgtrigger.Trigger]:
    """Triggers for ``Meta.triggers`` of a model whose primary key column is ``id``.

    ``secret`` columns are recorded as changed without their values; ``ignore`` columns alone are no change.
    """
    hidden = "ARRAY[" + ", ".join(f"'{name}'" for name in secret) + "]::text[]"
    ignored = "ARRAY[" + ", ".join(f"'{name}'" for name in ignore) + "]::text[]"
    inserted = f"""
        {_INSERT}
        SELECT clock_timestamp(), coalesce(actor.kind, 'system'), actor.id, TG_TABLE_NAME, n.id, 'I', NULL
        FROM new_rows n, (SELECT {_ACTOR}) actor;
        RETURN NULL;
    """  # noqa: S608 - built from constants of the code
    updated = f"""
        {_INSERT}
        SELECT clock_timestamp(), coalesce(actor.kind, 'system'), actor.id, TG_TABLE_NAME, n.id, 'U', diff.changes
        FROM new_rows n
        JOIN old_rows o ON o.id = n.id
        CROSS JOIN (SELECT {_ACTOR}) actor
        CROSS JOIN LATERAL (
            SELECT jsonb_object_agg(
                b.key,
                CASE WHEN b.key = ANY({hidden}) THEN '["***", "***"]'::jsonb
                     ELSE jsonb_build_array(a.value, b.value) END
            ) AS changes
            FROM jsonb_each(to_jsonb(o)) a JOIN jsonb_each(to_jsonb(n)) b ON a.key = b.key
            WHERE a.value IS DISTINCT FROM b.value AND b.key <> ALL({ignored})
        ) diff
        WHERE o IS DISTINCT FROM n AND diff.changes IS NOT NULL;
        RETURN NULL;
    """  # noqa: S608
    deleted = f"""
        {_INSERT}
        SELECT clock_timestamp(), coalesce(actor.kind, 'system'), actor.id, TG_TABLE_NAME, o.id, 'D',
               to_jsonb(o) - {hidden}
        FROM old_rows o, (SELECT {_ACTOR}) actor;
        RETURN NULL;
    """  # noqa: S608
    return [
        pgtrigger.Trigger(
            name="audit_insert",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),  # type: ignore[no-untyped-call]
            func=inserted,
        ),
        pgtrigger.Trigger(
            name="audit_update",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Update,
            referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),  # type: ignore[no-untyped-call]
            func=updated,
        ),
        pgtrigger.Trigger(
            name="audit_delete",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Delete,
            referencing=pgtrigger.Referencing(old="old_rows"),  # type: ignore[no-untyped-call]
            func=deleted,
        ),
    ]
