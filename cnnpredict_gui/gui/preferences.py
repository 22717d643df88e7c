"""The settings inside the window: read once, written at every change, with a signal for everybody who follows them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from cnnpredict_gui.core.errors import OutputError
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
        self.current, self.problem = (found or read_settings()) if kept else (Settings(), "")

    @property
    def kept(self) -> bool:
        """Whether this run remembers anything."""
        return self._kept

    def update(self, **changes: Any) -> None:
        """Change some settings, tell everybody and keep them.

        Raises:
            OutputError: the settings file cannot be written; the change holds for this run.
        """
        fresh = replace(self.current, **changes)
        if fresh == self.current:
            return
        self.current = fresh
        self.changed.emit(fresh)
        if self._kept:
            write_settings(fresh)

    def remember_file(self, path: str) -> None:
        """Put a file at the top of the recent ones."""
        others = [one for one in self.current.recent_files if one != path]
        try:
            self.update(recent_files=(path, *others)[:RECENT_KEPT])
        except OutputError as error:
            logger.warning("the recent files were not kept: %s", error)

    def model_folders(self) -> list[Path]:
        """Every folder searched for models, in order."""
        if self._safe:
            return [bundled_models_dir()]
        return model_folders((*self._folders, *self.current.models_folders))
