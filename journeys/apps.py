from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JourneysConfig(AppConfig):
    name = "journeys"
    verbose_name = "Journeys"

    def ready(self) -> None:
        from contacts.selectors import segment_uses as uses
        from crmcem.lib import bulk_edits, marked, nav, panels, references, search, stream
        from journeys import kinds
        from journeys.consumers import TriggerConsumer
        from journeys.models import Automation
        from journeys.policies import READ, WRITE
        from journeys.selectors import segment_uses
        from journeys.selectors.listening import listening
        from journeys.selectors.runs import run_labels, run_url, runs_started_by
        from journeys.selectors.search import PROVIDER
        from journeys.services import merging

        stream.register(TriggerConsumer())
        kinds.register()
        merging.register()
        bulk_edits.listeners.append(listening)
        bulk_edits.counters.append(runs_started_by)
        uses.finders.add("automations", segment_uses.find)
        search.register(PROVIDER)
        marked.register(
            marked.Kind(
                "automation",
                "journeys:automation",
                "route",
                "automations:read",
                marked.names_of(lambda user: Automation.objects.all()),
            )
        )
        references.register(references.ReferenceType("run", _("Automation"), run_labels, run_url))
        panels.register(
            panels.Panel("automations", "contact", _("Automations"), "journeys:contact-panel", READ, order=70)
        )
        nav.register(
            nav.Entry(
                "automations",
                _("Automations"),
                "route",
                "journeys:automations",
                READ,
                order=80,
                shortcut="u",
                also="journeys:runs",
                create_label=_("Automation"),
                create_url_name="journeys:new",
                create_scope=WRITE,
            )
        )
