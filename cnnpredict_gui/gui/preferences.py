"""The settings inside the window: read once, written at every change, with a signal for everybody who follows them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from cnnpredict_gui.core.errors import CnnPredictError, OutputError
from cnnpredict_gui.gui.disk import Disk
from cnnpredict_gui.infra.paths import bundled_models_dir, model_folders
from cnnpredict_gui.infra.settings import RECENT_KEPT, Settings, read_settings, write_settings

logger = logging.getLogger(__name__)


class Preferences(QObject):
    """Holds :class:`Settings`.

    Args:
        kept: False for runs that neither read nor write settings (safe mode, pictures).
        folders: Model folders of the command line; never written to the settings.
        safe: Whether only the bundled models are used.
        found: What :func:`read_settings` gave, if it was called already; a damaged file is told of only once.
    """

    #: Settings after a change
    changed = Signal(object)
    #: Why a change holds for this run only: the settings file cannot be written.
    not_kept = Signal(object)

    def __init__(
        self,
        kept: bool = True,
        folders: Sequence[Path] = (),
        safe: bool = False,
        parent: QObject | None = None,
        found: tuple[Settings, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._kept, self._folders, self._safe = kept, tuple(folders), safe
        self._disk: Disk | None = None
        self.current, self.problem = (found or read_settings()) if kept else (Settings(), "")

    @property
    def kept(self) -> bool:
        """Whether this run remembers anything."""
        return self._kept

    def write_by(self, disk: Disk) -> None:
        """Write in the background from now on."""
        self._disk = disk

    def update(self, **changes: Any) -> None:
        """Change some settings, tell everybody and keep them."""
        self._take(changes, self.not_kept.emit)

    def _take(self, changes: dict[str, Any], failed: Callable[[CnnPredictError], object]) -> None:
        fresh = replace(self.current, **changes)
        if fresh == self.current:
            return
        self.current = fresh
        self.changed.emit(fresh)
        if self._kept and self._disk is not None:
            self._disk.run(lambda: write_settings(fresh), failed=failed)
        elif self._kept:
            try:
                write_settings(fresh)
            except OutputError as error:
                failed(error)

    def remember_file(self, path: str) -> None:
        """Put a file at the top of the recent ones; a failure to keep them is only logged."""
        others = [one for one in self.current.recent_files if one != path]
        recent = (path, *others)[:RECENT_KEPT]
        self._take({"recent_files": recent}, lambda error: logger.warning("the recent files were not kept: %s", error))

    def model_folders(self) -> list[Path]:
        """Every folder searched for models, in order."""
        if self._safe:
            return [bundled_models_dir()]
        return model_folders((*self._folders, *self.current.models_folders))
