"""Architecture presets: the layers of well-known networks at any resolution and batch size.

The tables lie in ``resources/presets`` as JSON, made from public model definitions; each file names its source, version
and licence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cnnpredict_gui.core.config import LIMITS
from cnnpredict_gui.core.errors import ConfigError, DataFileError, UnknownNameError
from cnnpredict_gui.core.names import nearest
from cnnpredict_gui.infra.paths import resources_dir
from cnnpredict_gui.studies.graph import GraphRow, evaluate, parse_rows
from cnnpredict_gui.studies.layers import NetworkLayer, check_batch_size

PRESET_FORMAT = 1


@dataclass(frozen=True)
class Preset:
    """One network. Resolutions are in pixels.

    Attributes:
        name: Short name for programs and the command line, e.g. ``resnet50``.
        title: Name for people, e.g. ``ResNet-50``.
        task: ``classification`` or ``segmentation``.
        source: Library and version, or paper, that the layers come from.
        licence: Licence of that definition.
        paper: Who described the network.
        input_channels: Channels of the image.
        default_resolution: Height and width the network was made for.
        minimum_resolution: Smallest height and width it accepts.
        parameters: Learnt parameters of the whole network.
    """

    name: str
    title: str
    task: str
    source: str
    licence: str
    paper: str
    input_channels: int
    default_resolution: int
    minimum_resolution: int
    parameters: int
    rows: tuple[GraphRow, ...] = field(repr=False, compare=False)

    def layers(
        self, resolution: int | tuple[int, int] | None = None, batch_size: int = 1, dtype: str = "fp32"
    ) -> list[NetworkLayer]:
        """All layers in order of execution, those without a predictor included.

        Args:
            resolution: Height and width, or one number for both; the default resolution when left out.
            batch_size: Images at once.
            dtype: Element type of the convolutions.

        Raises:
            ConfigError: the resolution is below the network's minimum, or a value is out of its limits.
        """
        height, width = self._checked(self.default_resolution if resolution is None else resolution)
        check_batch_size(batch_size)
        return list(_evaluated(self, (batch_size, self.input_channels, height, width), dtype))

    def _checked(self, resolution: int | tuple[int, int]) -> tuple[int, int]:
        height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
        least, most = self.minimum_resolution, LIMITS["input_height"]
        if min(height, width) < least:
            message = f"{self.title} needs at least {least} × {least} pixels, not {height} × {width}"
            raise ConfigError(message, "use a larger resolution", "resolution")
        if max(height, width) > most:
            raise ConfigError(f"resolution {height} × {width} is above {most:,}", "use a smaller resolution", "resolution")
        return height, width


def list_presets() -> list[Preset]:
    """All presets that come with the program, sorted by title, numbers by their value.

    Raises:
        DataFileError: a preset file is damaged.
    """
    return sorted((_read(path) for path in _files()), key=lambda found: _natural(found.title))


def preset(name: str) -> Preset:
    """The preset of this name or title, upper and lower case alike.

    Raises:
        UnknownNameError: no preset has that name; names the nearest one.
    """
    wanted = name.strip().lower()
    found = list_presets()
    for one in found:
        if wanted in (one.name, one.title.lower()):
            return one
    raise UnknownNameError(f"no preset is called {name!r}", nearest(wanted, [one.name for one in found]))


def _natural(title: str) -> list[tuple[int, str]]:
    """Sort key under which ResNet-18 comes before ResNet-101."""
    parts = re.split(r"(\d+)", title.lower().replace("-", " "))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _files() -> Iterator[Path]:
    return (resources_dir() / "presets").glob("*.json")


@lru_cache(maxsize=128)
def _read(path: Path) -> Preset:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("format") != PRESET_FORMAT:
            raise DataFileError(f"{path.name} has another format version", "install the program again")
        data.pop("checks")
        return Preset(**data | {"rows": parse_rows(data["rows"])})
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataFileError(f"the preset {path.name} is damaged: {error}", "install the program again") from error


@lru_cache(maxsize=8)
def _evaluated(network: Preset, input_shape: tuple[int, int, int, int], dtype: str) -> tuple[NetworkLayer, ...]:
    return tuple(evaluate(network.rows, input_shape, dtype))
