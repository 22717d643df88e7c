"""Colours and symbols of predictors that share a chart: by family for one target, by target for several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtGui import QColor

from cnnpredict_gui.core.names import FAMILIES, Target
from cnnpredict_gui.gui.theme import FAMILY_SYMBOLS, Theme

#: Time kinds as axis labels.
KIND_AXES = {
    "kernel": "kernel time (ms)",
    "call_with_host_copies": "call time with copies (ms)",
    "framework_wall_clock": "wall-clock time (ms)",
}


@dataclass(frozen=True)
class SeriesStyle:
    """How one predictor is drawn: colour (hex) and symbol."""

    colour: str
    symbol: str


def series_styles(predictors: Sequence[tuple[str, str, str]], theme: Theme) -> dict[str, SeriesStyle]:
    """Style of each (predictor name, target title, family), by name."""
    colours = target_colours([title for _, title, _ in predictors], theme)
    if len(colours) == 1:
        return {name: SeriesStyle(theme.family(family), FAMILY_SYMBOLS[family]) for name, _, family in predictors}
    return {name: SeriesStyle(colours[title], FAMILY_SYMBOLS[family]) for name, title, family in predictors}


def target_colours(titles: Sequence[str], theme: Theme) -> dict[str, str]:
    """A colour for each target; from the eighth target on the colours come again in another shade."""
    found: dict[str, str] = {}
    for number, title in enumerate(dict.fromkeys(titles)):
        colour = QColor(theme.series[number % len(theme.series)])
        if number >= len(theme.series):
            colour = colour.darker(160) if theme.name == "light" else colour.lighter(150)
        found[title] = colour.name()
    return found


def series_legend(predictors: Sequence[tuple[str, str, str]], theme: Theme) -> list[tuple[str, str, str]]:
    """Legend for :func:`series_styles`: families for one target; for several, targets (by
    their device where that tells them apart) and what the symbols mean.
    """
    families = [family for family in FAMILIES if family in {family for _, _, family in predictors}]
    colours = target_colours([title for _, title, _ in predictors], theme)
    if len(colours) <= 1:
        return [(FAMILIES[family], theme.family(family), FAMILY_SYMBOLS[family]) for family in families]
    symbol = FAMILY_SYMBOLS[families[0]] if len(families) == 1 else "line"
    devices = Counter(_device(title) for title in colours)
    entries = [(_device(title) if devices[_device(title)] == 1 else title, colour, symbol) for title, colour in colours.items()]
    if len(families) > 1:
        entries += [(FAMILIES[family], theme.muted, FAMILY_SYMBOLS[family]) for family in families]
    return entries


def _device(title: str) -> str:
    return title.split(" · ", maxsplit=1)[0]


def predictor_title(target: Target, family: str) -> str:
    """Target and family for people."""
    return f"{target.title} · {FAMILIES[family]}"
