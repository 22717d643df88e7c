"""Sessions: everything on screen as one ``.cnnpredict`` file, saved by the user or by itself."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

import cnnpredict_gui
from cnnpredict_gui.core.errors import CnnPredictError, DataFileError, OutputError
from cnnpredict_gui.gui.turns import Steps, in_turns
from cnnpredict_gui.infra.files import atomic_text, remove_leftovers
from cnnpredict_gui.infra.json_store import Content, Step, read_any, read_json, set_aside, up_to_date, write_json
from cnnpredict_gui.infra.paths import config_dir, data_dir

if TYPE_CHECKING:
    from cnnpredict_gui.gui.context import AppContext
    from cnnpredict_gui.gui.main_window import MainWindow

FORMAT = 2
KIND = "cnnpredict session"
SUFFIX = ".cnnpredict"
AUTOSAVE_MS = 10_000
AUTOSAVE_NAME = f"last-session{SUFFIX}"
#: Is there while the program runs: one that is there at the start tells of a crash.
MARKER_NAME = "running"
_CLOCK_STEP_S = 2.0
logger = logging.getLogger(__name__)


def _with_kind(content: Content) -> Content:
    """Format 2 says what it is, so that another program's file is told apart."""
    return content | {"kind": KIND}


#: What leads from format 1 to :data:`FORMAT`; append only.
STEPS: tuple[Step, ...] = (_with_kind,)


def read_session(path: Path) -> Content:
    """Content of a session file that a user opens.

    Raises:
        DataFileError: the file is missing, damaged or of another format; it stays as it is.
    """
    try:
        data = read_any(path)
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror or error}", "choose another file") from error
    if isinstance(data, dict) and isinstance(data.get("state"), dict):
        data = up_to_date(path.name, data, FORMAT, STEPS)
        if data.get("kind") == KIND:
            return data
    raise DataFileError(f"{path.name} is no session", "choose a file that was saved by Save session")


def autosave_file() -> Path:
    """Where the session is kept by itself."""
    return data_dir() / AUTOSAVE_NAME


def last_session() -> tuple[Content, str]:
    """The session kept by itself, and a problem to tell the user. Never raises; a damaged file is set aside."""
    return read_json(autosave_file(), FORMAT, STEPS)


def saved_at(data: Content) -> str:
    """When a session was saved, in the time of this computer."""
    try:
        return datetime.fromisoformat(data["saved"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (KeyError, TypeError, ValueError):
        return "its last save"


class SessionKeeper(QObject):
    """Saves and opens sessions of a window; keeps the current one every 10 s and when the window closes."""

    def __init__(self, window: MainWindow, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._window = window
        self._context: AppContext | None = None
        #: The file that Save writes to; None until the session has one.
        self.path: Path | None = None
        self._kept = ""
        self._warned = False
        self._writing = False
        self._timer = QTimer(self)
        self._timer.setInterval(AUTOSAVE_MS)
        self._timer.timeout.connect(self.autosave)
        self._marker = data_dir() / MARKER_NAME

    def start(self, context: AppContext) -> bool:
        """Begin to keep the session; True if the run before this one ended without closing."""
        self._context = context
        crashed = self._ended_badly()
        if context.preferences.kept:
            remove_leftovers(data_dir())
            remove_leftovers(config_dir())
            try:
                atomic_text(self._marker, f"{os.getpid()}\n")
            except OutputError as error:
                logger.warning("no note of the running program: %s", error)
            self._timer.start()
        return crashed

    def _ended_badly(self) -> bool:
        """Whether the program that left the marker is gone, or its number is another process's by now."""
        import psutil

        try:
            process = int(self._marker.read_text(encoding="utf-8"))
            began = psutil.Process(process).create_time()
            return process == os.getpid() or began > self._marker.stat().st_mtime + _CLOCK_STEP_S
        except FileNotFoundError:
            return False
        except (OSError, ValueError, psutil.Error):
            return True

    def content(self) -> Content:
        """The session as plain JSON values."""
        if self._context is None:
            return {}
        self._window.save_views()
        return {
            "kind": KIND,
            "program": cnnpredict_gui.__version__,
            "window": self._window.save_geometry(),
            "state": self._context.state.to_json(),
        }

    def autosave(self) -> None:
        """Keep the session in the background if it changed; one write at a time, so that the newest is the last."""
        if self._context is None or not self._context.preferences.kept or self._writing:
            return
        content = self.content()
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        if text == self._kept:
            return
        self._kept = text
        self._writing = True
        self._context.disk.run(lambda: write_json(autosave_file(), _stamped(content), FORMAT), self._written, self._not_kept)

    def _written(self, _result: None) -> None:
        self._writing = False

    def _not_kept(self, error: CnnPredictError) -> None:
        """Try again at the next turn; the user is told once."""
        self._kept, self._writing = "", False
        logger.warning("the session was not kept: %s", error)
        if self._context is not None and not self._warned:
            self._warned = True
            self._context.report(OutputError(f"the session is not kept: {error.message}", error.hint))

    def finish(self) -> None:
        """Keep the session now, and note that the program ended properly. Never raises."""
        self._timer.stop()
        if self._context is None or not self._context.preferences.kept:
            return
        self._context.disk.shutdown()  # what it still writes is older
        try:
            write_json(autosave_file(), _stamped(self.content()), FORMAT)
        except OutputError as error:
            logger.warning("the session was not kept: %s", error)
        with suppress(OSError):
            self._marker.unlink(missing_ok=True)

    def restore(self, data: Content) -> None:
        """Take over the state of a session; one that cannot be used is set aside and reported, and nothing changes."""
        if self._context is None or not isinstance(data.get("state"), dict):
            return
        try:
            self._context.state.from_json(data["state"])
        except CnnPredictError as error:
            kept = set_aside(autosave_file(), f"cannot be used: {error.message}")
            self._context.report(DataFileError("the last session could not be restored", kept))

    def save(self, path: Path, done: Callable[[Path], object], failed: Callable[[CnnPredictError], object]) -> None:
        """Write the session as it is now to a file in the background, go on with that and call ``done(path)``."""
        path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        content = _stamped(self.content())

        def saved(_result: None) -> None:
            self._took(path)
            done(path)

        if self._context is not None:
            self._context.disk.run(lambda: write_json(path, content, FORMAT), saved, failed)

    def open(self, path: Path) -> None:
        """Read a session file, take over its state and show it soon: each view in a turn of the event loop of its own.

        Raises:
            DataFileError: it cannot be read; nothing changes.
        """
        data = read_session(path)
        if self._context is None:
            return
        steps = self._context.state.taking_over(data["state"])
        next(steps)
        self._took(path)
        view = data.get("window", {}).get("view") if isinstance(data.get("window"), dict) else None
        in_turns(self._showing(steps, view), self, lambda _: None, self._context.report)

    def _showing(self, steps: Steps[None], view: object) -> Steps[None]:
        restoring = self._window.restoring_views()
        next(restoring, None)  # it holds now what the session keeps; the views may write into the state meanwhile
        yield
        yield from steps
        yield from restoring
        if isinstance(view, str):
            yield
            self._window.show_view(view)

    def _took(self, path: Path) -> None:
        self.path = path
        self._window.setWindowFilePath(str(path))
        self._window.setWindowTitle(f"{path.stem} – cnnpredict")


def _stamped(content: Content) -> Content:
    return content | {"saved": datetime.now(UTC).isoformat(timespec="seconds")}
