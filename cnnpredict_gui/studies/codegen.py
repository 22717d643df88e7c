"""A configuration as text to paste elsewhere: JSON, a shell command, a Python program."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from cnnpredict_gui.core.config import ConvConfig

_PYTHON = """\
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.serving.library import ModelLibrary{imports}

config = ConvConfig.parse({config})
library = ModelLibrary({folders})
{choice}
for name, predictor in predictors.items():
    answer = predictor.predict_one(config)
    print(f"{{name}}: {{answer.time_ms:.3g}} ms (90 %: {{answer.low_ms:.3g}} to {{answer.high_ms:.3g}} ms), {{answer.verdict}}")
"""


def as_json(config: ConvConfig) -> str:
    """The configuration as JSON, without what is default; :meth:`ConvConfig.parse` and ``--config`` take it back."""
    return json.dumps(config.compact(), indent=2)


def as_command(config: ConvConfig, predictors: Sequence[str] = (), folders: Sequence[Path] = ()) -> str:
    """A ``cnnpredict predict`` command for some predictors, or all; quoted for a POSIX shell.

    ``folders`` are those with models that are not searched anyway.
    """
    places = [word for folder in folders for word in ("--models-dir", str(folder))]
    chosen = [word for name in predictors for word in ("--model", name)] or ["--all"]
    options = [word for name, value in config.compact().items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return shlex.join(["cnnpredict", "predict", *places, *chosen, *options])


def as_python(config: ConvConfig, predictors: Sequence[str] = (), folders: Sequence[Path] = ()) -> str:
    """A Python program that asks some predictors, or all that load, and prints their answers.

    ``folders`` are those with models that are not searched anyway.
    """
    choice = "library.load_all()\npredictors = library.predictors"
    if predictors:
        choice = f"predictors = {{name: library.get(name) for name in {json.dumps(list(predictors))}}}"
    return _PYTHON.format(
        config=json.dumps(config.compact(), indent=4),
        choice=choice,
        folders=f"model_folders({[str(folder) for folder in folders]!r})" if folders else "",
        imports="\nfrom cnnpredict_gui.infra.paths import model_folders" if folders else "",
    )
