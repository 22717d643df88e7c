"""``cnnpredict models``: what predictors there are, and one in full."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.core.errors import UnknownNameError
from cnnpredict_gui.core.format import sig3
from cnnpredict_gui.core.names import nearest

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.serving.library import ModelEntry


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "models",
        "list the predictors, or show one in full",
        "Lists every predictor with its target, kind of time and accuracy, and every model that cannot be loaded, and why.\n"
        "With a name: its model card. MAPE is the mean absolute percentage error on shapes not trained on.",
        ["cnnpredict models", "cnnpredict models --json", "cnnpredict models xgb_prediction-training-gpul40s"],
        run,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a predictor, NAME or NAME@VERSION")


def run(options: argparse.Namespace) -> int:
    """List, or show one."""
    library = usage.open_library(options)
    if options.name is None:
        entries = library.load_all()
        for problem in library.problems:
            usage.warn(problem)
        if options.json:
            usage.print_json([entry_json(entry) for entry in entries])
        else:
            _print_list(entries)
        return 0
    entries = library.scan()
    matches = [entry for entry in entries if options.name in (entry.name, entry.full_name)]
    if not matches:
        known = list(dict.fromkeys([entry.name for entry in entries] + [entry.full_name for entry in entries]))
        raise UnknownNameError(f"there is no predictor {options.name!r}", nearest(options.name, known))
    entry = library.load(matches[0])
    document = entry_json(entry) | {"card": entry.card.model_dump() if entry.card else None}
    if options.json:
        usage.print_json(document)
    else:
        _print_one(entry)
    return 0


def entry_json(entry: ModelEntry) -> dict[str, Any]:
    """A model as the command prints it."""
    return {
        "name": entry.name,
        "family": entry.family,
        "target": entry.target.name if entry.target else None,
        "time_kind": entry.target.time_kind if entry.target else None,
        "version": entry.version,
        "path": str(entry.path),
        "status": "loaded" if entry.status == "loaded" else "failed",
        "reason": entry.reason,
        "metrics": {name: values.model_dump() for name, values in entry.card.metrics.items()} if entry.card else {},
        "origin": entry.origin,
        "load_ms": entry.load_ms,
    }


def _print_list(entries: list[ModelEntry]) -> None:
    loaded = [entry for entry in entries if entry.status == "loaded"]
    headers = ("PREDICTOR", "TARGET", "TIME KIND", "VERSION", "MAPE", "MEDIAN", "IN 10 %", "90 % HOLDS")
    rows = []
    for entry in loaded:
        metrics = entry.card.metrics.get("grouped_by_shape") if entry.card else None
        figures = (metrics.mape, metrics.median_ape, metrics.within_10, metrics.coverage_90) if metrics else (None,) * 4
        title, kind = (entry.target.title, entry.target.time_kind) if entry.target else ("", "")
        rows.append(
            (entry.name, title, kind, entry.version, *(f"{sig3(value)} %" if value is not None else "–" for value in figures))
        )
    if rows:
        usage.print_table(headers, rows, right=headers[4:])
    failed = [entry for entry in entries if entry.status != "loaded"]
    print(f"{len(loaded)} predictors ready, {len(failed)} models cannot be loaded{':' if failed else ''}")
    for entry in failed:
        print(f"  {entry.full_name}: {entry.reason} [{entry.path}]")


def _print_one(entry: ModelEntry) -> None:
    print(f"{entry.full_name}: {entry.status}{f', {entry.reason}' if entry.reason else ''}")
    print(f"path: {entry.path}")
    if entry.card is None:
        return
    card = entry.card
    print(f"target: {card.target.title} [{card.target.name}], {card.target.time_kind}")
    print(f"knows: algorithms {', '.join(card.algorithms)}; {', '.join(card.dtypes)}; {', '.join(card.directions)}")
    data = card.provenance
    print(f"data: {data.source}, {data.licence}, {data.rows:,} rows, {data.shapes:,} shapes")
    headers = ("PROTOCOL", "ROWS", "MAPE", "MEDIAN", "IN 10 %", "IN 20 %", "R² OF LOG", "90 % HOLDS")
    groups = {f"  {name}": found for name, found in card.metrics_by_group.items()}
    rows = [
        (
            name,
            f"{m.n:,}",
            *(f"{sig3(value)} %" for value in (m.mape, m.median_ape, m.within_10, m.within_20)),
            f"{m.r2_log:.4f}",
            f"{sig3(m.coverage_90)} %" if m.coverage_90 is not None else "–",
        )
        for name, m in (card.metrics | groups).items()
    ]
    usage.print_table(headers, rows, right=headers[1:])
    if groups:
        print("Indented: grouped_by_shape by algorithm and element type.")
    print("card:")
    print(json.dumps(card.model_dump(mode="json"), indent=1))
