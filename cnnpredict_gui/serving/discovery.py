"""Finds model files by layout and names; reads no weights.

A models folder holds training folders, each with the family folders of :data:`cnnpredict_gui.core.names.LAYOUT`. Between
them there may be a version folder (``v1.2.0/``). A family folder may also lie in the models folder by itself, or the models
folder may itself be a training folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnnpredict_gui.core.names import LAYOUT, TRAINING_PREFIX, predictor_name

CARD_SUFFIX = ".card.json"
#: Describes a native file that has no card: target, features and what its output means.
MAPPING_SUFFIX = ".mapping.json"
NATIVE_SUFFIXES = (".pth", ".pt", ".joblib", ".pkl", ".pickle", ".json.model", ".ubj", ".json", ".safetensors")
_VERSION_FOLDER = re.compile(r"v?(\d+(?:\.\d+)*(?:[-+.]\w+)*)", re.IGNORECASE)
#: Stems of each family; what stands between family and ``_model`` names a variant.
_STEMS = {
    "nn": re.compile(r"best(?:_nn)?(?:_(?P<variant>\w+?))??_model"),
    "xgb": re.compile(r"best_(?:xgb|xgboost)(?:_(?P<variant>\w+?))?_model"),
    "rf": re.compile(r"best_(?:rf|rdf)(?:_(?P<variant>\w+?))?_model"),
    "lasso": re.compile(r"best_lasso(?:_(?P<variant>\w+?))?_model"),
    "consensus": re.compile(r"consensus"),
}


@dataclass(frozen=True)
class FoundModel:
    """Files of one model that share a stem; ``version`` is that of the folder, empty if it has none."""

    name: str
    family: str
    version: str
    folder: Path
    family_folder: Path
    stem: str
    native: Path | None
    card: Path | None
    onnx: Path | None
    mapping: Path | None = None

    @property
    def path(self) -> Path:
        """The file that stands for the model: what is served, else what is there."""
        return (
            self.onnx or (self.card if self.family == "consensus" else None) or self.native or self.card or self.family_folder
        )


def find_models(root: Path) -> list[FoundModel]:
    """Models in a models folder, sorted by path; the weights are not opened.

    Raises:
        OSError: the folder cannot be listed.
    """
    list(root.iterdir())
    is_training = root.name.startswith(TRAINING_PREFIX)
    found = list(_models_of(root, root.name, "")) if is_training else list(_single_families(root, ""))
    for child in _folders(root):
        version = _VERSION_FOLDER.fullmatch(child.name)
        if version is None:
            found += _models_of(child, child.name, "")
            continue
        found += _single_families(child, version[1])
        for grandchild in _folders(child):
            found += _models_of(grandchild, grandchild.name, version[1])
    return found


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _single_families(parent: Path, version: str) -> Iterator[FoundModel]:
    """Family folders that lie in ``parent`` by themselves, named after the folder, e.g. ``lasso_polynomial-regression``."""
    for family, (subfolder, _, _) in LAYOUT.items():
        if family != "consensus":
            yield from _models_in(parent / subfolder, family, subfolder.split("/", 1)[0], version, parent)


def _models_of(folder: Path, name: str, version: str) -> Iterator[FoundModel]:
    for family, (subfolder, _, _) in LAYOUT.items():
        yield from _models_in(folder / subfolder, family, name, version, folder)


def _models_in(family_folder: Path, family: str, training: str, version: str, folder: Path) -> Iterator[FoundModel]:
    stems: dict[str, dict[str, Path]] = {}
    for path in _files(family_folder):
        split = _split(path.name)
        if split and _STEMS[family].fullmatch(split[0]):
            kind = "native" if split[1] in NATIVE_SUFFIXES else split[1]
            stems.setdefault(split[0], {}).setdefault(kind, path)
    for stem, files in sorted(stems.items(), key=lambda item: (len(item[0]), item[0])):
        match = _STEMS[family].fullmatch(stem)
        variant = match.groupdict().get("variant") if match else None
        alone = len(stems) == 1 or not variant
        yield FoundModel(
            predictor_name(family, training if alone else f"{training}_{variant}"),
            family,
            version,
            folder,
            family_folder,
            stem,
            files.get("native"),
            files.get(CARD_SUFFIX),
            files.get(".onnx"),
            files.get(MAPPING_SUFFIX),
        )


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError:
        return []


def _split(name: str) -> tuple[str, str] | None:
    for suffix in (CARD_SUFFIX, MAPPING_SUFFIX, ".onnx", *NATIVE_SUFFIXES):
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return None


def version_key(version: str) -> tuple[tuple[int, ...], int, str]:
    """Sort key of a version text: numbers by value (``1.10`` after ``1.9``), a release after its pre-releases."""
    match = re.match(r"v?(\d+(?:\.\d+)*)(.*)", version, re.IGNORECASE)
    if match is None:
        return ((), 0, version)
    numbers = [int(part) for part in match[1].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return (tuple(numbers), 0 if match[2].startswith("-") else 1, match[2])
