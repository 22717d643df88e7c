"""What a quick calibration does in child processes: it chooses the layers to measure, then fits and saves the new target."""

from __future__ import annotations

import datetime as dt
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cnnpredict_gui.bench.child import Message
from cnnpredict_gui.bench.machine import processor_name
from cnnpredict_gui.core.card import Interval, Metrics, ModelCard, Provenance
from cnnpredict_gui.core.config import ConvConfig
from cnnpredict_gui.core.errors import DataFileError, ModelFileError, UnknownNameError
from cnnpredict_gui.core.interval import interval_bounds
from cnnpredict_gui.core.measurement import Setting
from cnnpredict_gui.core.metrics import metrics
from cnnpredict_gui.core.names import LAYOUT, TRAINING_PREFIX, Target, is_processor, predictor_name
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.core.table import ConfigTable, Floats
from cnnpredict_gui.infra.files import atomic_text, atomic_write, sha256_of
from cnnpredict_gui.infra.versions import versions
from cnnpredict_gui.serving.library import ModelLibrary
from cnnpredict_gui.serving.models import Memo
from cnnpredict_gui.serving.predictor import Predictor, predict_many
from cnnpredict_gui.training.calibration import fit_interval
from cnnpredict_gui.training.correction import (
    Correction,
    Scaling,
    blend,
    correction_features,
    fit_correction,
    held_out_corrections,
    space_filling,
)
from cnnpredict_gui.training.correction_graph import corrected_graph
from cnnpredict_gui.training.plan import layer_plan
from cnnpredict_gui.training.quick_calibration import CALIBRATED_FROM, MIN_LAYERS

#: Layers the choice is made from, and the longest one taken, by the predictors to be calibrated (ms).
CANDIDATES, LONGEST_MS = 1_500, 60.0
LEVEL = 0.90


def choose_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the first child process: the layers to measure, ``fitted`` of them for the fit, then the checks."""
    library = ModelLibrary([Path(folder) for folder in request["folders"]])
    targets = _sources(library, request)
    predictor = _main(next(iter(targets.values())))
    configs = [config for config, _ in layer_plan(CANDIDATES, seed=0)]
    table = ConfigTable.from_configs(configs)
    answers = predict_many([_main(predictors) for predictors in targets.values()], table)
    keep = np.all([(one.status == Status.IN_RANGE) & (one.time_ms < LONGEST_MS) for one in answers.values()], axis=0)
    rows = np.flatnonzero(keep)
    features = correction_features(table[rows], predictor.card.device)
    fitted = rows[space_filling(Scaling.of(features)(features), request["layers"])]
    rest = np.setdiff1d(rows, fitted)
    checks = np.random.default_rng(1).permutation(rest)[: request["checks"]]
    chosen = [configs[row].model_dump() for row in (*fitted.tolist(), *checks.tolist())]
    return {"layers": chosen, "fitted": len(fitted)}


def fit_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the last child process: fit, save, and tell the errors."""
    library = ModelLibrary([Path(folder) for folder in request["folders"]])
    targets = _sources(library, request)
    name = next(iter(targets)) if len(targets) == 1 else _nearest(targets, request)
    return _Calibration(targets[name], request).run()


def _sources(library: ModelLibrary, request: Message) -> dict[str, list[Predictor]]:
    """Predictors by target name, to start from: those of the target asked for, or of every processor."""
    if request["target"]:
        return {request["target"]: _checked(library.for_target(request["target"]), request["target"])}
    names = {entry.target.name for entry in library.scan() if entry.target and _is_processor(entry.card)}
    found = {name: predictors for name in sorted(names) if (predictors := library.for_target(name))}
    if not found:
        raise UnknownNameError("there is no target of a processor to start from", "name one with --target")
    return found


def _is_processor(card: ModelCard | None) -> bool:
    """Whether a model is of a processor with PyTorch, and was trained rather than calibrated."""
    if card is None or CALIBRATED_FROM in card.hyperparameters:
        return False
    return is_processor(card.target) and "PyTorch" in card.target.framework and card.target.time_kind == "framework_wall_clock"


def _checked(predictors: list[Predictor], name: str) -> list[Predictor]:
    if not predictors:
        raise ModelFileError(f"no model of {name} can be loaded", "see cnnpredict doctor")
    card = predictors[0].card
    if card.target.time_kind == "call_with_host_copies":
        raise DataFileError(f"times of {name} contain host copies, which cannot be measured here", "choose another target")
    if CALIBRATED_FROM in card.hyperparameters:
        source = card.hyperparameters[CALIBRATED_FROM]
        raise DataFileError(f"{name} is calibrated already", f"start from {source}, of which it was made")
    return predictors


def _main(predictors: Sequence[Predictor]) -> Predictor:
    return next((one for one in predictors if one.family == "consensus"), predictors[0])


def _nearest(targets: dict[str, list[Predictor]], request: Message) -> str:
    """The target whose times differ from those measured most nearly by a constant factor (least median deviation)."""
    table, true, _ = _measured(request, "framework_wall_clock")

    def deviation(name: str) -> float:
        ratio = true - _log_time(_main(targets[name]), table)
        return float(np.median(np.abs(ratio - np.median(ratio))))

    return min(targets, key=deviation)


def _measured(request: Message, time_kind: str) -> tuple[ConfigTable, Floats, np.ndarray]:
    """Layers, natural log of their times in ms, and which of them are for the fit."""
    rows = request["measured"]
    times = np.array([row["device_ms" if time_kind == "kernel" else "wall_ms"] for row in rows], dtype=np.float64)
    if not len(times) or not np.isfinite(times).all():
        raise DataFileError(f"times of kind {time_kind} cannot be measured on {request['device']}", "choose another target")
    table = ConfigTable.from_configs([ConvConfig(**row["config"]) for row in rows])
    return table, np.log(times), np.array([row["place"] < request["fitted"] for row in rows])


def _log_time(predictor: Predictor, table: ConfigTable) -> Floats:
    return predictor.model.log_time(table.resolve_algorithm(predictor.card.default_algorithm), Memo())


class _Calibration:
    """The fit of all families of one target to the layers measured."""

    def __init__(self, predictors: Sequence[Predictor], request: Message) -> None:
        self.request, self.source = request, _main(predictors).card
        self.predictors = {one.family: one for one in predictors if one.family != "consensus"}
        self.consensus = next((one for one in predictors if one.family == "consensus"), None)
        if self.consensus is not None and not set(self.consensus.card.weights) <= set(self.predictors):
            self.consensus = None
        table, true, fitted = _measured(request, self.source.target.time_kind)
        if fitted.sum() < MIN_LAYERS:
            raise DataFileError(f"only {fitted.sum()} layers could be measured", f"measure at least {MIN_LAYERS}")
        self.table, self.true, self.fitted = table, true, fitted
        self.target = _new_target(self.source.target, request)
        self.folder = Path(request["out"]) / f"{TRAINING_PREFIX}{self.target.name}"
        self.created = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")

    def run(self) -> Message:
        """Fit, write, and give the errors and points."""
        before, after = {}, {}
        for family, predictor in self.predictors.items():
            before[family] = _log_time(predictor, self.table)
            after[family] = self._family(predictor, before[family])
        if self.consensus is not None:
            weights = self.consensus.card.weights
            before["consensus"], after["consensus"] = (
                blend([(weight, times[family]) for family, weight in weights.items()]) for times in (before, after)
            )
            card = self._card(self.consensus.card, before["consensus"], after["consensus"])
            self._write_card("consensus", card.model_copy(update={"weights": weights}))
        main = "consensus" if self.consensus is not None else next(iter(before))
        return {
            "folder": str(self.folder),
            "target": self.target.model_dump(),
            "source": self.source.target.name,
            "families": [self._scores(family, before[family], after[family]) for family in before],
            "points": self._points(before[main], after[main]),
        }

    def _family(self, predictor: Predictor, before: Floats) -> Floats:
        """Fit and write one family; gives corrected log times, for the layers fitted those of fits without them."""
        card, fitted = predictor.card, self.fitted
        features = correction_features(self.table, card.device)
        scaling = Scaling.of(features[fitted])
        ratio = (self.true - before)[fitted]
        correction = fit_correction(features[fitted], ratio, scaling)
        after = before + correction(features)
        after[fitted] = before[fitted] + held_out_corrections(features[fitted], ratio, scaling)
        self._write(card, predictor.path.read_bytes(), correction, before, after)
        return after

    def _write(self, source: ModelCard, data: bytes, correction: Correction, before: Floats, after: Floats) -> None:
        subfolder, stem, _ = LAYOUT[source.family]
        path = self.folder / subfolder / f"{stem}.onnx"
        graph, names = corrected_graph(data, correction, source.features, source.output == "ms")
        with atomic_write(path) as temporary:
            temporary.write_bytes(graph)
        fit = {"correction_noise": round(correction.noise, 3), "correction_length": round(correction.length, 3)}
        card = self._card(source, before, after)
        self._write_card(
            source.family,
            card.model_copy(
                update={
                    "features": names,
                    "offset_feature": source.offset_feature,
                    "files": {path.name: sha256_of(path)},
                    "hyperparameters": card.hyperparameters | fit,
                }
            ),
        )

    def _write_card(self, family: str, card: ModelCard) -> None:
        subfolder, stem, _ = LAYOUT[family]
        atomic_text(self.folder / subfolder / f"{stem}.card.json", card.model_dump_json(indent=1) + "\n")

    def _card(self, source: ModelCard, before: Floats, after: Floats) -> ModelCard:
        """The source's card with what is new; its domain stays, since the correction is cut off outside the layers measured."""
        rows, setting = self.fitted, self.request["setting"]
        interval = scaled_interval(source, self.table[rows], before[rows], after[rows], self.true[rows])
        scores = self._metrics(after, rows)
        checked = self._metrics(after, ~rows, interval)
        return source.model_copy(
            update={
                "name": predictor_name(source.family, self.folder.name),
                "version": "1.0.0",
                "target": self.target,
                "output": "log_ms",
                "interval": interval,
                "metrics": {"grouped_by_shape": scores} | ({"separate_layers": checked} if checked else {}),
                "hyperparameters": {CALIBRATED_FROM: source.target.name, "calibration_layers": int(rows.sum())},
                "provenance": Provenance(
                    source=f"{source.provenance.source}; corrected by layers measured on {setting['device_title']}",
                    licence=source.provenance.licence,
                    rows=int(rows.sum()),
                    shapes=int(rows.sum()),
                    note=f"calibrated from {source.name} {source.version} (its data: {source.provenance.rows:,} rows)",
                ),
                "library_versions": source.library_versions | versions(),
                "created": self.created,
                "files": {},
                "notes": (
                    f"calibrated from {source.name}; features use the figures of {source.device.name}",
                    f"measured with {setting['framework']}, {setting['threads']} thread(s), {setting['device_title']}",
                    "metrics are of layers that the correction did not see",
                ),
            }
        )

    def _metrics(self, log_time: Floats, rows: np.ndarray, interval: Interval | None = None) -> Metrics | None:
        if not rows.any():
            return None
        true, predicted = np.exp(self.true[rows]), np.exp(log_time[rows])
        if interval is None:
            return metrics(true, predicted)
        low, high = interval_bounds(interval, self.table[rows], log_time[rows])
        return metrics(true, predicted, np.exp(low), np.exp(high))

    def _scores(self, family: str, before: Floats, after: Floats) -> Message:
        values = {
            "before": self._metrics(before, self.fitted),
            "after": self._metrics(after, self.fitted),
            "check_before": self._metrics(before, ~self.fitted),
            "check_after": self._metrics(after, ~self.fitted),
        }
        return {"family": family} | {name: one.model_dump() if one else None for name, one in values.items()}

    def _points(self, before: Floats, after: Floats) -> list[Message]:
        times: list[tuple[float, float, float]] = np.exp(np.stack([self.true, before, after], axis=1)).tolist()
        labels = [row["config"] for row in self.request["measured"]]
        return [
            _point(ConvConfig(**label), three, not fitted)
            for label, three, fitted in zip(labels, times, self.fitted.tolist(), strict=True)
        ]


def _point(config: ConvConfig, times: tuple[float, float, float], is_check: bool) -> Message:
    names = ("measured_ms", "before_ms", "after_ms")
    return {"layer": config.label(), "is_check": is_check} | dict(zip(names, times, strict=True))


def scaled_interval(source: ModelCard, table: ConfigTable, before: Floats, after: Floats, true: Floats) -> Interval:
    """The source's 90 % interval, moved by the median correction and stretched until it holds the layers measured.

    The factor is the conformal quantile of how far, in widths of its side, each held-out error lies out (Lei et al. 2018): the
    shape comes from thousands of layers, the width from those measured. Without an interval in the source, or where it has no
    width, the quantiles of the errors themselves are used.

    Args:
        source: Card of the model that was corrected.
        table: The n layers measured.
        before: Log times of the source, shape (n,).
        after: Corrected log times, each of a fit without its layer, shape (n,).
        true: Measured log times, shape (n,).
    """
    if source.interval is None:
        return fit_interval(table, after, true)
    moved = float(np.median(after - before))
    resolved = table.resolve_algorithm(source.default_algorithm)
    low, high = interval_bounds(source.interval, resolved, after - moved)
    error, reach_low, reach_high = true - after, low - (after - moved), high - (after - moved)
    reach = np.where(error < 0, reach_low, reach_high)
    if (reach == 0).any():
        return fit_interval(table, after, true)
    ratios = np.sort(error / reach)
    rank = min(int(np.ceil((len(ratios) + 1) * LEVEL)), len(ratios)) - 1
    factor = float(ratios[rank])

    def times(sides: dict[str, list[float]], by: float, plus: float = 0.0) -> dict[str, list[float]]:
        return {group: [round(by * value + plus, 5) for value in values] for group, values in sides.items()}

    found = source.interval
    return Interval(
        group_by=found.group_by,
        knots=times(found.knots, 1.0, moved),
        low=times(found.low, factor),
        high=times(found.high, factor),
    )


def machine_name() -> str:
    """The computer's name in its network, or that of its processor."""
    return platform.node().split(".", maxsplit=1)[0] or processor_name()


def _new_target(source: Target, request: Message) -> Target:
    setting = Setting(**request["setting"])
    name = request["name"].strip() or machine_name()
    kind = "CPU" if setting.device == "cpu" else "GPU"
    threads = f", {setting.threads} threads" if setting.device == "cpu" and setting.threads > 1 else ""
    words = re.sub(r"[^a-z0-9]+", "-", f"{kind}-{name}{threads}".lower()).strip("-")
    device = f"{kind}: {name}{threads}"
    return Target(
        name=words,
        title=f"{device} · {setting.framework}",
        device=f"{device} ({setting.device_title})",
        framework=setting.framework,
        time_kind=source.time_kind,
    )
