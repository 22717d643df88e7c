"""``cnnpredict calibrate``: predictors of a similar device become predictors of this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.cli.progress import Progress
from cnnpredict_gui.core.format import sig3
from cnnpredict_gui.core.names import FAMILIES

if TYPE_CHECKING:
    from cnnpredict_gui.cli.main import Parser
    from cnnpredict_gui.core.card import Metrics
    from cnnpredict_gui.training.quick_calibration import CalibrationResult


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "calibrate",
        "correct predictors for this machine, in about two minutes",
        "Measures some 60 layers that fill the predictors' domain, fits a correction (a scale and a small residual model) and\n"
        "saves a new target. The errors printed are those of layers the correction did not see.",
        [
            "cnnpredict calibrate",
            "cnnpredict calibrate --target cpu --layers 100 --threads 2 --name workstation",
            "taskset -c 1 cnnpredict calibrate --json",
        ],
        run,
    )
    parser.add_argument("--target", default="", metavar="T", help="target to start from (default: the processor most alike)")
    parser.add_argument("--layers", default="60", metavar="N", help="layers for the correction (default 60)")
    parser.add_argument("--checks", default="20", metavar="N", help="further layers, only to tell the error (default 20)")
    parser.add_argument("--rounds", default="3", metavar="N", help="rounds; the least median counts (default 3)")
    parser.add_argument("--threads", default="1", metavar="N", help="threads of PyTorch (default 1)")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu (default), cuda:0 or mps, with --target")
    parser.add_argument("--name", default="", metavar="NAME", help="name of this machine (default: the computer's)")
    parser.add_argument("--out", metavar="DIR", help="models folder to write into (default: the user's own)")


def run(options: argparse.Namespace) -> int:
    """Calibrate and print the errors before and after."""
    from cnnpredict_gui.infra.paths import user_models_dir
    from cnnpredict_gui.training.quick_calibration import CalibrateRequest, calibrate

    numbers = {
        name: usage.whole_number(f"--{name}", getattr(options, name)) for name in ("layers", "checks", "rounds", "threads")
    }
    out = Path(options.out).expanduser() if options.out else user_models_dir()
    folders = usage.open_library(options).folders
    usage.prepare_folder(out)
    request = CalibrateRequest(folders, options.target, **numbers, device=options.device, name=options.name, out=out)
    with Progress("timings") as progress:
        result = calibrate(request, progress=progress)
    if options.json:
        usage.print_json(_document(result))
    else:
        _print(result)
    for warning in result.conditions.warnings:
        usage.warn(f"warning: {warning}")
    return 0


def _document(result: CalibrationResult) -> dict[str, Any]:
    names = ("before", "after", "check_before", "check_after")
    families = []
    for one in result.families:
        scores = {name: found.model_dump() if (found := getattr(one, name)) else None for name in names}
        families.append({"family": one.family} | scores)
    return {
        "status": "success",
        "target": result.target.model_dump(),
        "folder": str(result.folder),
        "source": result.source,
        "families": families,
        "points": [asdict(point) for point in result.points],
        "setting": asdict(result.setting),
        "conditions": asdict(result.conditions) | {"warnings": list(result.conditions.warnings)},
    }


def _print(result: CalibrationResult) -> None:
    checks = sum(point.is_check for point in result.points)
    print(f"{result.target.title}: calibrated from {result.source}, saved in {result.folder}")
    print(f"MAPE and median error in %: {len(result.points) - checks} layers, each held out once; {checks} further layers")
    rows = [
        (FAMILIES[one.family], *(_pair(scores) for scores in (one.before, one.after, one.check_before, one.check_after)))
        for one in result.families
    ]
    headers = ("FAMILY", "BEFORE", "AFTER", "FURTHER BEFORE", "FURTHER AFTER")
    usage.print_table(headers, rows, right=headers[1:])


def _pair(scores: Metrics | None) -> str:
    return f"{sig3(scores.mape)} / {sig3(scores.median_ape)}" if scores else "–"
