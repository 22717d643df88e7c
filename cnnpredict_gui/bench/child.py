"""Work in a child process that speaks JSON over a pipe: a crash stays there, Cancel is immediate, nothing disturbs a stopwatch.

The work is a function named ``package.module:function`` that takes the request (a JSON object) and a callable for progress
messages (JSON objects), and returns the result (a JSON object).
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Any

from cnnpredict_gui.core.errors import CancelledByUserError, CnnPredictError, WorkerError

Message = dict[str, Any]
Work = Callable[[Message, Callable[[Message], None]], Message]
#: How often a parent looks whether it was cancelled, in seconds.
_TICK = 0.1


def run_in_child(
    work: str,
    request: Message,
    on_message: Callable[[Message], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    timeout: float | None = None,
) -> Message:
    """Run ``work`` in a fresh process and wait for its result.

    Args:
        work: ``package.module:function``.
        request: What the function gets.
        on_message: Called in this thread with each progress message.
        cancelled: Asked ten times a second; true kills the process.
        timeout: Most seconds the work may take.

    Raises:
        WorkerError: it failed, died or took too long.
        CancelledByUserError: ``cancelled`` said so.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, work, json.dumps(request)), daemon=True, name=work)
    process.start()
    theirs.close()
    try:
        return _listen(process, ours, on_message, cancelled, timeout)
    finally:
        process.kill()
        process.join()
        ours.close()


def _listen(
    process: SpawnProcess,
    pipe: Connection,
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
        if not pipe.poll(_TICK):
            continue
        try:
            message: Message = json.loads(pipe.recv_bytes())
        except EOFError:
            process.join(5)
            code = process.exitcode
            raise WorkerError(
                f"the child process ended without a result (exit code {code})", "is there enough memory?"
            ) from None
        if message["kind"] == "result":
            result: Message = message["value"]
            return result
        if message["kind"] == "error":
            raise WorkerError(message["message"], message["hint"])
        if on_message is not None:
            on_message(message["value"])


def _serve(pipe: Connection, work: str, request: str) -> None:
    """Body of the child process."""

    def send(kind: str, **content: Any) -> None:
        pipe.send_bytes(json.dumps({"kind": kind, **content}).encode())

    try:
        module, _, name = work.partition(":")
        function: Work = getattr(import_module(module), name)
        send("result", value=function(json.loads(request), lambda message: send("progress", value=message)))
    except KeyboardInterrupt:
        return
    except CnnPredictError as error:
        send("error", message=error.message, hint=error.hint)
    except BaseException as error:
        send("error", message=f"{type(error).__name__}: {error}", hint="please report it")
