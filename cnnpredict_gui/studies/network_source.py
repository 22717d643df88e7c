"""Opens a network wherever it is: a preset, one of the user's own, an ONNX file, a table of layers, an exported preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cnnpredict_gui.core.errors import ConfigError, DataFileError, OpenShapeError, UnknownNameError
from cnnpredict_gui.core.names import nearest
from cnnpredict_gui.infra.paths import without_tilde
from cnnpredict_gui.studies.layers import NetworkLayer, check_batch_size, with_batch_size, with_dtype
from cnnpredict_gui.studies.own_presets import OwnPresets, read_preset_file
from cnnpredict_gui.studies.presets import list_presets

#: Endings of files that hold a network, and what they are.
FILE_KINDS = {".onnx": "ONNX model", ".csv": "table of layers", ".parquet": "table of layers", ".json": "exported preset"}


@dataclass(frozen=True)
class Wanted:
    """How a network is to be opened; what is left out stays as the source has it.

    Attributes:
        resolution: Height and width in pixels, or one number for both: presets, and ONNX files that leave them open.
        batch_size: Images at once.
        dtype: Element type of the convolutions.
        dimensions: Values for further extents that an ONNX file leaves open, by name.
        mapping: Column to parameter, for tables with other column names.
    """

    resolution: int | tuple[int, int] | None = None
    batch_size: int | None = None
    dtype: str | None = None
    dimensions: Mapping[str, int] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenedNetwork:
    """A network's title, where it came from, and its layers."""

    title: str
    source: str
    layers: tuple[NetworkLayer, ...]


def open_network(source: str, wanted: Wanted | None = None) -> OpenedNetwork:
    """Open a file if ``source`` ends like one or exists, else the preset of that name (the program's, then the user's).

    Raises:
        OpenShapeError: an ONNX file leaves extents open that were not given.
        DataFileError: a file cannot be read.
        ConfigError: a value is out of its limits, or a resolution was given for a source that fixes it.
        UnknownNameError: there is no such preset.
    """
    wanted = wanted or Wanted()
    path = without_tilde(source)
    if path.suffix.lower() in FILE_KINDS or path.is_file():
        return _open_file(path, wanted)
    presets = list_presets()
    for one in presets:
        if source.strip().lower() in (one.name, one.title.lower()):
            batch_size = 1 if wanted.batch_size is None else wanted.batch_size
            layers = one.layers(wanted.resolution, batch_size, wanted.dtype or "fp32")
            return OpenedNetwork(one.title, f"{one.source}, {one.paper}", tuple(layers))
    own = OwnPresets()
    names = [one.name for one in own.list()]
    if source in names:
        found = own.get(source)
        return _finished(found.name, found.source or "own preset", found.layers, wanted)
    known = [one.name for one in presets] + names
    raise UnknownNameError(f"there is no file and no preset called {source!r}", nearest(source, known))


def _open_file(path: Path, wanted: Wanted) -> OpenedNetwork:
    kind = path.suffix.lower()
    if kind == ".onnx":
        return _open_onnx(path, wanted)
    if kind == ".json":
        found = read_preset_file(path)
        return _finished(found.name, str(path), found.layers, wanted)
    if kind in (".csv", ".parquet"):
        from cnnpredict_gui.studies.layers_csv import import_layers

        return _finished(path.stem, str(path), tuple(import_layers(path, wanted.mapping)), wanted)
    raise DataFileError(f"{path.name} is of no known kind", f"name it by its kind: {', '.join(FILE_KINDS)}")


def _open_onnx(path: Path, wanted: Wanted) -> OpenedNetwork:
    """Extents left open are filled by their meaning from batch size and resolution; fixed ones cannot be changed."""
    from cnnpredict_gui.studies.onnx_import import import_onnx

    given, sized = dict(wanted.dimensions), False
    try:
        layers = import_onnx(path, given)
    except OpenShapeError as error:
        known = _by_meaning(wanted)
        filled = {one.name: known[one.meaning] for one in error.dimensions if one.meaning in known}
        sized = any(one.meaning in ("height", "width") for one in error.dimensions)
        layers = import_onnx(path, given | filled)
    if wanted.resolution is not None and not sized:
        raise _fixed(path.name)
    rest = Wanted(batch_size=wanted.batch_size, dtype=wanted.dtype)
    return _finished(path.stem, str(path), tuple(layers), rest)


def _by_meaning(wanted: Wanted) -> dict[str, int]:
    known = {} if wanted.batch_size is None else {"batch": wanted.batch_size}
    if wanted.resolution is not None:
        height, width = (wanted.resolution,) * 2 if isinstance(wanted.resolution, int) else wanted.resolution
        known |= {"height": height, "width": width}
    return known


def _finished(title: str, source: str, layers: tuple[NetworkLayer, ...], wanted: Wanted) -> OpenedNetwork:
    if wanted.resolution is not None:
        raise _fixed(title)
    changed = list(layers)
    if wanted.batch_size is not None:
        check_batch_size(wanted.batch_size)
        changed = with_batch_size(changed, wanted.batch_size)
    if wanted.dtype is not None:
        changed = with_dtype(changed, wanted.dtype)
    return OpenedNetwork(title, source, tuple(changed))


def _fixed(name: str) -> ConfigError:
    return ConfigError(f"{name} fixes the size of its input", "leave the resolution out", "resolution")
