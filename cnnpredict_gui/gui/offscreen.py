"""Runs that nobody watches: pictures of views for the documentation, and the smoke test."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

from cnnpredict_gui.core.errors import CnnPredictError, OutputError

if TYPE_CHECKING:
    from cnnpredict_gui.gui.app import Application

_LIMIT_MS = 120_000
_QUIET_MS = 400


def process_age_ms() -> float:
    """Milliseconds since this process was started."""
    import psutil

    return 1e3 * (time.time() - float(psutil.Process().create_time()))


class StallMeter(QObject):
    """Longest time the event loop was away: a timer of 1 ms measures the gaps between its turns."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.longest_ms = 0.0
        self._last = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        """Begin (again)."""
        self.longest_ms, self._last = 0.0, time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        """End."""
        self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.longest_ms = max(self.longest_ms, 1e3 * (now - self._last))
        self._last = now


class OffscreenRun(QObject):
    """Waits until everything is loaded and the view is at rest, then does the one thing asked for."""

    def __init__(self, app: QApplication, application: Application) -> None:
        super().__init__(app)
        self._app, self._application = app, application
        self.code = 1
        self.facts: dict[str, Any] = {}
        self._stall = StallMeter(self)
        self._filled = False
        self._loaded = False
        self._poll = QTimer(self)
        self._poll.setInterval(_QUIET_MS // 8)
        self._poll.timeout.connect(self._look)
        self._quiet_since: float | None = None

    def start(self) -> None:
        """Show the window and begin."""
        self._application.start()
        QTimer.singleShot(0, self._visible)
        self._application.startup.finished.connect(self._on_filled)
        self._application.startup.broke.connect(lambda error: self._end(f"the program is incomplete: {error}"))
        QTimer.singleShot(_LIMIT_MS, lambda: self._end("the application did not get ready in time"))

    def _visible(self) -> None:
        self._app.processEvents()
        self.facts["window_visible_ms"] = round(process_age_ms(), 1)
        self._stall.start()

    def _on_filled(self) -> None:
        self._filled = True
        context = self._application.window.context
        if context is not None:
            context.report = lambda error: self._end(str(error))
            if context.models.loading:
                context.models.finished.connect(self._on_loaded)
            else:
                self._on_loaded()
        self._poll.start()

    def _on_loaded(self, *_counts: int) -> None:
        self._loaded = True
        self.facts["models_ready_ms"] = round(process_age_ms(), 1)

    def _look(self) -> None:
        window = self._application.window
        busy = any(view.busy() for view in window.views.values())
        if not self._loaded or busy:
            self._quiet_since = None
            return
        now = time.perf_counter()
        self._quiet_since = self._quiet_since or now
        if 1e3 * (now - self._quiet_since) >= _QUIET_MS:
            self._poll.stop()
            self._stall.stop()
            try:
                self._finish()
            except CnnPredictError as error:
                self._end(str(error))

    def _finish(self) -> None:
        if self._application.arguments.screenshot:
            self._screenshot()
        if self._application.arguments.smoke_test:
            self._smoke_test()
        else:
            self._end("", 0)

    def _screenshot(self) -> None:
        path = self._application.arguments.screenshot
        window = self._application.window
        asked = self._application.arguments.view
        if path is None or asked not in (window.current_view(), window.current_place()):
            raise OutputError(f"there is no view {asked!r}", f"use one of {', '.join(window.places())}")
        from cnnpredict_gui.gui.export import save_png
        from cnnpredict_gui.gui.painting import PaintedInTurns

        with PaintedInTurns.at_once():
            picture = window.grab().toImage()
        save_png(picture, path)

    def _smoke_test(self) -> None:
        import psutil

        context = self._application.window.context
        if context is None:
            self._end("the application has no services")
            return
        states = [entry.status for entry in context.models.entries]
        self.facts |= {
            "longest_stall_ms": round(self._stall.longest_ms, 1),
            "models_loaded": states.count("loaded"),
            "models_failed": states.count("failed"),
        }
        chosen = context.models.chosen(context.state.selection)
        if chosen:
            answer = chosen[0].predict_one(context.state.config)
            self.facts["prediction"] = {
                "predictor": chosen[0].name,
                "config": context.state.config.compact(),
                "time_ms": answer.time_ms,
                "low_ms": answer.low_ms,
                "high_ms": answer.high_ms,
                "verdict": answer.verdict,
            }
        self.facts["rss_mb"] = round(psutil.Process().memory_info().rss / 2**20, 1)
        print(json.dumps(self.facts), flush=True)
        ready = bool(chosen) and not self.facts["models_failed"]
        self._end("" if ready else "not every model could be loaded", 0 if ready else 1)

    def _end(self, problem: str, code: int = 1) -> None:
        if problem:
            print(f"cnnpredict-gui: {problem}", file=sys.stderr)
        self.code = code
        self._poll.stop()
        self._application.window.close()
        self._app.quit()


def run_offscreen(app: QApplication, application: Application) -> int:
    """Do what the arguments ask for and return the exit code."""
    run = OffscreenRun(app, application)
    run.start()
    app.exec()
    application.dispose()
    app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return run.code
