"""Runs one model file with ONNX Runtime."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.infra.onnx_runtime import onnxruntime as ort

logger = logging.getLogger(__name__)
INPUT_NAME = "features"
#: Rows given to ONNX Runtime at once: what a network computes between its layers then stays in the core's cache. Trees compute
#: nothing in between and walk one after the other through all rows they get.
RUN_ROWS, TREE_RUN_ROWS = 1_024, 16_384
_FATAL_ONLY = 4


class OnnxModel:
    """A regression model: float32 features of shape (n, F) to one number per row.

    One thread per run and none kept spinning: single rows answer in microseconds, and large batches are spread over
    threads by their callers. Runs may overlap.

    Args:
        data: Content of the ``.onnx`` file. Files beside it are never read.
        features: Number of features the card names.
        run_rows: Most rows given to ONNX Runtime at once.
        again: Gives the content once more where the model is to travel to another process; without it, it cannot.

    Raises:
        ModelFileError: the content is not a model, or not one of this form.
    """

    def __init__(self, data: bytes, features: int, run_rows: int = RUN_ROWS, again: Callable[[], bytes] | None = None) -> None:
        self._features, self._run_rows, self._again = features, run_rows, again
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.enable_cpu_mem_arena = False
        options.log_severity_level = _FATAL_ONLY
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a dozen unrelated types
            raise ModelFileError(f"ONNX Runtime cannot load it: {first_line(error)}", "train or export it again") from None
        self._session._model_bytes = b""  # kept by ONNX Runtime for a fallback that is not used here
        self._output = _check_form(self._session, features)
        self._failed = False
        self._check_answers(features)

    def run(self, matrix: npt.NDArray[np.float32]) -> Floats:
        """Answers of shape (n,), float64, for features of shape (n, F); NaN where the model fails on them."""
        size = self._run_rows
        if len(matrix) > size:
            return np.concatenate([self.run(matrix[start : start + size]) for start in range(0, len(matrix), size)])
        try:
            answer = self._answers(matrix)
        except Exception as error:  # one model must not stop the others
            self._tell(first_line(error))
            return np.full(len(matrix), np.nan)
        if len(answer) != len(matrix):
            self._tell(f"{len(answer)} answers to {len(matrix)} rows")
            return np.full(len(matrix), np.nan)
        return answer

    def _answers(self, matrix: npt.NDArray[np.float32]) -> Floats:
        return np.asarray(self._session.run([self._output], {INPUT_NAME: matrix})[0], dtype=np.float64).reshape(-1)

    def _tell(self, problem: str) -> None:
        """Log the first failure."""
        if not self._failed:
            self._failed = True
            logger.warning("a model gives no times: %s", problem)

    def _check_answers(self, features: int) -> None:
        """Try it: some faults, such as a tree that asks for a column that is not there, only show then."""
        rows = 3
        try:
            found = len(self._answers(np.ones((rows, features), dtype=np.float32)))
        except Exception as error:
            raise ModelFileError(f"ONNX Runtime cannot run it: {first_line(error)}", "train or export it again") from None
        if found != rows:
            raise ModelFileError(f"it gives {found} numbers for {rows} rows", "export it again: one number per row out")

    def __reduce__(self) -> tuple[type[OnnxModel], tuple[bytes, int, int]]:
        if self._again is None:
            raise ModelFileError("this model was not read from a file", "load it from a models folder")
        return OnnxModel, (self._again(), self._features, self._run_rows)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without ONNX Runtime's prefix, at most 160 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0].removeprefix("[ONNXRuntimeError] : ")
    return text if len(text) <= 160 else text[:159] + "…"


def _check_form(session: ort.InferenceSession, features: int) -> str:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    names = [item.name for item in inputs]
    if names != [INPUT_NAME] or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 2:
        raise ModelFileError(f"its inputs are {', '.join(names)}, not one float matrix named {INPUT_NAME}", "export it again")
    width = inputs[0].shape[1]
    if width != features:
        raise ModelFileError(f"it takes {width} features but its card names {features}", "export model and card together")
    if len(outputs) != 1 or outputs[0].type != "tensor(float)":
        raise ModelFileError("it does not give one float output", "export it again")
    return str(outputs[0].name)
