"""Reads Universal Binary JSON as XGBoost writes it: big-endian, objects and arrays, typed arrays with a count."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.limits import AGAIN

_NUMBERS = {
    ord(b"i"): ">i1",
    ord(b"U"): ">u1",
    ord(b"I"): ">i2",
    ord(b"l"): ">i4",
    ord(b"L"): ">i8",
    ord(b"d"): ">f4",
    ord(b"D"): ">f8",
}
_WORDS = {ord(b"Z"): None, ord(b"T"): True, ord(b"F"): False}
_DEPTH = 64


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.place, self.name = data, 0, name

    def take(self, count: int) -> bytes:
        """The next bytes; there must be as many."""
        if count < 0 or count > len(self.data) - self.place:
            raise ModelFileError(f"{self.name} is cut off", AGAIN)
        self.place += count
        return self.data[self.place - count : self.place]

    def marker(self) -> int:
        return self.take(1)[0]

    def number(self, marker: int) -> Any:
        kind = _NUMBERS.get(marker)
        if kind is None:
            raise ModelFileError(f"{self.name} is damaged: no value at byte {self.place}", AGAIN)
        size = int(kind[2])
        return np.frombuffer(self.take(size), dtype=kind)[0].item()

    def count(self) -> int:
        count = self.number(self.marker())
        if not isinstance(count, int) or not 0 <= count <= len(self.data):
            raise ModelFileError(f"{self.name} is damaged: {count} values at byte {self.place}", AGAIN)
        return count

    def text(self) -> str:
        return self.take(self.count()).decode("utf-8", "replace")

    def value(self, marker: int, depth: int) -> Any:
        if depth > _DEPTH:
            raise ModelFileError(f"{self.name} is nested too deeply", AGAIN)
        if marker in _WORDS:
            return _WORDS[marker]
        if marker == ord(b"S"):
            return self.text()
        if marker == ord(b"C"):
            return self.take(1).decode("latin1")
        if marker == ord(b"{"):
            return self._object(depth)
        return self._array(depth) if marker == ord(b"[") else self.number(marker)

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (marker := self.marker()) != ord(b"}"):
            self.place -= 1 if marker in _NUMBERS else 0
            name = self.text()
            found[name] = self.value(self.marker(), depth + 1)
        return found

    def _array(self, depth: int) -> Any:
        marker = self.marker()
        if marker == ord(b"$"):
            kind = self.marker()
            if kind not in _NUMBERS or self.marker() != ord(b"#"):
                raise ModelFileError(f"{self.name} is damaged: an array of an unknown type at byte {self.place}", AGAIN)
            count = self.count()
            content = self.take(count * int(_NUMBERS[kind][2]))
            return np.frombuffer(content, dtype=_NUMBERS[kind]).astype(_NUMBERS[kind][1:])
        if marker == ord(b"#"):
            return [self.value(self.marker(), depth + 1) for _ in range(self.count())]
        items = []
        while marker != ord(b"]"):
            items.append(self.value(marker, depth + 1))
            marker = self.marker()
        return items


def read_ubjson(data: bytes, name: str) -> Any:
    """The value in ``data``; typed arrays as numpy arrays.

    Raises:
        ModelFileError: it is cut off, damaged or nested too deeply.
    """
    reader = _Reader(data, name)
    try:
        return reader.value(reader.marker(), 0)
    except (struct.error, ValueError, RecursionError) as error:
        raise ModelFileError(f"{name} is damaged: {error}", AGAIN) from None
