"""The palette's search: each app registers how its records are found."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .registry import Registry
from .typos import plain


@dataclass(frozen=True, slots=True)
class Hit:
    """One found record, as the palette shows it."""

    label: str
    detail: str
    url: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Provider:
    """``find(text, user, limit)`` answers the best hits that ``user`` may see, in a bounded time."""

    key: str
    label: Any
    icon: str
    scope: str
    find: Callable[[str, Any, int], list[Hit]]
    order: int = 100


providers: Registry[Provider] = Registry("search provider")


def register(*items: Provider) -> None:
    for item in items:
        providers.add(item.key, item)


def search(text: str, user: Any, limit: int = 6) -> list[tuple[Provider, list[Hit]]]:
    """Hits of every provider whose scope ``user`` has, in groups, the group with the best hit first.

    What is exactly as typed comes before what begins so, that before what has the words somewhere, and that before
    what is only similar; a provider's own order decides among equals.
    """
    text = text.replace("\x00", "").strip()
    if not text:
        return []
    asked = plain(text)
    groups = []
    for provider in sorted((p for p in providers if user.may(p.scope)), key=lambda p: (p.order, p.key)):
        hits = [replace(hit, score=_score(asked, hit)) for hit in provider.find(text, user, limit)]
        if hits:
            hits.sort(key=lambda hit: -hit.score)
            groups.append((provider, hits))
    groups.sort(key=lambda group: -int(group[1][0].score))
    return groups


def _score(asked: str, hit: Hit) -> float:
    """3 and more: as typed · 2: begins so · 1: has all the words · below: only similar."""
    texts = [plain(hit.label), plain(hit.detail)]
    liked = min(max(hit.score, 0.0), 1.0) * 0.9
    if asked in texts:
        return 3 + liked
    if texts[0].startswith(asked) or texts[1].startswith(asked):
        return 2 + liked
    both = " ".join(texts)
    return (1 if all(word in both for word in asked.split()) else 0) + liked
