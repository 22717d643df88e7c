"""Numbers as text for people: three significant digits, units, thousands separators."""

from __future__ import annotations

import math


class _Shown:
    """How many significant digits numbers have; see :func:`show_digits`."""

    digits = 3


def show_digits(digits: int) -> None:
    """Show numbers with this many significant digits from now on, instead of three."""
    _Shown.digits = digits


def sig3(value: float) -> str:
    """Three significant digits (or as many as the user wants) without exponent: ``0.0123``, ``1.23``, ``12,300``; dash: NaN."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    last = _Shown.digits - 1
    digits = last - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    if rounded != 0:
        digits = last - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, min(digits, 12))}f}"


def scaled(value: float) -> str:
    """Three significant digits with a decimal prefix: ``115.6e6`` becomes ``116 M``."""
    for limit, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{sig3(value / limit)} {prefix}"
    return f"{sig3(value)} "


def percent(value: float, signed: bool = False) -> str:
    """A share given in percent, with three significant digits: ``+12.3 %``."""
    if math.isnan(value):
        return "–"
    sign = "+" if signed and value > 0 else ""
    return f"{sign}{sig3(value)} %"


def interval_words(low: float, high: float, what: str = "90 % interval") -> str:
    """Two bounds in ms in words; imported models may have none."""
    return f"no {what} known" if math.isnan(low) else f"{what} {interval(low, high)} ms"


def interval(low: float, high: float) -> str:
    """Two bounds: ``0.91 – 1.12``."""
    return f"{sig3(low)} – {sig3(high)}" if not math.isnan(low) else "–"
