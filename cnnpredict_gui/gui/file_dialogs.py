"""Dialogs for files and folders: each begins in the folder where the one before ended."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from cnnpredict_gui.infra.paths import resources_dir


class _Last:
    folder: Path | None = None


def first_folder() -> Path:
    """The folder the program was started from if it is one to work in, else the user's own."""
    here, program = Path.cwd(), resources_dir().parent
    of_program = here == Path(here.anchor) or here == program or program in here.parents
    return Path.home() if of_program or not os.access(here, os.W_OK) else here


def folder() -> Path:
    """Where the next dialog begins."""
    last = _Last.folder
    return last if last is not None and last.is_dir() else first_folder()


def remember(path: Path) -> None:
    """Begin the next dialog beside this file, or in this folder."""
    _Last.folder = path if path.is_dir() else path.parent


def ask_to_open(parent: QWidget, title: str, filters: str) -> str:
    """Path of a file to open; empty if the user changed their mind."""
    return _chosen(QFileDialog.getOpenFileName(parent, title, str(folder()), filters)[0])


def ask_to_save(parent: QWidget, title: str, name: str, filters: str) -> tuple[str, str]:
    """Path of a file to write (empty if the user changed their mind) and the filter that was chosen; ``name`` may be a path."""
    path, chosen = QFileDialog.getSaveFileName(parent, title, str(folder() / name), filters)
    return _chosen(path), chosen


def ask_for_folder(parent: QWidget, title: str) -> str:
    """Path of a folder; empty if the user changed their mind."""
    return _chosen(QFileDialog.getExistingDirectory(parent, title, str(folder())))


def _chosen(path: str) -> str:
    if path:
        remember(Path(path))
    return path
