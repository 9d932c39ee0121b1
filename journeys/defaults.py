"""The two automations that a new organisation starts with, as data."""

from typing import Any

SURVEY_AFTER_SECOND_ORDER = "Ask for NPS after the second order"
TASK_WHEN_AWAY = "Follow up customers who stay away"


def survey_after_second_order(survey: int | str) -> dict[str, Any]:
    """``order.placed`` twice within 90 days → send the NPS survey by e-mail, once per customer."""
    return {
        "trigger": {"type": "event", "event": "order.placed", "count": 2, "within": {"days": 90}},
        "steps": [
            {
                "key": "ask",
                "type": "action",
                "action": "send_survey",
                "parameters": {"survey": str(survey)},
            }
        ],
        "reentry": {"policy": "once"},
    }


def task_when_away() -> dict[str, Any]:
    """Not seen for 12 days → a task for the owner, once per absence."""
    return {
        "trigger": {"type": "absence", "event": "*", "for": {"days": 12}},
        "steps": [
            {
                "key": "task",
                "type": "action",
                "action": "create_task",
                "parameters": {"title": "Get in touch: not seen for 12 days"},
            }
        ],
        "reentry": {"policy": "always"},
    }
