from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SalesConfig(AppConfig):
    name = "sales"
    verbose_name = "Sales"

    def ready(self) -> None:
        from contacts.custom import entities
        from crmcem.lib import marked, nav, panels, references, search, stream
        from sales.builder import register_offers
        from sales.conditions import register_conditions
        from sales.consumers import FreshDeals
        from sales.formula_fields import register_own
        from sales.kinds import register_kinds
        from sales.related import register_related
        from sales.relations import register_relations
        from sales.selectors.deals import deal_url, visible_labels, visible_rows_of
        from sales.selectors.search import find_deals
        from sales.services import merging
        from sales.services.edits import register_editor
        from sales.views.forms import labels

        register_kinds()
        register_conditions()
        register_own()
        register_related()
        register_relations()
        register_offers()
        entities.register(
            entities.Entity("deal", _("Deals"), "sales.Deal", "deals:read", "sales:deal", labels=labels)
        )
        merging.register()
        register_editor()
        stream.register(FreshDeals())
        references.register(
            references.ReferenceType(
                "deal", "Deal", visible_labels, deal_url, visible_rows_of, "deals:read", "deals:write"
            )
        )
        marked.register(marked.Kind("deal", "sales:deal", "coin", "deals:read", visible_labels))
        search.register(search.Provider("deals", _("Deals"), "coin", "deals:read", find_deals, order=30))
        nav.register(
            nav.Entry(
                "deals",
                _("Deals"),
                "layout-kanban",
                "sales:board",
                "deals:read",
                order=30,
                shortcut="d",
                also="sales:deals",
                create_label=_("Deal"),
                create_url_name="sales:deal-new",
                create_scope="deals:write",
            )
        )
        panels.register(
            panels.Panel("deals", "contact", _("Deals"), "sales:panel-contact", "deals:read", order=20),
            panels.Panel(
                "company-deals", "company", _("Deals"), "sales:panel-company", "deals:read", order=20
            ),
            panels.Panel(
                "deal-files", "deal", _("Files"), "contacts:files", "deals:read", order=80, args=("deal",)
            ),
            panels.Panel(
                "today-deals", "home", _("Deals that need you"), "sales:panel-today", "deals:read", order=30
            ),
        )
