"""Reads pickles and joblib files by an allow-list; nothing in the file decides what is called.

Python's own unpickler in Python is the base, so that each instruction that makes or changes an object passes through here:
what a REDUCE may call are our own constructors, what a BUILD may change are objects made here, numpy's types and arrays are
checked before numpy sees their state, and trees before scikit-learn does. The arrays that joblib writes between the
instructions are read here as well; arrays of Python objects are refused, but for texts (names of features) and trees.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing import allowed
from cnnpredict_gui.importing.limits import AGAIN
from cnnpredict_gui.importing.trees import check_hist_nodes, check_sklearn_state, with_missing_field

_CODE = re.compile(r"[<>|=]?(?:[biufS?UV]\d{0,4}|O8?)")
_MAX_ITEM_BYTES = 4096
_REFUSED = "import only models whose source you trust; the classes that may be read are listed in the help"
#: Instructions that no model needs: persistent ids, extension codes, old-style instances, buffers outside of the file.
_NEVER = (pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST, pickle.OBJ)
_OUTSIDE = (pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)
_DTYPE_FLAGS = (0, 8, 16, 63, 128, 144)


class Forgotten:
    """Stands for an object that predicting does not need; holds nothing."""


class XgboostState:
    """Stands for an object of xgboost: the attributes it was saved with, as data."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.values: dict[str, Any] = {}


class _ArrayHeader:
    """Stands for joblib's NumpyArrayWrapper: what comes before the bytes of an array."""


class _Made:
    """What the file calls by a name in the allow-list; only :class:`Unpickler` calls it."""

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self.name, self.make = name, make


class Unpickler(pickle._Unpickler):
    """Loads one object; :attr:`versions` then has what the file says of the libraries that wrote it."""

    stack: list[Any]
    read: Callable[[int], bytes]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        code: method for code, method in pickle._Unpickler.dispatch.items() if bytes([code]) not in (*_NEVER, *_OUTSIDE)
    }

    def __init__(self, stream: io.BytesIO, name: str) -> None:
        super().__init__(stream)
        self._stream, self._name = stream, name
        self._size = len(stream.getbuffer())
        self._own: dict[int, Any] = {}  # objects made here, which alone may be given a state; kept so that ids stay theirs
        self._raw_types: dict[int, np.dtype[Any]] = {}  # types without their state yet, not used by anything
        self.versions: dict[str, str] = {}

    def load(self) -> Any:
        """The object in the file.

        Raises:
            ModelFileError: it is damaged, or names something that is not allowed.
        """
        try:
            return super().load()
        except (ModelFileError, MemoryError):
            raise
        except Exception as error:  # each kind of damage has its own exception
            text = f"{type(error).__name__}: {error}".splitlines()[0][:120]
            raise ModelFileError(f"{self._name} is damaged or no pickle ({text})", AGAIN) from None

    # -- names --------------------------------------------------------------------------------------------------------

    def find_class(self, module: str, name: str) -> Any:
        """What the file may have under this name.

        Raises:
            ModelFileError: it is not on the list.
        """
        usual = allowed.usual_module(module)
        make = self._constructors().get(f"{usual}.{name}")
        if make is not None:
            return _Made(f"{usual}.{name}", make)
        if name in allowed.CLASSES.get(usual, ()) or name in allowed.MENTIONED.get(usual, ()):
            return getattr(import_module(usual), name)
        if name in allowed.CALLED.get(usual, ()):
            loss = getattr(import_module(usual), name)
            return _Made(f"{usual}.{name}", lambda *numbers: self._keep(loss(*map(float, numbers))))
        if name in allowed.FORGOTTEN.get(usual, ()):
            return _Made(f"{usual}.{name}", lambda *_: self._keep(Forgotten()))
        if name in allowed.XGBOOST.get(usual, ()):
            return _Made(f"{usual}.{name}", lambda *_: self._keep(XgboostState(name)))
        if usual.endswith("joblib.numpy_pickle") and name == "NumpyArrayWrapper":
            return _Made("joblib.numpy_pickle.NumpyArrayWrapper", lambda: self._keep(_ArrayHeader()))
        raise refused(usual, name)

    def _constructors(self) -> dict[str, Callable[..., Any]]:
        return {
            "numpy.dtype": self._dtype,
            "numpy.ndarray": _not_by_call,
            "numpy._core.multiarray._reconstruct": self._empty_array,
            "numpy._core.multiarray.scalar": self._scalar,
            "numpy._core.numeric._frombuffer": self._array_of_buffer,
            "sklearn.tree._tree.Tree": self._tree,
            "copyreg._reconstructor": self._old_object,
            "builtins.object": _not_by_call,
            "builtins.bytearray": _bytearray,
            "builtins.bytes": bytes_of,
            "builtins.set": lambda items=(): set(_of(list, items)),
            "_codecs.encode": bytes_of,
            "collections.OrderedDict": lambda pairs=(): OrderedDict(pairs),
        }

    # -- instructions -------------------------------------------------------------------------------------------------

    def load_reduce(self) -> None:
        """Call one of our constructors."""
        arguments = _of(tuple, self.stack.pop())
        self.stack[-1] = self._make(self.stack[-1], arguments)

    def load_newobj(self) -> None:
        """Make an instance without arguments."""
        arguments = _of(tuple, self.stack.pop())
        self.stack.append(self._new(self.stack.pop(), arguments))

    def load_newobj_ex(self) -> None:
        """Make an instance without arguments."""
        keywords, arguments = _of(dict, self.stack.pop()), _of(tuple, self.stack.pop())
        self.stack.append(self._new(self.stack.pop(), (*arguments, *keywords)))

    def load_build(self) -> None:
        """Give an object its state, after checking it."""
        state, built = self.stack.pop(), self.stack[-1]
        if id(built) not in self._own:
            raise ModelFileError(f"{self._name} changes an object that it did not make", _REFUSED)
        if isinstance(built, _ArrayHeader):
            self.stack[-1] = self._array_in_stream(_of(dict, state))
        elif isinstance(built, np.dtype):
            self._build_dtype(built, _of(tuple, state))
        elif isinstance(built, np.ndarray):
            self._build_array(built, _of(tuple, state))
        elif isinstance(built, XgboostState):
            built.values.update(_of(dict, state))
        elif not isinstance(built, Forgotten):
            self._build_object(built, _of(dict, state))

    def load_setitem(self) -> None:
        """Put one item into a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        _of(dict, self.stack[-1])[key] = value

    def load_setitems(self) -> None:
        """Put items into a dictionary."""
        items = self.pop_mark()
        _of(dict, self.stack[-1]).update(zip(items[::2], items[1::2], strict=True))

    def load_append(self) -> None:
        """Append one item to a list."""
        value = self.stack.pop()
        _of(list, self.stack[-1]).append(value)

    def load_appends(self) -> None:
        """Append items to a list."""
        items = self.pop_mark()
        _of(list, self.stack[-1]).extend(items)

    def load_additems(self) -> None:
        """Add items to a set."""
        items = self.pop_mark()
        _of(set, self.stack[-1]).update(items)

    def load_bytearray8(self) -> None:
        """Bytes whose number the file tells; more than there are would be allocated first."""
        count = int.from_bytes(self.read(8), "little")
        if count > self._size:
            raise ModelFileError(f"{self._name} is cut off", AGAIN)
        self.append(bytearray(self.read(count)))

    for _code, _method in (
        (pickle.REDUCE, load_reduce),
        (pickle.NEWOBJ, load_newobj),
        (pickle.NEWOBJ_EX, load_newobj_ex),
        (pickle.BUILD, load_build),
        (pickle.SETITEM, load_setitem),
        (pickle.SETITEMS, load_setitems),
        (pickle.APPEND, load_append),
        (pickle.APPENDS, load_appends),
        (pickle.ADDITEMS, load_additems),
        (pickle.BYTEARRAY8, load_bytearray8),
    ):
        dispatch[_code[0]] = _method

    # -- making objects -----------------------------------------------------------------------------------------------

    def _keep(self, made: Any) -> Any:
        self._own[id(made)] = made
        return made

    def _make(self, called: Any, arguments: tuple[Any, ...]) -> Any:
        if not isinstance(called, _Made):
            raise ModelFileError(f"{self._name} calls {_called(called)}, which is not allowed", _REFUSED)
        for argument in arguments:
            self._raw_types.pop(id(argument), None)  # a type in use must not change any more
        return called.make(*arguments)

    def _new(self, kind: Any, arguments: tuple[Any, ...]) -> Any:
        if isinstance(kind, _Made) and not arguments:
            return kind.make()
        if not isinstance(kind, type) or arguments:
            raise ModelFileError(f"{self._name} makes {_called(kind)} in a way that is not allowed", _REFUSED)
        return self._keep(object.__new__(kind))

    def _old_object(self, kind: Any, base: Any, state: Any = None) -> Any:
        if not isinstance(base, _Made) or base.name != "builtins.object" or state is not None:
            raise ModelFileError(f"{self._name} makes an object in a way that is not allowed", _REFUSED)
        return self._new(kind, ())

    def _build_object(self, built: Any, state: dict[Any, Any]) -> None:
        kind = type(built)
        if not all(isinstance(name, str) for name in state):
            raise ModelFileError(f"{self._name} holds an attribute without a name", _REFUSED)
        if kind.__name__ == "Tree":
            check_sklearn_state(state, built.n_features, self._name)
            state = with_missing_field(state)
        elif kind.__name__ == "TreePredictor":
            check_hist_nodes(state, self._name)
        version = state.get("_sklearn_version")
        if isinstance(version, str):
            self.versions["scikit-learn"] = version
        set_state = getattr(built, "__setstate__", None)
        if set_state is not None:
            set_state(state)
        else:
            built.__dict__.update(state)

    def _tree(self, features: Any, classes: Any, outputs: Any) -> Any:
        sound = isinstance(classes, np.ndarray) and classes.shape == (1,) and classes.dtype.kind == "i" and int(classes[0]) == 1
        if not (sound and type(features) is int and 0 < features < 2**31 and outputs == 1):
            raise ModelFileError(f"{self._name} holds a tree that is not one of a single number per row", AGAIN)
        from sklearn.tree._tree import Tree

        return self._keep(Tree(features, np.ones(1, dtype=np.intp), 1))

    # -- numpy --------------------------------------------------------------------------------------------------------

    def _dtype(self, code: Any, align: Any = False, copy: Any = True) -> Any:
        if not isinstance(code, str) or not _CODE.fullmatch(code) or align not in (False, 0):
            raise ModelFileError(f"{self._name} holds numbers of a type that is not allowed", AGAIN)
        made = np.dtype(code, copy=True)
        self._raw_types[id(made)] = self._keep(made)
        return made

    def _build_dtype(self, built: np.dtype[Any], state: tuple[Any, ...]) -> None:
        """Byte order, and the fields of a structure: each inside of it, none a Python object."""
        if self._raw_types.pop(id(built), None) is None or len(state) not in (8, 9) or (len(state) == 9 and state[8]):
            raise ModelFileError(f"{self._name} changes a type of numbers that is in use", _REFUSED)
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
        if not isinstance(kind, _Made) or kind.name != "numpy.ndarray" or shape != (0,):
            raise ModelFileError(f"{self._name} holds an array of a kind that is not allowed", _REFUSED)
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
        if not isinstance(subclass, _Made) or subclass.name != "numpy.ndarray" or order not in ("C", "F"):
            raise ModelFileError(f"{self._name} holds an array of a kind that is not allowed", _REFUSED)
        if kind.hasobject:
            return self._objects_in_stream()
        if header.get("numpy_array_alignment_bytes") is not None:
            self._stream.seek(int.from_bytes(self._stream.read(1), "little"), io.SEEK_CUR)
        content = self._stream.read(min(count * kind.itemsize, self._size))
        if len(content) != count * kind.itemsize:
            raise ModelFileError(f"{self._name} is cut off inside an array", AGAIN)
        return np.frombuffer(bytearray(content), dtype=kind).reshape(header["shape"], order=order)

    def _objects_in_stream(self) -> Any:
        """An array of Python objects is a pickle of its own, read by the same rules."""
        inner = Unpickler(self._stream, self._name).load()
        if not isinstance(inner, np.ndarray) or inner.dtype.kind != "O":
            raise ModelFileError(f"{self._name} holds an array of an unknown form", AGAIN)
        return inner


def refused(module: str, name: str) -> ModelFileError:
    """The error for a name that is not on the list, such as ``os.system is not allowed``."""
    text = "".join(letter if letter.isprintable() else "?" for letter in f"{module}.{name}")[:120]
    return ModelFileError(f"{text} is not allowed in a model file", _REFUSED)


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ModelFileError(f"the pickle has a {type(value).__name__} where a {kind.__name__} belongs", AGAIN)
    return value


def _called(thing: Any) -> str:
    return str(getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__)[:80]


def _not_by_call(*_: Any) -> Any:
    raise ModelFileError("the pickle makes an object in a way that is not allowed", _REFUSED)


def bytes_of(content: Any = b"", encoding: Any = "latin1") -> bytes:
    """Bytes that old protocols write as text."""
    if isinstance(content, str) and encoding in ("latin1", "latin-1"):
        return content.encode("latin1")
    if isinstance(content, bytes):
        return content
    raise ModelFileError("the pickle holds bytes of an unknown form", AGAIN)


def _bytearray(content: Any = b"", encoding: Any = "latin1") -> bytearray:
    return bytearray(bytes_of(content, encoding))
