"""Child processes that die, hang, run out of memory or talk nonsense: an error that says so, and the program goes on."""

from __future__ import annotations

import gc
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnpredict_gui.bench.child import Message, death_of, run_in_child
from cnnpredict_gui.core.errors import CancelledByUserError, WorkerError
from cnnpredict_gui.gui.batch_view import BatchView
from cnnpredict_gui.gui.context import AppContext
from cnnpredict_gui.gui.workers import as_error
from tests.gui.conftest import Reports
from tests.resilience.conftest import ROOT, environment

posix = pytest.mark.skipif(os.name == "nt", reason="signals")


def killed(request: Message, send: Callable[[Message], None]) -> Message:
    os.kill(os.getpid(), request["signal"])
    sleep(600)
    return {}


def greedy(request: Message, send: Callable[[Message], None]) -> Message:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    return {"bytes": len(bytearray(8 << 30))}


def _our_pipe() -> Connection:
    return next(one for one in gc.get_objects() if isinstance(one, Connection) and one.writable and not one.closed)


def half_a_message(request: Message, send: Callable[[Message], None]) -> Message:
    send({"process": os.getpid()})
    os.write(_our_pipe().fileno(), struct.pack("!i", 1_000_000) + b"never finished")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep(600)
    return {}


def stopped(request: Message, send: Callable[[Message], None]) -> Message:
    send({"process": os.getpid()})
    os.kill(os.getpid(), signal.SIGSTOP)
    return {}


def nonsense(request: Message, send: Callable[[Message], None]) -> Message:
    _our_pipe().send_bytes(bytes(request["bytes"]))
    sleep(600)
    return {}


def patient(request: Message, send: Callable[[Message], None]) -> Message:
    send({"process": os.getpid()})
    sleep(600)
    return {}


@posix
@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("SIGKILL", r"was killed \(SIGKILL\), most likely because memory ran out", "fewer rows"),
        ("SIGSEGV", r"crashed \(SIGSEGV\)", "damaged"),
        ("SIGABRT", r"crashed \(SIGABRT\)", "memory"),
        ("SIGTERM", r"ended from outside \(SIGTERM\)", "again"),
    ],
)
def test_the_signal_that_killed_a_child_is_named(name: str, what: str, hint: str) -> None:
    with pytest.raises(WorkerError, match=what) as caught:
        run_in_child(f"{__name__}:killed", {"signal": int(signal.Signals[name])})
    assert hint in caught.value.hint and "\n" not in str(caught.value)


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_a_child_that_runs_out_of_memory_says_so() -> None:
    with pytest.raises(WorkerError, match="memory ran out in the child process") as caught:
        run_in_child(f"{__name__}:greedy", {})
    assert "fewer rows" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "word"), [(3, "exit code 3"), (0xC0000005, "access violation"), (-200, "signal 200"), (None, "does not answer")]
)
def test_deaths_have_names(code: int | None, word: str) -> None:
    message, hint = death_of(code)
    assert word in message and hint


@posix
@pytest.mark.parametrize("work", ["half_a_message", "stopped"])
@pytest.mark.parametrize("way", ["cancel", "timeout"])
def test_a_child_that_hangs_is_ended(work: str, way: str) -> None:
    heard: list[int] = []
    began: list[float] = []

    def hear(message: Message) -> None:
        heard.append(message["process"])
        began.append(monotonic())

    limits: dict[str, object] = {"cancelled": lambda: bool(heard)} if way == "cancel" else {"timeout": 5.0}
    with pytest.raises(CancelledByUserError if way == "cancel" else WorkerError):
        run_in_child(f"{__name__}:{work}", {}, hear, **limits)  # type: ignore[arg-type]
    assert not heard or not psutil.pid_exists(heard[0])
    assert not began or monotonic() - began[0] < 60  # of 600 s


@posix
@pytest.mark.parametrize("text", [b"\xff\xfe", b"[]", b'{"kind": "result"}', b'{"kind": "result", "value": 3}', b"[" * 90_000])
def test_a_child_that_talks_nonsense_is_an_error(text: bytes) -> None:
    with pytest.raises(WorkerError, match="cannot be understood"):
        run_in_child(f"{__name__}:nonsense", {"bytes": list(text)})


def test_a_child_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_process: SpawnProcess) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(SpawnProcess, "start", start)
    with pytest.raises(WorkerError, match="no child process can be started: Resource temporarily") as caught:
        run_in_child(f"{__name__}:patient", {})
    assert caught.value.hint


def test_memory_that_ran_out_in_a_thread_is_told_plainly() -> None:
    assert "memory ran out" in as_error(MemoryError()).message and as_error(MemoryError()).hint


@posix
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "from cnnpredict_gui.bench.child import run_in_child\n"
        "if __name__ == '__main__':\n"
        f"    run_in_child('{__name__}:patient', {{}}, lambda m: print(m['process'], flush=True))\n"
    )
    (tmp_path / "parent.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, env=environment(tmp_path), cwd=ROOT
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    child.wait(30)


@posix
@pytest.mark.timeout(120)
def test_the_window_tells_of_a_killed_child_and_goes_on(
    qtbot: QtBot, context: AppContext, reports: Reports, tmp_path: Path
) -> None:
    """A batch whose process is killed by the system is reported; the next run of the same view works."""
    rows = "16,56,56,32,3\n" * 4
    (tmp_path / "layers.csv").write_text(f"input_channels,input_height,input_width,output_channels,kernel_size\n{rows}")
    view = BatchView(context)
    qtbot.addWidget(view)
    view.show()
    assert view.open_file(str(tmp_path / "layers.csv"))
    qtbot.waitUntil(lambda: not view.busy(), timeout=40_000)
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def fresh() -> list[psutil.Process]:
        found = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        return [child for child in found if "spawn_main" in " ".join(child.cmdline())]

    qtbot.mouseClick(view.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(fresh()), timeout=20_000)
    for child in fresh():
        child.kill()
    qtbot.waitUntil(lambda: not view.busy(), timeout=20_000)
    assert view.message.isVisible() and view.summary is None
    assert "was killed (SIGKILL)" in view.message.text() and "close other programs" in view.message.text()
    qtbot.mouseClick(view.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not view.busy(), timeout=60_000)
    assert view.summary is not None and reports.errors == []
