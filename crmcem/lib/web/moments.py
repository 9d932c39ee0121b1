"""Dates and times typed on the wall clock of the person, as the services want them."""

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _

FORMAT = "%Y-%m-%dT%H:%M"


class MomentField(forms.DateTimeField):
    """``datetime-local`` in the person's zone. An hour that comes twice is the first; one that never is, moves on."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=FORMAT)
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> dt.datetime | None:
        if value in self.empty_values:
            return None
        if isinstance(value, str):
            try:
                wall = dt.datetime.fromisoformat(value.strip())
            except ValueError as error:
                raise forms.ValidationError(_("Choose a date and a time."), code="invalid") from error
        else:
            wall = value
        if wall.tzinfo is not None:
            return wall
        if not 1900 <= wall.year < 2200:
            raise forms.ValidationError(_("Choose a year between 1900 and 2200."), code="range")
        zone = timezone.get_current_timezone()
        return wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dt.datetime) and timezone.is_aware(value):
            return timezone.localtime(value).replace(tzinfo=None)
        return value


def tomorrow(hour: int = 9, days: int = 1) -> dt.datetime:
    """At that hour of a coming day, on the person's wall clock."""
    day = timezone.localdate() + dt.timedelta(days=days)
    return dt.datetime.combine(day, dt.time(hour), timezone.get_current_timezone())
