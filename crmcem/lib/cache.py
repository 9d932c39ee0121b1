"""A cache that may be gone: sign-in, lists and writes go on without it."""

from typing import Any

import structlog
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)


def _tolerant(name: str, missing: Any) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(RedisCache, name)(self, *args, **kwargs)
        except (RedisError, OSError) as error:
            log.warning("cache_unavailable", operation=name, error=type(error).__name__)
            if callable(missing):
                return missing(*args, **kwargs)
            return missing

    method.__name__ = name
    return method


def _default(key: Any = None, default: Any = None, *args: Any, **kwargs: Any) -> Any:
    return default


def _delta(key: Any = None, delta: int = 1, *args: Any, **kwargs: Any) -> int:
    return delta


class TolerantRedisCache(RedisCache):
    """Redis where every operation on a broken connection answers as an empty cache would."""

    add = _tolerant("add", True)
    get = _tolerant("get", _default)
    set = _tolerant("set", None)
    touch = _tolerant("touch", False)
    delete = _tolerant("delete", False)
    get_many = _tolerant("get_many", lambda *a, **k: {})
    set_many = _tolerant("set_many", lambda *a, **k: [])
    delete_many = _tolerant("delete_many", None)
    has_key = _tolerant("has_key", False)
    incr = _tolerant("incr", _delta)
    clear = _tolerant("clear", False)
