"""What a file has named so far, in little memory: a million hashes take 8 MB, a set of them 80."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

#: so many are held in a set, which is quicker, before they join the others
RECENT = 100_000


class Hashes:
    """A set of ``hash(text)`` that grows by whole batches: the newest in a set, the others sorted in an array."""

    def __init__(self, recent: int = RECENT) -> None:
        self._limit = recent
        self._recent: set[int] = set()
        self._settled = array("q")

    def __len__(self) -> int:
        return len(self._recent) + len(self._settled)

    def __contains__(self, value: int) -> bool:
        if value in self._recent:
            return True
        at = bisect_left(self._settled, value)
        return at < len(self._settled) and self._settled[at] == value

    def isdisjoint(self, values: set[int]) -> bool:
        """Whether none of them is here."""
        return self._recent.isdisjoint(values) and not (self._settled and any(v in self for v in values))

    def update(self, values: Iterable[int]) -> None:
        """Take them in; none of them may be here already."""
        self._recent.update(values)
        if len(self._recent) >= self._limit:
            self._settle()

    def _settle(self) -> None:
        """A new array of both, copied in stretches: as numbers of Python's own the settled ones would take 40 MB."""
        merged, start = array("q"), 0
        for value in sorted(self._recent):
            at = bisect_left(self._settled, value, start)
            merged.extend(self._settled[start:at])
            merged.append(value)
            start = at
        merged.extend(self._settled[start:])
        self._settled, self._recent = merged, set()
