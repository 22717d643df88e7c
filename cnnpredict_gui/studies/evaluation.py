"""How well predictors do on a file of measured times: metrics per target and family, and what could not be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cnnpredict_gui.core.card import Metrics
from cnnpredict_gui.core.errors import CancelledByUserError, DataFileError, ModelError, UnknownNameError
from cnnpredict_gui.core.metrics import metrics
from cnnpredict_gui.core.names import FAMILIES, nearest
from cnnpredict_gui.core.prediction import PredictionBatch
from cnnpredict_gui.core.table import ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.predictor import Predictor, predict_many
from cnnpredict_gui.studies.tabular import Piece, config_columns, find_mapping, open_table, read_table

PIECE_ROWS = 65_536
TIME_COLUMN = "time_ms"


@dataclass(frozen=True)
class Evaluation:
    """One predictor's accuracy on the rows of its target; ``refused`` rows have no time and are not in the metrics."""

    target: str
    family: str
    model_name: str
    time_kind: str
    metrics: Metrics
    refused: int


@dataclass
class EvaluationReport:
    """What was judged, and how many rows were not: reason to number of rows."""

    results: list[Evaluation] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    rows: int = 0


@dataclass
class _Collected:
    """Times of one predictor, a piece at a time."""

    predictor: Predictor
    true: list[npt.NDArray[np.float64]] = field(default_factory=list)
    predicted: list[npt.NDArray[np.float64]] = field(default_factory=list)
    low: list[npt.NDArray[np.float64]] = field(default_factory=list)
    high: list[npt.NDArray[np.float64]] = field(default_factory=list)
    refused: int = 0

    def add(self, true: npt.NDArray[np.float64], batch: PredictionBatch) -> None:
        answered = np.isfinite(batch.time_ms)
        self.refused += int((~answered).sum())
        self.true.append(true[answered])
        for values, kept in ((batch.time_ms, self.predicted), (batch.low_ms, self.low), (batch.high_ms, self.high)):
            kept.append(values[answered])


def evaluate(
    path: Path,
    library: ModelLibrary,
    target: str | None = None,
    family: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> EvaluationReport:
    """Predict every row of a file of measurements and compare with its ``time_ms``.

    Args:
        path: CSV or Parquet with the parameters, ``time_ms``, and ``target`` unless the argument gives it for all rows; rows
            whose ``time_kind`` is not that of the target's predictors are left out.
        library: Where the predictors come from.
        target: Only this target.
        family: Only this family.
        progress: Called with (rows done, rows in all).
        cancelled: Asked after each piece.

    Raises:
        DataFileError: the file cannot be read, lacks a column, or holds no row that a predictor could be judged by.
        UnknownNameError: the file has no such target, or there is no such family.
        CancelledByUserError: ``cancelled`` said so.
    """
    if family is not None and family not in FAMILIES:
        raise UnknownNameError(f"there is no family {family!r}", nearest(family, list(FAMILIES)))
    preview = open_table(path)
    columns = _Columns(preview.columns, target)
    judges = _Judges(library, family)
    report = EvaluationReport()
    seen: set[str] = set()
    for piece in read_table(path, PIECE_ROWS, columns.needed):
        _judge(piece, columns, target, judges, report, seen)
        if progress is not None:
            progress(report.rows, max(report.rows, preview.rows))
        if cancelled is not None and cancelled():
            raise CancelledByUserError("the evaluation was cancelled")
    if target is not None and not seen:
        raise UnknownNameError(f"{path.name} has no rows of target {target!r}", nearest(target, sorted(columns.targets)))
    report.results = judges.results()
    if not report.results:
        reasons = "; ".join(f"{count:,} rows: {reason}" for reason, count in report.skipped.most_common(3))
        raise DataFileError(f"no row of {path.name} can be judged", reasons)
    return report


class _Columns:
    """Which columns of a file are what."""

    def __init__(self, names: Sequence[str], target: str | None) -> None:
        self.mapping = find_mapping(names)
        self.has_target, self.has_kind = "target" in names, "time_kind" in names
        if TIME_COLUMN not in names:
            raise DataFileError(f"the table has no column {TIME_COLUMN}", "add the measured times in ms under that name")
        if not self.has_target and target is None:
            raise DataFileError("the table has no column target", "add it, or say which target the times belong to")
        self.needed = [*self.mapping.values(), TIME_COLUMN, *(name for name in ("target", "time_kind") if name in names)]
        self.targets: set[str] = set()


class _Judges:
    """Predictors by target, and what was collected for each."""

    def __init__(self, library: ModelLibrary, family: str | None) -> None:
        self._library, self._family = library, family
        self._collected: dict[str, list[_Collected]] = {}
        self._why: dict[str, str] = {}

    def of(self, target: str) -> tuple[list[_Collected], str]:
        """Those of a target, and why there are none."""
        if target not in self._collected:
            try:
                found = self._library.for_target(target)
                why = f"the models of {target} cannot be loaded"
            except UnknownNameError:
                found, why = [], f"there is no predictor for {target}"
            except ModelError as error:
                found, why = [], f"{target}: {error.message}"
            chosen = [predictor for predictor in found if self._family in (None, predictor.family)]
            if found and not chosen:
                why = f"there is no {self._family} predictor for {target}"
            self._collected[target], self._why[target] = [_Collected(predictor) for predictor in chosen], why
        return self._collected[target], self._why[target]

    def results(self) -> list[Evaluation]:
        """Metrics of all that answered, by target and family."""
        out: list[Evaluation] = []
        for target, collected in sorted(self._collected.items()):
            for each in collected:
                true = np.concatenate(each.true) if each.true else np.empty(0)
                if len(true):
                    arrays = [np.concatenate(values) for values in (each.predicted, each.low, each.high)]
                    predictor = each.predictor
                    kind = predictor.target.time_kind
                    figures = metrics(true, *(array for array in arrays if np.isfinite(array).all()))
                    out.append(Evaluation(target, predictor.family, predictor.name, kind, figures, each.refused))
        return out


def _judge(
    piece: Piece, columns: _Columns, target: str | None, judges: _Judges, report: EvaluationReport, seen: set[str]
) -> None:
    """Add one piece of the file to what is collected."""
    report.rows += len(piece)
    names = _texts(piece.columns["target"]) if columns.has_target else np.full(len(piece), target, dtype=object)
    columns.targets |= set(names.tolist())
    for name in sorted(set(names.tolist())):
        rows = names == name
        if target is not None and name != target:
            continue
        seen.add(name)
        collected, why = judges.of(name)
        if not collected:
            report.skipped[why] += int(rows.sum())
            continue
        if columns.has_kind:
            kind = collected[0].predictor.target.time_kind
            other = rows & (_texts(piece.columns["time_kind"]) != kind)
            report.skipped[f"their time kind is not {kind}, that of {name}"] += int(other.sum())
            rows &= ~other
        _predict(_only(piece, rows), columns, collected, report)
    report.skipped = +report.skipped


def _predict(piece: Piece, columns: _Columns, collected: list[_Collected], report: EvaluationReport) -> None:
    if not len(piece):
        return
    table, valid, messages = ConfigTable.from_columns(config_columns(piece, columns.mapping))
    true = _times(piece)[valid]
    report.skipped += Counter(message for message in messages if message)
    good = np.isfinite(true) & (true > 0)
    report.skipped[f"{TIME_COLUMN} is not a positive number"] += int((~good).sum())
    if good.any():
        answers = predict_many([each.predictor for each in collected], table[good])
        for each in collected:
            each.add(true[good], answers[each.predictor.name])
        _count_refused(collected, answers, report)


def _count_refused(collected: Sequence[_Collected], answers: dict[str, PredictionBatch], report: EvaluationReport) -> None:
    """Tell the rows that no predictor of the target takes, by the reason of the first."""
    everywhere = np.logical_and.reduce([~np.isfinite(batch.time_ms) for batch in answers.values()])
    if everywhere.any():
        predictor = collected[0].predictor
        reasons = answers[predictor.name].reasons.texts()[everywhere]
        report.skipped += Counter(f"{predictor.target.name} refuses them: {reason}" for reason in reasons)


def _only(piece: Piece, rows: npt.NDArray[np.bool_]) -> Piece:
    if rows.all():
        return piece
    mask = pa.array(rows)
    return Piece({name: array.filter(mask) for name, array in piece.columns.items()}, piece.lines[rows])


def _times(piece: Piece) -> npt.NDArray[np.float64]:
    """Measured times, NaN where there is none."""
    array = piece.columns[TIME_COLUMN]
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        trimmed = pc.utf8_trim_whitespace(array)
        is_number = pc.match_substring_regex(trimmed, r"\A[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\z")
        array = pc.if_else(is_number, trimmed, pa.scalar(None, trimmed.type))
    numbers: Any = pc.cast(array, pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64)


def _texts(array: pa.Array) -> npt.NDArray[np.object_]:
    return np.array(["" if value is None else str(value) for value in array.to_pylist()], dtype=object)
