"""Numbers as text for the screen; the same as in the terminal."""

from __future__ import annotations

from cnnpredict_gui.core.format import interval, percent, scaled, sig3

__all__ = ["interval", "percent", "scaled", "sig3"]
