"""Prove that a frozen program works: real predictions, the window, measuring, calibrating, training and benchmarks in children.

Needs nothing but the standard library of any Python 3.11, so that it can also run beside an installed program.

    python packaging/smoke.py [--program FOLDER_OR_FILE] [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LAYER = (
    "--batch-size", "1", "--input-channels", "64", "--input-height", "56", "--input-width", "56", "--output-channels", "64",
    "--kernel-size", "3",
)  # fmt: skip
MODELS = Path(__file__).resolve().parents[1] / "models"
#: Every predictor has a card, and the frozen program must have them all.
PREDICTORS = len(list(MODELS.rglob("*.card.json")))
#: Training libraries that no start may load.
HEAVY = ("libtorch", "libxgboost", "/sklearn/", "/scipy/")
#: Rows that training asks for.
ENOUGH_ROWS = 40
SUFFIX = ".exe" if sys.platform == "win32" else ""


class Frozen:
    """The two programs of one folder, each run with settings of its own, offscreen, and with no other program on its PATH."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.cli, self.gui = folder / f"cnnpredict{SUFFIX}", folder / f"cnnpredict-gui{SUFFIX}"
        self.user = home.with_name("user")
        self.user.mkdir()
        kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
        own = {"HOME": str(self.user), "USERPROFILE": str(self.user), "CNNPREDICT_HOME": str(home)}
        self.environment = {**kept, **own, "QT_QPA_PLATFORM": "offscreen", "PATH": str(self.user / "no programs")}

    def run(self, program: Path, *arguments: str, code: int = 0, timeout: float = 900) -> str:
        """Standard output of a run; of one that has to fail (``code``), what it says of it.

        Raises:
            SystemExit: it ended with another code; with what it said.
        """
        command = [str(program), *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout, encoding="utf-8", check=False
        )
        if done.returncode != code:
            raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stderr if code else done.stdout


def demand(condition: object, message: str) -> None:
    """Stop when something is not as it must be."""
    if not condition:
        raise SystemExit(f"smoke test: {message}")


def predictions(frozen: Frozen, version: str) -> dict[str, Any]:
    """All predictors answer for a layer of ResNet-50: finite, with an interval around them."""
    demand(frozen.run(frozen.cli, "--version").strip() == f"cnnpredict {version}", "the version is another one")
    found = json.loads(frozen.run(frozen.cli, "predict", "--all", "--json", *LAYER))
    answers = found["predictions"] if isinstance(found, dict) else found
    times = [answer["execution_time_ms"] for answer in answers if answer["execution_time_ms"] is not None]
    demand(len(answers) == len(times) == PREDICTORS, f"{len(times)} of {PREDICTORS} predictors answered")
    demand(all(0 < value < 1000 for value in times), f"times are out of all bounds: {times}")
    demand("nothing is wrong" in frozen.run(frozen.cli, "doctor"), "doctor finds something wrong")
    told = frozen.run(frozen.cli, "batch", "in.csv", "-o", "out.csv", "--all", "--dask", "tcp://127.0.0.1:1", code=1)
    demand("comes without Dask" in told, f"--dask is not refused: {told}")
    return {"predictors": len(answers), "median_ms": round(statistics.median(times), 4)}


def window(frozen: Frozen, folder: Path) -> dict[str, Any]:
    """The window comes up, loads every model, predicts and paints itself."""
    facts: dict[str, Any] = json.loads(frozen.run(frozen.gui, "--smoke-test"))
    demand(facts["models_failed"] == 0 and facts["models_loaded"] == PREDICTORS, f"models failed: {facts}")
    demand(facts["prediction"]["time_ms"] > 0, f"no prediction: {facts}")
    picture = folder / "compare.png"
    frozen.run(frozen.gui, "--screenshot", str(picture))
    demand(picture.stat().st_size > 20_000, "the picture of the window is empty")
    return facts


def nothing_heavy_at_start(frozen: Frozen) -> None:
    """No training library is mapped into the window's process (Linux tells that)."""
    if sys.platform != "linux":
        return
    with subprocess.Popen([str(frozen.gui)], env=frozen.environment, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(12)
            demand(process.poll() is None, "the window closed by itself")
            mapped = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
        finally:
            process.kill()
    demand("libQt6Widgets" in mapped, "the window has not come up")
    found = [name for name in HEAVY if name in mapped]
    demand(not found, f"the window loads {found} at its start")


def child_processes(frozen: Frozen, folder: Path) -> dict[str, Any]:
    """Measuring, training and timing, which run in child processes of the frozen program; the trained model predicts."""
    measured, models = folder / "measured.parquet", folder / "models"
    for layers in (64, 192, 576):  # On a busy machine few times repeat well enough to be kept.
        told = frozen.run(frozen.cli, "collect", "--out", str(measured), "--layers", str(layers), "--rounds", "2")
        kept = re.search(r"(\d+) of \d+ layers", told)
        if kept and int(kept[1]) >= ENOUGH_ROWS:
            break
    frozen.run(frozen.cli, "train", "--data", str(measured), "--target", "cpu", "--out", str(models), "--trials", "1")
    made = sorted(path.name for path in models.rglob("*.onnx"))
    demand(len(made) == 4, f"training wrote {made}")
    text = frozen.run(frozen.cli, "predict", "--json", "--models-dir", str(models), "--target", "cpu", *LAYER)
    demand("execution_time_ms" in text, f"the trained model does not predict: {text}")
    return {
        "trained": made,
        "imported": natives(frozen, folder / "imported"),
        "calibrated": calibrated(frozen, folder / "mine"),
    }


def calibrated(frozen: Frozen, folder: Path) -> dict[str, float]:
    """A few layers measured here correct the predictors of the CPU, and those predict; MAPE in % of each family after it."""
    frozen.run(frozen.cli, "measure", "--target", "cpu", "--rounds", "2", *LAYER)
    few = ("--layers", "40", "--checks", "8", "--rounds", "2")
    found = json.loads(frozen.run(frozen.cli, "calibrate", "--json", "--name", "here", "--out", str(folder), *few))
    text = frozen.run(frozen.cli, "predict", "--json", "--models-dir", str(folder), "--target", "cpu-here", *LAYER)
    demand(text.count('"execution_time_ms": ') >= 4, f"the calibrated predictors do not predict: {text}")
    return {entry["family"]: round(entry["after"]["mape"], 1) for entry in found["families"]}


def natives(frozen: Frozen, folder: Path) -> list[str]:
    """Native files of three libraries are read and converted in children, and timed with the library that wrote them."""
    names = []
    for family, name in (("xgb", "best_xgb_model.joblib"), ("rf", "best_rf_model.joblib"), ("nn", "best_model.pth")):
        file = next((MODELS / "prediction-training-cpu").rglob(name))
        frozen.run(frozen.cli, "import", str(file), "--target", "cpu", "--out", str(folder / family))
        frozen.run(frozen.cli, "benchmark", f"{family}_prediction-training-cpu", "--engine", "native", "--iterations", "20")
        names += sorted(path.name for path in (folder / family).rglob("*.onnx"))
    demand(len(names) == 3, f"only {names} were imported")
    return names


def start_times(frozen: Frozen) -> dict[str, float]:
    """Milliseconds from start to end of ``--version`` and of one prediction, to the visible window: medians of five."""

    def clock(*arguments: str) -> float:
        begin = time.perf_counter()
        frozen.run(frozen.cli, *arguments)
        return 1e3 * (time.perf_counter() - begin)

    version = statistics.median(clock("--version") for _ in range(5))
    predict = statistics.median(clock("predict", "--model", "xgb_prediction-training-cpu", *LAYER) for _ in range(5))
    visible = statistics.median(json.loads(frozen.run(frozen.gui, "--smoke-test"))["window_visible_ms"] for _ in range(5))
    return {"version_ms": round(version), "predict_ms": round(predict), "window_visible_ms": round(visible)}


def main() -> None:
    """Run everything; the first thing that is wrong ends it with an error."""
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--program", type=Path, default=root / "dist" / "cnnpredict", help="folder of the programs")
    parser.add_argument("--quick", action="store_true", help="leave out measuring and training")
    parser.add_argument("--json", type=Path, help="write what was found")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    import product

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        frozen = Frozen(options.program.resolve(), folder / "home")
        found: dict[str, Any] = predictions(frozen, product.version())
        found["window"] = window(frozen, folder)
        nothing_heavy_at_start(frozen)
        if not options.quick:
            found |= child_processes(frozen, folder)
        found["start"] = start_times(frozen)
        demand(not list(frozen.user.rglob("*onnxruntime*")), "ONNX Runtime keeps telemetry to send")
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
