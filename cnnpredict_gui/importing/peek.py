"""A quick look at an ``.onnx`` file: a predictor (a matrix goes in) or a network (an image goes in)? Reads a few bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_GRAPH, _INPUT = 7, 11
#: From an input down to its extents: its type, the tensor in it, its shape.
_TO_SHAPE, _EXTENT = (2, 1, 2), 1
_MAX_FIELDS, _MAX_INPUT_BYTES = 50_000, 100_000


def takes_matrix(path: Path) -> bool:
    """Whether the first input of an ONNX model has two extents; false where the file cannot tell.

    Only the outer structure of the file (protocol buffers) is walked, whatever its size.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start, size = next(_fields(file, 0, os.fstat(file.fileno()).st_size, _GRAPH), (0, 0))
            at, length = next(_fields(file, start, start + size, _INPUT), (0, 0))
            return _extents(file, at, length) == 2
    except (OSError, ValueError, IndexError):
        return False


def _extents(file: BinaryIO, start: int, size: int) -> int:
    if size > _MAX_INPUT_BYTES:
        raise ValueError("no input is that long")
    for number in _TO_SHAPE:
        start, size = next(_fields(file, start, start + size, number), (0, 0))
    return sum(1 for _ in _fields(file, start, start + size, _EXTENT))


def _fields(file: BinaryIO, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Place and size of each field with this number between two places of the file."""
    at = start
    for _ in range(_MAX_FIELDS):
        if at >= end:
            return
        file.seek(at)
        head = file.read(20)
        key, used = _varint(head, 0)
        kind = key & 7
        if kind == 2:
            size, used = _varint(head, used)
            if key >> 3 == wanted:
                yield at + used, size
            at += used + size
        else:
            at += used + (_varint(head, used)[1] - used if kind == 0 else {1: 8, 5: 4}[kind] if kind in (1, 5) else end)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
