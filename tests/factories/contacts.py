"""Factories of the customer model. They write rows directly: services have tests of their own."""

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from contacts.models import Company, Contact, Interaction, Pulse, Task


class CompanyFactory(DjangoModelFactory[Company]):
    class Meta:
        model = Company

    name = factory.Sequence(lambda n: f"Company {n}")


class ContactFactory(DjangoModelFactory[Contact]):
    """A contact with its Pulse row, as every way in makes it."""

    class Meta:
        model = Contact
        skip_postgeneration_save = True

    first_name = factory.Sequence(lambda n: f"First{n}")
    last_name = factory.Sequence(lambda n: f"Last{n}")
    email = factory.Sequence(lambda n: f"contact{n}@customer.example")

    @factory.post_generation
    def pulse(obj: Contact, create: bool, extracted: dict[str, object] | None, **kwargs: object) -> None:  # noqa: N805
        if create:
            Pulse.objects.create(
                contact=obj,
                owner_id=obj.owner_id,
                team_id=obj.team_id,
                lifecycle_stage=obj.lifecycle_stage,
                **(extracted or {}),
            )


class InteractionFactory(DjangoModelFactory[Interaction]):
    class Meta:
        model = Interaction

    kind = "call"
    subject = factory.Sequence(lambda n: f"Call {n}")
    occurred_at = factory.LazyFunction(timezone.now)


class TaskFactory(DjangoModelFactory[Task]):
    class Meta:
        model = Task

    title = factory.Sequence(lambda n: f"Task {n}")
