from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class ActorThrottle(SimpleRateThrottle):
    """So many requests a minute per token, person or address.

    Counted by one atomic step per request in windows of the clock: parallel requests can't hide behind each other, as
    they can where a list is read and written back. Without the cache nobody is refused.
    """

    scope = "actor"
    duration: int | None
    num_requests: int | None
    _left = 1.0

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        actor = getattr(request, "actor", None)
        ident = f"{actor.kind}:{actor.id}" if actor else self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": ident}

    def allow_request(self, request: Request, view: Any) -> bool:
        if self.rate is None or self.duration is None or self.num_requests is None:
            return True
        now = self.timer()
        window = int(now // self.duration)
        self._left = (window + 1) * self.duration - now
        key = f"{self.get_cache_key(request, view)}:{window}"
        try:
            return bool(self._count(key) <= self.num_requests)
        except ValueError:  # forgotten between the two
            return True

    def _count(self, key: str) -> int:
        """How many requests this window has seen, with this one. Only the first of a window makes the counter."""
        try:
            return int(self.cache.incr(key))
        except ValueError:
            self.cache.add(key, 0, timeout=(self.duration or 0) + 5)
            return int(self.cache.incr(key))

    def wait(self) -> float:
        """Seconds until the next window."""
        return self._left
