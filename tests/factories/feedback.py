"""Factories of feedback. They write rows directly: services have tests of their own."""

import datetime as dt

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from feedback.models import Case, Invitation, Question, Response, Survey

from .contacts import ContactFactory


class SurveyFactory(DjangoModelFactory[Survey]):
    """A live NPS survey with a comment."""

    class Meta:
        model = Survey
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Survey {n}")
    kind = "nps"
    status = "live"
    languages = ["en"]

    @factory.post_generation
    def questions(
        self: Survey, create: bool, extracted: list[dict[str, object]] | None, **kwargs: object
    ) -> None:
        usual: list[dict[str, object]] = [
            {"key": "nps", "type": "nps", "text": "How likely?", "required": True},
            {"key": "comment", "type": "text", "text": "Why?"},
        ]
        for position, values in enumerate(usual if extracted is None else extracted):
            Question.objects.create(survey=self, position=position, **values)


class InvitationFactory(DjangoModelFactory[Invitation]):
    class Meta:
        model = Invitation

    survey = factory.SubFactory(SurveyFactory)
    contact = factory.SubFactory(ContactFactory)
    status = "sent"
    expires_at = factory.LazyFunction(lambda: timezone.now() + dt.timedelta(days=30))


class ResponseFactory(DjangoModelFactory[Response]):
    class Meta:
        model = Response

    survey = factory.SubFactory(SurveyFactory)
    contact = factory.SubFactory(ContactFactory)
    nps = 9
    answers = factory.LazyAttribute(lambda o: {"nps": o.nps})
    submitted_at = factory.LazyFunction(timezone.now)


class CaseFactory(DjangoModelFactory[Case]):
    class Meta:
        model = Case

    contact = factory.SubFactory(ContactFactory)
    subject = factory.Sequence(lambda n: f"Case {n}")
    owner = factory.LazyAttribute(lambda o: o.contact.owner)
    team = factory.LazyAttribute(lambda o: o.contact.team)
    sla_due_at = factory.LazyFunction(lambda: timezone.now() + dt.timedelta(days=2))
