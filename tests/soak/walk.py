"""A random walk over the real window: moves in turn, and rests at which is counted what the process holds."""

from __future__ import annotations

import faulthandler
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QInputDialog

from cnnpredict_gui.core.errors import CnnPredictError
from cnnpredict_gui.gui.app import Application
from tests.soak.files import write_files
from tests.soak.moves import LONG_ONLY, MOVES, Mover
from tests.soak.watch import STALL_MS, Sample, Stall, Watch

REST_EVERY_S, REST_LIMIT_S = 15.0, 60.0


@dataclass
class Report:
    """What a walk has shown."""

    seed: int
    moves: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    told: int = 0
    problems: list[str] = field(default_factory=list)
    stalls: list[Stall] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For people."""
        head = f"{sum(self.moves.values()):,} moves in {self.seconds:,.0f} s, seed {self.seed}"
        lines = [f"{head}, {self.told} errors told to the user"]
        lines += [
            f"  {one.seconds:6.0f} s  {one.memory_mb:6.0f} MB  {one.threads:3} threads  {one.files:3} files  "
            f"{one.children} children  {one.widgets:5} widgets"
            for one in self.samples[:: max(len(self.samples) // 12, 1)]
        ]
        for stall in self.stalls:
            mark = "STALL" if stall.wall_ms > STALL_MS else "     "
            lines.append(f"  {mark} {stall.wall_ms:6.0f} ms (processor {stall.cpu_ms:4.0f} ms) after {stall.move}")
        lines += [f"LEAK {leak}" for leak in self.leaks]
        counted = Counter(problem.split(": ", 1)[1] for problem in self.problems)
        lines += [f"PROBLEM {count}x {text}" for text, count in counted.most_common()]
        return "\n".join(lines)


class _Pause:
    """Lets the window live, as in the program: ``QTest.qWait`` keeps Python's lock, and no other thread gets on.

    One loop and one timer for all: PySide keeps 300 bytes of each ``QTimer.singleShot``, 30 MB in an hour.
    """

    def __init__(self) -> None:
        self._loop, self._timer = QEventLoop(), QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._loop.quit)

    def __call__(self, milliseconds: int) -> None:
        self._timer.start(milliseconds)
        self._loop.exec()


class Walk(QObject):
    """One walk; :meth:`run` returns when it is over."""

    def __init__(self, application: Application, seed: int, folder: Path, long: bool) -> None:
        super().__init__()
        self._app, self._application, self._rng = QApplication.instance(), application, random.Random(seed)
        self._watch = Watch(self)
        files = write_files(folder / "files", random.Random(seed))
        self._mover = Mover(application, self._rng, files, folder, self._watch.not_counted)
        self.report = Report(seed)
        chosen = {move: weight for move, weight in MOVES.items() if long or move not in LONG_ONLY}
        self._moves, self._weights = list(chosen), list(chosen.values())
        self._home: dict[str, Any] = {}
        self._go_on = _Pause()
        self._closer = QTimer(self)
        self._closer.setInterval(40)
        self._closer.timeout.connect(self._close_popups)

    def run(self, seconds: float, rest_every_s: float = REST_EVERY_S) -> Report:
        """Walk for so long."""
        context = self._application.context
        context.actions["file.quit"].setEnabled(False)
        shown = context.report

        def told(error: CnnPredictError) -> None:
            self.report.told += 1
            self._watch.report(error)
            shown(error)

        def closed() -> None:
            self._watch.problems.append(
                f"after {self._watch.move}: the window was closed" + "".join(traceback.format_stack(limit=12))
            )
            shut_down()

        shut_down, context.shutdown = context.shutdown, closed  # type: ignore[method-assign]
        context.report = told
        self._home = context.state.to_json()
        begin = time.perf_counter()
        with self._without_native_dialogs():
            self._watch.start()
            self._closer.start()
            try:
                self._rest()
                while time.perf_counter() - begin < seconds and self._application.window.isVisible():
                    end = min(time.perf_counter() + rest_every_s, begin + seconds)
                    while time.perf_counter() < end:
                        self._step()
                    self._rest()
            finally:
                self._closer.stop()
                self._watch.stop()
                context.report, context.shutdown = shown, shut_down  # type: ignore[method-assign]
        self.report.seconds = time.perf_counter() - begin
        self.report.problems, self.report.stalls = self._watch.problems, self._watch.stalls
        self.report.samples = self._watch.samples
        self.report.leaks = self._watch.leaks(min(0.25 * seconds, 600.0))
        return self.report

    def _step(self) -> None:
        """One move, and some time for the window."""
        (move,) = self._rng.choices(self._moves, self._weights)
        self._watch.move = move.__name__
        self.report.moves[move.__name__] += 1
        try:
            for _ in move(self._mover) or ():
                self._go_on(0)
        except CnnPredictError as error:
            self._application.context.report(error)
        except Exception as error:
            self._watch._note(error)
        self._go_on(self._rng.choice((0, 5, 20, 60)))

    def _rest(self) -> None:
        """Cancel, close, go home, wait until nothing moves, and count."""
        application, context = self._application, self._application.context
        self._watch.move = "going home"
        for task in context.tasks.running:
            task.cancel()
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, QDialog) and widget.isVisible():
                widget.reject()
        for _ in context.state.taking_over(self._home):
            self._go_on(0)
        for _ in application.window.restoring_views():
            self._go_on(0)
        home: tuple[Callable[[], object], ...] = (
            lambda: application.window.show_view("compare"),
            lambda: application.window.resize(1280, 800),
            lambda: context.theme.set_mode("light"),
        )
        for move in home:
            self._go_on(0)
            move()
        QApplication.clipboard().clear()
        if not self._wait(self._at_rest):
            self._watch.problems.append(f"after going home: no rest within {REST_LIMIT_S:g} s: {self._what_moves()}")
        self._watch.pause()
        self._watch.sample()
        self._watch.listen()

    def _what_moves(self) -> str:
        """Which views, tasks and channels are busy, and what all threads are doing."""
        context = self._application.context
        busy = [name for name, view in self._application.window.views.items() if view.busy()]
        channels, tasks = sorted(context.predictions._current), [task.title for task in context.tasks._tasks]
        with tempfile.TemporaryFile("w+") as stacks:
            faulthandler.dump_traceback(stacks)
            stacks.seek(0)
            return (
                f"views {busy}, channels {channels}, tasks {tasks}, loading {context.models.loading}, "
                f"writing {context.disk.busy}\n{stacks.read()}"
            )

    def _at_rest(self) -> bool:
        context, views = self._application.context, self._application.window.views.values()
        threads = [task for task in context.tasks._tasks]  # noqa: C416 - ended ones too, until their thread has ended
        return not (context.models.loading or threads or context.disk.busy or any(view.busy() for view in views))

    def _wait(self, ready: Callable[[], bool]) -> bool:
        end = time.perf_counter() + REST_LIMIT_S
        while time.perf_counter() < end:
            self._go_on(30)
            if ready():
                return True
        return False

    def _close_popups(self) -> None:
        """Menus and boxes that were opened: choose something there, or nothing."""
        popup, modal = QApplication.activePopupWidget(), QApplication.activeModalWidget()
        if popup is not None:
            for _ in range(self._rng.randrange(4)):
                QTest.keyClick(popup, Qt.Key.Key_Down)
            QTest.keyClick(popup, self._rng.choice((Qt.Key.Key_Escape, Qt.Key.Key_Escape, Qt.Key.Key_Return)))
            if QApplication.activePopupWidget() is popup:
                popup.close()
        elif isinstance(modal, QDialog) and self._rng.random() < 0.2:
            modal.reject()

    @contextmanager
    def _without_native_dialogs(self) -> Iterator[None]:
        """Answer what would open a window of the system."""
        rng, mover = self._rng, self._mover

        def opened(*_: Any, **__: Any) -> tuple[str, str]:
            return (str(mover.some_path()) if rng.random() < 0.7 else "", "")

        def saved(*_: Any, **__: Any) -> tuple[str, str]:
            names = ("saved.png", "saved.csv", "saved.svg", "saved.json", "saved", "no folder/saved.csv")
            return (str(mover.out / rng.choice(names)) if rng.random() < 0.7 else "", "")

        with (
            patch.object(QFileDialog, "getOpenFileName", staticmethod(opened)),
            patch.object(QFileDialog, "getSaveFileName", staticmethod(saved)),
            patch.object(QFileDialog, "getExistingDirectory", staticmethod(lambda *_, **__: "")),
            patch.object(QInputDialog, "getText", staticmethod(lambda *_, **__: (f"preset {rng.randrange(6)}", True))),
            patch.object(QDesktopServices, "openUrl", staticmethod(lambda _url: True)),
        ):
            yield
