from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkspaceConfig(AppConfig):
    name = "crmcem.workspace"
    label = "workspace"
    verbose_name = _("Workspace")

    def ready(self) -> None:
        from crmcem.lib import nav
        from crmcem.lib.web import exports

        from . import signals  # noqa: F401 - connects the receivers
        from .services.exports import Exports

        exports.use(Exports())

        nav.register(nav.Entry("today", _("Today"), "sun", "workspace:home", "", order=0, shortcut="h"))
