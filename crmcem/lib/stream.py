"""The consumer framework: every effect of the activity stream happens exactly once.

A consumer locks its offset row, finds the range ``(offset, end]`` of at most ``batch_size`` activities whose
transactions are all over (``txid < pg_snapshot_xmin``), works set-based on that range and moves its
offset, all in one transaction. See ``contacts.Activity`` and ``contacts.ConsumerOffset``; the runner is
``crmcem.lib.stream_runner``, what watches it ``stream_watch``, what moves it to another cluster ``stream_rebase``.

Why nothing is missed: transaction ids are given out in order, and below the snapshot's xmin no transaction runs
any more. So a range below it can neither gain nor lose a row, and every later activity sorts behind it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from .registry import Registry

#: The tables of the floor above that the runner's SQL reads: the contract with ``contacts.models.stream``.
STREAM = "contacts_activity"
OFFSETS = "contacts_consumeroffset"


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed, immutable range of the stream: ``(after, until]`` in ``(txid, id)`` order.

    ``cte`` is ``WITH batch AS (…)``, all columns of the stream and only the rows of the consumer's kinds::

        cursor.execute(f"{batch.cte} UPDATE … FROM batch b WHERE …", batch.params)
        cursor.execute(f"{batch.cte}, latest AS (SELECT …) INSERT …", batch.params | {"mine": 1})

    ``params`` are the parameters that the text needs (named, ``pyformat``; their names start with ``batch_``). A
    function of the database that reads the range itself takes ``batch_first`` and ``batch_last`` (the least and the
    greatest ``received_at``) and its ends ``batch_txid``, ``batch_id``, ``batch_end_txid`` and ``batch_end_id``.
    ``size`` counts those rows, ``kinds`` are the kinds among them. ``upto`` is a condition on the stream as ``a``:
    whatever this consumer has handled once this batch is done; a figure recomputed from history keeps to it, so
    that what is still to come isn't counted twice.
    """

    cte: str
    params: dict[str, Any]
    size: int
    kinds: frozenset[str]
    upto: str = ""


class _Reading:
    """What every consumer says of itself, however it works."""

    name: ClassVar[str]
    batch_size: ClassVar[int] = 2000
    #: whether a new consumer reads the whole history (a rollup) or only what comes from now on (a trigger)
    from_beginning: ClassVar[bool] = True


class Consumer(_Reading, ABC):
    """``handle(batch)`` runs inside the transaction that moves the offset: rows only, no SMTP or HTTP.

    An exception rolls the batch back; it is tried again after a pause that doubles, and no other consumer waits.
    """

    #: kinds this consumer acts on (exact names, or ``prefix.*``); a batch without any skips ``handle``
    kinds: ClassVar[tuple[str, ...]] = ("*",)

    @abstractmethod
    def handle(self, batch: Batch) -> None: ...

    def wants(self, kinds: Iterable[str]) -> list[str]:
        """Those of ``kinds`` that this consumer acts on."""
        return sorted(kind for kind in kinds if any(_matches(kind, pattern) for pattern in self.kinds))


class FunctionConsumer(_Reading):
    """A consumer whose whole step is one call of a function of the database: the busiest ones.

    ``function(consumer, settled, before, size, *arguments())`` locks the offset, reads the range behind it once, has
    its effects, moves on and returns how many activities it read (0: idle, failed lately, or locked). One statement is
    one transaction, so it takes one trip to the database and no other.
    """

    function: ClassVar[str]

    def arguments(self) -> list[Any]:
        """What the function wants besides, in its order; text is taken as whatever type it has there."""
        return []


def _matches(kind: str, pattern: str) -> bool:
    return pattern in ("*", kind) or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))


StreamConsumer: TypeAlias = Consumer | FunctionConsumer
consumers: Registry[StreamConsumer] = Registry("consumer")


def register(*items: StreamConsumer) -> None:
    for item in items:
        consumers.add(item.name, item)
