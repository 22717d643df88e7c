"""Memory of the C library (glibc), which otherwise keeps far more than the program uses."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

#: Parameter of glibc's ``mallopt``: most arenas, of which each thread else takes its own and leaves it full of holes.
_M_ARENA_MAX = -8
_ARENAS = 2


def limit_arenas() -> None:
    """Let all threads share two arenas; to be called before any thread is started. Does nothing where glibc is not used."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, _ARENAS)


def give_memory_back() -> None:
    """Return what is free to the operating system. Does nothing where glibc is not used."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
