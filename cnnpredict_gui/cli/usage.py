"""What the commands share: options, how predictors and a layer are chosen, how results are printed."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.core.config import CONFIG_FIELDS, PAIR_FIELDS, ConvConfig
from cnnpredict_gui.core.errors import CnnPredictError, ConfigError, DataFileError, ModelError, OutputError, WorkerError
from cnnpredict_gui.core.names import FAMILIES, nearest

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.core.prediction import Prediction
    from cnnpredict_gui.serving.library import ModelEntry, ModelLibrary
    from cnnpredict_gui.serving.predictor import Predictor

MAX_CONFIG_BYTES = 1_000_000
_FAR_FIELDS = (*CONFIG_FIELDS[:5], *PAIR_FIELDS, *CONFIG_FIELDS[5:])


class UsageError(CnnPredictError):
    """A command line that cannot be understood."""


Run = Callable[[argparse.Namespace], int]


def add_command(
    subparsers: argparse._SubParsersAction[Parser], name: str, summary: str, about: str, examples: Sequence[str], run: Run
) -> Parser:
    """A command with ``--json`` and ``--models-dir``; ``examples`` are shown in its help."""
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=about,
        epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    parser.add_argument(
        "--models-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="also use the models in this folder (repeatable; like the environment variable MODELS_DIR)",
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_choice(parser: Parser) -> None:
    """Options that choose predictors."""
    group = parser.add_argument_group("which predictors (one of these is needed)")
    group.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="a predictor, NAME or NAME@VERSION (repeatable)"
    )
    group.add_argument(
        "--target", action="append", default=[], metavar="T", help="all predictors of a target, e.g. gpul40s (repeatable)"
    )
    group.add_argument("--all", action="store_true", help="every predictor there is, newest versions")
    group.add_argument("--family", metavar="F", help=f"of those only one family: {', '.join(FAMILIES)}")


def add_config(parser: Parser) -> None:
    """Options that describe a layer."""
    group = parser.add_argument_group("the layer (sizes in elements)")
    group.add_argument(
        "--config", metavar="FILE", help="JSON file with the parameters, - for standard input; options override it"
    )
    for name in _FAR_FIELDS:
        group.add_argument(
            f"--{name.replace('_', '-')}", dest=name, metavar=_metavar(name), help=_HELP.get(name, argparse.SUPPRESS)
        )


_HELP = {
    "batch_size": "images at once (default 1)",
    "input_channels": "required",
    "input_height": "required",
    "input_width": "required",
    "output_channels": "required",
    "kernel_size": "required; --kernel-height and --kernel-width for kernels that are not square",
    "stride": "default 1; also --stride-height, --stride-width",
    "padding": "default same; also --padding-height, --padding-width",
    "dilation": "default 1; also --dilation-height, --dilation-width",
    "groups": "default 1; the number of input channels for a depthwise layer",
    "dtype": "fp32 (default), fp16, bf16 or int8",
    "direction": "forward (default), backward_data or backward_weights",
    "algorithm": "default: the library's own choice; what a target knows is in: cnnpredict models NAME",
}


def _metavar(name: str) -> str:
    return "NAME" if name in ("dtype", "direction", "algorithm") else "N"


def layer(options: argparse.Namespace) -> ConvConfig:
    """The layer that ``--config`` and the options describe.

    Raises:
        ConfigError: it is no valid layer.
        DataFileError: the file cannot be read or is no JSON object.
    """
    values: dict[str, Any] = _read_config(options.config) if options.config else {}
    for name in _FAR_FIELDS:
        if getattr(options, name) is not None:
            for other in _same_fields(name):
                values.pop(other, None)
            values[name] = getattr(options, name)
    try:
        return ConvConfig.parse(values)
    except ConfigError as error:
        if not error.message.endswith("is missing"):
            raise
        name = error.message.removesuffix(" is missing")
        raise ConfigError(error.message, f"give --{name.replace('_', '-')} or put it into --config", error.field) from None


def _same_fields(name: str) -> tuple[str, ...]:
    """What an option overrides in a file: a shorthand its two fields, everything itself."""
    stem = PAIR_FIELDS.get(name)
    return (name, f"{stem}_height", f"{stem}_width") if stem else (name,)


def _read_config(name: str) -> dict[str, Any]:
    try:
        raw = sys.stdin.buffer.read(MAX_CONFIG_BYTES + 1) if name == "-" else _read_at_most(Path(name))
        if len(raw) > MAX_CONFIG_BYTES:
            raise DataFileError(
                f"{name} is larger than 1 MB", "one layer is a few hundred bytes; use cnnpredict batch for many"
            )
        values = json.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise DataFileError(f"{name} cannot be read: {error.strerror or error}", "check the name") from None
    except UnicodeDecodeError:
        raise DataFileError(f"{name} is not UTF-8 text", "save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"{name} is not valid JSON: {error}", 'write it like {"input_channels": 64, ...}') from None
    if not isinstance(values, dict):
        raise DataFileError(f"{name} holds no JSON object", "use cnnpredict batch for many layers")
    return values


def _read_at_most(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_CONFIG_BYTES + 1)


def open_library(options: argparse.Namespace) -> ModelLibrary:
    """The models of the bundled folder, ``MODELS_DIR`` and ``--models-dir``, not loaded yet."""
    from cnnpredict_gui.infra.paths import model_folders, without_tilde
    from cnnpredict_gui.serving.library import ModelLibrary

    for folder in options.models_dir:
        if not without_tilde(folder).is_dir():
            raise UsageError(f"{folder} is not a folder", "give --models-dir a folder that holds training folders")
    library = ModelLibrary(model_folders(options.models_dir))
    if getattr(options, "imports", True):
        _import_waiting(library)
    return library


def _import_waiting(library: ModelLibrary) -> None:
    """Convert native files that lie in the models folders with a card or mapping; once, later they come from the cache."""
    library.scan()
    waiting = library.waiting()
    if not waiting:
        return
    from cnnpredict_gui.importing.importer import import_found
    from cnnpredict_gui.importing.mapping import known_targets

    targets = known_targets(entry.card for entry in library.entries if entry.card is not None)
    for found in waiting:
        warn(f"importing {found.path}")
        try:
            warn(import_found(found, targets).summary)
        except (ModelError, WorkerError, OutputError) as error:
            warn(f"{found.name} was not imported: {error}")
    library.scan()


def chosen_predictors(options: argparse.Namespace, library: ModelLibrary) -> list[Predictor]:
    """Loaded predictors that the options ask for, each once; models left out because they are broken are told on stderr.

    Raises:
        UsageError: nothing was asked for, or nothing is left.
        UnknownNameError: there is no such model or target.
        ModelFileError: a model asked for by name cannot be loaded.
    """
    if options.family is not None and options.family not in FAMILIES:
        raise UsageError(f"there is no family {options.family!r}", nearest(options.family, list(FAMILIES)))
    if not (options.model or options.target or options.all):
        raise UsageError("no predictor was chosen", "give --model NAME, --target T or --all; names are in: cnnpredict models")
    found = {predictor.name: predictor for name in options.model for predictor in [library.get(name)]}
    for target in options.target:
        found |= {predictor.name: predictor for predictor in library.for_target(target)}
    if options.all:
        library.load_all()
        newest = {name: predictor for name, predictor in library.predictors.items() if "@" not in name}
        found |= newest
    if options.target or options.all:
        _tell_broken([entry for entry in library.entries if entry.status == "failed"])
    chosen = [predictor for predictor in found.values() if options.family in (None, predictor.family)]
    if not chosen:
        raise UsageError("no predictor is left", "see cnnpredict doctor for models that cannot be loaded")
    return chosen


def whole_number(option: str, text: str) -> int:
    """The number an option was given.

    Raises:
        UsageError: it is no whole number.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{option} is {text!r}, not a whole number", f"write {option} 10") from None


def column_mapping(texts: Sequence[str]) -> dict[str, str]:
    """Column to parameter from options like ``in_channels=input_channels``.

    Raises:
        UsageError: one is incomplete, or maps a column twice.
    """
    mapping: dict[str, str] = {}
    for text in texts:
        theirs, mark, ours = text.rpartition("=")
        if not mark or not theirs or not ours:
            raise UsageError(f"--map {text!r} is incomplete", "write --map in_channels=input_channels")
        if theirs in mapping:
            raise UsageError(f"column {theirs!r} is mapped twice", "map each column once")
        mapping[theirs] = ours
    return mapping


def prepare_folder(folder: Path) -> None:
    """Make a folder that results will go to, before the work that takes long.

    Raises:
        OutputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror or error}", "choose a folder you may write to") from None
    if not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write to {folder}", "choose a folder you may write to")


def is_single(options: argparse.Namespace) -> bool:
    """Whether exactly one predictor was asked for by name: its result is an object, others are a list."""
    return len(options.model) == 1 and not options.target and not options.all


def _tell_broken(entries: Sequence[ModelEntry]) -> None:
    for entry in entries[:5]:
        warn(f"left out {entry.full_name}: {entry.reason}")
    if len(entries) > 5:
        warn(f"left out {len(entries) - 5} more models, see cnnpredict doctor")


def warn(text: str) -> None:
    """One line on stderr."""
    print(f"cnnpredict: {' '.join(text.split())}", file=sys.stderr)


def print_json(document: Any) -> None:
    """One JSON document on stdout; numbers that are not finite become null."""
    print(json.dumps(_finite(document), indent=1, allow_nan=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Columns aligned, those named in ``right`` to the right."""
    widths = [max(len(row[place]) for row in (headers, *rows)) for place in range(len(headers))]
    for row in (headers, *rows):
        cells = [
            cell.rjust(width) if header in right else cell.ljust(width)
            for cell, width, header in zip(row, widths, headers, strict=True)
        ]
        print("  ".join(cells).rstrip())


def utc_now() -> str:
    """The time in UTC as ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answer_json(predictor: Predictor, prediction: Prediction) -> dict[str, Any]:
    """A prediction as the commands print it."""
    from cnnpredict_gui.core.prediction import Status

    refused = prediction.status == Status.REFUSED
    answer = {
        "execution_time_ms": prediction.time_ms,
        "interval_ms": [prediction.low_ms, prediction.high_ms],
        "model_name": predictor.name,
        "model_version": predictor.version,
        "model_type": predictor.family,
        "target": predictor.target.name,
        "time_kind": predictor.target.time_kind,
        "verdict": prediction.verdict,
        "status": "refused" if refused else "success",
    }
    return answer | {"error": prediction.reason} if refused else answer
