"""Families, time kinds, targets and the names made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

from pydantic import BaseModel, ConfigDict

TimeKind = Literal["kernel", "call_with_host_copies", "framework_wall_clock"]
#: What a time of each kind contains, in words for the screen.
TIME_KINDS: dict[str, str] = {
    "kernel": "time of the device kernel alone",
    "call_with_host_copies": "one library call with allocation and the copies to and from the device",
    "framework_wall_clock": "host clock around one call of the framework",
}
Family = Literal["nn", "xgb", "rf", "lasso", "consensus"]
FAMILIES: dict[str, str] = {
    "nn": "Neural network",
    "xgb": "XGBoost",
    "rf": "Random forest",
    "lasso": "Polynomial lasso",
    "consensus": "Consensus",
}
#: The four that are trained; ``consensus`` blends them.
TRAINED_FAMILIES = ("nn", "xgb", "rf", "lasso")
#: Where each family lies in a training folder: folder, stem of its files, suffix of the native file.
LAYOUT: dict[str, tuple[str, str, str]] = {
    "nn": ("nn/output", "best_model", ".pth"),
    "xgb": ("xgboost", "best_xgb_model", ".joblib"),
    "rf": ("rdf", "best_rf_model", ".joblib"),
    "lasso": ("polynomial-regression", "best_lasso_model", ".joblib"),
    "consensus": ("consensus", "consensus", ""),
}
TRAINING_PREFIX = "prediction-training-"


class Target(BaseModel):
    """What a time belongs to: a device, the framework that ran on it and the kind of time.

    ``name`` is the target's name in the data, e.g. ``gpul40s``; ``title`` is for people, e.g. ``NVIDIA L40S · ai3 / cuDNN``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    device: str
    framework: str
    time_kind: TimeKind


#: Target of a processor that is not said which.
PROCESSOR = "cpu"
_PROCESSOR = re.compile(r"\b(cpus?|threads?|xeon|epyc|ryzen|threadripper|core|graviton|ampere altra)\b", re.IGNORECASE)

_GPU = re.compile(r"\b(gpu\w*|tensor core|nvidia|geforce|rtx|tesla|radeon|instinct|quadro|arc)\b", re.IGNORECASE)


def is_processor(target: Target) -> bool:
    """Whether a target is a processor rather than a GPU, going by its name and its device's."""
    text = f"{target.name} {target.device}".replace("_", " ")
    return _PROCESSOR.search(text) is not None and _GPU.search(text) is None


def most_like(targets: Iterable[Target], processor: str) -> str:
    """Name of the target measured on the processor that is most like this one, by the words their names share.

    Only times of a framework on a processor count; :data:`PROCESSOR` wins a tie, and is the answer where there is none.
    """
    words = _words(processor)
    shared = {PROCESSOR: 0}
    for target in targets:
        if target.name.partition("-")[0] == PROCESSOR and target.time_kind == "framework_wall_clock":
            shared[target.name] = len(words & _words(target.device))
    return max(shared, key=lambda name: (shared[name], name == PROCESSOR))


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+|\d+", name.lower()))


def predictor_name(family: str, training_folder: str) -> str:
    """Name of a predictor: ``{family}_{training folder}``, e.g. ``xgb_prediction-training-gpul40s``."""
    return f"{family}_{training_folder}"


def nearest(name: str, known: list[str]) -> str:
    """Hint naming the closest known name, or all of them when none is close."""
    match = get_close_matches(name, known, n=1, cutoff=0.5)
    if match:
        return f"did you mean {match[0]}?"
    return f"known: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}" if known else "none is there"
