"""Where pieces of work run: in this process, or wherever a :class:`Mapper` takes them.

Whoever has independent pieces gives them to a mapper and takes the results in order, so that what comes of them does not
depend on where they ran. Mappers over processes and clusters are in :mod:`cnnpredict_gui.training.workers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Mapper(Protocol):
    """Runs a function on many items."""

    @property
    def workers(self) -> int:
        """How many items run at once."""

    def map(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Iterable[Item],
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """``function(shared, item)`` for each item, in the order of the items, each result as soon as it is there.

        Args:
            function: Found by its module and name, so that another process can import it.
            shared: What all items need; it travels once.
            items: Taken a few at a time, never all at once.
            cancelled: Asked about ten times a second while waiting for other processes.

        Raises:
            CancelledByUserError: ``cancelled`` said so.
            WorkerError: a worker, or the way to it, was lost.
        """


class InProcess:
    """One item after the other, here, when its result is asked for."""

    workers = 1

    def map(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Iterable[Item],
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """As :meth:`Mapper.map`; callers ask ``cancelled`` themselves between results."""
        return (function(shared, item) for item in items)
