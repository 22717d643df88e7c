"""From measured times to the artefacts of one target: tune, validate by three protocols, calibrate, fit, export.

Everything is determined by the seed (on one thread), the data and the library versions, all of which the card records.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from cnnpredict_gui.core.card import Interval, ModelCard, Provenance, Range
from cnnpredict_gui.core.config import ALGORITHMS, INTEGER_FIELDS
from cnnpredict_gui.core.errors import CancelledByUserError, DataFileError
from cnnpredict_gui.core.features import quantities
from cnnpredict_gui.core.names import LAYOUT, TRAINED_FAMILIES, TRAINING_PREFIX, predictor_name
from cnnpredict_gui.core.table import ConfigTable, Floats
from cnnpredict_gui.infra.files import atomic_text, sha256_of
from cnnpredict_gui.infra.parallel import InProcess, Mapper
from cnnpredict_gui.training.calibration import consensus_weights, fit_interval, score
from cnnpredict_gui.training.datasets import (
    Measurements,
    default_algorithm,
    load_measurements,
    names_present,
    source_notes,
)
from cnnpredict_gui.training.export import to_graph, write_graph, write_native
from cnnpredict_gui.training.families import LARGE_ROWS, MEDIUM_ROWS, RECIPES, Parameters, Regressor
from cnnpredict_gui.training.features import offset_feature, usable_features
from cnnpredict_gui.training.protocols import (
    FitWork,
    Pool,
    Split,
    final_piece,
    fold_piece,
    hard_splits,
    make_pool,
    mean_of_folds,
    random_splits,
    run_piece,
    shape_splits,
)
from cnnpredict_gui.training.tuning import tune

LIBRARIES = ("numpy", "scikit-learn", "xgboost-cpu", "torch", "onnxruntime", "optuna", "cnnpredict-gui")
#: Sizes a card lists one by one instead of as a range, when the data has at most this many different ones.
FEW_VALUES = 12
LISTED = ("kernel_height", "kernel_width", "stride_height", "stride_width", "dilation_height", "dilation_width")
SAMPLE_ROWS = 512
MIN_ROWS = 30

#: The protocol that accuracy by group, intervals and weights of the consensus are taken from.
GROUPED = "grouped_by_shape"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainRequest:
    """What to train: data files, a target's name in them, families, and where the training folder goes.

    ``trials`` scales the Optuna search (None: each family's own number; 0: none).
    """

    data: Sequence[Path]
    target: str
    out: Path
    families: Sequence[str] = TRAINED_FAMILIES
    seed: int = 0
    threads: int = 1
    trials: int | None = None
    version: str = "1.0.0"
    pooled: bool = True


@dataclass
class _Run:
    """State of one training run: what it works on and how far it is."""

    request: TrainRequest
    progress: Progress | None
    cancelled: Callable[[], bool] | None
    mapper: Mapper
    total: int = 0
    done: int = 0
    stage: str = ""
    created: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))

    def tick(self) -> None:
        """One fit is over: report it, and stop here if the user cancelled."""
        self.done += 1
        if self.progress:
            self.progress(self.stage, self.done, self.total)
        if self.cancelled and self.cancelled():
            raise CancelledByUserError("training was cancelled", "nothing of the unfinished family was written")


def train(
    request: TrainRequest,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    mapper: Mapper | None = None,
) -> list[ModelCard]:
    """Train the families of one target and their consensus; returns their cards.

    Args:
        request: What to train.
        progress: Called with a stage's name, fits done and fits in all.
        cancelled: Asked after each fit, and while waiting for workers.
        mapper: Where fits run; None for one after the other in this process. What comes of them is the same.

    Raises:
        DataFileError: the data cannot be used.
        WorkerError: a worker was lost.
        CancelledByUserError: ``cancelled`` said so.
    """
    with threadpool_limits(limits=request.threads):
        return _train(_Run(request, progress, cancelled, mapper or InProcess()))


def _train(run: _Run) -> list[ModelCard]:
    request = run.request
    own, others = load_measurements(request.data, request.target)
    if len(own) < MIN_ROWS:
        raise DataFileError(f"only {len(own)} usable rows of {request.target}", f"measure at least {MIN_ROWS} layers")
    run.total = sum(_fits(request, name, len(own)) for name in request.families)
    held_out: dict[str, Floats] = {}
    cards: list[ModelCard] = []
    for family in request.families:
        pool = _pool(family, own, others if request.pooled else [], request.seed)
        run.stage = f"{request.target}: {family}, search"
        trials = _trials(request, family)
        parameters = tune(family, pool, request.seed, request.threads, trials, run.tick, run.mapper, run.cancelled)
        predictions, model = _fit(run, family, pool, parameters)
        held_out[family] = predictions[GROUPED]
        cards.append(_finish(run, family, pool, parameters, predictions, model))
    if len(cards) > 1:
        cards.append(_finish_consensus(run, own, held_out, cards))
    return cards


def _trials(request: TrainRequest, family: str) -> int:
    return RECIPES[family].trials if request.trials is None else request.trials


def _fits(request: TrainRequest, family: str, rows: int) -> int:
    folds, hard = _folds(family, rows)
    return _trials(request, family) + 2 * folds + hard + 1


def _folds(family: str, rows: int) -> tuple[int, int]:
    """How many of the five folds are predicted (at random and by shape; by combination), fewer for large data.

    The network takes longest to fit and gets fewer; the number of rows scored stands in the card's metrics.
    """
    if rows >= LARGE_ROWS:
        return 1, 1
    return (2, 1) if family == "nn" else (3, 1)


def _pool(family: str, own: Measurements, others: Sequence[Measurements], seed: int) -> Pool:
    offset = offset_feature(own)
    pooled = [] if family == "lasso" or len(own) >= MEDIUM_ROWS else others
    return make_pool(own, pooled, usable_features(family, [own, *pooled]), offset, seed)


def _fit(run: _Run, family: str, pool: Pool, parameters: Parameters) -> tuple[dict[str, Floats], Regressor]:
    """Held-out log times of the target's rows by protocol, NaN for rows not held out; and the model fitted on everything."""
    seed, folds = run.request.seed, _folds(family, len(pool.own.rows))
    hard_name, hard = hard_splits(pool, seed, folds[1])
    protocols: dict[str, list[Split]] = {
        "random_5_fold": random_splits(pool, seed, folds[0]),
        GROUPED: shape_splits(pool, seed, folds[0]),
        hard_name: hard,
    }
    work = FitWork.of(pool, RECIPES[family].fit, parameters, seed, run.request.threads)
    pieces = chain((fold_piece(pool, split) for splits in protocols.values() for split in splits), [final_piece(pool)])
    results = run.mapper.map(run_piece, work, pieces, run.cancelled)
    predictions = {}
    for name, splits in protocols.items():
        run.stage = f"{run.request.target}: {family}, {name}"
        found = []
        for split in splits:
            found.append((split.test, next(results)))
            run.tick()
        predictions[name] = mean_of_folds(len(pool.own.rows), found)
    run.stage = f"{run.request.target}: {family}, final fit"
    return predictions, next(results)


def scores_of(own: Measurements, predictions: dict[str, Floats]) -> dict[str, Any]:
    """The fields of a card that say how accurate held-out predictions are: log times, shape (n,), NaN where there are none."""
    scores = {}
    for name, predicted in predictions.items():
        rows = np.isfinite(predicted)
        if rows.any():
            scores[name] = score(own.table[rows], predicted[rows], np.log(own.time_ms[rows]), own.shape_id[rows])
    grouped = scores.get(GROUPED)
    return {
        "metrics": {name: whole for name, (whole, _) in scores.items()},
        "metrics_by_group": grouped[1] if grouped else {},
    }


def interval_of(own: Measurements, predicted: Floats) -> Interval:
    """Interval from held-out log times, shape (n,), NaN where there are none."""
    rows = np.isfinite(predicted)
    return fit_interval(own.table[rows], predicted[rows], np.log(own.time_ms[rows]))


def _finish(
    run: _Run, family: str, pool: Pool, parameters: Parameters, predictions: dict[str, Floats], model: Regressor
) -> ModelCard:
    """Write native model, graph and card."""
    request, own = run.request, pool.own.rows
    folder, stem, suffix = LAYOUT[family]
    place = request.out / folder
    sample = pool.own.features[np.random.default_rng(request.seed).permutation(len(own))[:SAMPLE_ROWS]]
    write_native(model, place / f"{stem}{suffix}")
    difference = write_graph(model, to_graph(model, sample.shape[1]), place / f"{stem}.onnx", sample)
    names = usable_features(family, [own, *(part.rows for part in pool.others)])
    card = _card(run, family, own, predictions).model_copy(
        update={
            "features": names,
            "offset_feature": offset_feature(own),
            "hyperparameters": parameters | {"pooled_rows": sum(len(part.rows) for part in pool.others)},
            "files": {f"{stem}{end}": sha256_of(place / f"{stem}{end}") for end in (suffix, ".onnx")},
            "notes": (f"ONNX against the native model on {len(sample)} rows: times differ by at most {difference:.1e}",),
        }
    )
    _write_card(card, place / f"{stem}.card.json")
    run.tick()
    return card


def _finish_consensus(run: _Run, own: Measurements, held_out: dict[str, Floats], cards: list[ModelCard]) -> ModelCard:
    rows = np.all([np.isfinite(values) for values in held_out.values()], axis=0)
    weights = consensus_weights({name: values[rows] for name, values in held_out.items()}, np.log(own.time_ms[rows]))
    blended = np.sum([weights[name] * values for name, values in held_out.items()], axis=0)
    folder, stem, _ = LAYOUT["consensus"]
    names: dict[str, str] = {card.family: card.name for card in cards}
    card = _card(run, "consensus", own, {GROUPED: blended}).model_copy(
        update={"weights": weights, "notes": (f"blend of {', '.join(names[family] for family in weights)}",)}
    )
    _write_card(card, run.request.out / folder / f"{stem}.card.json")
    return card


def _write_card(card: ModelCard, path: Path) -> None:
    atomic_text(path, card.model_dump_json(indent=1) + "\n")


def _card(run: _Run, family: str, own: Measurements, predictions: dict[str, Floats]) -> ModelCard:
    known = source_notes(own.source)
    content = hashlib.sha256(own.time_ms.tobytes() + own.shape_id.tobytes()).hexdigest()
    return ModelCard(
        name=predictor_name(family, f"{TRAINING_PREFIX}{run.request.target}"),
        family=family,
        version=run.request.version,
        target=own.target,
        device=own.device,
        **domain_of(own.table),
        interval=interval_of(own, predictions[GROUPED]),
        **scores_of(own, predictions),
        provenance=Provenance(
            source=known["source"],
            licence=known["licence"],
            rows=len(own),
            shapes=len(np.unique(own.shape_id)),
            data_sha256=content,
            note=known.get("note", ""),
        ),
        library_versions={name: _version(name) for name in LIBRARIES},
        seed=run.request.seed,
        created=run.created,
    )


def domain_of(table: ConfigTable) -> dict[str, Any]:
    """The fields of a card that say what the training data spans."""
    return {
        "default_algorithm": default_algorithm(table),
        "algorithms": names_present(table, "algorithm"),
        "dtypes": names_present(table, "dtype"),
        "ranges": _ranges(table),
        "values_seen": _values_seen(table),
        "seen_with_algorithm": _seen_with_algorithm(table),
    }


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _ranges(table: ConfigTable) -> dict[str, Range]:
    counts = quantities(table)
    named = {name: table.columns[name] for name in INTEGER_FIELDS} | {name: counts[name] for name in ("macs", "bytes")}
    return {name: Range(low=float(values.min()), high=float(values.max())) for name, values in named.items()}


def _values_seen(table: ConfigTable) -> dict[str, tuple[int, ...]]:
    seen = {name: tuple(int(value) for value in np.unique(table.columns[name])) for name in LISTED}
    return {name: values for name, values in seen.items() if len(values) <= FEW_VALUES}


def _seen_with_algorithm(table: ConfigTable) -> dict[str, dict[str, tuple[int, ...]]]:
    everywhere, found = _values_seen(table), {}
    for algorithm in names_present(table, "algorithm"):
        own = _values_seen(table[table.columns["algorithm"] == ALGORITHMS.index(algorithm)])
        fewer = {name: values for name, values in own.items() if name in everywhere and values != everywhere[name]}
        if fewer:
            found[algorithm] = fewer
    return found
