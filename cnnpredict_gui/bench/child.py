"""Work in a child process that speaks JSON over a pipe: a crash stays there, Cancel is immediate, nothing disturbs a stopwatch.

The work is a function named ``package.module:function`` that takes the request (a JSON object) and a callable for progress
messages (JSON objects), and returns the result (a JSON object).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any

from cnnpredict_gui.core.errors import CancelledByUserError, CnnPredictError, WorkerError
from cnnpredict_gui.infra.streams import open_missing_streams

Message = dict[str, Any]
Work = Callable[[Message, Callable[[Message], None]], Message]
Inbox = SimpleQueue[bytes | None]
#: How often a parent looks whether it was cancelled, and how long a killed process may take to be gone, in seconds.
_TICK, _GRACE = 0.1, 5.0
#: How far work steps back before the window, by whether it measures times; POSIX counts to 19. A machine that has nothing
#: else to do gives it all the same.
_NICENESS = {False: 10, True: 5}
#: Held while a child process measures: two at once would slow each other down, and both measure wrong.
_measuring = Lock()
_MEMORY = "use fewer rows or models at a time, or close other programs"
#: What Windows calls an access violation, a stack overflow and memory that ran out.
_WINDOWS_CODES = {0xC0000005: "access violation", 0xC00000FD: "stack overflow", 0xC0000017: "no memory"}


def run_in_child(
    work: str,
    request: Message,
    on_message: Callable[[Message], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    timeout: float | None = None,
    measures: bool = False,
) -> Message:
    """Run ``work`` in a fresh process and wait for its result.

    The process is gone when this returns, whatever it was doing; and it ends by itself if this process dies. It leaves the
    processor to the window when both want it.

    Args:
        work: ``package.module:function``.
        request: What the function gets.
        on_message: Called in this thread with each progress message.
        cancelled: Asked ten times a second; true kills the process.
        timeout: Most seconds the work may take.
        measures: Whether it measures times: only one may do that at a time.

    Raises:
        WorkerError: it failed, died (the message says of what) or took too long, or another one measures.
        CancelledByUserError: ``cancelled`` said so.
    """
    with _alone(cancelled) if measures else nullcontext(), _child(work, request, measures) as (process, inbox):
        return _listen(process, inbox, on_message, cancelled, timeout)


@contextmanager
def _alone(cancelled: Callable[[], bool] | None) -> Iterator[None]:
    """While nothing else measures; one that was cancelled may take a moment to end."""
    begin = monotonic()
    while not _measuring.acquire(timeout=_TICK):
        if cancelled is not None and cancelled():
            raise CancelledByUserError("cancelled")
        if monotonic() - begin > _GRACE:
            raise WorkerError(
                "another measurement is running", "wait for it or cancel it: two at once would slow each other down"
            )
    try:
        yield
    finally:
        _measuring.release()


@contextmanager
def _child(work: str, request: Message, measures: bool) -> Iterator[tuple[SpawnProcess, Inbox]]:
    """A process at work and what it says; gone in the end, whatever it was doing."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, work, json.dumps(request)), daemon=True, name=work)
    inbox: Inbox = SimpleQueue()
    reader = Thread(target=_receive, args=(ours, inbox), name="answers of a child process", daemon=True)
    try:
        process.start()
    except OSError as error:
        ours.close()
        raise WorkerError(
            f"no child process can be started: {error.strerror or error}", "close other programs and try again"
        ) from error
    finally:
        theirs.close()
    _step_back(process.pid, measures)
    reader.start()
    try:
        yield process, inbox
    finally:
        process.kill()
        process.join(_GRACE)
        reader.join(_GRACE)
        ours.close()


def _step_back(process: int | None, measures: bool) -> None:
    """Give the window precedence from the child's first moment on; to begin takes it a quarter of a second."""
    import psutil  # which children need not import

    with suppress(psutil.Error):
        other = psutil.Process(process)
        other.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else other.nice() + _NICENESS[measures])


def _receive(pipe: Connection, inbox: Inbox) -> None:
    """Body of the thread that reads: a child that stops in the middle of a message must not stop its parent."""
    try:
        while True:
            inbox.put(pipe.recv_bytes())
    except (EOFError, OSError):
        inbox.put(None)


def _listen(
    process: SpawnProcess,
    inbox: Inbox,
    on_message: Callable[[Message], None] | None,
    cancelled: Callable[[], bool] | None,
    timeout: float | None,
) -> Message:
    begin = monotonic()
    while True:
        if cancelled is not None and cancelled():
            raise CancelledByUserError("cancelled")
        if timeout is not None and monotonic() - begin > timeout:
            raise WorkerError(f"the child process took longer than {timeout:.0f} s", "try fewer rows or iterations")
        try:
            received = inbox.get(timeout=_TICK)
        except Empty:
            continue
        if received is None:
            process.join(_GRACE)
            raise WorkerError(*death_of(process.exitcode))
        kind, content = _understood(received)
        if kind == "result":
            return content
        if kind == "error":
            raise WorkerError(str(content.get("message", "")), str(content.get("hint", "")))
        if on_message is not None:
            on_message(content)


def _understood(received: bytes) -> tuple[str, Message]:
    """Kind and content of a message."""
    try:
        message = json.loads(received)
        kind, content = message["kind"], message["value"]
        if kind in ("result", "error", "progress") and isinstance(content, dict):
            return kind, content
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise WorkerError("the child process said something that cannot be understood", "please report it with the log")


def death_of(exit_code: int | None) -> tuple[str, str]:
    """What a process that ended without a result died of, and what to do about it.

    Args:
        exit_code: As :mod:`multiprocessing` gives it: negative is the number of a signal; None if it could not be ended.
    """
    if exit_code is None:
        return "the child process does not answer and cannot be ended", "restart the computer if it goes on"
    if exit_code >= 0:
        name = _WINDOWS_CODES.get(exit_code, f"exit code {exit_code}")
        return f"the child process ended without a result ({name})", _MEMORY
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if name == "SIGKILL":
        return f"the child process was killed ({name}), most likely because memory ran out", _MEMORY
    if name == "SIGXCPU":
        return f"the child process used up its time ({name})", "try fewer rows or iterations"
    if name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGFPE"):
        return f"the child process crashed ({name})", f"the file may be damaged, or memory ran out: {_MEMORY}"
    return f"the child process was ended from outside ({name})", "run it again"


def _serve(pipe: Connection, work: str, request: str) -> None:
    """Body of the child process."""

    def send(kind: str, value: Message) -> None:
        pipe.send_bytes(json.dumps({"kind": kind, "value": value}).encode())

    Thread(target=_end_with_parent, name="end with the parent", daemon=True).start()
    open_missing_streams()
    try:
        module, _, name = work.partition(":")
        function: Work = getattr(import_module(module), name)
        send("result", function(json.loads(request), lambda message: send("progress", message)))
    except (KeyboardInterrupt, BrokenPipeError):
        return
    except CnnPredictError as error:
        send("error", {"message": error.message, "hint": error.hint})
    except MemoryError:
        send("error", {"message": "memory ran out in the child process", "hint": _MEMORY})
    except BaseException as error:
        send("error", {"message": f"{type(error).__name__}: {error}", "hint": "please report it"})


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
