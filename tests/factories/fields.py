"""Custom fields, written directly: the services have tests of their own."""

from typing import Any

import factory
from factory.django import DjangoModelFactory

from contacts.models import CustomField


class CustomFieldFactory(DjangoModelFactory[CustomField]):
    class Meta:
        model = CustomField

    entity = "contact"
    key = factory.Sequence(lambda n: f"field{n}")
    label = factory.LazyAttribute(lambda o: o.key.replace("_", " ").capitalize())
    type = "text"


def custom_texts(*keys: str, entity: str = "contact", **values: Any) -> None:
    """Text fields with these keys, for tests that only need some."""
    for key in keys:
        CustomFieldFactory(entity=entity, key=key, **values)
