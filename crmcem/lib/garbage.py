"""Python's garbage collector in a web process: what stays for good is not looked through again and again."""

import gc

#: New containers between two looks at the young ones. A request with a thousand events makes five thousand.
YOUNG = 50_000


def settle() -> None:
    """Called once when everything is loaded: what is there now is never looked through again.

    Parsing a large body makes many containers at once, and the default (every 700) has the collector look through
    them while they are being made: half of the time that parsing takes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
