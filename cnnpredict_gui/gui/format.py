"""Numbers as text for the screen; the same as in the terminal."""

from __future__ import annotations

from cnnpredict_gui.core.format import interval, interval_words, percent, scaled, sig3

__all__ = ["interval", "interval_words", "percent", "scaled", "sig3"]
