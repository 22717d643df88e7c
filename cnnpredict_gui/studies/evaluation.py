"""How well predictors do on a file of measured times: metrics per target and family, and what could not be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cnnpredict_gui.bench.machine import processor_name
from cnnpredict_gui.core.card import Metrics
from cnnpredict_gui.core.config import CONFIG_FIELDS, PAIR_FIELDS
from cnnpredict_gui.core.errors import CancelledByUserError, DataFileError, ModelError, UnknownNameError
from cnnpredict_gui.core.metrics import metrics
from cnnpredict_gui.core.names import FAMILIES, PROCESSOR, most_like, nearest
from cnnpredict_gui.core.prediction import PredictionBatch
from cnnpredict_gui.core.table import VOCABULARY, ConfigTable
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.predictor import Predictor, predict_many
from cnnpredict_gui.studies.tabular import Piece, config_columns, find_mapping, open_table, read_table

PIECE_ROWS = 65_536
TIME_COLUMN = "time_ms"
#: Shorthands of parameters told apart by their height.
PAIR_HEIGHTS = {name: f"{stem}_height" for name, stem in PAIR_FIELDS.items()}


@dataclass(frozen=True)
class Evaluation:
    """One family's accuracy on the rows of a target; ``refused`` rows have no time and are not in the metrics.

    ``target`` is as in the data. ``model_name`` joins the names by ``, `` where rows of ``cpu`` went to several predictors.
    ``group`` is the value of the parameter by which rows are told apart, empty for all rows.
    """

    target: str
    family: str
    model_name: str
    time_kind: str
    metrics: Metrics
    refused: int
    group: str = ""


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
    groups: list[npt.NDArray[np.int64]] = field(default_factory=list)
    refused: int = 0

    def add(self, true: npt.NDArray[np.float64], batch: PredictionBatch, groups: npt.NDArray[np.int64]) -> None:
        answered = np.isfinite(batch.time_ms)
        self.refused += int((~answered).sum())
        self.groups.append(groups[answered])
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
    by: str | None = None,
) -> EvaluationReport:
    """Predict every row of a file of measurements and compare with its ``time_ms``.

    Args:
        path: CSV or Parquet with the parameters, ``time_ms``, and ``target`` unless the argument gives it for all rows; rows
            whose ``time_kind`` is not that of the target's predictors are left out. Rows of the target ``cpu`` are judged by
            the predictors of the processor most like their ``device``, without that column like this computer's.
        library: Where the predictors come from.
        target: Only this target.
        family: Only this family.
        progress: Called with (rows done, rows in all).
        cancelled: Asked after each piece.
        by: A parameter, such as ``algorithm`` or ``batch_size``; metrics are then given for each of its values too.

    Raises:
        DataFileError: the file cannot be read, lacks a column, or holds no row that a predictor could be judged by.
        UnknownNameError: the file has no such target, or there is no such family.
        CancelledByUserError: ``cancelled`` said so.
    """
    if family is not None and family not in FAMILIES:
        raise UnknownNameError(f"there is no family {family!r}", nearest(family, list(FAMILIES)))
    by = PAIR_HEIGHTS.get(by or "", by)
    if by is not None and by not in CONFIG_FIELDS:
        raise UnknownNameError(f"there is no parameter {by!r}", nearest(by, [*PAIR_FIELDS, *CONFIG_FIELDS]))
    preview = open_table(path)
    columns = _Columns(preview.columns, target)
    judges = _Judges(library, family, by)
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
        self.has_device = "device" in names
        self.needed = [
            *self.mapping.values(),
            TIME_COLUMN,
            *(name for name in ("target", "time_kind", "device") if name in names),
        ]
        self.targets: set[str] = set()


class _Judges:
    """Predictors by target and device, and what was collected for each."""

    def __init__(self, library: ModelLibrary, family: str | None, by: str | None) -> None:
        self._library, self._family, self.by = library, family, by
        self._collected: dict[tuple[str, str], list[_Collected]] = {}
        self._why: dict[tuple[str, str], str] = {}

    def key(self, target: str, device: str) -> tuple[str, str]:
        """A target in the data, and the target whose predictors judge its rows of a device: the same except for processors."""
        return target, _like_device(self._library, device) if target == PROCESSOR else target

    def of(self, key: tuple[str, str]) -> tuple[list[_Collected], str]:
        """Those that judge, and why there are none."""
        if key not in self._collected:
            target = key[1]
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
            self._collected[key], self._why[key] = [_Collected(predictor) for predictor in chosen], why
        return self._collected[key], self._why[key]

    def results(self) -> list[Evaluation]:
        """Metrics of all that answered, by target and family."""
        groups: dict[tuple[str, str], list[_Collected]] = {}
        for (target, _), collected in sorted(self._collected.items()):
            for each in collected:
                groups.setdefault((target, each.predictor.family), []).append(each)
        return [result for (target, _), parts in groups.items() for result in _evaluations(target, parts, self.by)]


def _evaluations(target: str, parts: list[_Collected], by: str | None) -> list[Evaluation]:
    """Metrics of the predictors of one family together, then for each value of ``by``; none if they answered nothing."""
    parts = [each for each in parts if sum(map(len, each.true))]
    if not parts:
        return []
    columns = [[each.groups, each.true, each.predicted, each.low, each.high] for each in parts]
    groups, *times = [np.concatenate([values for column in kind for values in column]) for kind in zip(*columns, strict=True)]
    times = [times[0], *(array for array in times[1:] if np.isfinite(array).all())]  # some models state no interval
    first = parts[0].predictor
    names = ", ".join(each.predictor.name for each in parts)
    refused = sum(each.refused for each in parts)
    results = [Evaluation(target, first.family, names, first.target.time_kind, metrics(*times), refused)]
    if by is not None:
        for value in np.unique(groups):
            word = VOCABULARY[by][value] if by in VOCABULARY else str(value)
            figures = metrics(*(array[groups == value] for array in times))
            results.append(replace(results[0], metrics=figures, refused=0, group=f"{by}={word}"))
    return results


def _like_device(library: ModelLibrary, device: str) -> str:
    """The target of the processor most like ``device``, or like this computer's if that is empty."""
    targets = (entry.target for entry in library.entries or library.scan())
    return most_like((target for target in targets if target is not None), device or processor_name())


def _judge(
    piece: Piece, columns: _Columns, target: str | None, judges: _Judges, report: EvaluationReport, seen: set[str]
) -> None:
    """Add one piece of the file to what is collected."""
    report.rows += len(piece)
    names = _texts(piece.columns["target"]) if columns.has_target else np.full(len(piece), target, dtype=object)
    columns.targets |= set(names.tolist())
    devices = _texts(piece.columns["device"]) if columns.has_device else np.full(len(piece), "", dtype=object)
    pairs = list(zip(names, devices, strict=True))
    key_of = {pair: judges.key(*pair) for pair in set(pairs)}
    keys = sorted(set(key_of.values()))
    numbers = np.array([keys.index(key_of[pair]) for pair in pairs])
    for number, key in enumerate(keys):
        name, rows = key[0], numbers == number
        if target is not None and name != target:
            continue
        seen.add(name)
        collected, why = judges.of(key)
        if not collected:
            report.skipped[why] += int(rows.sum())
            continue
        if columns.has_kind:
            kind = collected[0].predictor.target.time_kind
            other = rows & (_texts(piece.columns["time_kind"]) != kind)
            report.skipped[f"their time kind is not {kind}, that of {name}"] += int(other.sum())
            rows &= ~other
        _predict(_only(piece, rows), columns, collected, report, judges.by)
    report.skipped = +report.skipped


def _predict(piece: Piece, columns: _Columns, collected: list[_Collected], report: EvaluationReport, by: str | None) -> None:
    if not len(piece):
        return
    table, valid, messages = ConfigTable.from_columns(config_columns(piece, columns.mapping))
    true = _times(piece)[valid]
    report.skipped += Counter(message for message in messages if message)
    good = np.isfinite(true) & (true > 0)
    report.skipped[f"{TIME_COLUMN} is not a positive number"] += int((~good).sum())
    if good.any():
        judged = table[good]
        answers = predict_many([each.predictor for each in collected], judged)
        groups = judged.columns[by] if by is not None else np.zeros(len(judged), dtype=np.int64)
        for each in collected:
            each.add(true[good], answers[each.predictor.name], groups)
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
