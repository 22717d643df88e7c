"""Pieces of work that workers import."""

from __future__ import annotations

import os
import time


def add(shared: int, item: int) -> int:
    """The sum."""
    return shared + item


def slow(seconds: float, item: int) -> int:
    """The item, late."""
    time.sleep(seconds)
    return item


def die(shared: int, item: int) -> int:
    """The end of the process."""
    os._exit(shared + item)
