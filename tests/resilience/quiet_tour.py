"""The real desktop program, led through its views: layers, sweep, network, batch, exports. Prints what it did as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from cnnpredict_gui.gui import app
from cnnpredict_gui.gui.batch_view import BatchView
from cnnpredict_gui.gui.export import save

Ready = Callable[[], bool]


class Guide(QObject):
    """Takes one step after the other; each waits until the program is at rest again."""

    def __init__(self, application: app.Application, out: Path) -> None:
        super().__init__(application)
        self._application, self._out = application, out
        self.done: dict[str, Any] = {"views": [], "exports": [], "internet": []}
        self._steps = self._tour()
        self._ready: Ready = self._at_rest
        self._timer = QTimer(self)
        self._timer.setInterval(50)
        self._timer.timeout.connect(self._turn)
        self._timer.start()

    def _at_rest(self) -> bool:
        application = self._application
        busy = any(view.busy() for view in application.window.views.values())
        context = application.context
        return not (context.models.loading or busy or context.tasks.running or context.disk.busy)

    def _turn(self) -> None:
        self.done["internet"] += [str(one.laddr) for one in psutil.Process().net_connections("inet")]
        if not self._ready():
            return
        try:
            next(self._steps)
        except StopIteration:
            self._timer.stop()
            sys.stdout.write(json.dumps(self.done) + "\n")
            self._application.window.close()

    def _tour(self) -> Iterator[None]:
        window, context = self._application.window, self._application.context
        yield
        context.state.select([name for name in context.models.predictors if "gpul40s" in name])
        context.state.set_config(context.state.config.model_copy(update={"output_channels": 40}))
        context.state.pin()
        for name in window.view_names():
            window.show_view(name)
            yield
            self.done["views"].append(name)
        layers = self._out / "layers.csv"
        layers.write_text("input_channels,input_height,input_width,output_channels,kernel_size\n3,8,8,4,3\n")
        window.open_file(str(layers))
        yield
        batch = window.views["batch"]
        assert isinstance(batch, BatchView)
        batch.run()
        yield
        batch.save_to(self._out / "times.csv")
        yield
        self.done["rows"] = len((self._out / "times.csv").read_text(encoding="utf-8").splitlines())
        self._export()
        if self._application.workbench is not None:
            context.show_help("models")
            self._application.workbench.save_to(self._out / "session.cnnpredict")
        context.models.load()
        yield

    def _export(self) -> None:
        theme = self._application.theme.current
        for number, widget in enumerate(self._application.window.findChildren(QWidget)):
            if hasattr(widget, "export_name") and hasattr(widget, "export_data") and not getattr(widget, "is_empty", False):
                for suffix in (".png", ".svg", ".csv"):
                    save(widget, self._out / f"{number}{suffix}", theme)  # type: ignore[arg-type]
                    self.done["exports"].append(f"{number}{suffix}")


def main() -> int:
    """Run the program; the argument is a folder for what it exports."""
    out = Path(sys.argv.pop(1))
    start = app.Application.start

    def start_with_guide(self: app.Application) -> None:
        self.startup.finished.connect(lambda: QTimer.singleShot(0, lambda: Guide(self, out)))
        start(self)

    app.Application.start = start_with_guide  # type: ignore[method-assign]
    return app.run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
