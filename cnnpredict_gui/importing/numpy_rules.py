"""Rules for numpy's types and arrays in a pickle: all that numpy would trust is checked before it sees it."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.limits import AGAIN
from cnnpredict_gui.importing.pickle_parts import REFUSED, Made, bytes_of

_CODE = re.compile(r"[<>|=]?(?:[biufS?UV]\d{0,4}|O8?)")
_MAX_ITEM_BYTES = 4096
_DTYPE_FLAGS = (0, 8, 16, 63, 128, 144)


class NumpyRules:
    """Part of the unpickler: makes types and arrays, and gives them their state."""

    _name: str
    _stream: io.BytesIO
    _size: int
    #: Objects made by the unpickler, which alone may be given a state; kept so that ids stay theirs.
    _own: dict[int, Any]
    #: Types without their state yet, not used by anything.
    _raw_types: dict[int, np.dtype[Any]]

    def _keep(self, made: Any) -> Any:
        self._own[id(made)] = made
        return made

    def _objects_in_stream(self) -> Any:
        raise NotImplementedError

    def _dtype(self, code: Any, align: Any = False, copy: Any = True) -> Any:
        if not isinstance(code, str) or not _CODE.fullmatch(code) or align not in (False, 0):
            raise ModelFileError(f"{self._name} holds numbers of a type that is not allowed", AGAIN)
        made = np.dtype(code, copy=True)
        self._raw_types[id(made)] = self._keep(made)
        return made

    def _build_dtype(self, built: np.dtype[Any], state: tuple[Any, ...]) -> None:
        """Byte order, and the fields of a structure: each inside of it, none a Python object."""
        if self._raw_types.pop(id(built), None) is None or len(state) not in (8, 9) or (len(state) == 9 and state[8]):
            raise ModelFileError(f"{self._name} changes a type of numbers that is in use", REFUSED)
        version, order, subtype, names, fields, item_bytes, alignment, flags = state[:8]
        plain = (version, subtype) in ((3, None), (4, None)) and order in ("<", ">", "|", "=") and flags in _DTYPE_FLAGS
        sizes = item_bytes in (-1, built.itemsize) and type(alignment) is int and -1 <= alignment <= 16
        if not (plain and sizes and self._fields_fit(built, names, fields)):
            raise ModelFileError(f"{self._name} holds numbers of a type that is not allowed", AGAIN)
        for kind, _ in (fields or {}).values():
            self._raw_types.pop(id(kind), None)
        built.__setstate__(state[:8])  # type: ignore[attr-defined]

    def _fields_fit(self, built: np.dtype[Any], names: Any, fields: Any) -> bool:
        if names is None and fields is None:
            return built.kind != "V"
        if not (isinstance(names, tuple) and isinstance(fields, dict) and set(names) == set(fields) and built.kind == "V"):
            return False
        if built.itemsize > _MAX_ITEM_BYTES or not all(isinstance(name, str) for name in names):
            return False
        for place in fields.values():
            if not (isinstance(place, tuple) and len(place) == 2 and isinstance(place[0], np.dtype)):
                return False
            kind, offset = place
            if kind.kind not in "biuf" or type(offset) is not int or not 0 <= offset <= built.itemsize - kind.itemsize:
                return False
        return True

    def _empty_array(self, kind: Any, shape: Any, code: Any) -> Any:
        if not isinstance(kind, Made) or kind.name != "numpy.ndarray" or shape != (0,):
            raise ModelFileError(f"{self._name} holds an array of a kind that is not allowed", REFUSED)
        return self._keep(np.empty(0, dtype=np.int8))

    def _build_array(self, built: Any, state: tuple[Any, ...]) -> None:
        if len(state) != 5 or state[0] != 1:
            raise ModelFileError(f"{self._name} holds an array of an unknown form", AGAIN)
        _, shape, kind, fortran, content = state
        count = self._count(shape, kind)
        if kind.hasobject:
            self._check_objects(kind, content, count)
        elif not isinstance(content, bytes) or len(content) != count * kind.itemsize:
            raise ModelFileError(f"{self._name} holds an array with too few or too many bytes", AGAIN)
        built.__setstate__((1, shape, kind, bool(fortran), content))

    def _check_objects(self, kind: np.dtype[Any], content: Any, count: int) -> None:
        """Objects in an array may be texts, or trees that were made here (as gradient boosting keeps them)."""
        listed = isinstance(content, list) and len(content) == count and kind.kind == "O"
        if not listed or not (all(type(one) is str for one in content) or all(self._is_tree(one) for one in content)):
            raise ModelFileError(
                f"{self._name} holds an array of Python objects, which is not allowed",
                "only names of features and trees may be such",
            )

    def _is_tree(self, one: Any) -> bool:
        return id(one) in self._own and type(one).__name__ == "DecisionTreeRegressor"

    def _count(self, shape: Any, kind: Any) -> int:
        """Number of elements of an array; marks its type as used."""
        sound = isinstance(shape, tuple) and len(shape) <= 8 and all(type(extent) is int and extent >= 0 for extent in shape)
        if not sound or not isinstance(kind, np.dtype):
            raise ModelFileError(f"{self._name} holds an array of an unknown form", AGAIN)
        self._raw_types.pop(id(kind), None)
        return math.prod(shape)

    def _array_of_buffer(self, content: Any, kind: Any, shape: Any, order: Any) -> Any:
        count = self._count(shape, kind)
        if kind.hasobject or not isinstance(content, bytes | bytearray) or len(content) != count * kind.itemsize:
            raise ModelFileError(f"{self._name} holds an array with too few or too many bytes", AGAIN)
        return np.frombuffer(bytearray(content), dtype=kind).reshape(shape, order="F" if order == "F" else "C")

    def _scalar(self, kind: Any, content: Any) -> Any:
        if not isinstance(kind, np.dtype) or kind.kind not in "biufSU" or len(bytes_of(content)) != kind.itemsize:
            raise ModelFileError(f"{self._name} holds a number of an unknown form", AGAIN)
        return np.frombuffer(bytes_of(content), dtype=kind)[0]

    def _array_in_stream(self, header: dict[Any, Any]) -> Any:
        """The array whose bytes follow in the file, as joblib writes it."""
        kind, order, subclass = header.get("dtype"), header.get("order"), header.get("subclass")
        count = self._count(header.get("shape"), kind)
        assert isinstance(kind, np.dtype)
        if not isinstance(subclass, Made) or subclass.name != "numpy.ndarray" or order not in ("C", "F"):
            raise ModelFileError(f"{self._name} holds an array of a kind that is not allowed", REFUSED)
        if kind.hasobject:
            return self._objects_in_stream()
        if header.get("numpy_array_alignment_bytes") is not None:
            self._stream.seek(int.from_bytes(self._stream.read(1), "little"), io.SEEK_CUR)
        content = self._stream.read(min(count * kind.itemsize, self._size))
        if len(content) != count * kind.itemsize:
            raise ModelFileError(f"{self._name} is cut off inside an array", AGAIN)
        return np.frombuffer(bytearray(content), dtype=kind).reshape(header["shape"], order=order)
