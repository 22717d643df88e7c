"""What importing the serving layer brings along."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("torch", "sklearn", "scipy", "xgboost", "onnx", "pandas", "joblib", "matplotlib", "PySide6", "pyarrow")


def imported_by(statement: str) -> list[str]:
    program = f"import json, sys\n{statement}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    found: list[str] = json.loads(done.stdout)
    return found


def test_serving_brings_no_training_library() -> None:
    statement = "import cnnpredict_gui.serving.library, cnnpredict_gui.studies.comparison, cnnpredict_gui.studies.sweep"
    assert imported_by(statement) == []


def test_core_brings_no_runtime() -> None:
    program = "import sys, cnnpredict_gui.core.features, cnnpredict_gui.core.interval; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
