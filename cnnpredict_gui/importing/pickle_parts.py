"""What the unpickler is made of: stand-ins for what a file names, and checks of what it hands over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.limits import AGAIN

REFUSED = "import only models whose source you trust; the classes that may be read are listed in the help"


class Forgotten:
    """Stands for an object that predicting does not need; holds nothing."""


class XgboostState:
    """Stands for an object of xgboost: the attributes it was saved with, as data."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.values: dict[str, Any] = {}


class ArrayHeader:
    """Stands for joblib's NumpyArrayWrapper: what comes before the bytes of an array."""


class Made:
    """What the file calls by a name in the allow-list; only the unpickler calls it."""

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self.name, self.make = name, make


def refused(module: str, name: str) -> ModelFileError:
    """The error for a name that is not on the list, such as ``os.system is not allowed``."""
    text = "".join(letter if letter.isprintable() else "?" for letter in f"{module}.{name}")[:120]
    return ModelFileError(f"{text} is not allowed in a model file", REFUSED)


def of_kind(kind: type, value: Any) -> Any:
    """The value, which must be of this kind.

    Raises:
        ModelFileError: it is of another.
    """
    if not isinstance(value, kind):
        raise ModelFileError(f"the pickle has a {type(value).__name__} where a {kind.__name__} belongs", AGAIN)
    return value


def called_name(thing: Any) -> str:
    """What a file wanted to call, for messages."""
    return str(getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__)[:80]


def not_by_call(*_: Any) -> Any:
    """Refuse the call of something that may only be mentioned."""
    raise ModelFileError("the pickle makes an object in a way that is not allowed", REFUSED)


def bytes_of(content: Any = b"", encoding: Any = "latin1") -> bytes:
    """Bytes that old protocols write as text."""
    if isinstance(content, str) and encoding in ("latin1", "latin-1"):
        return content.encode("latin1")
    if isinstance(content, bytes):
        return content
    raise ModelFileError("the pickle holds bytes of an unknown form", AGAIN)


def bytearray_of(content: Any = b"", encoding: Any = "latin1") -> bytearray:
    """A byte array of what old protocols write as text."""
    return bytearray(bytes_of(content, encoding))
