"""The administrator's view of what hangs on contacts and companies; for looking up, like the records themselves."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Value
from django.utils.translation import gettext_lazy

from contacts.models import (
    Address,
    Attachment,
    CompanyDomain,
    Employment,
    Follower,
    LifecycleChange,
    Relationship,
    SocialProfile,
    Tag,
    TagJob,
)
from crmcem.lib.sqlfields import Fold

from .records import BIGGEST_ID, OF_CONTACT, LookUp


class OfEither(LookUp):
    """Rows of a contact or of a company: ``contact:17``, ``company:17`` or the row's own number."""

    search_help_text = gettext_lazy("The number of the row, or “contact:” or “company:” and its number.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        word, colon, number = text.rpartition(":")
        if colon and word.strip().lower() == "company":
            known = number.isascii() and number.isdigit() and int(number) <= BIGGEST_ID
            return rows.filter(company_id=int(number)) if known else rows.none()
        return self.by_number(rows, text)


@admin.register(Employment)
class EmploymentAdmin(OfEither):
    list_display = ("contact", "company", "title", "department", "starts_on", "ends_on", "is_primary")
    list_select_related = ("contact", "company")


@admin.register(CompanyDomain)
class CompanyDomainAdmin(LookUp):
    list_display = ("domain", "company", "is_primary", "created_at")
    list_select_related = ("company",)
    search_help_text = gettext_lazy("The whole domain.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(domain=text.lower())


@admin.register(LifecycleChange)
class LifecycleChangeAdmin(LookUp):
    list_display = ("contact", "from_stage", "to_stage", "at", "actor_kind", "actor_id", "reason")
    list_select_related = ("contact",)
    search_help_text = OF_CONTACT


@admin.register(Relationship)
class RelationshipAdmin(LookUp):
    list_display = ("contact", "kind", "related", "note")
    list_select_related = ("contact", "related")
    search_help_text = OF_CONTACT


@admin.register(Address)
class AddressAdmin(OfEither):
    list_display = ("__str__", "kind", "contact", "company", "is_primary")
    list_select_related = ("contact", "company")


@admin.register(SocialProfile)
class SocialProfileAdmin(OfEither):
    list_display = ("network", "handle", "url", "contact", "company")
    list_select_related = ("contact", "company")


@admin.register(Attachment)
class AttachmentAdmin(OfEither):
    list_display = ("name", "content_type", "size", "contact", "company", "uploaded_by", "created_at")
    list_select_related = ("contact", "company", "uploaded_by")
    exclude = ("file",)


@admin.register(Follower)
class FollowerAdmin(OfEither):
    list_display = ("user", "contact", "company", "subject_type", "subject_id", "created_at")
    list_select_related = ("user", "contact", "company")


@admin.register(Tag)
class TagAdmin(LookUp):
    """Renamed, merged and deleted on the page of tags, which takes the contacts along."""

    list_display = ("name", "colour", "count", "is_kept", "updated_at")
    search_help_text = gettext_lazy("A part of the name.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(folded__contains=Fold(Value(text)))


@admin.register(TagJob)
class TagJobAdmin(LookUp):
    list_display = ("old", "new", "done", "total", "user", "created_at", "finished_at")
    list_select_related = ("user",)
    search_help_text = gettext_lazy("The number of the row.")
