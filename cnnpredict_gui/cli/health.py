"""``cnnpredict health``: whether predictions can be made here, for people and for monitoring."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cnnpredict_gui.cli import usage
from cnnpredict_gui.core.format import sig3

if TYPE_CHECKING:
    from cnnpredict_gui.bench.health import Health
    from cnnpredict_gui.cli.main import Parser

_ABOUT = """Loads every model, asks each for one layer, and says how the program and the machine are.

status      healthy    every model found is loaded, no prediction failed, memory and disk suffice
            degraded   predictions are made, but a model or a prediction failed, or memory or disk run short
            unhealthy  no model is loaded, or every prediction failed

exit code   0 if healthy or degraded, 1 if unhealthy"""


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Describe the command."""
    parser = usage.add_command(
        subparsers,
        "health",
        "whether predictions can be made: models, errors, latency, memory",
        _ABOUT,
        ["cnnpredict health", "cnnpredict health --json", "cnnpredict health --prometheus > cnnpredict.prom"],
        run,
    )
    parser.add_argument("--prometheus", action="store_true", help="print metrics in the text format of Prometheus")


def run(options: argparse.Namespace) -> int:
    """Look and print."""
    from cnnpredict_gui.bench.health import probe, prometheus

    if options.json and options.prometheus:
        raise usage.UsageError("--json and --prometheus exclude each other", "give one of them")
    state = probe(usage.open_library(options))
    if options.json:
        usage.print_json(state.to_json())
    elif options.prometheus:
        print(prometheus(state), end="")
    else:
        _print_text(state)
    return 1 if state.status == "unhealthy" else 0


def _print_text(state: Health) -> None:
    system = state.system
    print(state.status)
    for reason in state.reasons:
        print(f"  {reason}")
    median = "–" if state.median_ms is None else f"{sig3(state.median_ms)} ms"
    print(f"models     {state.models_loaded} loaded, {state.models_failed} failed")
    print(f"predicted  {state.predictions:,} times, {state.errors:,} errors, median {median} a call")
    print(f"uptime     {sig3(state.uptime_s)} s")
    print(f"processor  {system.processor}, {system.cores} cores, {sig3(system.cpu_percent)} % busy")
    available, total = system.memory_available_mb, system.memory_total_mb
    print(f"memory     {available:,.0f} of {total:,.0f} MB available, {system.rss_mb:,.0f} MB used here")
    print(f"GPU        {', '.join(system.gpus) or 'no NVIDIA GPU found'}")
