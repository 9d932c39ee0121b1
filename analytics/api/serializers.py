"""The shape of figures in the API."""

from typing import Any

from rest_framework import serializers


class PreviousSerializer(serializers.Serializer[Any]):
    """The same figure of the period of the same length just before, and how this one differs from it."""

    first = serializers.DateField(help_text="First day of that period.")
    last = serializers.DateField(help_text="Last day of that period.")
    n = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True)
    delta = serializers.FloatField(allow_null=True, help_text="This value minus that one.")
    z = serializers.FloatField(allow_null=True, help_text="Standard errors between the two.")
    significant = serializers.BooleanField(help_text="More than chance, at 95 %.")


class FigureSerializer(serializers.Serializer[Any]):
    group = serializers.CharField(
        allow_null=True,
        help_text="First day of the day, week or month; id of owner, company or survey; the touchpoint, topic, …; "
        "null without group_by and for rows that have none.",
    )
    label = serializers.CharField(help_text="What people read for the group.")  # type: ignore[assignment]
    n = serializers.IntegerField(help_text="Answers behind the figure.")
    value = serializers.FloatField(allow_null=True, help_text="Null when n = 0.")
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the 95 % interval.")
    high = serializers.FloatField(allow_null=True, help_text="Upper end of the 95 % interval.")
    reliable = serializers.BooleanField(help_text="False under 30 answers.")
    previous = PreviousSerializer(allow_null=True, help_text="Only with compare=previous.")


class NpsSerializer(FigureSerializer):
    """``value`` is 100·(promoters − detractors)/n, from -100 to 100."""

    promoters = serializers.IntegerField()
    passives = serializers.IntegerField()
    detractors = serializers.IntegerField()


class ShareSerializer(FigureSerializer):
    """``value`` is the share of satisfied answers in percent, with Wilson's interval."""

    satisfied = serializers.IntegerField()
    promoters = serializers.IntegerField(help_text="The satisfied, under the name that every metric has.")
    passives = serializers.IntegerField(help_text="Always 0.")
    detractors = serializers.IntegerField(help_text="All others.")


class EffortSerializer(ShareSerializer):
    """``value`` is the share of answers from 5 of 7 on (it was easy), in percent."""

    mean = serializers.FloatField(allow_null=True, help_text="Mean agreement, 1 to 7.")


class RateSerializer(FigureSerializer):
    """``value`` is answered of delivered in percent; days are those of sending. ``n`` is ``delivered``."""

    delivered = serializers.IntegerField()
    answered = serializers.IntegerField()
    partial = serializers.IntegerField(help_text="Begun and not finished.")  # type: ignore[assignment]
    rr1 = serializers.FloatField(allow_null=True, help_text="AAPOR response rate 1, percent.")
    rr2 = serializers.FloatField(
        allow_null=True, help_text="AAPOR response rate 2: partial ones count, percent."
    )
