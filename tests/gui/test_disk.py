"""Writing off the GUI thread: in order, with errors, and finished when the window closes."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from cnnpredict_gui.core.errors import CnnPredictError, OutputError, WorkerError
from cnnpredict_gui.gui.disk import Disk


def test_work_is_done_in_the_order_asked_and_answered_on_the_gui_thread(qtbot: QtBot) -> None:
    disk, answers, threads = Disk(), list[int](), list[threading.Thread]()

    def work(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        threads.append(threading.current_thread())
        return number

    for number in range(5):
        disk.run(partial(work, number), answers.append)
    assert disk.busy and not answers
    qtbot.waitUntil(lambda: not disk.busy, timeout=5_000)
    assert answers == [0, 1, 2, 3, 4] and threading.main_thread() not in threads and len(set(threads)) == 1
    disk.shutdown()


@pytest.mark.parametrize(("error", "kind"), [(OutputError("full", "make room"), OutputError), (KeyError("bug"), WorkerError)])
def test_errors_come_back(qtbot: QtBot, error: Exception, kind: type[CnnPredictError]) -> None:
    disk, told = Disk(), list[CnnPredictError]()

    def work() -> None:
        raise error

    disk.run(work, failed=told.append)
    qtbot.waitUntil(lambda: bool(told), timeout=5_000)
    assert isinstance(told[0], kind)
    disk.shutdown()


def test_closing_finishes_what_was_asked_but_calls_nobody(qtbot: QtBot) -> None:
    disk, written, answers = Disk(), list[int](), list[int]()

    def write(number: int) -> None:
        time.sleep(0.002)
        written.append(number)

    for number in range(20):
        disk.run(partial(write, number), answers.append)
    disk.shutdown()
    assert written == list(range(20))
    disk.run(partial(write, 20), answers.append)
    assert written[-1] == 20
    qtbot.wait(20)
    assert not answers


class _Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[int] = []

    def hear(self, value: int) -> None:
        self.heard.append(value)


def test_a_widget_that_is_gone_is_not_called(qtbot: QtBot) -> None:
    disk, listener = Disk(), _Listener()
    disk.run(lambda: 1, listener.hear)
    delete(listener)
    qtbot.waitUntil(lambda: not disk.busy, timeout=5_000)
    assert not listener.heard
    disk.shutdown()
