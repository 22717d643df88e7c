"""What a predictor has seen in training, and how far a configuration lies outside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from cnnpredict_gui.core.card import ModelCard
from cnnpredict_gui.core.config import INTEGER_FIELDS, PAIR_FIELDS
from cnnpredict_gui.core.features import quantities
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.core.table import VOCABULARY, ConfigTable, Floats
from cnnpredict_gui.infra.precedence import give_way

Rows = npt.NDArray[np.intp]
Texts = npt.NDArray[np.object_]
Value = TypeVar("Value")
#: Pairs of parameters told as one where both are at fault by the same value.
_PAIRS = {"kernel_height": "kernel_size", "stride_height": "stride", "padding_height": "padding", "dilation_height": "dilation"}
_WORDS = {"macs": "MACs", "bytes": "bytes moved", "oh": "output_height", "ow": "output_width"}
_SHOWN = 12
#: Why nothing that such a model says can be called in range.
UNKNOWN_RANGE = "training range unknown"


@cache
def domain_parameters() -> tuple[str, ...]:
    """Names that ``ranges`` and ``values_seen`` of a card may use: parameters and quantities that follow from them."""
    one = ConfigTable.from_columns({name: [1] for name in INTEGER_FIELDS})[0]
    return (*quantities(one), *PAIR_FIELDS)


def _both_sides(named: Mapping[str, Value]) -> dict[str, Value]:
    """The same with ``kernel_size`` and its like replaced by their heights and widths."""
    found: dict[str, Value] = {}
    for name, value in named.items():
        stem = PAIR_FIELDS.get(name)
        found |= dict.fromkeys((f"{stem}_height", f"{stem}_width") if stem else (name,), value)
    return found


class TrainingDomain:
    """Ranges, values and words a predictor knows, as arrays, so that a million rows are judged without a loop.

    All methods take tables whose ``default`` algorithm is resolved already.
    """

    def __init__(self, card: ModelCard) -> None:
        ranges, seen = _both_sides(card.ranges), _both_sides(card.values_seen)
        self._seen = {name: np.array(sorted(values), dtype=np.int64) for name, values in seen.items()}
        self._lookup = _membership(list(self._seen.values()))
        self._names = tuple(name for name in ranges if name not in self._seen)
        self._low = np.array([ranges[name].low for name in self._names], dtype=np.float64).reshape(-1, 1)
        self._high = np.array([ranges[name].high for name in self._names], dtype=np.float64).reshape(-1, 1)
        words = {"algorithm": (*card.algorithms, card.default_algorithm), "dtype": card.dtypes, "direction": card.directions}
        self._known = {field: tuple(dict.fromkeys(values)) for field, values in words.items()}
        self._allowed = {field: np.isin(VOCABULARY[field], values) for field, values in self._known.items()}
        self._with_algorithm = {
            (VOCABULARY["algorithm"].index(algorithm), name): values
            for algorithm, fields in card.seen_with_algorithm.items()
            for name, values in fields.items()
        }
        self._codes = np.array([code for code, _ in self._with_algorithm], dtype=np.int64)
        known = card.model_dump(include={"ranges", "values_seen", "seen_with_algorithm"})
        #: Whether nothing is known of what the model was trained on: imported models may come without it.
        self._unknown = not (ranges or seen or card.seen_with_algorithm)
        self._key = ("domain", json.dumps([known, self._known], sort_keys=True))

    def status(self, table: ConfigTable) -> npt.NDArray[np.uint8]:
        """:class:`Status` of every row, shape (n,), uint8; kept for other predictors with the same domain."""
        if self._key not in table.own_cache:
            outside = self._outside(table).any(axis=0) | self._unseen(table).any(axis=0)
            present = table.columns["algorithm"] == self._codes[:, None]
            for (code, name), rows in zip(self._with_algorithm, present, strict=True):
                if rows.any():
                    outside |= self._unseen_with_algorithm(table, code, name)
            outside |= self._unknown
            status = np.where(outside, np.uint8(Status.EXTRAPOLATING), np.uint8(Status.IN_RANGE))
            for field, allowed in self._allowed.items():
                status[~allowed[table.columns[field]]] = Status.REFUSED
            status.flags.writeable = False
            table.own_cache[self._key] = status
        kept: npt.NDArray[np.uint8] = table.own_cache[self._key]
        return kept

    def reasons(self, table: ConfigTable) -> Texts:
        """Why each row is refused or extrapolated, shape (n,), read-only, empty where in range; kept like :meth:`status`."""
        key = (*self._key, "reasons")
        if key not in table.own_cache:
            give_way()
            texts = self._reasons(table)
            texts.flags.writeable = False
            table.own_cache[key] = texts
        kept: Texts = table.own_cache[key]
        return kept

    def _reasons(self, table: ConfigTable) -> Texts:
        """Built per distinct value."""
        refused = np.full(len(table), "", dtype=object)
        for field, allowed in self._allowed.items():
            known = ", ".join(self._known[field])
            rows = np.flatnonzero(~allowed[table.columns[field]])
            codes = table.columns[field][rows]
            for code in np.unique(codes):
                text = f"{field} {VOCABULARY[field][code]} is unknown to this target (it knows {known})"
                _append(refused, rows[codes == code], text)
        rows = np.flatnonzero((refused == "") & (self.status(table) == Status.EXTRAPOLATING))
        if len(rows):
            refused[rows] = self._extrapolations(table[rows])
        return refused

    def _outside(self, table: ConfigTable) -> npt.NDArray[np.bool_]:
        """Whether each value lies outside its range, shape (parameters with a range, n)."""
        values = _stacked(table, self._names)
        outside: npt.NDArray[np.bool_] = (values < self._low) | (values > self._high)
        return outside

    def _unseen(self, table: ConfigTable) -> npt.NDArray[np.bool_]:
        """Whether each value was never seen, shape (parameters with values seen, n)."""
        values = np.minimum(_stacked(table, tuple(self._seen)), self._lookup.shape[1] - 1).astype(np.int64)
        unseen: npt.NDArray[np.bool_] = ~self._lookup[np.arange(len(values))[:, None], values]
        return unseen

    def _unseen_with_algorithm(self, table: ConfigTable, code: int, name: str) -> npt.NDArray[np.bool_]:
        """Rows of an algorithm whose value of a parameter was measured, but not with this algorithm."""
        rows: npt.NDArray[np.bool_] = table.columns["algorithm"] == code
        if not rows.any():
            return rows
        rows = rows & ~np.isin(table.columns[name], self._with_algorithm[code, name])
        return rows & ~self._unseen(table)[list(self._seen).index(name)] if name in self._seen else rows

    def _extrapolations(self, table: ConfigTable) -> Texts:
        if self._unknown:
            return np.full(len(table), UNKNOWN_RANGE, dtype=object)
        wrong: dict[str, tuple[npt.NDArray[np.bool_], Floats]] = {}
        for names, masks in ((tuple(self._seen), self._unseen(table)), (self._names, self._outside(table))):
            for name, mask, values in zip(names, masks, _stacked(table, names), strict=True):
                wrong[name] = mask, values
        texts = np.full(len(table), "", dtype=object)
        for name in [name for name in wrong if name.endswith("_height") and name.replace("height", "width") in wrong]:
            self._tell_pair(texts, wrong, name)
        for name, (mask, values) in sorted(wrong.items(), key=lambda item: item[0] not in INTEGER_FIELDS):
            self._tell(texts, name, name, np.flatnonzero(mask), values)
        for code, name in self._with_algorithm:
            self._tell_algorithm(texts, table, code, name)
        return texts

    def _tell_algorithm(self, texts: Texts, table: ConfigTable, code: int, name: str) -> None:
        wrong, label = self._unseen_with_algorithm(table, code, name), name
        height, width = name.replace("width", "height"), name.replace("height", "width")
        if height != width and {(code, height), (code, width)} <= self._with_algorithm.keys():
            alike = table.columns[height] == table.columns[width]
            if name == width:
                wrong = wrong & ~alike  # told with the height
            else:
                self._tell_unseen(texts, table, code, name, _PAIRS.get(height, height), np.flatnonzero(wrong & alike))
                wrong = wrong & ~alike
        self._tell_unseen(texts, table, code, name, label, np.flatnonzero(wrong))

    def _tell_unseen(self, texts: Texts, table: ConfigTable, code: int, name: str, label: str, rows: Rows) -> None:
        values = table.columns[name][rows]
        seen = ", ".join(map(str, self._with_algorithm[code, name]))
        for value in np.unique(values):
            text = f"{label} {value} never measured with {VOCABULARY['algorithm'][code]} (seen {seen})"
            _append(texts, rows[values == value], text)

    def _tell_pair(self, texts: Texts, wrong: dict[str, tuple[npt.NDArray[np.bool_], Floats]], name: str) -> None:
        """Tell a height and a width that are at fault alike in one phrase, and take them out of ``wrong``."""
        other = name.replace("height", "width")
        (mask, values), (mask_other, values_other) = wrong[name], wrong[other]
        same_rule = self._rule(name) == self._rule(other)
        both = mask & mask_other & (values == values_other) & same_rule
        label = _PAIRS.get(name, name.replace("_height", "_size"))
        self._tell(texts, label, name, np.flatnonzero(both), values)
        wrong[name], wrong[other] = (mask & ~both, values), (mask_other & ~both, values_other)

    def _rule(self, name: str) -> tuple[float, ...]:
        if name in self._seen:
            return tuple(self._seen[name].tolist())
        row = self._names.index(name)
        return (float(self._low[row, 0]), float(self._high[row, 0]))

    def _tell(self, texts: Texts, label: str, name: str, rows: Rows, values: Floats) -> None:
        if not len(rows):
            return
        distinct, inverse = np.unique(values[rows], return_inverse=True)
        phrases = np.array([self._phrase(label, name, value) for value in distinct.tolist()], dtype=object)
        _append(texts, rows, phrases[inverse])

    def _phrase(self, label: str, name: str, value: float) -> str:
        text = f"{_WORDS.get(label, label)} {short_number(value)}"
        if name in self._seen:
            seen = self._seen[name].tolist()
            return f"{text} never measured (seen {', '.join(map(str, seen[:_SHOWN]))}{', …' if len(seen) > _SHOWN else ''})"
        low, high = self._rule(name)
        return f"{text} > {short_number(high)} measured" if value > high else f"{text} < {short_number(low)} measured"


def _append(texts: Texts, rows: Rows, phrases: str | Texts) -> None:
    before = texts[rows]
    texts[rows] = np.where(before == "", "", before + "; ") + phrases


def _stacked(table: ConfigTable, names: tuple[str, ...]) -> Floats:
    """Values of some parameters, shape (len(names), n); kept for other predictors."""
    key = ("domain values", names)
    if key not in table.cache:
        known = quantities(table)
        table.cache[key] = np.array([known[name] for name in names]).reshape(len(names), len(table))
    values: Floats = table.cache[key]
    return values


def _membership(seen: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.bool_]:
    """Truth by parameter and value, with a last column that stands for everything larger."""
    lookup = np.zeros((len(seen), max([int(values.max(initial=-1)) for values in seen], default=-1) + 2), dtype=np.bool_)
    for row, values in zip(lookup, seen, strict=True):
        row[values] = True
    return lookup


def short_number(value: float) -> str:
    """Whole numbers below a million in full, larger ones with three digits and a prefix, e.g. ``1.21 G``."""
    if abs(value) < 1e6:
        return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
    for power, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= power:
            return f"{value / power:.3g} {prefix}"
    return f"{value:g}"
