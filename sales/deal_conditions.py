"""What conditions may say about deals themselves, for their list and the API. Names are those of the API."""

from django.utils.translation import gettext_lazy as _

from contacts.condition_fields import chosen, named, plain, reference, responsible
from contacts.custom.in_conditions import register_custom
from crmcem.lib.conditions import Field, FieldRegistry, FieldType
from crmcem.workspace.models import Team
from sales.models import Deal, Pipeline, Stage

deal_fields = FieldRegistry("sales.Deal")
deal_fields.register(
    *plain(FieldType.TEXT, ("name", _("Name"))),
    chosen("status", _("Status"), Deal.Status),
    reference("pipeline", _("Pipeline"), named(Pipeline)),
    reference("stage", _("Stage"), named(Stage)),
    Field(name="amount", label=_("Amount"), type=FieldType.MONEY, currency="currency"),
    *plain(FieldType.NUMBER, ("probability", _("Probability in percent"))),
    *plain(FieldType.DATE, ("expected_close", _("Expected close"))),
    responsible(_("Owner")),
    reference("team", _("Team"), named(Team)),
    Field(name="competitors", label=_("Competitors"), type=FieldType.MULTI_CHOICE),
    *plain(
        FieldType.TEXT,
        ("lost_reason", _("Reason for the loss")),
        ("won_reason", _("Reason for the win")),
        ("external_id", _("External id")),
    ),
    *plain(
        FieldType.DATETIME,
        ("stage_entered_at", _("In this stage since")),
        ("closed_at", _("Closed")),
        ("created_at", _("Created")),
        ("updated_at", _("Changed")),
    ),
)
register_custom(deal_fields, "deal")
