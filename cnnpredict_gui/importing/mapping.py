"""What a native file does not say of itself: its target, its features in order, and what its output means.

It comes from a model card beside the file, from a mapping file (``<stem>.mapping.json``), or from the user. Nothing is guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cnnpredict_gui.core.card import Device, ModelCard
from cnnpredict_gui.core.config import ALGORITHMS
from cnnpredict_gui.core.errors import CardError, UnknownNameError
from cnnpredict_gui.core.features import feature_names
from cnnpredict_gui.core.names import TRAINED_FAMILIES, TRAINING_PREFIX, Target, nearest
from cnnpredict_gui.importing.limits import MAX_FEATURES, read_file, shown_name

Output = Literal["ms", "s", "us", "log_ms", "log_s", "log10_ms", "log1p_ms"]
#: What the output of a model may be, in words.
OUTPUTS: dict[str, str] = {
    "ms": "milliseconds",
    "s": "seconds",
    "us": "microseconds",
    "log_ms": "natural log of milliseconds",
    "log_s": "natural log of seconds",
    "log10_ms": "decimal log of milliseconds",
    "log1p_ms": "natural log of (1 + milliseconds), numpy.log1p",
}
#: Outputs served as logs: factor and shift that make them the natural log of ms.
LOG_OUTPUTS = {"log_ms": (1.0, 0.0), "log_s": (1.0, math.log(1e3)), "log10_ms": (math.log(10), 0.0)}
Activation = Literal["identity", "relu", "tanh", "sigmoid", "softplus", "elu", "leaky_relu", "silu", "gelu"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)
_MAX_BYTES = 2_000_000
_WRITE = "see the help page on importing models"


class FeatureMapping(BaseModel):
    """Everything that is needed to serve a native model.

    ``features`` are names of :func:`cnnpredict_gui.core.features.feature_names`, in the order of the model's columns.
    ``activation`` follows each hidden layer of a network that is known by its weights alone; ``input_mean`` and
    ``input_scale`` standardise its inputs. ``offset_feature`` is added to an output that is a log.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    device: Device
    family: Literal["nn", "xgb", "rf", "lasso"]
    features: tuple[str, ...]
    output: Output
    offset_feature: str | None = None
    activation: Activation | None = None
    input_mean: tuple[float, ...] = ()
    input_scale: tuple[float, ...] = ()
    default_algorithm: str = "any"
    algorithms: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("fp32",)
    directions: tuple[str, ...] = ("forward",)
    version: str = Field(default="1.0.0", pattern=r"[0-9A-Za-z.+-]{1,40}")

    def check(self) -> None:
        """Check names and sizes.

        Raises:
            CardError: a feature is unknown or named twice, or lists do not fit each other.
        """
        check_features(self.features)
        if self.offset_feature is not None:
            check_features((self.offset_feature,))
            if self.output not in LOG_OUTPUTS:
                raise CardError("an offset feature needs an output that is a log", "give an output such as log_ms")
        for name in ("input_mean", "input_scale"):
            values = getattr(self, name)
            if values and (len(values) != len(self.features) or not all(map(math.isfinite, values))):
                raise CardError(f"{name} has {len(values)} values for {len(self.features)} features", _WRITE)
        if self.input_scale and 0.0 in self.input_scale:
            raise CardError("input_scale holds a zero", "give 1 for columns that do not vary")
        unknown = [name for name in (*self.algorithms, self.default_algorithm) if name not in ALGORITHMS[1:]]
        if unknown:
            raise CardError(f"the algorithm {unknown[0]!r} is unknown", nearest(unknown[0], list(ALGORITHMS[1:])))

    def final(self, answer: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """What the model says, shape (n,), as ms or as the natural log of ms, as it is served."""
        if self.output in LOG_OUTPUTS:
            factor, shift = LOG_OUTPUTS[self.output]
            return answer * factor + shift
        if self.output == "log1p_ms":
            with np.errstate(over="ignore"):
                return np.expm1(answer)
        return answer * {"s": 1e3, "ms": 1.0, "us": 1e-3}[self.output]


def check_features(names: Iterable[str]) -> None:
    """Check a list of features.

    Raises:
        CardError: it is empty or too long, or a name is unknown or there twice.
    """
    found = list(names)
    if not 0 < len(found) <= MAX_FEATURES:
        raise CardError(f"{len(found)} features are named", "name each column of the model, in its order")
    known = feature_names()
    for name in found:
        if name not in known:
            raise CardError(f"there is no feature {name[:60]!r}", nearest(name, list(known)))
    twice = [name for name in found if found.count(name) > 1]
    if twice:
        raise CardError(f"the feature {twice[0]!r} is named twice", "name each column of the model once, in its order")


def parse_features(text: str) -> tuple[str, ...]:
    """Names from a text: a JSON list, or names with commas, spaces or new lines between them.

    Raises:
        CardError: the JSON is no list of texts, or a name is unknown.
    """
    if text.lstrip().startswith("["):
        try:
            names = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CardError(f"the list of features is no valid JSON: {error}", 'write ["input_channels", …]') from None
        if not all(isinstance(name, str) for name in names):
            raise CardError("the list of features holds something that is no text", 'write ["input_channels", …]')
    else:
        names = text.replace(",", " ").replace(";", " ").split()
    check_features(names)
    return tuple(names)


def read_features(path: Path) -> dict[str, Any]:
    """What a file says of a model: a card or a mapping (all its fields), or a list of features (``{"features": …}``).

    Raises:
        ModelFileError, CardError: it cannot be read or is none of these.
    """
    text = _text(path)
    if not text.lstrip().startswith("{"):
        return {"features": parse_features(text)}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CardError(f"{shown_name(path)} is no valid JSON: {error}", _WRITE) from None
    if not isinstance(found, dict):
        raise CardError(f"{shown_name(path)} holds no JSON object", _WRITE)
    return {name: value for name, value in found.items() if name in FeatureMapping.model_fields}


def _text(path: Path) -> str:
    try:
        return read_file(path, _MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CardError(f"{shown_name(path)} is not UTF-8 text", "save it as UTF-8") from None


def known_targets(cards: Iterable[ModelCard]) -> dict[str, ModelCard]:
    """Targets that are there already, by name, with a card that describes each."""
    found: dict[str, ModelCard] = {}
    for card in sorted(cards, key=lambda card: bool(card.imported_from)):
        found.setdefault(card.target.name, card)
    return found


def of_target(name: str, targets: Mapping[str, ModelCard]) -> dict[str, Any]:
    """The fields of a mapping that follow from a target that is there already.

    Raises:
        UnknownNameError: there is none of this name.
    """
    plain = name.removeprefix(TRAINING_PREFIX)
    card = targets.get(plain)
    if card is None:
        hint = nearest(plain, sorted(targets)) if targets else "describe it in a mapping file: target and device"
        raise UnknownNameError(f"there is no target {name[:80]!r}", hint)
    fields = ("target", "device", "default_algorithm", "algorithms", "dtypes", "directions")
    return {field: getattr(card, field) for field in fields}


def make_mapping(values: Mapping[str, Any], targets: Mapping[str, ModelCard], where: str) -> FeatureMapping:
    """A checked mapping; a ``target`` that is a text is looked up.

    Args:
        values: The fields, as of a card, a mapping file or options.
        targets: Targets that are there already (:func:`known_targets`).
        where: What the fields come from, for messages.

    Raises:
        CardError: something is missing or wrong.
        UnknownNameError: the target is not there.
    """
    fields = dict(values)
    if isinstance(fields.get("target"), str):
        fields = of_target(fields["target"], targets) | {name: value for name, value in fields.items() if name != "target"}
    try:
        made = FeatureMapping.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "mapping"
        text = "is missing" if first["type"] == "missing" else f"is wrong: {first['msg']}"
        raise CardError(f"{where}: {name} {text}", _hint(name, list(TRAINED_FAMILIES))) from None
    made.check()
    return made


def _hint(field: str, families: list[str]) -> str:
    hints = {
        "target": "give --target T, a name listed by: cnnpredict models",
        "family": f"give --family, one of {', '.join(families)}",
        "features": "give --features: the model's columns in their order",
        "output": f"give --output, one of {', '.join(OUTPUTS)}",
        "device": "describe the device in a mapping file, or name a target that is there",
    }
    return hints.get(field.partition(".")[0], _WRITE)
