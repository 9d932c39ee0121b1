"""Histories that the database itself keeps, whoever writes: a service, a set-based import, the demo data.

Seven ways write contacts and most of them are SQL over many rows; a history that each of them had to remember would
have holes. ``SET LOCAL crmcem.replay = 'on'`` (``crmcem.lib.actors.replaying``) keeps the triggers still, for those
who put back rows as they were (a merge that is undone).
"""

import pgtrigger

_STILL = "IF current_setting('crmcem.replay', true) = 'on' THEN RETURN NULL; END IF;"
_COLUMNS = "contact_id, company_id, title, department, starts_on, ends_on, is_primary, created_at, updated_at, version"


def employment_history() -> list[pgtrigger.Trigger]:
    """The primary employment follows ``company`` and ``job_title`` of a contact: what ends stays, with its day."""
    hired = f"""
        {_STILL}
        INSERT INTO contacts_employment ({_COLUMNS})
        SELECT n.id, n.company_id, n.job_title, '', NULL, NULL, true, now(), now(), 1
        FROM new_rows n WHERE n.company_id IS NOT NULL;
        RETURN NULL;
    """  # noqa: S608 - built from constants of the code
    moved = f"""
        {_STILL}
        -- A service has written the employment first: only the title may have changed.
        UPDATE contacts_employment e SET title = NEW.job_title, updated_at = now(), version = e.version + 1
        WHERE e.contact_id = NEW.id AND e.is_primary AND e.company_id = NEW.company_id
          AND e.title <> NEW.job_title;
        IF NEW.company_id IS NOT DISTINCT FROM OLD.company_id OR EXISTS (
            SELECT 1 FROM contacts_employment e
            WHERE e.contact_id = NEW.id AND e.is_primary AND e.company_id = NEW.company_id
        ) THEN
            RETURN NULL;
        END IF;
        today := (now() AT TIME ZONE coalesce((SELECT o.time_zone FROM workspace_organisation o LIMIT 1), 'UTC'))::date;
        UPDATE contacts_employment e SET is_primary = false,
            ends_on = coalesce(e.ends_on, greatest(today, e.starts_on)), updated_at = now(),
            version = e.version + 1
        WHERE e.contact_id = NEW.id AND e.is_primary;
        IF NEW.company_id IS NULL THEN
            RETURN NULL;
        END IF;
        UPDATE contacts_employment e SET is_primary = true, title = NEW.job_title, updated_at = now(),
            version = e.version + 1
        WHERE e.id = (SELECT min(s.id) FROM contacts_employment s
            WHERE s.contact_id = NEW.id AND s.company_id = NEW.company_id AND s.ends_on IS NULL);
        IF NOT FOUND THEN
            INSERT INTO contacts_employment ({_COLUMNS})
            VALUES (NEW.id, NEW.company_id, NEW.job_title, '', today, NULL, true, now(), now(), 1);
        END IF;
        RETURN NULL;
    """  # noqa: S608
    return [
        pgtrigger.Trigger(
            name="employment_begins",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),  # type: ignore[no-untyped-call]
            func=hired,
        ),
        pgtrigger.Trigger(
            name="employment_moves",
            level=pgtrigger.Row,
            when=pgtrigger.After,
            operation=pgtrigger.UpdateOf("company_id", "job_title"),  # type: ignore[no-untyped-call]
            condition=pgtrigger.Condition(
                "OLD.company_id IS DISTINCT FROM NEW.company_id OR OLD.job_title IS DISTINCT FROM NEW.job_title"
            ),
            declare=[("today", "date")],
            func=moved,
        ),
    ]


def domain_history() -> list[pgtrigger.Trigger]:
    """Every domain of a company has a row, so that one unique index holds all of them; the primary one follows."""
    made = f"""
        {_STILL}
        INSERT INTO contacts_companydomain (company_id, domain, is_primary, created_at, updated_at, version)
        SELECT n.id, n.domain, true, now(), now(), 1 FROM new_rows n WHERE n.domain IS NOT NULL;
        RETURN NULL;
    """  # noqa: S608 - built from constants of the code
    changed = f"""
        {_STILL}
        IF EXISTS (
            SELECT 1 FROM contacts_companydomain d
            WHERE d.company_id = NEW.id AND d.is_primary AND d.domain = NEW.domain
        ) THEN
            RETURN NULL;
        END IF;
        DELETE FROM contacts_companydomain d WHERE d.company_id = NEW.id AND d.is_primary;
        IF NEW.domain IS NULL THEN
            RETURN NULL;
        END IF;
        UPDATE contacts_companydomain d SET is_primary = true, updated_at = now(), version = d.version + 1
        WHERE d.company_id = NEW.id AND d.domain = NEW.domain;
        IF NOT FOUND THEN
            INSERT INTO contacts_companydomain (company_id, domain, is_primary, created_at, updated_at, version)
            VALUES (NEW.id, NEW.domain, true, now(), now(), 1);
        END IF;
        RETURN NULL;
    """  # noqa: S608
    return [
        pgtrigger.Trigger(
            name="domain_made",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),  # type: ignore[no-untyped-call]
            func=made,
        ),
        pgtrigger.Trigger(
            name="domain_changes",
            level=pgtrigger.Row,
            when=pgtrigger.After,
            operation=pgtrigger.UpdateOf("domain"),  # type: ignore[no-untyped-call]
            condition=pgtrigger.Condition("OLD.domain IS DISTINCT FROM NEW.domain"),
            func=changed,
        ),
    ]


def lifecycle_history() -> list[pgtrigger.Trigger]:
    """Each change of a contact's lifecycle stage, with who made it and the reason that was given."""
    changed = f"""
        {_STILL}
        INSERT INTO contacts_lifecyclechange (contact_id, from_stage, to_stage, at, actor_kind, actor_id, reason)
        SELECT NEW.id, OLD.lifecycle_stage, NEW.lifecycle_stage, clock_timestamp(),
            coalesce(nullif(split_part(who, ':', 1), ''), 'system'), nullif(split_part(who, ':', 2), '')::bigint,
            coalesce(current_setting('crmcem.reason', true), '')
        FROM (SELECT coalesce(current_setting('crmcem.actor', true), '')) actor (who);
        RETURN NULL;
    """  # noqa: S608
    return [
        pgtrigger.Trigger(
            name="lifecycle_changes",
            level=pgtrigger.Row,
            when=pgtrigger.After,
            operation=pgtrigger.UpdateOf("lifecycle_stage"),  # type: ignore[no-untyped-call]
            condition=pgtrigger.Condition("OLD.lifecycle_stage IS DISTINCT FROM NEW.lifecycle_stage"),
            func=changed,
        )
    ]


def stage_clock() -> list[pgtrigger.Trigger]:
    """``Pulse.stage_since`` is when the copied stage changed last. Only writers of that column pay for it."""
    return [
        pgtrigger.Trigger(
            name="stage_since",
            level=pgtrigger.Row,
            when=pgtrigger.Before,
            operation=pgtrigger.UpdateOf("lifecycle_stage"),  # type: ignore[no-untyped-call]
            condition=pgtrigger.Condition("OLD.lifecycle_stage IS DISTINCT FROM NEW.lifecycle_stage"),
            func="""
                IF coalesce(current_setting('crmcem.replay', true), '') <> 'on' THEN
                    NEW.stage_since = now();
                END IF;
                RETURN NEW;
            """,
        )
    ]
