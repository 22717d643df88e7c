"""What watching the machine costs: a sample, a picture of each chart, and the open window as a whole.

    python benchmarks/monitor.py [--seconds 30] [--json FILE]

Costs are processor time, not time on the wall, so that other programs hardly matter. The window is the real application with
its System page in front, the charts filled with half an hour of samples; what it takes while the Log is in front is taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

GOAL_PERCENT = 1.0
SAMPLES = 200


def sample_cost() -> list[float]:
    """Processor time (ms) of samples a tenth of a second apart, the list of processes read every two seconds."""
    from cnnpredict_gui.bench.resources import Sampler

    sampler, costs = Sampler(), []
    for _ in range(SAMPLES):
        time.sleep(0.01)
        sampler._children_at -= 0.99  # as if a second had passed
        begin = time.thread_time()
        sampler.sample()
        costs.append(1e3 * (time.thread_time() - begin))
    sampler.close()
    return costs


class Window:
    """The real application with the System page made and its log filled."""

    def __init__(self) -> None:
        from PySide6.QtWidgets import QApplication

        from cnnpredict_gui.gui.app import Application
        from cnnpredict_gui.gui.arguments import parse

        self.app = QApplication([])
        self.application = Application(self.app, parse([]))
        self.application.start()
        window = self.application.window
        self.run_until(lambda: window.context is not None and bool(window.view_names()))
        self.run_until(lambda: bool(self.application.context.models.predictors) and not self.application.context.models.loading)
        self._fill()
        window.show_view("machine.system")
        self.page: Any = window.views["machine"].pages["system"]  # type: ignore[attr-defined]
        self.run_until(lambda: bool(self.page.charts))

    def _fill(self) -> None:
        """Half an hour of samples before the present."""
        from cnnpredict_gui.bench.resources import Sampler

        sample = Sampler().sample()
        for second in range(1_800, 0, -1):
            load = float(second * 7 % 100)
            self.application.context.monitor.log.append(replace(sample, time=sample.time - second, cpu_percent=load))

    def run_until(self, ready: Any, seconds: float = 120.0) -> None:
        """Run the event loop until ``ready()`` is true."""
        end = time.perf_counter() + seconds
        while not ready():
            if time.perf_counter() > end:
                raise TimeoutError("the window did not get ready")
            self.app.processEvents()
            time.sleep(0.002)

    def cost(self, view: str, seconds: float, span_s: int | None = None) -> float:
        """Processor time of the whole process in percent of one core while a view is in front."""
        from PySide6.QtCore import QEventLoop, QTimer

        self.application.window.show_view(view)
        if span_s is not None:
            self.page.spans.button(span_s).click()
        loop = QEventLoop()
        QTimer.singleShot(2_000, loop.quit)
        loop.exec()
        begin, start = time.process_time(), time.perf_counter()
        QTimer.singleShot(round(1e3 * seconds), loop.quit)
        loop.exec()
        return 100 * (time.process_time() - begin) / (time.perf_counter() - start)

    def painting(self, span_s: int) -> float:
        """Median processor time (ms) of painting all charts once."""
        self.application.window.show_view("machine.system")
        self.page.spans.button(span_s).click()
        painted = self.page.charts[0].plot.paints
        self.run_until(lambda: self.page.charts[0].plot.paints > painted)
        costs = []
        for _ in range(30):
            begin = time.thread_time()
            for chart in self.page.charts:
                chart.plot.repaint()
            costs.append(1e3 * (time.thread_time() - begin))
        return median(costs)

    def close(self) -> None:
        """End the application and delete its window."""
        from PySide6.QtCore import QEvent

        self.application.dispose()
        self.app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="What watching the machine costs.")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each state of the window is watched")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    costs = sample_cost()
    with tempfile.TemporaryDirectory(prefix="cnnpredict-") as home:
        os.environ["CNNPREDICT_HOME"] = home
        window = Window()
        from cnnpredict_gui.gui.system_page import SPANS

        charts = len(window.page.charts)
        paints = {span: window.painting(span) for span in SPANS}
        idle = window.cost("log", arguments.seconds)
        whole = {span: window.cost("machine.system", arguments.seconds, span) for span in SPANS}
        window.close()
    rows = [
        ("one sample (median; worst)", f"{median(costs):.2f} ms; {max(costs):.2f} ms", ""),
        ("sampling every second", f"{median(costs) / 10:.2f} % of a core", ""),
        *((f"painting {charts} charts once, {span // 60} min", f"{cost:.1f} ms", "") for span, cost in paints.items()),
        ("window open, Log in front, sampling every 5 s", f"{idle:.2f} % of a core", ""),
        *(
            (f"System page, {span // 60} min, beyond that", f"{cost - idle:.2f} % of a core", f"{GOAL_PERCENT:.0f} %")
            for span, cost in whole.items()
        ),
    ]
    print("| what | processor time | goal |\n|---|---|---|")
    for what, value, goal in rows:
        print(f"| {what} | {value} | {goal} |")
    if arguments.json:
        figures = {"sample_ms": costs, "painting_ms": paints, "idle_percent": idle, "system_page_percent": whole}
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
