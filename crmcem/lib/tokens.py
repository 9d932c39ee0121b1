"""Tokens of public links: signed, bound to one purpose, made from an id without storing anything.

A token is ``id.signature``; the signature is HMAC-SHA256 (256 bits) under a key derived from SECRET_KEY and the
purpose, so a token of one purpose is worthless for another, and nobody can guess or alter one. Single use and
expiry are the record's matter: the token only proves that we gave it out.
"""

from functools import lru_cache

from django.conf import settings
from django.core.signing import BadSignature, Signer

_MAX_LENGTH = 80


@lru_cache(maxsize=32)
def _signer(purpose: str, key: str) -> Signer:
    former: list[str | bytes] = [*settings.SECRET_KEY_FALLBACKS]
    return Signer(key=key, sep=".", salt=f"crmcem.public.{purpose}", fallback_keys=former)


def make(purpose: str, pk: int) -> str:
    """The token for the record ``pk``: URL-safe, always the same for the same purpose and record."""
    return _signer(purpose, settings.SECRET_KEY).sign(str(pk))


def read(purpose: str, token: str) -> int | None:
    """The record's id; None for whatever was not made by ``make`` with this purpose. Never raises."""
    if not 0 < len(token) <= _MAX_LENGTH or not token.isascii():
        return None
    try:
        text = _signer(purpose, settings.SECRET_KEY).unsign(token)
    except BadSignature:
        return None
    return int(text) if text.isdigit() and len(text) <= 19 else None
