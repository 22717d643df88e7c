"""Reads pickles and joblib files by an allow-list; nothing in the file decides what is called.

Python's own unpickler in Python is the base, so that each instruction that makes or changes an object passes through here:
what a REDUCE may call are our own constructors, what a BUILD may change are objects made here, numpy's types and arrays are
checked before numpy sees their state, and trees before scikit-learn does. The arrays that joblib writes between the
instructions are read here as well; arrays of Python objects are refused, but for texts (names of features) and trees.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing import allowed
from cnnpredict_gui.importing.limits import AGAIN
from cnnpredict_gui.importing.numpy_rules import NumpyRules
from cnnpredict_gui.importing.pickle_parts import (
    REFUSED,
    ArrayHeader,
    Forgotten,
    Made,
    XgboostState,
    bytearray_of,
    bytes_of,
    called_name,
    not_by_call,
    of_kind,
    refused,
)
from cnnpredict_gui.importing.trees import check_hist_nodes, check_sklearn_state, with_missing_field

#: Instructions that no model needs: persistent ids, extension codes, old-style instances, buffers outside of the file.
_NEVER = (pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST, pickle.OBJ)
_OUTSIDE = (pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)


class Unpickler(NumpyRules, pickle._Unpickler):
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
        self._own, self._raw_types = {}, {}
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
            return Made(f"{usual}.{name}", make)
        if name in allowed.CLASSES.get(usual, ()) or name in allowed.MENTIONED.get(usual, ()):
            return getattr(import_module(usual), name)
        if name in allowed.CALLED.get(usual, ()):
            loss = getattr(import_module(usual), name)
            return Made(f"{usual}.{name}", lambda *numbers: self._keep(loss(*map(float, numbers))))
        if name in allowed.FORGOTTEN.get(usual, ()):
            return Made(f"{usual}.{name}", lambda *_: self._keep(Forgotten()))
        if name in allowed.XGBOOST.get(usual, ()):
            return Made(f"{usual}.{name}", lambda *_: self._keep(XgboostState(name)))
        if usual.endswith("joblib.numpy_pickle") and name == "NumpyArrayWrapper":
            return Made("joblib.numpy_pickle.NumpyArrayWrapper", lambda: self._keep(ArrayHeader()))
        raise refused(usual, name)

    def _constructors(self) -> dict[str, Callable[..., Any]]:
        return {
            "numpy.dtype": self._dtype,
            "numpy.ndarray": not_by_call,
            "numpy._core.multiarray._reconstruct": self._empty_array,
            "numpy._core.multiarray.scalar": self._scalar,
            "numpy._core.numeric._frombuffer": self._array_of_buffer,
            "sklearn.tree._tree.Tree": self._tree,
            "copyreg._reconstructor": self._old_object,
            "builtins.object": not_by_call,
            "builtins.bytearray": bytearray_of,
            "builtins.bytes": bytes_of,
            "builtins.set": lambda items=(): set(of_kind(list, items)),
            "_codecs.encode": bytes_of,
            "collections.OrderedDict": lambda pairs=(): OrderedDict(pairs),
        }

    # -- instructions -------------------------------------------------------------------------------------------------

    def load_reduce(self) -> None:
        """Call one of our constructors."""
        arguments = of_kind(tuple, self.stack.pop())
        self.stack[-1] = self._make(self.stack[-1], arguments)

    def load_newobj(self) -> None:
        """Make an instance without arguments."""
        arguments = of_kind(tuple, self.stack.pop())
        self.stack.append(self._new(self.stack.pop(), arguments))

    def load_newobj_ex(self) -> None:
        """Make an instance without arguments."""
        keywords, arguments = of_kind(dict, self.stack.pop()), of_kind(tuple, self.stack.pop())
        self.stack.append(self._new(self.stack.pop(), (*arguments, *keywords)))

    def load_build(self) -> None:
        """Give an object its state, after checking it."""
        state, built = self.stack.pop(), self.stack[-1]
        if id(built) not in self._own:
            raise ModelFileError(f"{self._name} changes an object that it did not make", REFUSED)
        if isinstance(built, ArrayHeader):
            self.stack[-1] = self._array_in_stream(of_kind(dict, state))
        elif isinstance(built, np.dtype):
            self._build_dtype(built, of_kind(tuple, state))
        elif isinstance(built, np.ndarray):
            self._build_array(built, of_kind(tuple, state))
        elif isinstance(built, XgboostState):
            built.values.update(of_kind(dict, state))
        elif not isinstance(built, Forgotten):
            self._build_object(built, of_kind(dict, state))

    def load_setitem(self) -> None:
        """Put one item into a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        of_kind(dict, self.stack[-1])[key] = value

    def load_setitems(self) -> None:
        """Put items into a dictionary."""
        items = self.pop_mark()
        of_kind(dict, self.stack[-1]).update(zip(items[::2], items[1::2], strict=True))

    def load_append(self) -> None:
        """Append one item to a list."""
        value = self.stack.pop()
        of_kind(list, self.stack[-1]).append(value)

    def load_appends(self) -> None:
        """Append items to a list."""
        items = self.pop_mark()
        of_kind(list, self.stack[-1]).extend(items)

    def load_additems(self) -> None:
        """Add items to a set."""
        items = self.pop_mark()
        of_kind(set, self.stack[-1]).update(items)

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

    def _make(self, called: Any, arguments: tuple[Any, ...]) -> Any:
        if not isinstance(called, Made):
            raise ModelFileError(f"{self._name} calls {called_name(called)}, which is not allowed", REFUSED)
        for argument in arguments:
            self._raw_types.pop(id(argument), None)  # a type in use must not change any more
        return called.make(*arguments)

    def _new(self, kind: Any, arguments: tuple[Any, ...]) -> Any:
        if isinstance(kind, Made) and not arguments:
            return kind.make()
        if not isinstance(kind, type) or arguments:
            raise ModelFileError(f"{self._name} makes {called_name(kind)} in a way that is not allowed", REFUSED)
        return self._keep(object.__new__(kind))

    def _old_object(self, kind: Any, base: Any, state: Any = None) -> Any:
        if not isinstance(base, Made) or base.name != "builtins.object" or state is not None:
            raise ModelFileError(f"{self._name} makes an object in a way that is not allowed", REFUSED)
        return self._new(kind, ())

    def _build_object(self, built: Any, state: dict[Any, Any]) -> None:
        kind = type(built)
        if not all(isinstance(name, str) for name in state):
            raise ModelFileError(f"{self._name} holds an attribute without a name", REFUSED)
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

    def _objects_in_stream(self) -> Any:
        """An array of Python objects is a pickle of its own, read by the same rules."""
        inner = Unpickler(self._stream, self._name).load()
        if not isinstance(inner, np.ndarray) or inner.dtype.kind != "O":
            raise ModelFileError(f"{self._name} holds an array of an unknown form", AGAIN)
        return inner
