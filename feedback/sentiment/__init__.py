"""How a customer's words sound, by an engine that the setting SENTIMENT_ENGINE names."""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings

from crmcem.lib.registry import Registry

from .base import UNREAD, Engine, Label, Score
from .language import guess
from .vader import Vader

__all__ = ["UNREAD", "Engine", "Label", "Score", "engine", "engines", "guess"]

#: name → what makes the engine; an app above may add its own
engines: Registry[Callable[[], Engine]] = Registry("sentiment engine")
engines.add("vader", Vader)


@lru_cache(maxsize=4)
def _made(name: str) -> Engine:
    return engines[name]()


def engine() -> Engine:
    """The engine in use. Raises KeyError for a name that nobody registered (see the system check)."""
    return _made(settings.SENTIMENT_ENGINE)
