"""Training in a child process, with progress and Cancel, for programs that must not load the training libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cnnpredict_gui.bench.child import Message, run_in_child
from cnnpredict_gui.core.card import ModelCard


def train_in_child(
    data: Sequence[Path],
    target: str,
    out: Path,
    trials: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[ModelCard]:
    """Train all families and their consensus.

    Args:
        data: Files of measurements.
        target: The target's name in them.
        out: Training folder to write.
        trials: Optuna trials per family; None for each family's own number.
        progress: Called with a stage's name, fits done and fits in all.
        cancelled: Asked ten times a second; true kills the child process.

    Raises:
        WorkerError: the data cannot be used, or the process died.
        CancelledByUserError: ``cancelled`` said so; whole families that were written stay.
    """

    def listen(message: Message) -> None:
        if progress is not None:
            progress(message["stage"], message["done"], message["total"])

    work = {"data": [str(path) for path in data], "target": target, "out": str(out), "trials": trials}
    found = run_in_child(f"{__name__}:train_in_this_process", work, listen, cancelled)
    return [ModelCard.model_validate(card) for card in found["cards"]]


def train_in_this_process(request: Message, send: Callable[[Message], None]) -> Message:
    """Body of the child process."""
    from cnnpredict_gui.training.pipeline import TrainRequest, train

    work = TrainRequest(
        [Path(path) for path in request["data"]], request["target"], Path(request["out"]), trials=request["trials"]
    )
    cards = train(work, lambda stage, done, total: send({"stage": stage, "done": done, "total": total}))
    return {"cards": [card.model_dump(mode="json") for card in cards]}
