from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = "Analytics"

    def ready(self) -> None:
        from crmcem.lib import nav, panels, stream

        from .consumers import Rollups

        stream.register(Rollups())
        nav.register(
            nav.Entry(
                "experience",
                _("Experience"),
                "chart-line",
                "analytics:experience",
                "metrics:read",
                order=50,
                shortcut="e",
            )
        )
        panels.register(
            panels.Panel("experience", "home", _("Experience"), "analytics:panel-home", "metrics:read", 40),
            panels.Panel(
                "company-experience",
                "company",
                _("Experience"),
                "analytics:panel-company",
                "metrics:read",
                30,
            ),
        )
