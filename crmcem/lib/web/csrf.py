"""The token in the forms of public pages: Django's own, at a tenth of its cost."""

import secrets

from django.http import HttpRequest
from django.middleware.csrf import CSRF_ALLOWED_CHARS, get_token

_PLACES = {char: place for place, char in enumerate(CSRF_ALLOWED_CHARS)}
_COUNT = len(CSRF_ALLOWED_CHARS)
#: a random byte → a place in the alphabet; those that would make some places likelier are dropped
_PLACE_OF_BYTE = bytes(byte % _COUNT for byte in range(256))
_UNFAIR = bytes(range(256 // _COUNT * _COUNT, 256))


def form_token(request: HttpRequest) -> str:
    """What ``csrfmiddlewaretoken`` of a form carries, another one each time.

    Whoever has the cookie already keeps it as it is: it is good for a year, and ``get_token`` would send it again with
    every page. Who has none gets one.
    """
    secret = request.META.get("CSRF_COOKIE")
    if secret is None or request.META.get("CSRF_COOKIE_NEEDS_UPDATE"):
        return get_token(request)
    return masked(secret)


def masked(secret: str) -> str:
    """``secret`` behind a random mask, as Django's middleware takes it apart: the mask, then the sum of both.

    Django draws the mask character by character, which takes longer than the rest of a page from the cache.
    """
    mask = b""
    while len(mask) < len(secret):
        mask += secrets.token_bytes(2 * len(secret)).translate(_PLACE_OF_BYTE, _UNFAIR)
    mask = mask[: len(secret)]
    places = list(mask) + [(_PLACES[char] + place) % _COUNT for char, place in zip(secret, mask, strict=True)]
    return "".join([CSRF_ALLOWED_CHARS[place] for place in places])
