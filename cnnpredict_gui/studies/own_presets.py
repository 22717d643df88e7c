"""The user's own presets: named lists of layers, kept as versioned JSON in the user's data folder.

A layer, an imported ONNX file or a CSV of layers can be kept this way. The layers are stored as they were at one
resolution; the batch size can be changed later (:func:`cnnpredict_gui.studies.layers.with_batch_size`).
"""

from __future__ import annotations

import json
import logging
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import ConfigError, DataFileError, OutputError, UnknownNameError
from cnnpredict_gui.core.names import nearest
from cnnpredict_gui.infra.files import atomic_text
from cnnpredict_gui.infra.json_store import NewerFormatError, Step, read_any, set_aside, up_to_date
from cnnpredict_gui.infra.paths import data_dir
from cnnpredict_gui.studies.layers import KINDS, NetworkLayer, conv_layer

#: Number of the format, and what leads to it from format 1; append only.
OWN_PRESET_FORMAT, STEPS = 1, tuple[Step, ...]()
#: Most layers in one preset.
MAX_LAYERS = 20_000
MAX_NAME_LENGTH = 80

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OwnPreset:
    """A named list of layers of the user, and where it came from (free text)."""

    name: str
    layers: tuple[NetworkLayer, ...]
    source: str = ""


class _Layer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=1_000)
    kind: str
    config: ConvConfig | None = None
    output_shape: tuple[int, ...] = Field(default=(), max_length=16)
    count: int = Field(default=1, ge=1, le=1_000_000)
    reason: str = Field(default="", max_length=1_000)
    note: str = Field(default="", max_length=1_000)
    macs: int = Field(default=0, ge=0)
    parameters: int = Field(default=0, ge=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[1]
    kind: Literal["cnnpredict preset"]
    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    source: str = Field(default="", max_length=1_000)
    layers: list[_Layer] = Field(min_length=1, max_length=MAX_LAYERS)


class OwnPresets:
    """The presets in one folder. Every change is on disk when the method returns; files appear whole or not at all.

    Args:
        folder: Where the files lie; ``presets`` in the user's data folder by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else data_dir() / "presets"
        #: Files that could not be used, and where they are now, as messages; filled by :meth:`list`.
        self.set_aside: list[str] = []

    def list(self) -> list[OwnPreset]:
        """All presets, sorted by name.

        A damaged file is renamed to ``<name>.damaged-<time>.json``; one of a newer version, or that cannot be read just now,
        stays. All are noted in :attr:`set_aside`.
        """
        found = []
        for path in self._files():
            try:
                found.append(read_preset_file(path))
            except DataFileError as error:
                stays = isinstance(error, NewerFormatError) or isinstance(error.__cause__, OSError)
                self.set_aside.append(str(error) if stays else set_aside(path, error.message))
        return sorted(found, key=lambda one: one.name.lower())

    def get(self, name: str) -> OwnPreset:
        """The preset of this name.

        Raises:
            UnknownNameError: there is none.
        """
        found = self.list()
        for one in found:
            if one.name == name:
                return one
        raise UnknownNameError(f"no own preset is called {name!r}", nearest(name, [one.name for one in found]))

    def save(self, name: str, layers: Sequence[NetworkLayer], source: str = "", *, overwrite: bool = False) -> OwnPreset:
        """Keep layers under a name.

        Raises:
            ConfigError: the name is empty, too long or taken (unless ``overwrite``), or there are no layers.
            OutputError: the file cannot be written.
        """
        name = _checked_name(name)
        if not 0 < len(layers) <= MAX_LAYERS:
            raise ConfigError(f"a preset has 1 to {MAX_LAYERS:,} layers, not {len(layers)}", "choose some layers", "layers")
        if not overwrite and any(one.name == name for one in self.list()):
            raise ConfigError(f"a preset is already called {name!r}", "choose another name or replace it", "name")
        preset = OwnPreset(name, tuple(layers), source)
        write_preset_file(preset, self._path(name))
        return preset

    def rename(self, old: str, new: str) -> OwnPreset:
        """Give a preset another name.

        Raises:
            UnknownNameError: there is no preset ``old``.
            ConfigError: ``new`` is not a possible name, or taken.
        """
        preset = self.get(old)
        if _checked_name(new) == old:
            return preset
        renamed = self.save(new, preset.layers, preset.source)
        self.delete(old)
        return renamed

    def delete(self, name: str) -> None:
        """Remove a preset.

        Raises:
            UnknownNameError: there is none of that name.
        """
        self.get(name)
        try:
            self._path(name).unlink()
        except OSError as error:
            raise OutputError(f"cannot delete {self._path(name)}: {error.strerror}", "check its permissions") from error

    def export(self, name: str, path: str | os.PathLike[str]) -> None:
        """Write a preset to a file that :meth:`import_file` reads.

        Raises:
            UnknownNameError: there is none of that name.
            OutputError: the file cannot be written.
        """
        write_preset_file(self.get(name), path)

    def import_file(self, path: str | os.PathLike[str]) -> OwnPreset:
        """Read an exported preset and keep it; a taken name gets a number, e.g. ``mine (2)``.

        Raises:
            DataFileError: the file is no preset or damaged.
        """
        preset = read_preset_file(path)
        taken = {one.name for one in self.list()}
        name, number = preset.name, 1
        while name in taken:
            number += 1
            tail = f" ({number})"
            name = preset.name[: MAX_NAME_LENGTH - len(tail)] + tail
        return self.save(name, preset.layers, preset.source)

    def _files(self) -> Sequence[Path]:
        return sorted(path for path in self.folder.glob("*.json") if ".damaged-" not in path.name)

    def _path(self, name: str) -> Path:
        return next((path for path in self._files() if _name_in(path) == name), self._free_path(name))

    def _free_path(self, name: str) -> Path:
        ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^a-z0-9]+", "-", ascii_name.lower()).strip("-")[:60] or "preset"
        path, number = self.folder / f"preset-{stem}.json", 1
        while path.exists():
            number += 1
            path = self.folder / f"preset-{stem}-{number}.json"
        return path


def write_preset_file(preset: OwnPreset, path: str | os.PathLike[str]) -> None:
    """Write one preset as JSON.

    Raises:
        OutputError: the file cannot be written.
    """
    layers = [_stored(layer) for layer in preset.layers]
    head = {"format": OWN_PRESET_FORMAT, "kind": "cnnpredict preset", "name": preset.name, "source": preset.source}
    atomic_text(path, json.dumps(head | {"layers": layers}, indent=1, ensure_ascii=False) + "\n")


def read_preset_file(path: str | os.PathLike[str]) -> OwnPreset:
    """Read one preset.

    Raises:
        DataFileError: the file is missing, too large, damaged, of a newer format or no preset at all.
    """
    name = Path(path).name
    try:
        content = up_to_date(name, read_any(Path(path)), OWN_PRESET_FORMAT, STEPS)
        stored = _File.model_validate(content)
    except OSError as error:
        raise DataFileError(f"cannot read {path}: {error.strerror}", "check that the file exists") from error
    except (ValidationError, ConfigError) as error:
        raise DataFileError(f"{name} is not a preset of this program: {_first(error)}", "export it again") from None
    return OwnPreset(stored.name, tuple(_restored(layer) for layer in stored.layers), stored.source)


def _stored(layer: NetworkLayer) -> dict[str, Any]:
    values = {key: value for key, value in vars(layer).items() if value not in ("", None, ())}
    if layer.config is not None:
        values["config"] = layer.config.compact()
    return values


def _restored(layer: _Layer) -> NetworkLayer:
    if layer.config is not None:  # what follows from the configuration is computed, not believed
        restored = conv_layer(layer.name, layer.config, count=layer.count, note=layer.note)
        return replace(restored, parameters=layer.parameters or restored.parameters)
    kind = layer.kind if layer.kind in KINDS and layer.kind != "conv" else "other"
    reason = layer.reason or KINDS[kind]
    return NetworkLayer(**layer.model_dump(exclude={"kind", "reason"}), kind=kind, reason=reason)


def _name_in(path: Path) -> str:
    try:
        return read_preset_file(path).name
    except DataFileError:
        return ""


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise ConfigError(f"a preset's name has 1 to {MAX_NAME_LENGTH} printable characters", "choose another name", "name")
    return name


def _first(error: ValidationError | ConfigError) -> str:
    if isinstance(error, ConfigError):
        return error.message
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {detail['msg']}" if where else str(detail["msg"])
