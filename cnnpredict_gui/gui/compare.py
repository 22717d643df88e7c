"""Compare: one layer, many predictors."""

from __future__ import annotations

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.view import View


class CompareView(View):
    """The main view."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
