"""A file of configurations through several predictors into a file of times, in little memory whatever its size.

OUT has one row per row of IN and predictor, in the order of IN: the columns of IN as they were, then :data:`OUTPUT_COLUMNS`. A
row that is no valid configuration is kept, with the reason in ``error`` and no time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cnnpredict_gui.core.errors import CancelledByUserError, DataFileError
from cnnpredict_gui.core.names import Target
from cnnpredict_gui.core.prediction import PredictionBatch, Status
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.infra.files import atomic_write
from cnnpredict_gui.infra.parallel import InProcess, Mapper
from cnnpredict_gui.serving.predictor import Predictor, predict_many
from cnnpredict_gui.studies.table_output import Ready, check_output_name, made_ready, table_writer
from cnnpredict_gui.studies.tabular import Piece, config_columns, find_mapping, open_table, read_table

#: What is added to the columns of IN; a column of IN with one of these names becomes ``input_<name>``.
OUTPUT_COLUMNS = (
    "model_name",
    "model_version",
    "target",
    "time_kind",
    "execution_time_ms",
    "interval_low_ms",
    "interval_high_ms",
    "verdict",
    "error",
)
#: Rows of OUT made at once; few enough that Cancel is heard within a second.
PIECE_ROWS = 65_536
#: Errors kept word for word in a summary.
ERRORS_KEPT = 1_000
#: Limits of the histogram's bins in ms, ten per decade.
HISTOGRAM_EDGES = np.logspace(-4, 6, 101)


@dataclass(frozen=True)
class RowError:
    """A row that is no valid configuration; ``line`` as in :class:`cnnpredict_gui.studies.tabular.Piece`."""

    line: int
    message: str


@dataclass
class ModelSummary:
    """What one predictor answered; ``histogram`` counts its times between :data:`HISTOGRAM_EDGES`."""

    name: str
    target: Target
    in_range: int = 0
    extrapolating: int = 0
    refused: int = 0
    total_ms: float = 0.0
    histogram: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(HISTOGRAM_EDGES) - 1, dtype=np.int64))

    @property
    def predicted(self) -> int:
        """Rows with a time."""
        return self.in_range + self.extrapolating

    def merge(self, other: ModelSummary) -> None:
        """Add what was counted elsewhere."""
        self.in_range += other.in_range
        self.extrapolating += other.extrapolating
        self.refused += other.refused
        self.total_ms += other.total_ms
        self.histogram += other.histogram

    def add(self, batch: PredictionBatch) -> None:
        """Count the rows of a piece."""
        counts = np.bincount(batch.status, minlength=len(Status))
        self.in_range += int(counts[Status.IN_RANGE])
        self.extrapolating += int(counts[Status.EXTRAPOLATING])
        self.refused += int(counts[Status.REFUSED])
        times = batch.time_ms[batch.status != Status.REFUSED]
        self.total_ms += float(times.sum())
        self.histogram += np.histogram(np.clip(times, HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1]), HISTOGRAM_EDGES)[0]


@dataclass
class BatchSummary:
    """What became of a file; ``errors`` holds the first :data:`ERRORS_KEPT` of ``rows_in_error``."""

    path: Path
    rows: int = 0
    rows_in_error: int = 0
    errors: list[RowError] = field(default_factory=list)
    models: list[ModelSummary] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def predicted(self) -> int:
        """Predictions made, over all models."""
        return sum(model.predicted for model in self.models)

    def merge(self, piece: BatchSummary) -> None:
        """Add what became of the next piece of the file."""
        self.rows += piece.rows
        self.rows_in_error += piece.rows_in_error
        self.errors += piece.errors[: max(0, ERRORS_KEPT - len(self.errors))]
        for model, counted in zip(self.models, piece.models, strict=True):
            model.merge(counted)


@dataclass(frozen=True, eq=False)
class BatchWork:
    """What all pieces of a file share."""

    predictors: tuple[Predictor, ...]
    mapping: Mapping[str, str]
    out: Path
    separator: str

    def summary(self) -> BatchSummary:
        """Nothing counted yet."""
        return BatchSummary(self.out, models=[ModelSummary(predictor.name, predictor.target) for predictor in self.predictors])


def run_batch(
    path: Path,
    out: Path,
    predictors: Sequence[Predictor],
    mapping: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    mapper: Mapper | None = None,
) -> BatchSummary:
    """Predict every row of a CSV or Parquet file and write the answers; OUT appears whole or not at all.

    Args:
        path: IN.
        out: OUT, ``.csv`` (with the separator of IN) or ``.parquet``.
        predictors: At least one.
        mapping: Column of IN to parameter, for columns not named like the parameter they hold.
        progress: Called with (rows done, rows in all) after each piece; in all is an estimate for CSV.
        cancelled: Asked after each piece, and while waiting for workers.
        mapper: Where pieces are answered, predictors sent along; None for the threads of this process. OUT is the same.

    Raises:
        DataFileError: IN cannot be read, lacks a column, or a line of it has too few or too many cells.
        OutputError: OUT cannot be written.
        CancelledByUserError: ``cancelled`` said so; there is no OUT then.
        WorkerError: a worker was lost; there is no OUT then.
    """
    begin = perf_counter()
    if not predictors:
        raise DataFileError("no predictor was chosen", "choose at least one")
    check_output_name(out)
    preview = open_table(path)
    work = BatchWork(tuple(predictors), find_mapping(preview.columns, mapping), out, preview.separator)
    summary = work.summary()
    with atomic_write(out) as part, table_writer(part, preview.separator) as writer:
        pieces = read_table(path, max(512, PIECE_ROWS // (4 * len(predictors))))
        for ready, counted in (mapper or InProcess()).map(answer_piece, work, pieces, cancelled):
            writer.append(ready)
            summary.merge(counted)
            if progress is not None:
                progress(summary.rows, max(summary.rows, preview.rows))
            if cancelled is not None and cancelled():
                raise CancelledByUserError("cancelled, nothing was written")
    summary.seconds = perf_counter() - begin
    return summary


def answer_piece(work: BatchWork, piece: Piece) -> tuple[Ready, BatchSummary]:
    """Rows of OUT for a piece of IN, ready to be written, and what they hold. Runs in a worker too."""
    summary = work.summary()
    columns = _answer(piece, work.mapping, work.predictors, summary)
    return made_ready(columns, work.out, work.separator), summary


def _answer(
    piece: Piece, mapping: Mapping[str, str], predictors: Sequence[Predictor], summary: BatchSummary
) -> dict[str, pa.Array]:
    """Rows of OUT for a piece of IN; counts them in ``summary``."""
    table, valid, messages = ConfigTable.from_columns(config_columns(piece, mapping))
    answers = predict_many(predictors, table) if len(table) else {}
    _count(summary, piece, valid, messages, answers)
    models = len(predictors)
    repeat = None if models == 1 else pa.array(np.repeat(np.arange(len(piece)), models))
    out: dict[str, pa.Array] = {}
    for name, array in piece.columns.items():
        new = f"input_{name}" if name in OUTPUT_COLUMNS else name
        out[new if new not in piece.columns or new == name else f"input_{new}"] = (
            array if repeat is None else array.take(repeat)
        )
    constants: dict[str, list[str]] = {
        "model_name": [predictor.name for predictor in predictors],
        "model_version": [predictor.version for predictor in predictors],
        "target": [predictor.target.name for predictor in predictors],
        "time_kind": [predictor.target.time_kind for predictor in predictors],
    }
    for name, texts in constants.items():
        words = list(dict.fromkeys(texts))  # Parquet files hold arbitrary bytes where a word of a dictionary occurs twice
        indices = np.array([words.index(text) for text in texts], dtype=np.int32)
        out[name] = pa.DictionaryArray.from_arrays(pa.array(np.tile(indices, len(piece))), pa.array(words, pa.string()))
    rows = np.flatnonzero(valid)
    batches = [answers[predictor.name] for predictor in predictors] if answers else []
    for name, attribute in (("execution_time_ms", "time_ms"), ("interval_low_ms", "low_ms"), ("interval_high_ms", "high_ms")):
        values = np.full((len(piece), models), np.nan)
        for column, batch in enumerate(batches):
            values[rows, column] = getattr(batch, attribute)
        out[name] = pa.array(values.ravel(), from_pandas=True)
    verdicts = np.full((len(piece), models), "error", dtype=object)
    for column, batch in enumerate(batches):
        verdicts[rows, column] = _verdicts(batch)
    out["verdict"] = pa.array(verdicts.ravel(), pa.string()).dictionary_encode()
    errors = np.repeat(np.array([message or None for message in messages], dtype=object), models)
    out["error"] = pa.array(errors, pa.string())
    return out


def _verdicts(batch: PredictionBatch) -> npt.NDArray[np.object_]:
    if not batch.status.any():
        return np.full(len(batch), Status.IN_RANGE.label, dtype=object)
    labels = np.array([status.label for status in Status], dtype=object)[batch.status]
    reasons = batch.reasons.texts()
    return np.where(reasons == "", labels, labels + ": " + reasons)


def _count(
    summary: BatchSummary,
    piece: Piece,
    valid: npt.NDArray[np.bool_],
    messages: Sequence[str],
    answers: Mapping[str, PredictionBatch],
) -> None:
    summary.rows += len(piece)
    wrong = np.flatnonzero(~valid)
    summary.rows_in_error += len(wrong)
    summary.errors += [RowError(int(piece.lines[row]), messages[row]) for row in wrong[:ERRORS_KEPT]]
    for model in summary.models:
        if model.name in answers:
            model.add(answers[model.name])
