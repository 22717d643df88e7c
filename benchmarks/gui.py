"""Figures of the window: start, stalls of its event loop while loading and while a parameter is dragged, frames of the charts.

    python benchmarks/gui.py [--repeats 7] [--models-dir FOLDER] [--json FILE]

Starts are runs of ``cnnpredict-gui --smoke-test`` in processes of their own, warm (one run before is not counted). Dragging
sets a parameter every 16 ms with 12 predictors chosen, as a mouse would. Medians over the repeats, with the worst in brackets.
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
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

DRAG_STEPS = 150
DRAG_INTERVAL_MS = 16
PREDICTORS = 12
FRAMES = 100


def start_figures(repeats: int, options: list[str]) -> dict[str, list[float]]:
    """Figures of several starts, each a list with one value per start."""
    command = [sys.executable, "-m", "cnnpredict_gui", "--smoke-test", *options]
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="cnnpredict-") as home:
        environment = {**os.environ, "CNNPREDICT_HOME": home, "PYTHONPATH": str(ROOT)}
        for number in range(repeats + 1):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
            facts: dict[str, Any] = json.loads(done.stdout)
            for name in ("window_visible_ms", "models_ready_ms", "longest_stall_ms", "models_loaded", "rss_mb"):
                if number:
                    found.setdefault(name, []).append(float(facts[name]))
    return found


class LiveWindow:
    """The real application, filled, with models loaded and predictors chosen."""

    def __init__(self, options: list[str]) -> None:
        from PySide6.QtWidgets import QApplication

        from cnnpredict_gui.gui.app import Application
        from cnnpredict_gui.gui.arguments import parse

        self.app = QApplication([])
        self.application = Application(self.app, parse(options))
        self.application.start()
        self.wait(lambda: self.application.window.context is not None and bool(self.application.context.models.predictors))
        self.wait(lambda: not self.application.context.models.loading and "compare" in self.application.window.views)
        self.state = self.application.context.state
        self.view: Any = self.application.window.views["compare"]
        self.state.select(sorted(self.application.context.models.predictors)[:PREDICTORS])
        self.settle()

    def wait(self, ready: Any) -> None:
        """Run the event loop until ``ready()`` is true."""
        end = time.perf_counter() + 120
        while not ready():
            if time.perf_counter() > end:
                raise TimeoutError("the window did not get ready")
            self.app.processEvents()
            time.sleep(0.002)

    def settle(self) -> None:
        """Wait until nothing moves any more."""
        self.wait(lambda: not self.view.busy())
        end = time.perf_counter() + 0.5
        self.wait(lambda: time.perf_counter() > end)

    def drag(self) -> dict[str, float]:
        """Longest stall (ms) and time from change to answer (ms) while a parameter is dragged."""
        from PySide6.QtCore import QEventLoop, QTimer

        from cnnpredict_gui.gui.offscreen import StallMeter

        box = self.application.panel.form.boxes["output_channels"]
        loop, meter, delays = QEventLoop(), StallMeter(self.app), list[float]()
        self.application.context.predictions.finished.connect(lambda channel, ms: delays.append(ms))
        step = {"number": 0}

        def tick() -> None:
            step["number"] += 1
            box.setValue(64 + 3 * step["number"])
            if step["number"] >= DRAG_STEPS:
                timer.stop()
                QTimer.singleShot(300, loop.quit)

        timer = QTimer()
        timer.setInterval(DRAG_INTERVAL_MS)
        timer.timeout.connect(tick)
        timer.start()
        meter.start()
        loop.exec()
        meter.stop()
        self.settle()
        return {"stall_ms": meter.longest_ms, "answer_ms": median(delays), "answers": float(len(delays))}

    def frames(self) -> dict[str, float]:
        """Median time (ms) of bringing the charts up to date, and of painting them."""
        from cnnpredict_gui.gui.painting import PaintedInTurns

        result, view = self.view.result, self.view
        update, frame = [], []
        for _ in range(FRAMES):
            begin = time.perf_counter()
            view.times.show_result(result)
            update.append(1e3 * (time.perf_counter() - begin))
            with PaintedInTurns.at_once():
                view.times.graphics.viewport().repaint()
            frame.append(1e3 * (time.perf_counter() - begin))
        return {"update_ms": median(update), "frame_ms": median(frame)}

    def close(self) -> None:
        """End the application and delete its window."""
        from PySide6.QtCore import QEvent

        self.application.dispose()
        self.app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def live_figures(options: list[str], repeats: int) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Figures of dragging and of frames, several times each."""
    window = LiveWindow(options)
    try:
        return [window.drag() for _ in range(repeats)], [window.frames() for _ in range(repeats)]
    finally:
        window.close()


def figures(values: list[float], unit: str) -> str:
    """Median and worst of some values."""
    return f"{median(values):,.1f} {unit} (worst {max(values):,.1f})"


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Figures of the window.")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--models-dir", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    options = ["--models-dir", str(arguments.models_dir.absolute())] if arguments.models_dir else []
    starts = start_figures(arguments.repeats, options)
    with tempfile.TemporaryDirectory(prefix="cnnpredict-") as home:
        os.environ["CNNPREDICT_HOME"] = home
        drags, frames = live_figures(options, max(3, arguments.repeats // 2))
    rows = [
        ("window visible", figures(starts["window_visible_ms"], "ms"), "1,000 ms"),
        (f"{starts['models_loaded'][0]:.0f} models ready", figures(starts["models_ready_ms"], "ms"), "3,000 ms"),
        ("longest stall while loading", figures(starts["longest_stall_ms"], "ms"), "50 ms"),
        (f"longest stall while dragging, {PREDICTORS} predictors", figures([d["stall_ms"] for d in drags], "ms"), "50 ms"),
        ("change to answer on screen", figures([d["answer_ms"] for d in drags], "ms"), "50 ms"),
        ("chart frame (update and paint)", figures([f["frame_ms"] for f in frames], "ms"), "16 ms"),
        ("memory", figures(starts["rss_mb"], "MB"), ""),
    ]
    print("| what | median | goal |\n|---|---|---|")
    for what, value, goal in rows:
        print(f"| {what} | {value} | {goal} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"starts": starts, "drags": drags, "frames": frames}, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
