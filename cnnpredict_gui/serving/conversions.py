"""Where converted native models are kept: in the cache, by the content of the native file and of what describes it.

Written by :mod:`cnnpredict_gui.importing`; here they are only found, so that serving needs nothing of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from cnnpredict_gui import __version__
from cnnpredict_gui.core.errors import CnnPredictError, ModelError, OutputError
from cnnpredict_gui.infra.files import atomic_text, sha256_of
from cnnpredict_gui.infra.paths import cache_dir
from cnnpredict_gui.serving.discovery import CARD_SUFFIX, FoundModel

_FORMAT = 1
_MAX_BYTES = 1_000_000_000
_FAILURE = "failure.json"
#: Stands for every process: who failed is of no matter.
_FOR_GOOD = 0


@dataclass(frozen=True)
class Conversion:
    """The folder of one converted model, which may not exist yet, and the stem of the files in it."""

    folder: Path
    stem: str

    @property
    def onnx(self) -> Path:
        """The served file."""
        return self.folder / f"{self.stem}.onnx"

    @property
    def card(self) -> Path:
        """Its card, which is written last."""
        return self.folder / f"{self.stem}{CARD_SUFFIX}"

    @property
    def done(self) -> bool:
        """Whether the model was converted."""
        return self.card.is_file() and self.onnx.is_file()

    @property
    def failure(self) -> str:
        """Why the conversion failed; empty if it did not, or if another run may try again what failed by chance."""
        try:
            found = json.loads((self.folder / _FAILURE).read_bytes()[:10_000])
            return str(found["reason"]) if found["process"] in (_FOR_GOOD, os.getpid()) else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def source_of(found: FoundModel) -> tuple[Path, Path] | None:
    """The file to convert and the card or mapping that describes it; None if there is nothing to convert or no description.

    A native file is converted where there is no ``.onnx``; an ``.onnx`` where only a mapping describes it.
    """
    if found.onnx is None:
        described = found.card or found.mapping
        return (found.native, described) if found.native is not None and described is not None else None
    return (found.onnx, found.mapping) if found.card is None and found.mapping is not None else None


def conversion_of(found: FoundModel) -> Conversion | None:
    """Where the conversion of a model belongs; None if there is none (:func:`source_of`) or its files cannot be read."""
    source = source_of(found)
    if source is None:
        return None
    try:
        marks = [_mark(path) for path in source]
    except OSError:
        return None
    if marks[0][1] > _MAX_BYTES or marks[1][1] > _MAX_BYTES:
        return None
    try:
        key = [_content(*mark) for mark in marks]
    except OSError:
        return None
    text = json.dumps([_FORMAT, __version__, found.name, source[0].suffix.lower(), *key])
    return Conversion(cache_dir() / "imported" / hashlib.sha256(text.encode()).hexdigest()[:32], found.stem)


def with_conversion(found: FoundModel) -> FoundModel:
    """The same model with graph and card from the cache if it is a native file that was converted."""
    where = conversion_of(found)
    return replace(found, onnx=where.onnx, card=where.card) if where is not None and where.done else found


def keep_failure(where: Conversion, error: CnnPredictError) -> None:
    """Remember why a conversion failed.

    A file that was refused stays so; time, memory or a full disk may be better at the next start.
    """
    process = _FOR_GOOD if isinstance(error, ModelError) else os.getpid()
    with suppress(OutputError):
        atomic_text(where.folder / _FAILURE, json.dumps({"reason": " ".join(str(error).split()), "process": process}))


def _mark(path: Path) -> tuple[str, int, int]:
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=1_024)
def _content(path: str, size: int, changed: int) -> str:
    """SHA-256 of a file; ``size`` and ``changed`` (ns) make a changed file another question."""
    return sha256_of(path)
