"""Hyperparameters by Optuna: a few trials on one split by shape, starting from values known to be good."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import optuna

from cnnpredict_gui.training.families import RECIPES, Parameters, Task
from cnnpredict_gui.training.protocols import Pool, Samples, shape_splits

#: Rows a trial fits on, at the most: enough to rank hyperparameters, quick to fit.
TRIAL_ROWS = 12_000


def tune(family: str, pool: Pool, seed: int, threads: int, trials: int, tick: Callable[[], None]) -> Parameters:
    """Hyperparameters with the least MAPE on one held-out fifth of the shapes; ``trials`` of 0 or 1 keep the start values."""
    recipe, rows = RECIPES[family], len(pool.own.rows)
    start = recipe.start(rows)
    if trials < 2:
        return start
    split = shape_splits(pool, seed + 7, 1)[0]
    own_only = Pool(pool.own, ())
    share = min(1.0, TRIAL_ROWS / rows)
    sampled = np.random.default_rng(seed).random(rows) < share

    def keep(part: Samples) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return split.keep(part) & sampled

    fitted: Task = own_only.task(keep, seed, threads)
    test = split.test & sampled
    true = pool.own.log_time[test] - pool.own.offset[test]

    def objective(trial: optuna.Trial) -> float:
        model = recipe.fit(fitted, recipe.space(trial, rows))
        tick()
        return float(np.abs(np.expm1(model.predict(pool.own.features[test]) - true)).mean())

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    searched = recipe.space(optuna.trial.FixedTrial(start), rows)
    study.enqueue_trial({name: value for name, value in searched.items() if name in start}, skip_if_exists=True)
    study.optimize(objective, n_trials=trials)
    return start | study.best_params
