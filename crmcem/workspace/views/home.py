from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.views.generic import TemplateView

from crmcem.lib.panels import panels_for
from crmcem.workspace.policies import user_of


class Home(LoginRequiredMixin, TemplateView):
    """Today: the panels that the apps offer for the slot ``home``, in two stacks, so that a long one leaves no hole."""

    template_name = "workspace/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        panels = panels_for("home", user_of(self.request).may)
        rest = [panel for panel in panels if not panel["leads"]]
        return super().get_context_data(**kwargs) | {
            "panels": panels,
            "leading": [panel for panel in panels if panel["leads"]],
            "stacks": (rest[::2], rest[1::2]),
        }
