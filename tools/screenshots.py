"""Pictures of every view, and every page of a view, of the real application: light and dark, at 100 % and 200 %.

    python tools/screenshots.py [--out FOLDER] [--views compare,sweep] [--models-dir FOLDER]

Each picture is made by the program itself (``cnnpredict-gui --screenshot``) in a process of its own, with settings of its
own, and ends up in ``resources/screenshots/{view}-{theme}-{scale}.png`` (``machine-system-light-100.png`` for a page).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THEMES = ("light", "dark")
SCALES = (100, 200)
SIZE = "1280x800"
#: Target whose predictors are timed for the picture of the benchmark.
SHOWN_TARGET = "gpul40s"
#: Network whose layers are timed for the picture of the measurements.
SHOWN_NETWORK = "resnet50"
_LIMIT_S = 180


def view_names() -> list[str]:
    """Names of all views and pages, as the program lists them."""
    sys.path.insert(0, str(ROOT))
    from cnnpredict_gui.gui.views import VIEWS

    return [place for spec in VIEWS for place in spec.places]


def take(view: str, theme: str, scale: int, folder: Path, options: list[str], home: Path) -> str:
    """Make one picture; returns what went wrong, or an empty text."""
    path = folder / f"{view.replace('.', '-')}-{theme}-{scale}.png"
    command = [sys.executable, "-m", "cnnpredict_gui", "--screenshot", str(path), "--view", view]
    command += ["--theme", theme, "--scale", str(scale), "--size", SIZE, *options]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "CNNPREDICT_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    return "" if done.returncode == 0 and path.is_file() else done.stderr.strip() or "no picture was written"


def fill_history(home: Path) -> None:
    """A short benchmark of one target's predictors, so that the picture of that page has something to show."""
    os.environ["CNNPREDICT_HOME"] = str(home)
    sys.path.insert(0, str(ROOT))
    from cnnpredict_gui.bench.benchmark import Plan, jobs_for, run_benchmark
    from cnnpredict_gui.bench.history import BenchmarkHistory
    from cnnpredict_gui.serving.library import ModelLibrary

    library = ModelLibrary()
    entries = [entry for entry in library.scan() if entry.target and entry.target.name == SHOWN_TARGET]
    BenchmarkHistory().add(run_benchmark(Plan(jobs_for(entries, native=True), iterations=200), library.folders))


def fill_measurements(home: Path) -> None:
    """Real layers of one network timed, so that the pictures of that page have something to show."""
    command = [sys.executable, "-m", "cnnpredict_gui.cli", "measure", "--network", SHOWN_NETWORK]
    environment = {**os.environ, "CNNPREDICT_HOME": str(home), "PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=environment, capture_output=True, timeout=_LIMIT_S, check=True)


def main() -> int:
    """Take all pictures; the exit code is 1 when one failed."""
    parser = argparse.ArgumentParser(description="Pictures of every view, light and dark, at 100 and 200 percent.")
    parser.add_argument("--out", type=Path, default=ROOT / "resources" / "screenshots", help="folder of the pictures")
    parser.add_argument("--views", default="", help="names of views, separated by commas (default: all)")
    parser.add_argument("--models-dir", type=Path, help="a further folder with models")
    arguments = parser.parse_args()
    views = [name for name in arguments.views.split(",") if name] or view_names()
    options = ["--models-dir", str(arguments.models_dir.absolute())] if arguments.models_dir else []
    arguments.out.mkdir(parents=True, exist_ok=True)
    failures = 0
    with tempfile.TemporaryDirectory(prefix="cnnpredict-") as home:
        if "machine.predictors" in views:
            fill_history(Path(home))
        if "machine.measure" in views:
            fill_measurements(Path(home))
        for view, theme, scale in product(views, THEMES, SCALES):
            begin = time.perf_counter()
            problem = take(view, theme, scale, arguments.out.absolute(), options, Path(home))
            failures += bool(problem)
            print(f"{view:20} {theme:5} {scale:3} %  {time.perf_counter() - begin:4.1f} s  {problem or 'ok'}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
