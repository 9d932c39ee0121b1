"""Chance that can be told again: the same contact always falls into the same part."""

import hashlib

PARTS = 10_000

#: The same figure in SQL, for the parameters salt (text) and the column contact_id.
SHARE_SQL = (
    "(('x' || substr(md5(%(salt)s || ':' || contact_id::text), 1, 8))::bit(32)::bigint & 4294967295)"
    f" %% {PARTS}"
)


def share(salt: str, contact_id: int) -> int:
    """A figure from 0 to 9,999, spread evenly over contacts, other for each ``salt``."""
    text = f"{salt}:{contact_id}".encode()
    return int(hashlib.md5(text, usedforsecurity=False).hexdigest()[:8], 16) % PARTS


def holdout_salt(automation_id: int) -> str:
    return f"{automation_id}:holdout"


def split_salt(automation_id: int, step_key: str) -> str:
    return f"{automation_id}:{step_key}"
