"""A survey's results as the API shows them; each figure says how it is made."""

from typing import Any

from rest_framework import serializers

from crmcem.lib import measures
from crmcem.lib.measures import Measure, Outcome
from feedback.selectors.results import QuestionResult, SurveyResults

DEFINITIONS = {
    "nps": "100 * (promoters - detractors) / n; promoters answer 9 or 10, detractors 0 to 6; "
    "interval: plus and minus 1.96 standard errors.",
    "csat": "Percent of answers in the top boxes of the scale (top 1 of 3, 2 of 4 to 7, 3 of 10); "
    "Wilson interval, 95 %.",
    "ces": "Percent of answers from 5 to 7 on the agreement scale 1 to 7; Wilson interval, 95 %.",
    "response_rate": "Percent of delivered invitations that were answered; Wilson interval, 95 %.",
    "rr1": "AAPOR response rate 1: complete / (complete + partial + refused + no_contact + unknown).",
    "rr2": "AAPOR response rate 2: (complete + partial) / everybody who was asked.",
}


class MeasureSerializer(serializers.Serializer[Any]):
    """``value`` is null where nobody answered; ``reliable`` is false under 30 answers."""

    definition = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    reliable = serializers.BooleanField()


class NpsMeasureSerializer(MeasureSerializer):
    promoters = serializers.IntegerField()
    passives = serializers.IntegerField()
    detractors = serializers.IntegerField()


class CesMeasureSerializer(MeasureSerializer):
    mean = serializers.FloatField(allow_null=True)


class CountSerializer(serializers.Serializer[Any]):
    value = serializers.CharField()
    count = serializers.IntegerField()
    percent = serializers.FloatField()


class QuestionResultSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    type = serializers.CharField()
    text = serializers.CharField()
    n = serializers.IntegerField()
    distribution = CountSerializer(many=True)
    nps = NpsMeasureSerializer(allow_null=True)
    csat = MeasureSerializer(allow_null=True)
    ces = CesMeasureSerializer(allow_null=True)


class OutcomeSerializer(serializers.Serializer[Any]):
    """What became of the invitations."""

    delivered = serializers.IntegerField()
    complete = serializers.IntegerField()
    partial = serializers.IntegerField()  # type: ignore[assignment]
    refused = serializers.IntegerField()
    no_contact = serializers.IntegerField()
    unknown = serializers.IntegerField()
    response_rate = MeasureSerializer()
    rr1 = MeasureSerializer()
    rr2 = MeasureSerializer()


class ResultsSerializer(serializers.Serializer[Any]):
    survey = serializers.CharField()
    n = serializers.IntegerField()
    first_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)
    questions = QuestionResultSerializer(many=True)
    invitations = OutcomeSerializer()


def results_body(results: SurveyResults, outcome: Outcome, delivered: int) -> dict[str, Any]:
    """The answer's JSON, by ResultsSerializer."""
    return {
        "survey": str(results.survey.pk),
        "n": results.n,
        "first_at": results.first_at,
        "last_at": results.last_at,
        "questions": [_question(result) for result in results.questions],
        "invitations": {
            "delivered": delivered,
            "complete": outcome.complete,
            "partial": outcome.partial,
            "refused": outcome.refused,
            "no_contact": outcome.no_contact,
            "unknown": outcome.unknown,
            "response_rate": _measure("response_rate", measures.response_rate(outcome.complete, delivered)),
            "rr1": _measure("rr1", measures.rr1(outcome)),
            "rr2": _measure("rr2", measures.rr2(outcome)),
        },
    }


def _question(result: QuestionResult) -> dict[str, Any]:
    groups = {
        "promoters": result.promoters,
        "passives": result.passives,
        "detractors": result.detractors,
    }
    return {
        "key": result.question.key,
        "type": result.question.type,
        "text": result.question.text,
        "n": result.n,
        "distribution": [
            {"value": value, "count": count, "percent": round(result.percent(count), 4)}
            for value, count in result.distribution
        ],
        "nps": result.nps and _measure("nps", result.nps) | groups,
        "csat": result.csat and _measure("csat", result.csat),
        "ces": result.ces and _measure("ces", result.ces.easy) | {"mean": _rounded(result.ces.mean)},
    }


def _measure(kind: str, measure: Measure) -> dict[str, Any]:
    return {
        "definition": DEFINITIONS[kind],
        "value": _rounded(measure.value),
        "low": _rounded(measure.low),
        "high": _rounded(measure.high),
        "n": measure.n,
        "reliable": measure.reliable,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
