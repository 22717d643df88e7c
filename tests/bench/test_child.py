"""Work in child processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from threading import Event, Thread
from time import monotonic, sleep

import pytest

from cnnpredict_gui.bench.child import Message, _serve, run_in_child
from cnnpredict_gui.core.errors import CancelledByUserError, ModelFileError, WorkerError


def add(request: Message, send: Callable[[Message], None]) -> Message:
    send({"done": 1})
    return {"sum": request["a"] + request["b"], "process": os.getpid()}


def fail(request: Message, send: Callable[[Message], None]) -> Message:
    if request["known"]:
        raise ModelFileError("it is broken", "mend it")
    raise ZeroDivisionError("oops")


def die(request: Message, send: Callable[[Message], None]) -> Message:
    os._exit(3)


def sleep_long(request: Message, send: Callable[[Message], None]) -> Message:
    send({})
    sleep(600)
    return {}


def talk(request: Message, send: Callable[[Message], None]) -> Message:
    return {"written": sys.stderr.write("a progress bar") + sys.stdout.write("of a library")}


def test_result_and_messages() -> None:
    messages: list[Message] = []
    result = run_in_child(f"{__name__}:add", {"a": 2, "b": 3}, messages.append)
    assert result["sum"] == 5
    assert result["process"] != os.getpid()
    assert messages == [{"done": 1}]


def test_errors_arrive_with_their_hint() -> None:
    with pytest.raises(WorkerError, match=r"it is broken \(mend it\)"):
        run_in_child(f"{__name__}:fail", {"known": True})
    with pytest.raises(WorkerError, match="ZeroDivisionError: oops"):
        run_in_child(f"{__name__}:fail", {"known": False})
    with pytest.raises(WorkerError, match="exit code 3"):
        run_in_child(f"{__name__}:die", {})


def niceness(request: Message, send: Callable[[Message], None]) -> Message:
    return {"niceness": os.nice(0)}


@pytest.mark.skipif(not hasattr(os, "nice"), reason="this system knows no niceness")
def test_work_steps_back_before_the_window_and_less_so_when_it_measures() -> None:
    here = os.nice(0)
    measuring = run_in_child(f"{__name__}:niceness", {}, measures=True)["niceness"]
    assert here < measuring < run_in_child(f"{__name__}:niceness", {})["niceness"] or here >= 9


def test_only_one_measures_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnpredict_gui.bench.child._GRACE", 0.1)
    started, stop, ended = Event(), Event(), Event()

    def measure() -> None:
        with suppress(CancelledByUserError):
            run_in_child(f"{__name__}:sleep_long", {}, lambda _: started.set(), cancelled=stop.is_set, measures=True)
        ended.set()

    Thread(target=measure).start()
    assert started.wait(60)
    with pytest.raises(WorkerError, match="another measurement is running"):
        run_in_child(f"{__name__}:niceness", {}, measures=True)
    monkeypatch.setattr("cnnpredict_gui.bench.child._GRACE", 60.0)
    with pytest.raises(CancelledByUserError):
        run_in_child(f"{__name__}:niceness", {}, cancelled=lambda: True, measures=True)
    assert run_in_child(f"{__name__}:niceness", {})
    stop.set()
    assert run_in_child(f"{__name__}:niceness", {}, measures=True)
    assert ended.wait(60)


def test_cancel_and_timeout_end_the_process() -> None:
    started: list[Message] = []
    begin = monotonic()
    with pytest.raises(CancelledByUserError):
        run_in_child(f"{__name__}:sleep_long", {}, started.append, cancelled=lambda: bool(started))
    with pytest.raises(WorkerError, match="longer than 0 s"):
        run_in_child(f"{__name__}:sleep_long", {}, timeout=0.2)
    assert monotonic() - begin < 100


def test_a_child_without_streams_may_write_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windowed programs on Windows have none, nor have their children."""
    ours, theirs = Pipe(duplex=False)
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", None)
        patched.setattr("sys.stderr", None)
        _serve(theirs, f"{__name__}:talk", "{}")
        sys.stdout.close()
        sys.stderr.close()
    assert json.loads(ours.recv_bytes()) == {"kind": "result", "value": {"written": 26}}
