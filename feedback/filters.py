"""The filters of surveys, invitations, answers and cases: one FilterSet serves the web list and the API list."""

from collections.abc import Sequence
from typing import Any, ClassVar

import django_filters
from django.db import OperationalError
from django.db.models import F, Q, QuerySet, Value
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _

from contacts.conditions import contact_fields
from contacts.models import Contact
from contacts.selectors.search import PEOPLE, matching
from crmcem.lib.errors import DomainError
from crmcem.lib.outages import was_cut_off
from crmcem.lib.sqlfields import Fold
from crmcem.lib.timeouts import statement_timeout
from crmcem.workspace.filtering import RANGE, ChoicesFilter, HouseFilterSet, IdFilter, PersonFilter
from feedback.models import Case, Invitation, Response, Survey
from feedback.policies import DETRACTOR, PROMOTER

#: a search shows at most so many matches, the newest ones; a narrower text or filter shows the rest
CAP = 1000
#: texts of one or two characters are looked for among so many of the newest rows
NEWEST = 1000
SEARCH_MS = 2000
MAX_WORDS = 8
GROUPS = [("promoter", _("Promoter")), ("passive", _("Passive")), ("detractor", _("Detractor"))]
MOODS = [("positive", _("Positive")), ("neutral", _("Neutral")), ("negative", _("Negative"))]
OPEN = (Case.Status.OPEN, Case.Status.PENDING)


class SearchedFilterSet(HouseFilterSet):
    """A FilterSet whose search comes last, so that it looks only at what the other filters leave."""

    #: the searched column (folded; it needs a trigram index), and the order that puts the newest rows first
    searched: ClassVar[str] = ""
    newest: ClassVar[Sequence[str]] = ("-id",)

    search = django_filters.CharFilter(method="search_later", label=_("Search"))

    def search_later(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows = super().filter_queryset(queryset)
        text = " ".join((self.form.cleaned_data.get("search") or "").split())[:200]
        return self.find(rows, text) if text else rows

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        """The newest of ``rows`` that hold every word of ``text``, without regard to case and accents."""
        found = rows.order_by(*self.newest)
        if len(text) < 3:
            found = rows.filter(pk__in=list(found.values_list("pk", flat=True)[:NEWEST]))
        found = found.alias(folded=Fold(F(self.searched)))
        for word in text.split()[:MAX_WORDS]:
            found = found.filter(folded__contains=Fold(Value(word)))
        try:
            with statement_timeout(SEARCH_MS):
                ids = list(found.order_by(*self.newest).values_list("pk", flat=True)[:CAP])
        except OperationalError as error:
            if not was_cut_off(error):
                raise
            detail = gettext("This search took too long. Add a filter, or search for a rarer word.")
            raise DomainError.of("search", "too_slow", detail) from error
        return rows.filter(pk__in=ids)


class SurveyFilter(HouseFilterSet):
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Search"))
    status = django_filters.ChoiceFilter(choices=Survey.Status.choices, label=_("Status"))
    status__in = ChoicesFilter(field_name="status", choices=Survey.Status.choices, label=_("Status"))
    kind = django_filters.ChoiceFilter(choices=Survey.Kind.choices, label=_("Kind"))

    class Meta(HouseFilterSet.Meta):
        model = Survey
        fields = {"created_at": RANGE, "updated_at": RANGE}


class InvitationFilter(HouseFilterSet):
    """Invitations; the search is for the customer."""

    people = contact_fields

    search = django_filters.CharFilter(method="filter_people", label=_("Customer"))
    survey = IdFilter(label=_("Survey"))
    contact = IdFilter(label=_("Contact"))
    company = IdFilter(field_name="contact__company", label=_("Company"))
    status = django_filters.ChoiceFilter(choices=Invitation.Status.choices, label=_("Status"))
    status__in = ChoicesFilter(field_name="status", choices=Invitation.Status.choices, label=_("Status"))
    channel = django_filters.ChoiceFilter(
        choices=[("email", _("E-mail")), ("link", _("Link"))], label=_("Channel")
    )

    class Meta(HouseFilterSet.Meta):
        model = Invitation
        fields = {
            "touchpoint": ["exact"],
            "suppressed_reason": ["exact"],
            "created_at": RANGE,
            "sent_at": RANGE,
            "answered_at": RANGE,
        }

    def filter_people(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        people = Contact.objects.visible_to(self.request.user)
        return queryset.filter(contact_id__in=matching(PEOPLE, people, value))


class ResponseFilter(SearchedFilterSet):
    """Answers; the search is in the comment. ``owner`` and ``company`` are those at the time of the answer."""

    people = contact_fields
    searched = "comment"
    newest = ("-submitted_at", "-id")

    survey = IdFilter(label=_("Survey"))
    contact = IdFilter(label=_("Contact"))
    invitation = IdFilter(label=_("Invitation"))
    owner = PersonFilter(label=_("Owner"))
    company = IdFilter(label=_("Company"))
    group = django_filters.ChoiceFilter(choices=GROUPS, method="filter_group", label=_("Group"))
    sentiment = django_filters.ChoiceFilter(field_name="sentiment_label", choices=MOODS, label=_("Mood"))
    topic = django_filters.CharFilter(method="filter_topic", label=_("Topic"))
    has_comment = django_filters.BooleanFilter(method="filter_comment", label=_("With a comment"))
    has_case = django_filters.BooleanFilter(method="filter_case", label=_("With a case"))

    class Meta(HouseFilterSet.Meta):
        model = Response
        fields = {
            "touchpoint": ["exact"],
            "language": ["exact"],
            "nps": ["exact", *RANGE, "isnull"],
            "csat": ["exact", *RANGE, "isnull"],
            "ces": ["exact", *RANGE, "isnull"],
            "submitted_at": RANGE,
        }

    def filter_group(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(group_q(value))

    def filter_topic(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """All of the topics, separated by commas."""
        topics = [topic.strip() for topic in value.split(",") if topic.strip()]
        return queryset.filter(topics__contains=topics)

    def filter_comment(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.exclude(comment="") if value else queryset.filter(comment="")

    def filter_case(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(case__isnull=not value)


def group_q(group: str) -> Q:
    """Answers of promoters, passives or detractors."""
    if group == "promoter":
        return Q(nps__gte=PROMOTER)
    if group == "detractor":
        return Q(nps__lte=DETRACTOR)
    return Q(nps__gt=DETRACTOR, nps__lt=PROMOTER)


class CaseFilter(SearchedFilterSet):
    """Cases; the search is in the subject, for the customer, or the case's number."""

    people = contact_fields
    searched = "subject"

    status = django_filters.ChoiceFilter(choices=Case.Status.choices, label=_("Status"))
    status__in = ChoicesFilter(field_name="status", choices=Case.Status.choices, label=_("Status"))
    open = django_filters.BooleanFilter(method="filter_open", label=_("Not settled yet"))
    overdue = django_filters.BooleanFilter(method="filter_overdue", label=_("Overdue"))
    priority = django_filters.ChoiceFilter(choices=Case.Priority.choices, label=_("Priority"))
    priority__in = ChoicesFilter(field_name="priority", choices=Case.Priority.choices, label=_("Priority"))
    source = django_filters.ChoiceFilter(choices=Case.Source.choices, label=_("Source"))
    owner = PersonFilter(label=gettext_lazy("Owner"))
    contact = IdFilter(label=_("Contact"))
    company = IdFilter(field_name="contact__company", label=_("Company"))
    response = IdFilter(label=_("Answer"))
    survey = IdFilter(field_name="response__survey", label=_("Survey"))

    class Meta(HouseFilterSet.Meta):
        model = Case
        fields = {
            "root_cause": ["exact"],
            "sla_due_at": [*RANGE, "isnull"],
            "resolved_at": [*RANGE, "isnull"],
            "created_at": RANGE,
            "updated_at": RANGE,
        }

    def filter_open(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(status__in=OPEN) if value else queryset.exclude(status__in=OPEN)

    def filter_overdue(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        late = Q(status__in=OPEN, sla_due_at__lt=timezone.now())
        return queryset.filter(late) if value else queryset.exclude(late)

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        number = text.removeprefix("#")
        if number.isascii() and number.isdigit() and len(number) < 19:
            return rows.filter(pk=int(number))
        people = Contact.objects.visible_to(self.request.user)
        theirs = rows.filter(contact_id__in=matching(PEOPLE, people, text, cap=200))
        about = super().find(rows, text)
        return rows.filter(Q(pk__in=about.values("pk")) | Q(pk__in=theirs.values("pk")))
