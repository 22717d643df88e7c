"""The real desktop program with a quick autosave, driven by commands on stdin: one JSON object a line, answered by one."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from PySide6.QtCore import QObject, QSocketNotifier, QTimer
from PySide6.QtGui import QGuiApplication

from cnnpredict_gui.__main__ import speak_utf8
from cnnpredict_gui.gui import app, session
from cnnpredict_gui.gui.charts import ChartView
from cnnpredict_gui.gui.error_dialog import ErrorDialog
from cnnpredict_gui.gui.export import picture
from cnnpredict_gui.gui.turns import finished

AUTOSAVE_MS = 200


class Driver(QObject):
    """Does to the window what a line on stdin says."""

    def __init__(self, application: app.Application) -> None:
        super().__init__(application)
        self._application = application
        self._notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._read)
        self._tell({"ready": True, "problems": application._trouble})

    def _read(self) -> None:
        line = sys.stdin.readline()
        if not line:
            self._application.window.close()
            return
        command = json.loads(line)
        context = self._application.context
        if "set" in command:
            context.state.set_config(context.state.config.model_copy(update=command["set"]))
        if "view" in command:
            self._application.window.show_view(command["view"])
        if "copy" in command:
            (chart, *_) = self._application.window.findChildren(ChartView)
            QGuiApplication.clipboard().setImage(finished(picture(chart, self._application.theme.current)))
        if "end" in command:
            with context.disk._pool._shutdown_lock:  # as if the signal had come while a write was being asked for
                signal.raise_signal(signal.SIGTERM)
        if "rescan" in command:
            context.models.load()
        self._tell(self._facts())

    def _facts(self) -> dict[str, Any]:
        context, window = self._application.context, self._application.window
        entries = context.models.entries
        return {
            "config": context.state.config.compact(),
            "view": window.current_view(),
            "told": [dialog.error.message for dialog in window.findChildren(ErrorDialog)],
            "message": window.statusBar().currentMessage(),
            "loading": context.models.loading,
            "loaded": sum(entry.status == "loaded" for entry in entries),
            "failed": sum(entry.status == "failed" for entry in entries),
            "busy": any(view.busy() for view in window.views.values()),
        }

    def _tell(self, facts: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


def main() -> int:
    """Run the program with the arguments of the command line."""
    speak_utf8()
    session.AUTOSAVE_MS = AUTOSAVE_MS
    start = app.Application.start

    def start_with_driver(self: app.Application) -> None:
        self.startup.finished.connect(lambda: QTimer.singleShot(0, lambda: Driver(self)))
        start(self)

    app.Application.start = start_with_driver  # type: ignore[method-assign]
    return app.run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
