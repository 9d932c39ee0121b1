"""The errors that services raise and every edge (form, API, import report) shows in its own way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

NON_FIELD = "non_field_errors"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: ``detail`` says how to mend it."""

    field: str
    code: str
    detail: str


class DomainError(Exception):
    """Bad input that its sender can mend: 400 in the API, a form error on the web."""

    status = 400

    def __init__(self, *errors: FieldError) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{e.field}: {e.detail}" for e in errors))

    @classmethod
    def of(cls, field: str, code: str, detail: Any) -> "DomainError":
        return cls(FieldError(field, code, str(detail)))


class NotAllowed(Exception):
    """The role or token does not cover this action: 403. ``scope`` names what is missing."""

    def __init__(self, scope: str, detail: str = "") -> None:
        self.scope = scope
        self.detail = detail
        super().__init__(detail or _("This needs the permission %(scope)s.") % {"scope": scope})


@dataclass(frozen=True, slots=True)
class Link:
    """What stands in the way: its name and where it is."""

    label: str
    url: str


class Conflict(Exception):
    """The state does not allow it (a second use, another body for the same key): 409.

    ``links`` lead to what stands in the way.
    """

    def __init__(self, code: str, detail: Any, links: Sequence[Link] = ()) -> None:
        self.code = code
        self.detail = str(detail)
        self.links = list(links)
        super().__init__(self.detail)


class StaleWrite(Exception):
    """The record changed since it was read: 412, and the newer version is kept."""
