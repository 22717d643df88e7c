"""Imports of native models in the window: by the menu, by dropped files, by themselves where a models folder holds some."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from cnnpredict_gui.core.errors import CancelledByUserError, CardError, CnnPredictError
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.file_dialogs import ask_to_open
from cnnpredict_gui.gui.main_window import MainWindow
from cnnpredict_gui.gui.startup import pumped_import
from cnnpredict_gui.infra.paths import user_models_dir

if TYPE_CHECKING:
    from cnnpredict_gui.importing.importer import Imported

logger = logging.getLogger(__name__)
#: Files that are imported when they are opened or dropped; ``.onnx`` only if it is a predictor.
SUFFIXES = (".joblib", ".pkl", ".pickle", ".pth", ".pt", ".ubj", ".json", ".safetensors")
_FILTER = f"Models (*.onnx {' '.join(f'*{suffix}' for suffix in SUFFIXES)});;All files (*)"


class Imports(QObject):
    """Adds the menu entry, opens the dialog, and imports what waits after the models were loaded."""

    def __init__(self, window: MainWindow, context: AppContext) -> None:
        super().__init__(window)
        self._window, self._context = window, context
        self._tried: set[Path] = set()
        self._wanted: Path | None = None
        for suffix in SUFFIXES:
            window.openers[suffix] = self.open
        window.openers[".onnx"] = self.open_onnx
        context.import_model = self.ask_or_open
        action = context.actions.add(
            "file.import",
            "File",
            "&Import model…",
            self.ask,
            "Ctrl+I",
            "Make a predictor of a model that scikit-learn, XGBoost, PyTorch or others saved",
            group="open",
        )
        window.addAction(action)
        context.models.finished.connect(self._on_models)

    def ask_or_open(self, path: str) -> None:
        """Import a file; without one, ask for it."""
        if path:
            self.open(path)
        else:
            self.ask()

    def ask(self) -> None:
        """Ask for a file and open the dialog for it."""
        path = ask_to_open(self._window, "Import a model", _FILTER)
        if path:
            self.open(path)

    def open_onnx(self, path: str) -> bool:
        """A predictor is imported; a network goes to the Network view."""
        from cnnpredict_gui.importing.peek import takes_matrix

        if takes_matrix(Path(path)):
            return self.open(path)
        self._window.show_view("network")
        return bool(self._window.make_view("network").open_file(path))

    def open(self, path: str) -> bool:
        """Show the dialog for a file; one that cannot be a model is reported instead."""
        pumped_import("cnnpredict_gui.importing.importer", "cnnpredict_gui.gui.import_dialog")
        from cnnpredict_gui.gui.import_dialog import ImportDialog
        from cnnpredict_gui.importing.limits import check_file
        from cnnpredict_gui.serving.discovery import CARD_SUFFIX, MAPPING_SUFFIX

        try:
            if path.endswith((CARD_SUFFIX, MAPPING_SUFFIX)):
                raise CardError(f"{Path(path).name} describes a model and is none", "open the model file beside it")
            check_file(Path(path))
        except CnnPredictError as error:
            self._context.report(error)
            return False
        dialog = ImportDialog(self._context, Path(path), self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.imported.connect(self._on_imported)
        dialog.open()
        return True

    def _on_imported(self, made: Imported) -> None:
        """Load what was imported, then choose it."""
        self._wanted = made.onnx
        self._context.say(f"Imported {made.card.name}")
        library, own = self._context.models.library, user_models_dir()
        if library is not None and own.absolute() not in library.folders:
            self._context.models.set_folders([*library.folders, own.absolute()])
        else:
            self._context.models.load()

    def _on_models(self, loaded: int, failed: int) -> None:
        if self._wanted is not None:
            names = [name for name, model in self._context.models.predictors.items() if model.path == self._wanted]
            self._wanted = None
            for name in names:
                state = self._context.state
                state.select([*state.selection, *([] if name in state.selection else [name])])
                state.set_focus(name)
        self._import_waiting()

    # -- those that were found ----------------------------------------------------------------------------------------

    def _import_waiting(self) -> None:
        """Import native files that lie in the models folders with a card or mapping, one by one in the background."""
        library = self._context.models.library
        waiting = [found for found in library.waiting() if found.path not in self._tried] if library is not None else []
        if not waiting:
            return
        self._tried |= {found.path for found in waiting}
        cards = [entry.card for entry in self._context.models.entries if entry.card is not None]
        many = f"{len(waiting)} models" if len(waiting) > 1 else waiting[0].name
        self._context.say(f"Importing {many}…")
        task = self._context.tasks.run(f"import {many}", lambda progress, stop: _import_all(waiting, cards, progress, stop))
        task.succeeded.connect(self._on_all)

    def _on_all(self, counts: tuple[int, int]) -> None:
        done, failed = counts
        problem = f", {failed} could not be imported (see the Models view)" if failed else ""
        self._context.say(f"Imported {done} model{'' if done == 1 else 's'}{problem}")
        self._context.models.load()


def _import_all(
    waiting: list[Any], cards: list[Any], progress: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> tuple[int, int]:
    """Import several; numbers of those that worked and of those that did not (which are listed with the reason)."""
    from cnnpredict_gui.importing.importer import import_found
    from cnnpredict_gui.importing.mapping import known_targets

    targets, done = known_targets(cards), 0
    for number, found in enumerate(waiting):
        progress(number, len(waiting))
        try:
            import_found(found, targets, cancelled=cancelled)
            done += 1
        except CancelledByUserError:
            raise
        except CnnPredictError as error:
            logger.warning("%s was not imported: %s", found.name, error)
    return done, len(waiting) - done
