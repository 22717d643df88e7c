"""Reads model cards and checks that card and files belong together. Distrusts everything it reads."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from cnnpredict_gui.core.card import CARD_FORMAT, Interval, ModelCard
from cnnpredict_gui.core.config import ALGORITHMS, DIRECTIONS, DTYPES, INTEGER_FIELDS
from cnnpredict_gui.core.errors import CardError, CnnPredictError, ModelFileError
from cnnpredict_gui.core.features import feature_names
from cnnpredict_gui.core.names import TRAINED_FAMILIES
from cnnpredict_gui.serving.domain import domain_parameters

MAX_CARD_BYTES = 8_000_000
MAX_MODEL_BYTES = 1_000_000_000
_EXPORT_AGAIN = "export model and card together"


def read_card(path: Path, family: str) -> ModelCard:
    """The card in a file, checked for a family.

    Raises:
        CardError: the file is unreadable, of another format or family, or contradicts itself.
    """
    raw = _read_json(path)
    if not isinstance(raw, dict):
        raise CardError("the card is not a JSON object", _EXPORT_AGAIN)
    if raw.get("format") != CARD_FORMAT:
        found = raw.get("format", "missing")
        raise CardError(
            f"the card's format is {found!r}, this program reads {CARD_FORMAT}", "use a matching version of the program"
        )
    try:
        card = ModelCard.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise CardError(f"the card's {where} is wrong: {first['msg']}", _EXPORT_AGAIN) from None
    check_card(card, family)
    return card


def _read_json(path: Path) -> object:
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise CardError(f"the card is larger than {MAX_CARD_BYTES // 1_000_000} MB", _EXPORT_AGAIN)
        return json.loads(path.read_bytes())
    except OSError as error:
        raise CardError(f"the card cannot be read: {error.strerror or error}", "check the file's permissions") from None
    except (ValueError, RecursionError) as error:
        raise CardError(f"the card is not valid JSON: {error}", _EXPORT_AGAIN) from None


def check_card(card: ModelCard, family: str) -> None:
    """Check what the card's form alone cannot: names, weights and quantiles.

    Raises:
        CardError: what contradicts itself or is not known to this program.
    """
    if card.family != family:
        raise CardError(f"the card is of family {card.family}, its place is that of {family}", "put it in its own folder")
    if family == "consensus":
        _check_weights(card.weights)
    else:
        offset = [card.offset_feature] if card.offset_feature else []
        _check_known("features", [*card.features, *offset], feature_names())
        if not card.features or len(set(card.features)) != len(card.features):
            raise CardError("the card names no features, or one twice", _EXPORT_AGAIN)
    _check_known("algorithms", [*card.algorithms, card.default_algorithm], ALGORITHMS[1:])
    _check_known("dtypes", card.dtypes, DTYPES)
    _check_known("directions", card.directions, DIRECTIONS)
    _check_known("ranges", [*card.ranges, *card.values_seen], domain_parameters())
    _check_known("seen_with_algorithm", card.seen_with_algorithm, ALGORITHMS)
    _check_known("seen_with_algorithm", chain(*card.seen_with_algorithm.values()), INTEGER_FIELDS)
    if card.interval is not None:
        _check_interval(card.interval)


def _check_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    allowed = set(known)
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise CardError(f"the card's {what} hold {unknown[0]!r}, which this program does not know", "update the program")


def _check_weights(weights: dict[str, float]) -> None:
    _check_known("weights", weights, TRAINED_FAMILIES)
    values = list(weights.values())
    if not values or min(values) < 0 or not math.isclose(sum(values), 1.0, abs_tol=1e-6):
        raise CardError("the card's weights do not sum to one", _EXPORT_AGAIN)


def _check_interval(interval: Interval) -> None:
    if not interval.knots:
        raise CardError("the card's interval has no knots", _EXPORT_AGAIN)
    for group, knots in interval.knots.items():
        sides = (interval.low.get(group, []), interval.high.get(group, []))
        if not knots or any(len(side) != len(knots) for side in sides):
            raise CardError(f"the card's interval of {group} has not one low and high per knot", _EXPORT_AGAIN)
        if not all(map(math.isfinite, (*knots, *sides[0], *sides[1]))) or sorted(knots) != knots:
            raise CardError(f"the card's interval of {group} is not finite and ascending", _EXPORT_AGAIN)


def verified_bytes(path: Path, card: ModelCard) -> bytes:
    """Content of a model file whose hash the card vouches for; what is hashed is what is returned.

    Raises:
        ModelFileError: the file is missing, unreadable, too large or not the one the card describes.
    """
    expected = card.files.get(path.name)
    if expected is None:
        raise ModelFileError(f"the card lists no sha256 for {path.name}", _EXPORT_AGAIN)
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelFileError(f"{path.name} is larger than {MAX_MODEL_BYTES // 1_000_000} MB", "cap the model's size")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelFileError(f"{path.name} is missing", "copy it beside its card") from None
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror or error}", "check its permissions") from None
    if hashlib.sha256(data).hexdigest() != expected.lower():
        raise ModelFileError(
            f"{path.name} is not the file its card describes (sha256 differs)", "copy both again from their source"
        )
    return data


def reason_of(error: BaseException) -> str:
    """One line that says why a model failed."""
    text = str(error) if isinstance(error, CnnPredictError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())
