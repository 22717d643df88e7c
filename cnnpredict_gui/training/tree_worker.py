"""Child process that answers many rows of tree models by XGBoost; see :mod:`cnnpredict_gui.serving.bulk` for the other side.

It loads the served ONNX file again, and only if it has the hash that the program verified against the card.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.core.table import ConfigTable, Floats
from cnnpredict_gui.serving.frames import receive, send, unpack
from cnnpredict_gui.serving.models import Memo, TrainedModel


class BoosterModel:
    """A booster with the interface of :class:`cnnpredict_gui.serving.engine.OnnxModel`."""

    def __init__(self, data: bytes) -> None:
        for unneeded in ("sklearn", "pandas"):
            sys.modules.setdefault(unneeded, None)  # type: ignore[arg-type]  # XGBoost imports them if it can: seconds
        import onnx
        import xgboost

        from cnnpredict_gui.training.booster import booster_json

        self._booster = xgboost.Booster({"nthread": 1})
        self._booster.load_model(bytearray(booster_json(onnx.load_from_string(data))))
        self._booster.set_param({"nthread": 1})

    def run(self, matrix: npt.NDArray[np.float32]) -> Floats:
        """Answers of shape (n,), float64, for features of shape (n, F)."""
        return np.asarray(self._booster.inplace_predict(matrix), dtype=np.float64)


def main() -> None:
    """Answer messages from standard input until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    with os.fdopen(os.dup(0), "rb") as requests, answers:
        try:
            _serve(requests, answers)
        except (EOFError, BrokenPipeError, KeyboardInterrupt):
            return


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    models: dict[int, TrainedModel] = {}
    table: ConfigTable | None = None
    while True:
        header, payload = receive(requests)
        try:
            if header["kind"] == "load":
                models[header["model"]] = _load(header)
                send(answers, {"kind": "loaded"})
            elif header["kind"] == "table":
                table = unpack(header, payload)
            elif header["kind"] == "predict" and table is not None:
                log_time = models[header["model"]].log_time(table, Memo())
                send(answers, {"kind": "answer"}, log_time.tobytes())
        except Exception as error:  # the program then goes on by itself
            send(answers, {"kind": "error", "message": f"{type(error).__name__}: {error}"})


def _load(header: dict[str, Any]) -> TrainedModel:
    data = Path(header["path"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != header["sha256"]:
        raise ModelFileError("the file was changed since it was loaded", "rescan the models")
    return TrainedModel(ModelCard.model_validate_json(header["card"]), BoosterModel(data))


if __name__ == "__main__":
    main()
