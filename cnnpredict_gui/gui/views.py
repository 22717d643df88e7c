"""The list of views, in the order of their tabs. A new view, or a new page of "This machine", is one more line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.view import View


@dataclass(frozen=True)
class ViewSpec:
    """Where a view lives: ``place`` is ``module:Class``, imported once the models are there, or when it is shown before.

    ``suffixes`` are the files the view opens (drag and drop, ``--open``); ``pages`` are the tabs inside it, if it has any;
    ``in_pieces`` says that its class takes ``whole=False`` and is then finished by :meth:`View.pieces`.
    """

    name: str
    title: str
    place: str
    tip: str
    suffixes: tuple[str, ...] = ()
    pages: tuple[ViewSpec, ...] = ()
    in_pieces: bool = False

    @property
    def places(self) -> list[str]:
        """Everything of it that can be shown: ``view``, or ``view.page`` for each page."""
        return [f"{self.name}.{page.name}" for page in self.pages] or [self.name]

    def load(self) -> type[Any]:
        """The class of the view; its module is imported now, if it was not before."""
        module, _, name = self.place.partition(":")
        found: type[Any] = getattr(import_module(module), name)
        return found

    def make(self, context: AppContext) -> View:
        """Build the view, but for its :meth:`View.pieces`."""
        options = {"whole": False} if self.in_pieces else {}
        view = self.load()(context, **options)
        if not isinstance(view, View):
            raise TypeError(f"{self.place} is not a View")
        return view


_GUI = "cnnpredict_gui.gui"
#: Pages of "This machine", in the order of their tabs. A new page is one more line here.
PAGES: tuple[ViewSpec, ...] = (
    ViewSpec("predictors", "Predictors", f"{_GUI}.benchmark_page:BenchmarkPage", "How fast the predictors answer here"),
    ViewSpec("system", "System", f"{_GUI}.system_page:SystemPage", "Processors, memory, disks, network and GPU, live"),
    ViewSpec("measure", "Measure", f"{_GUI}.measure_page:MeasurePage", "Real layers timed here, beside their predictions"),
    ViewSpec("calibrate", "Calibrate", f"{_GUI}.calibrate_page:CalibratePage", "Predictors of this machine in two minutes"),
    ViewSpec("train", "Train", f"{_GUI}.train_page:TrainPage", "Predictors from your own measurements"),
)
VIEWS: tuple[ViewSpec, ...] = (
    ViewSpec("compare", "Compare", f"{_GUI}.compare:CompareView", "One layer, many predictors", in_pieces=True),
    ViewSpec("sweep", "Sweep", f"{_GUI}.sweep_view:SweepView", "One or two parameters varied, live"),
    ViewSpec("network", "Network", f"{_GUI}.network_view:NetworkView", "All layers of a network", (".onnx",)),
    ViewSpec("batch", "Batch", f"{_GUI}.batch_view:BatchView", "A file of layers", (".csv", ".parquet", ".pq", ".tsv")),
    ViewSpec(
        "machine", "This machine", f"{_GUI}.machine_view:MachineView", "Benchmarks and resources of this machine", (), PAGES
    ),
    ViewSpec("models", "Models", f"{_GUI}.model_library:ModelsView", "All models, their cards and what failed"),
    ViewSpec("log", "Log", f"{_GUI}.log_view:LogView", "What the program did"),
)
