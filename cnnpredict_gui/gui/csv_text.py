"""CSV for exports of the window; the same as the command line writes."""

from __future__ import annotations

from cnnpredict_gui.infra.csv_text import Cell, csv_lines, csv_text

__all__ = ["Cell", "csv_lines", "csv_text"]
