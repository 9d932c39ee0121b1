"""The table behind ``test_web``: what each page is about, and who may open it."""

#: for customers and machines: no sign-in
PUBLIC = {
    "healthz",
    "readyz",
    "metrics",
    "feedback:public",
    "workspace:theme",
    "workspace:manifest",
}

#: for whoever is signed in: their own things, and pages that show what each role may see
FOR_EVERYBODY = {
    "workspace:home",
    "workspace:search",
    "workspace:profile",
    "workspace:appearance",
    "workspace:tokens",
    "workspace:token-revoke",
    "workspace:notifications",
    "workspace:notifications-menu",
    "workspace:notifications-count",
    "workspace:notifications-read",
    "workspace:notification",
    "workspace:edit",
    "workspace:edit-cancel",
    "workspace:edit-undo",
    "workspace:trash",
    "workspace:trash-restore",
    "workspace:marks",
    "workspace:mark-seen",
    "workspace:mark-star",
    "workspace:exports",
    "workspace:export",
    "workspace:export-cancel",
    "workspace:export-file",
    "workspace:view-new",
    "workspace:view-edit",
    "workspace:view-delete",
}

#: whose id stands in the path, by the beginning of the page's name (the longest that fits)
RECORDS = {
    "contacts:company": "company",
    "contacts:contact": "contact",
    "contacts:custom-field-": "field",
    "contacts:edit": "contact",
    "contacts:file": "attachment",
    "contacts:files": "contact",
    "contacts:follow": "contact",
    "contacts:import": "import",
    "contacts:interaction": "interaction",
    "contacts:segment": "segment",
    "contacts:task": "task",
    "contacts:duplicate": "duplicate",
    "contacts:merge": "merge",
    "analytics:panel-company": "company",
    "feedback:ask": "contact",
    "feedback:case": "case",
    "feedback:invitations": "survey",
    "feedback:panel-answers": "contact",
    "feedback:panel-cases": "contact",
    "feedback:panel-company": "company",
    "feedback:response": "response",
    "feedback:survey": "survey",
    "journeys:": "automation",
    "journeys:contact-panel": "contact",
    "journeys:run": "run",
    "sales:board": "stage",
    "sales:deal": "deal",
    "sales:panel-company": "company",
    "sales:panel-contact": "contact",
    "sales:pipeline": "pipeline",
    "workspace:edit": "edit",
    "workspace:export": "export",
    "workspace:notification": "notification",
    "workspace:token": "token",
    "workspace:trash": "trash",
    "workspace:view": "view",
}

#: whose id stands second in the path: a part of the record, by the beginning of the page's name
ITEMS = {
    "contacts:contact-employments": "employment",
    "contacts:contact-points": "point",
    "contacts:contact-relationships": "relationship",
    "contacts:contact-addresses": "address",
    "contacts:contact-profiles": "profile",
    "contacts:company-domains": "company_domain",
    "contacts:company-addresses": "company_address",
    "contacts:company-profiles": "company_profile",
}

#: what stands in the other places of a path
WORDS = {
    "": {"about": "contact", "kind": "note", "name": "phone", "number": 1},
    "analytics": {"chart": "trend", "part": "headline"},
    "sales": {"name": "amount", "task": 1},
}

#: what a page needs in its query
QUERY = {
    "workspace:view-new": {"entity": "contact"},
    "workspace:view-edit": {"entity": "contact"},
    "contacts:quality-preview": {"check": "contact.invalid_phone"},
}

#: posts that only answer, or note something for oneself: whoever may read may send them
READING_POSTS = {"contacts:follow", "contacts:segment-preview", "feedback:survey-try"}

#: of the whole organisation: whoever has the scope sees all of them
SHARED = {"pipeline", "stage", "survey", "automation", "field"}


def kind_of(name: str) -> str:
    """The kind of record that the page ``name`` is about; empty where the table does not say."""
    return _of(RECORDS, name)


def item_of(name: str) -> str:
    """The kind of part of that record that the page is about."""
    return _of(ITEMS, name)


def _of(table: dict[str, str], name: str) -> str:
    fitting = [beginning for beginning in table if name.startswith(beginning)]
    return table[max(fitting, key=len)] if fitting else ""
