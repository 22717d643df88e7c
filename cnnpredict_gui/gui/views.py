"""The list of views, in the order of their tabs. A new view is one more line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.view import View


@dataclass(frozen=True)
class ViewSpec:
    """Where a view lives: ``place`` is ``module:Class``, imported when the tab is first shown.

    ``suffixes`` are the files the view opens (drag and drop, ``--open``).
    """

    name: str
    title: str
    place: str
    tip: str
    suffixes: tuple[str, ...] = ()

    def make(self, context: AppContext) -> View:
        """Import the module and build the view."""
        module, _, name = self.place.partition(":")
        view = getattr(import_module(module), name)(context)
        if not isinstance(view, View):
            raise TypeError(f"{self.place} is not a View")
        return view


VIEWS: tuple[ViewSpec, ...] = (
    ViewSpec("compare", "Compare", "cnnpredict_gui.gui.compare:CompareView", "One layer, many predictors"),
    ViewSpec("sweep", "Sweep", "cnnpredict_gui.gui.sweep_view:SweepView", "One or two parameters varied, live"),
    ViewSpec("network", "Network", "cnnpredict_gui.gui.network_view:NetworkView", "All layers of a network", (".onnx",)),
    ViewSpec(
        "batch", "Batch", "cnnpredict_gui.gui.batch_view:BatchView", "A file of layers", (".csv", ".parquet", ".pq", ".tsv")
    ),
    ViewSpec("models", "Models", "cnnpredict_gui.gui.model_library:ModelsView", "All models, their cards and what failed"),
    ViewSpec("log", "Log", "cnnpredict_gui.gui.log_view:LogView", "What the program did"),
)
