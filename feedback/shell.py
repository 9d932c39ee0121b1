"""Where the shell finds cases: navigation, palette, references of the timeline, panels on the pages of others."""

from django.utils.translation import gettext_lazy as _

from crmcem.lib import marked, nav, panels, references, search
from crmcem.lib.panels import Panel
from feedback.models import Survey
from feedback.selectors import cases, responses
from feedback.views.case_list import CASES


def register_cases() -> None:
    nav.register(
        nav.Entry(
            "cases",
            _("Cases"),
            "lifebuoy",
            "feedback:cases",
            "cases:read",
            order=70,
            shortcut="k",
            create_label=_("Case"),
            create_url_name="feedback:case-new",
            create_scope="cases:write",
        )
    )
    search.register(CASES)
    marked.register(
        marked.Kind("case", "feedback:case", "lifebuoy", "cases:read", cases.visible_labels),
        marked.Kind(
            "survey",
            "feedback:survey",
            "message-star",
            "surveys:read",
            marked.names_of(lambda user: Survey.objects.all()),
        ),
    )
    references.register(
        references.ReferenceType("case", _("Case"), cases.visible_labels, cases.case_url),
        references.ReferenceType("response", _("Answer"), responses.visible_labels, responses.response_url),
    )
    panels.register(
        Panel("answers", "contact", _("Answers"), "feedback:panel-answers", "responses:read", 30),
        Panel("cases", "contact", _("Cases"), "feedback:panel-cases", "cases:read", 25),
        Panel("company-answers", "company", _("Answers"), "feedback:panel-company", "responses:read", 30),
        Panel("today-cases", "home", _("My open cases"), "feedback:panel-today-cases", "cases:read", 25),
        Panel(
            "today-answers", "home", _("New answers"), "feedback:panel-today-answers", "responses:read", 35
        ),
        Panel(
            "today-moods",
            "home",
            _("Customers whose mood fell"),
            "feedback:panel-today-moods",
            "responses:read",
            36,
        ),
    )
