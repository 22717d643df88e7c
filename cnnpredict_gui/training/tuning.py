"""Hyperparameters by Optuna: a few trials on one split by shape, starting from values known to be good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import optuna

from cnnpredict_gui.infra.parallel import InProcess, Mapper
from cnnpredict_gui.training.families import RECIPES, Parameters
from cnnpredict_gui.training.protocols import FitPiece, FitWork, Pool, run_piece, shape_splits

#: Rows a trial fits on, at the most: enough to rank hyperparameters, quick to fit.
TRIAL_ROWS = 12_000
#: Trials that are chosen before any of them is known, so that they can run at once. TPE draws its first ten at random anyway.
GENERATION = 10


@dataclass(frozen=True, eq=False)
class TrialWork:
    """What all trials share: the fits' data, the rows each fits on and predicts, and what is true of those, shape (n,)."""

    work: FitWork
    piece: FitPiece
    true: npt.NDArray[np.float64]


def run_trial(shared: TrialWork, parameters: Parameters) -> float:
    """Mean absolute percentage error of one set of hyperparameters, as a share. Runs in a worker too."""
    predicted = run_piece(replace(shared.work, parameters=parameters), shared.piece)
    return float(np.abs(np.expm1(predicted - shared.true)).mean())


def tune(
    family: str,
    pool: Pool,
    seed: int,
    threads: int,
    trials: int,
    tick: Callable[[], None],
    mapper: Mapper | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Parameters:
    """Hyperparameters with the least MAPE on one held-out fifth of the shapes; ``trials`` of 0 or 1 keep the start values.

    ``mapper`` says where trials run; the hyperparameters found do not depend on it.
    """
    recipe, rows = RECIPES[family], len(pool.own.rows)
    start = recipe.start(rows)
    if trials < 2:
        return start
    shared = _trial_work(family, Pool(pool.own, ()), seed, threads)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    searched = recipe.space(optuna.trial.FixedTrial(start), rows)
    study.enqueue_trial({name: value for name, value in searched.items() if name in start}, skip_if_exists=True)
    for begin in range(0, trials, GENERATION):
        asked = [study.ask() for _ in range(begin, min(begin + GENERATION, trials))]
        candidates = [recipe.space(trial, rows) for trial in asked]
        for trial, error in zip(asked, (mapper or InProcess()).map(run_trial, shared, candidates, cancelled), strict=True):
            study.tell(trial, error)
            tick()
    return start | study.best_params


def _trial_work(family: str, own: Pool, seed: int, threads: int) -> TrialWork:
    split, rows = shape_splits(own, seed + 7, 1)[0], len(own.own.rows)
    sampled = np.random.default_rng(seed).random(rows) < min(1.0, TRIAL_ROWS / rows)
    test = split.test & sampled
    piece = FitPiece((split.keep(own.own) & sampled,), test)
    return TrialWork(FitWork.of(own, RECIPES[family].fit, {}, seed, threads), piece, own.own.log_time[test])
