"""``cnnpredict import``: a native model file of somebody else becomes a predictor."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.core.errors import CardError
from cnnpredict_gui.core.format import sig3
from cnnpredict_gui.core.names import TRAINED_FAMILIES

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.core.card import ModelCard
    from cnnpredict_gui.importing.importer import Imported
    from cnnpredict_gui.importing.mapping import FeatureMapping

_OUTPUTS = "ms, s, us, log_ms, log_s, log10_ms, log1p_ms"


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "import",
        "make a predictor of a native model file",
        "Reads a model of scikit-learn or XGBoost (.joblib, .pkl, .json, .ubj), PyTorch (.pth, .pt, .safetensors) or ONNX\n"
        "in a child process that runs nothing the file brings along, converts it, and compares both on sample layers.\n"
        "A card (STEM.card.json) or mapping (STEM.mapping.json) beside the file says what it is; else the options must.",
        [
            "cnnpredict import best_rf_model.joblib",
            (
                "cnnpredict import mine.joblib --target gpul40s --family rf --output ms \\\n"
                "                    --features input_channels,input_height,output_channels,kernel_size"
            ),
            "cnnpredict import net.pth --mapping net.json --out my-models",
        ],
        run,
    )
    parser.add_argument("file", metavar="FILE", help="the native model file")
    parser.add_argument("--target", metavar="T", help="a target that is there already, e.g. gpul40s (its device and framework)")
    parser.add_argument("--family", metavar="F", help=f"one of {', '.join(TRAINED_FAMILIES)}")
    parser.add_argument(
        "--features",
        metavar="LIST",
        help="features in the order of the model's columns: names with commas, or a file with them",
    )
    parser.add_argument("--output", metavar="UNIT", help=f"what the model puts out: {_OUTPUTS}")
    parser.add_argument(
        "--activation", metavar="A", help="between the layers of a network known by its weights alone, e.g. relu"
    )
    parser.add_argument(
        "--mapping", metavar="JSON", help="a file with all of this; also describes targets that are not there yet"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="models folder to write into (default: your own, which is always searched)"
    )


def run(options: argparse.Namespace) -> int:
    """Import and print how well both agree."""
    from cnnpredict_gui.importing.importer import import_file
    from cnnpredict_gui.importing.limits import check_file

    path = Path(options.file)
    check_file(path)
    options.imports = False  # others that wait are not this command's business
    library = usage.open_library(options)
    cards = [entry.card for entry in library.scan() if entry.card is not None]
    mapping, card = described(options, path, cards)
    if options.out:
        usage.prepare_folder(Path(options.out))
    with Progress("stages") as progress:
        made = import_file(path, mapping, Path(options.out) if options.out else None, card, progress)
    if options.json:
        usage.print_json(_document(made))
    else:
        _print(made)
    return 0


def described(options: argparse.Namespace, path: Path, cards: list[ModelCard]) -> tuple[FeatureMapping, ModelCard | None]:
    """What the options and the files beside the model say; options win.

    Raises:
        CardError: something is missing or wrong; the hint names the option.
    """
    from cnnpredict_gui.importing import mapping as mappings
    from cnnpredict_gui.importing.importer import description_beside, fields_of, said_by

    targets = mappings.known_targets(cards)
    given = _given(options)
    beside = Path(options.mapping) if options.mapping else description_beside(path)
    values, card = said_by(beside) if beside is not None else ({}, None)
    made = mappings.make_mapping(values | given, targets, path.name)
    if card is not None and any(getattr(made, name) != getattr(card, name) for name in fields_of(card)):
        card = None  # what the options say is not what the card was made for
    return made, card


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of the mapping that options name."""
    from cnnpredict_gui.importing.mapping import parse_features, read_features

    given = {name: getattr(options, name) for name in ("target", "family", "output", "activation") if getattr(options, name)}
    if options.features:
        file = Path(options.features)
        is_file = len(options.features) < 4096 and file.is_file()
        found = read_features(file) if is_file else {"features": parse_features(options.features)}
        if "features" not in found:
            raise CardError(f"{options.features} names no features", "write a JSON list of names")
        given["features"] = found["features"]
    return given


def _document(made: Imported) -> dict[str, Any]:
    card = made.card
    low, median, high = made.times_ms
    return {
        "name": card.name,
        "family": card.family,
        "target": card.target.name,
        "time_kind": card.target.time_kind,
        "path": str(made.onnx),
        "kind": made.kind,
        "max_relative_difference": made.difference,
        "sample_rows": made.rows,
        "sample_times_ms": {"low": low, "median": median, "high": high},
        "imported_from": card.imported_from,
        "training_ranges": bool(card.ranges or card.values_seen),
        "interval": card.interval is not None,
        "notes": list(made.notes),
        "status": "imported",
    }


def _print(made: Imported) -> None:
    low, median, high = map(sig3, made.times_ms)
    print(f"{made.card.name}: {made.summary}")
    print(
        f"times of the sample layers: {low} to {high} ms, median {median} ms; if that cannot be, the unit or a feature is wrong"
    )
    for note in made.notes[1:]:
        print(note)
    if not (made.card.ranges or made.card.values_seen):
        print("no card came with it: predictions say that the training range is unknown, and have no interval")
    print(f"written: {made.onnx}")
