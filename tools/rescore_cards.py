"""Cross-validate bundled models again by shape and write into their cards what comes of it; the models stay as they are.

``python tools/rescore_cards.py [--folds N] FILE TRAINING_FOLDER...`` fits each family again on ``N`` of five splits by shape,
with the hyperparameters and seed of its card, and renews accuracy by shape and by group, interval and consensus weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.names import TRAINING_PREFIX
from cnnpredict_gui.core.table import Floats
from cnnpredict_gui.infra.files import atomic_text
from cnnpredict_gui.training.calibration import consensus_weights
from cnnpredict_gui.training.datasets import Measurements, load_measurements
from cnnpredict_gui.training.families import RECIPES
from cnnpredict_gui.training.pipeline import GROUPED, interval_of, scores_of
from cnnpredict_gui.training.protocols import FitWork, fold_piece, make_pool, mean_of_folds, run_piece, shape_splits


def main() -> None:
    """Rescore every card of the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=1, help="how many of the five splits are predicted")
    parser.add_argument("data", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    for folder in options.folders:
        rescore(folder, options.data, options.folds)


def rescore(folder: Path, data: Path, folds: int) -> None:
    """Renew the cards of one training folder."""
    paths = {card.family: (path, card) for path, card in map(_read, sorted(folder.rglob("*.card.json")))}
    own, others = load_measurements([data], folder.name.removeprefix(TRAINING_PREFIX))
    held_out = {family: _held_out(card, own, others, folds) for family, (_, card) in paths.items() if family in RECIPES}
    if "consensus" in paths:
        rows = np.all([np.isfinite(values) for values in held_out.values()], axis=0)
        weights = consensus_weights({name: values[rows] for name, values in held_out.items()}, np.log(own.time_ms[rows]))
        path, card = paths["consensus"]
        paths["consensus"] = path, card.model_copy(update={"weights": weights})
        held_out["consensus"] = np.sum([weights[name] * values for name, values in held_out.items()], axis=0)
    for family, (path, card) in paths.items():
        found = scores_of(own, {GROUPED: held_out[family]})
        metrics = card.metrics | found["metrics"]
        changed = found | {"metrics": metrics, "interval": interval_of(own, held_out[family])}
        atomic_text(path, card.model_copy(update=changed).model_dump_json(indent=1) + "\n")
        print(f"{card.name}: {card.metrics[GROUPED].mape:.2f} -> {metrics[GROUPED].mape:.2f} %", flush=True)


def _read(path: Path) -> tuple[Path, ModelCard]:
    return path, ModelCard.model_validate_json(path.read_bytes())


def _held_out(card: ModelCard, own: Measurements, others: list[Measurements], folds: int) -> Floats:
    """Held-out log times of the target's rows, shape (n,), NaN for rows of the other splits."""
    parameters = dict(card.hyperparameters)
    pool = make_pool(own, others if parameters.pop("pooled_rows") else [], card.features, card.offset_feature or "", card.seed)
    work = FitWork.of(pool, RECIPES[card.family].fit, parameters, card.seed, 1)
    splits = shape_splits(pool, card.seed, folds)
    return mean_of_folds(len(own), [(split.test, run_piece(work, fold_piece(pool, split))) for split in splits])


if __name__ == "__main__":
    main()
