from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from crmcem.lib import merging, nav
from crmcem.lib.stream_watch import register_metrics


class ContactsConfig(AppConfig):
    name = "contacts"
    verbose_name = "Contacts"

    def ready(self) -> None:
        from contacts import consumers
        from contacts.automation_actions import register_actions
        from contacts.builder import register_offers
        from contacts.conditions import contact_fields
        from contacts.custom import definitions, entities
        from contacts.formula_fields import register_own
        from contacts.kinds import register_kinds
        from contacts.related import register_related
        from contacts.relations import register_relations
        from contacts.selectors import segments
        from contacts.services import merge, merge_rows, task_edits
        from contacts.services.attachments import register_restore
        from contacts.services.bulk_edit import register_editors
        from contacts.services.quality import register_repairs
        from contacts.services.work_bulk import register_restores
        from contacts.shell import register_shell

        entities.register(
            entities.Entity(
                "contact",
                _("Contacts"),
                "contacts.Contact",
                "contacts:read",
                "contacts:contact",
                "contacts:contact-lookup",
            ),
            entities.Entity(
                "company",
                _("Companies"),
                "contacts.Company",
                "contacts:read",
                "contacts:company",
                "contacts:company-lookup",
            ),
        )
        register_own()
        register_related()
        register_relations()
        register_offers()
        definitions.watch_requests()
        register_kinds()
        register_actions()
        contact_fields.segments = segments.load
        merge_rows.register()
        register_editors()
        task_edits.register_editor()
        register_repairs()
        register_restores()
        register_restore()
        merging.after(merge.recompute_contacts)
        consumers.register()
        register_metrics()
        nav.register(
            nav.Entry(
                "imports",
                _("Imports"),
                "file-import",
                "contacts:imports",
                "imports:read",
                order=90,
                shortcut="i",
            )
        )
        register_shell()
