"""Which thread goes first when the window and work in the background both want Python's lock.

Left to itself the lock changes hands hundreds of times in a turn of the window's event loop, and the window waits each time:
a turn of 60 ms took 110. Without a window nothing here waits for anything.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
#: Work in the background never waits longer than this for one turn, in seconds.
_LONGEST_S = 0.03
#: Items of :func:`giving_way` that are handled, in a few milliseconds, before the window may go first.
_STEP = 100
_free = threading.Event()
_free.set()
_owner = 0


def claim() -> None:
    """The calling thread, the window's, goes first until :func:`release`."""
    global _owner  # noqa: PLW0603 - one window's thread to a process
    _owner = threading.get_ident()
    _free.clear()


def release() -> None:
    """All threads are alike again."""
    _free.set()


def give_way() -> None:
    """Called by work in the background between its steps: wait until the window's turn is over."""
    if not _free.is_set() and threading.get_ident() != _owner:
        _free.wait(_LONGEST_S)


def giving_way(items: Iterable[T]) -> Iterator[T]:
    """The items one by one; at every hundredth the window may go first."""
    for number, item in enumerate(items):
        if number % _STEP == 0:
            give_way()
        yield item
