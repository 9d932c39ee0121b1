"""What contacts puts into the frame: navigation, panels, the palette's search, soft references, saved views."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from django.db.models import Case, When
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from contacts.models import Company, Contact, Interaction, MergeRecord, Segment, Task
from contacts.selectors.search import COMPANIES, PEOPLE, best
from contacts.services.views import SavedViews
from crmcem.lib import marked, nav, panels, references, search
from crmcem.lib.fuzzy import folded, ids_by_words
from crmcem.lib.panels import Panel
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web import saved_views


def _contacts(text: str, user: Any, limit: int) -> list[search.Hit]:
    rows = best(PEOPLE, Contact.objects.visible_to(user).defer("custom", "consent"), text, limit)
    return [
        search.Hit(str(c), c.email or c.phone or "", reverse("contacts:contact", args=[c.pk]), c.score)
        for c in rows
    ]


def _companies(text: str, user: Any, limit: int) -> list[search.Hit]:
    rows = best(COMPANIES, Company.objects.visible_to(user).defer("custom"), text, limit)
    return [
        search.Hit(str(c), c.domain or "", reverse("contacts:company", args=[c.pk]), c.score) for c in rows
    ]


def _tasks(text: str, user: Any, limit: int) -> list[search.Hit]:
    """Tasks by words of their title, open ones first, then the newest."""
    ids = ids_by_words(Task.objects.visible_to(user), folded("title"), text, 200)
    found = Task.objects.filter(pk__in=ids).select_related("contact").defer("body", "contact__search_text")
    done = Case(When(status=Task.Status.OPEN, then=0), default=1)
    rows = list(found.order_by(done, "-pk")[:limit])
    mark_hidden(rows, user, "contact")
    return [search.Hit(t.title, str(t.contact or ""), reverse("contacts:task", args=[t.pk])) for t in rows]


def _segments(text: str, user: Any, limit: int) -> list[search.Hit]:
    """Segments by words of their name."""
    ids = ids_by_words(Segment.objects.visible_to(user), folded("name"), text, 200)
    rows = Segment.objects.filter(pk__in=ids).defer("conditions").order_by("name")[:limit]
    return [
        search.Hit(row.name, str(row.get_kind_display()), reverse("contacts:segment", args=[row.pk]))
        for row in rows
    ]


def _reference(model: Any, key: str, label: Any, url_name: str) -> references.ReferenceType:
    def visible(ids: Collection[int], user: Any) -> dict[int, str]:
        rows = model.objects.filter(pk__in=ids)
        return {row.pk: str(row) for row in (rows if user is None else rows.visible_to(user))}

    return references.ReferenceType(key, label, visible, lambda pk: reverse(url_name, args=[pk]))


def register_shell() -> None:
    """Called when the app is ready."""
    nav.register(
        nav.Entry(
            "contacts",
            _("Contacts"),
            "users",
            "contacts:list",
            "contacts:read",
            order=10,
            shortcut="c",
            create_label=_("Contact"),
            create_url_name="contacts:new",
            create_scope="contacts:write",
        ),
        nav.Entry(
            "companies",
            _("Companies"),
            "building",
            "contacts:companies",
            "contacts:read",
            order=20,
            shortcut="o",
            create_label=_("Company"),
            create_url_name="contacts:company-new",
            create_scope="contacts:write",
        ),
        nav.Entry(
            "segments",
            _("Segments"),
            "chart-pie",
            "contacts:segments",
            "contacts:read",
            order=46,
            shortcut="m",
            create_label=_("Segment"),
            create_url_name="contacts:segment-new",
            create_scope="contacts:write",
        ),
        nav.Entry(
            "tasks",
            _("Tasks"),
            "checkbox",
            "contacts:tasks",
            "tasks:read",
            order=40,
            shortcut="t",
            create_label=_("Task"),
            create_url_name="contacts:task-new",
            create_scope="tasks:write",
        ),
        nav.Entry(
            "interactions",
            _("Interactions"),
            "messages",
            "contacts:interactions",
            "interactions:read",
            order=45,
            shortcut="l",
        ),
        nav.Entry("tags", _("Tags"), "tags", "contacts:tags", "contacts:read", order=91),
        nav.Entry(
            "quality",
            _("Data quality"),
            "shield-check",
            "contacts:quality",
            "contacts:write",
            order=92,
        ),
        nav.Entry(
            "fields",
            _("Custom fields"),
            "forms",
            "contacts:custom-fields",
            "fields:write",
            order=95,
        ),
    )
    nav.register(
        nav.Entry("duplicates", _("Duplicates"), "copy", "contacts:duplicates", "contacts:read", order=95)
    )
    search.register(
        search.Provider("contacts", _("Contacts"), "user", "contacts:read", _contacts, order=10),
        search.Provider("companies", _("Companies"), "building", "contacts:read", _companies, order=20),
        search.Provider("tasks", _("Tasks"), "checkbox", "tasks:read", _tasks, order=40),
        search.Provider("segments", _("Segments"), "chart-pie", "contacts:read", _segments, order=70),
    )
    references.register(
        _reference(Task, "task", _("Task"), "contacts:task"),
        _reference(MergeRecord, "merge", _("Merge"), "contacts:merge"),
        _reference(Interaction, "interaction", _("Interaction"), "contacts:interaction"),
        replace(_reference(Segment, "segment", _("Segment"), "contacts:segment"), personal=True),
    )
    saved_views.use(SavedViews())
    register_kinds_to_mark()
    register_panels()


def register_kinds_to_mark() -> None:
    """What people star and come back to."""
    for key, model, page, icon, scope in (
        ("contact", Contact, "contacts:contact", "user", "contacts:read"),
        ("company", Company, "contacts:company", "building", "contacts:read"),
        ("task", Task, "contacts:task", "checkbox", "tasks:read"),
        ("segment", Segment, "contacts:segment", "chart-pie", "contacts:read"),
    ):
        marked.register(marked.Kind(key, page, icon, scope, marked.names_of(model.objects.visible_to)))


def register_panels() -> None:
    read, tasks = "contacts:read", "tasks:read"
    panels.register(
        Panel("contact-tasks", "contact", _("Open tasks"), "contacts:contact-tasks", tasks, 10),
        Panel("contact-details", "contact", _("Details"), "contacts:contact-details", read, 50),
        Panel("contact-points", "contact", _("Ways to reach"), "contacts:contact-points", read, 60),
        Panel("contact-employments", "contact", _("Jobs"), "contacts:contact-employments", read, 55),
        Panel("contact-lifecycle", "contact", _("Lifecycle"), "contacts:contact-lifecycle", read, 52),
        Panel(
            "contact-relationships", "contact", _("Relationships"), "contacts:contact-relationships", read, 62
        ),
        Panel("contact-addresses", "contact", _("Addresses"), "contacts:contact-addresses", read, 64),
        Panel("contact-profiles", "contact", _("Social profiles"), "contacts:contact-profiles", read, 66),
        Panel("contact-files", "contact", _("Files"), "contacts:files", read, 68, ("contact",)),
        Panel("contact-messages", "contact", _("Messages"), "contacts:contact-messages", read, 70),
        Panel("company-people", "company", _("People"), "contacts:company-people", read, 5),
        Panel("company-jobs", "company", _("Jobs"), "contacts:company-jobs", read, 55),
        Panel("company-tree", "company", _("Group of companies"), "contacts:company-tree", read, 6),
        Panel("company-domains", "company", _("Domains"), "contacts:company-domains", read, 60),
        Panel("company-addresses", "company", _("Addresses"), "contacts:company-addresses", read, 64),
        Panel("company-profiles", "company", _("Social profiles"), "contacts:company-profiles", read, 66),
        Panel("company-files", "company", _("Files"), "contacts:files", read, 68, ("company",)),
        Panel("company-tasks", "company", _("Open tasks"), "contacts:company-tasks", tasks, 10),
        Panel("company-details", "company", _("Details"), "contacts:company-details", read, 50),
        Panel("today-start", "home", _("Start here"), "contacts:today-start", "imports:write", 0),
        Panel("today-tasks", "home", _("To do today"), "contacts:today-tasks", tasks, 10),
        Panel("today-meetings", "home", _("Meetings"), "contacts:today-meetings", "interactions:read", 20),
        Panel("today-customers", "home", _("My customers lately"), "contacts:today-customers", read, 60),
    )
