"""Whether an open window changes what is measured: a fixed set of convolutions, timed with and without it, taking turns.

    python benchmarks/window_effect.py [--rounds 6] [--json FILE]

The layers are measured as the Measure page does it, in a child process. The window is a process of its own with the System
page in front, charts running. Each round measures with the window closed and with it open, in an order that alternates; the
result is the median over all layers and rounds of the ratio of medians. Two measurements without a window tell how much ratios
vary anyway.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

GOAL_PERCENT = 3.0
VIEW = "machine.system"
#: (input channels, size, output channels, kernel): from a fraction of a millisecond to some tens on one core.
LAYERS = ((16, 28, 16, 3), (64, 56, 64, 1), (64, 28, 64, 3), (128, 28, 128, 3), (256, 14, 256, 3), (3, 224, 64, 7))


def show_window() -> None:
    """Body of the window's process: the application with the charts in front, until its standard input ends."""
    import threading

    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from cnnpredict_gui.gui.app import Application
    from cnnpredict_gui.gui.arguments import parse

    app = QApplication([])
    application = Application(app, parse([]))
    application.start()

    def look() -> None:
        context = application.window.context
        if context is None or not context.models.predictors or context.models.loading:
            return
        if application.window.current_place() != VIEW:
            application.window.show_view(VIEW)
        page: Any = application.window.views["machine"].pages["system"]  # type: ignore[attr-defined]
        if len(context.monitor.log) >= 3 and page.charts:
            timer.stop()
            print("ready", flush=True)

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(100)
    threading.Thread(target=lambda: (sys.stdin.read(), QTimer.singleShot(0, app, app.quit)), daemon=True).start()
    app.exec()
    application.dispose()


def times(budget_ms: float) -> list[float]:
    """Median times (ms) of the layers, measured in a child process."""
    from cnnpredict_gui.bench.measuring import MeasureRequest, measure
    from cnnpredict_gui.core.config import ConvConfig

    names = ("input_channels", "input_height", "output_channels", "kernel_size")
    layers = [ConvConfig.parse({**dict(zip(names, row, strict=True)), "input_width": row[1]}) for row in LAYERS]
    answer = measure(MeasureRequest(layers, budget_ms=budget_ms, rounds=2))
    return [one.median_ms for one in answer.measurements]


def times_with_window(budget_ms: float) -> list[float]:
    """The same while the window is open."""
    with tempfile.TemporaryDirectory(prefix="cnnpredict-") as home:
        environment = {**os.environ, "CNNPREDICT_HOME": home, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(Path(__file__).resolve()), "--window"]
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as window:
            if window.stdout is None or window.stdout.readline().strip() != "ready":
                raise RuntimeError("the window did not get ready")
            time.sleep(2)
            found = times(budget_ms)
            window.communicate("")
    return found


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Whether an open window changes what is measured.")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--budget-ms", type=float, default=400.0, help="most time for a layer in one measurement")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--window", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.window:
        show_window()
        return 0
    with_window: list[float] = []
    without: list[float] = []
    for number in range(arguments.rounds):
        if number % 2:
            opened, closed = times_with_window(arguments.budget_ms), times(arguments.budget_ms)
        else:
            closed, opened = times(arguments.budget_ms), times_with_window(arguments.budget_ms)
        again = times(arguments.budget_ms)
        with_window += [a / b for a, b in zip(opened, closed, strict=True)]
        without += [a / b for a, b in zip(again, closed, strict=True)]
    print(f"| {len(LAYERS)} layers, {arguments.rounds} rounds | median | middle half | goal |\n|---|---|---|---|")
    for what, ratios, goal in (("window open", with_window, f"{GOAL_PERCENT:.0f} %"), ("no window, repeated", without, "")):
        low, _, high = quantiles(ratios, n=4)
        print(
            f"| {what} | {100 * (median(ratios) - 1):+.1f} % | {100 * (low - 1):+.1f} to {100 * (high - 1):+.1f} % | {goal} |"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"open": with_window, "repeated": without}, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
