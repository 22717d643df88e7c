"""A random walk over the real window with the bundled models.

python -m tests.soak [--minutes 60] [--seed 1] [--models-dir FOLDER] [--loaded]

Exits with 1 if an exception or a complaint of Qt came up, a turn of the event loop took over 100 ms, memory grew by more than
5 % after the warm-up, or threads, processes or open files were left. ``--loaded`` judges stalls by the processor time of the
GUI thread, for a machine that is busy with other things. Off-screen, unless QT_QPA_PLATFORM says otherwise.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Walk and print the report."""
    parser = argparse.ArgumentParser(description="A random walk over the real window.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--models-dir", type=Path)
    parser.add_argument("--loaded", action="store_true", help="judge stalls by processor time")
    arguments = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    faulthandler.enable()
    with tempfile.TemporaryDirectory(prefix="cnnpredict-soak-") as folder:
        os.environ["CNNPREDICT_HOME"] = str(Path(folder) / "home")
        return _walk(arguments, Path(folder))


def _walk(arguments: argparse.Namespace, folder: Path) -> int:
    from PySide6.QtCore import QEvent
    from PySide6.QtWidgets import QApplication

    from cnnpredict_gui.gui.app import Application
    from cnnpredict_gui.gui.arguments import parse
    from cnnpredict_gui.infra.memory import limit_arenas
    from tests.soak.walk import Walk
    from tests.soak.watch import STALL_MS

    limit_arenas()
    app = QApplication([])
    options = ["--models-dir", str(arguments.models_dir)] if arguments.models_dir else []
    application = Application(app, parse(options))
    started: list[bool] = []
    application.startup.finished.connect(lambda: started.append(True))
    application.start()
    while not started or application.context.models.loading:
        app.processEvents()
        time.sleep(0.005)
    report = Walk(application, arguments.seed, folder / "walk", long=True).run(60 * arguments.minutes)
    application.dispose()
    app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    print(report.text())
    stalls = [one for one in report.stalls if (one.cpu_ms if arguments.loaded else one.wall_ms) > STALL_MS]
    return 1 if report.problems or report.leaks or stalls else 0


if __name__ == "__main__":
    sys.exit(main())
