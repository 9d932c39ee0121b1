from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FeedbackConfig(AppConfig):
    name = "feedback"
    verbose_name = "Feedback"

    def ready(self) -> None:
        from crmcem.lib import nav, search, stream
        from crmcem.workspace.services.trash import after_restore

        from .actions import register_actions
        from .builder import register_offers
        from .consumers import ClosedLoop, Delivery, ExperiencePulse
        from .kinds import register_kinds
        from .models import Case
        from .related import register_related
        from .relations import register_relations
        from .services import merging
        from .services.case_bulk import cases_back
        from .services.sending import register_sending
        from .shell import register_cases
        from .views.palette import SURVEYS

        stream.register(Delivery(), ExperiencePulse(), ClosedLoop())
        register_actions()
        register_kinds()
        register_related()
        register_relations()
        register_offers()
        register_sending()
        merging.register()
        after_restore("case", Case, cases_back)
        search.register(SURVEYS)
        nav.register(
            nav.Entry(
                "surveys",
                _("Surveys"),
                "message-star",
                "feedback:surveys",
                "surveys:read",
                order=60,
                shortcut="s",
                create_label=_("Survey"),
                create_url_name="feedback:survey-new",
                create_scope="surveys:write",
            ),
            nav.Entry(
                "answers",
                _("Answers"),
                "inbox",
                "feedback:responses",
                "responses:read",
                order=65,
                shortcut="a",
            ),
        )
        register_cases()
