"""Many rows through tree models: answered by XGBoost in child processes once that pays.

ONNX Runtime is best for one row; for millions XGBoost is up to three times as fast. When enough rows have passed through
a model, worker processes are started in the background, one per core; from then on each large piece of rows goes to an idle
worker. The answers agree to the rounding of float32, which is checked on the first rows. Whatever goes wrong with a worker, the
program goes on with ONNX Runtime.
"""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic, perf_counter, sleep
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnpredict_gui.core.errors import WorkerError
from cnnpredict_gui.core.table import ConfigTable, Floats
from cnnpredict_gui.infra.children import child_command
from cnnpredict_gui.serving import frames

if TYPE_CHECKING:
    from cnnpredict_gui.serving.models import TrainedModel

logger = logging.getLogger(__name__)
WORKER_MODULE = "cnnpredict_gui.training.tree_worker"
#: Families whose models are trees; of them only those go to the workers that are faster there.
TREE_FAMILIES = ("xgb", "rf")
#: Pieces of fewer rows are never sent to a worker.
LEAST_ROWS = 4_096
#: Rows that must have passed through a model, without a pause of :data:`PAUSE_S`, before workers take it over.
START_ROWS = 100_000
PAUSE_S = 10.0
#: Workers end after this many seconds without work.
IDLE_S = 60.0
#: Largest difference of log times between the engines.
TOLERANCE = 1e-3


class Worker:
    """One child process; used by one thread at a time.

    Raises:
        WorkerError: it cannot be started.
    """

    def __init__(self) -> None:
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(
                child_command(WORKER_MODULE),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                creationflags=flags,
            )
        except OSError as error:
            raise WorkerError(f"a tree worker cannot be started: {error}") from None
        self._table: ConfigTable | None = None

    def load(self, model: TrainedModel) -> None:
        """Load a model from its file.

        Raises:
            WorkerError: it is no tree ensemble, or the worker is gone.
        """
        header = {"kind": "load", "model": model.key, "path": str(model.path), "sha256": model.sha256}
        self._ask(header | {"card": model.card.model_dump_json()})

    def log_time(self, model: TrainedModel, table: ConfigTable) -> Floats:
        """Log times of a loaded model, shape (n,).

        Raises:
            WorkerError: the worker failed or is gone.
        """
        if table is not self._table:
            header, payload = frames.pack(table)
            self._send({"kind": "table"} | header, payload)
            self._table = table
        answer = np.frombuffer(self._ask({"kind": "predict", "model": model.key}), dtype=np.float64)
        if len(answer) != len(table):
            raise WorkerError("a tree worker gave too few answers")
        return answer

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.kill()
        self._process.wait()

    def _send(self, header: dict[str, Any], payload: bytes = b"") -> None:
        assert self._process.stdin is not None
        try:
            frames.send(self._process.stdin, header, payload)
        except (OSError, ValueError):
            raise WorkerError("a tree worker is gone") from None

    def _ask(self, header: dict[str, Any]) -> bytes:
        self._send(header)
        assert self._process.stdout is not None
        try:
            answer, payload = frames.receive(self._process.stdout)
        except (OSError, ValueError, EOFError):
            raise WorkerError("a tree worker is gone") from None
        if answer["kind"] == "error":
            raise WorkerError(f"a tree worker failed: {answer['message']}")
        return payload


class BulkEngine:
    """The workers and what they have loaded. All methods may be called from any thread.

    Args:
        workers: Number of processes; default: one per core, at most eight.
        must_be_faster: Leave models to ONNX Runtime that a worker does not answer faster.
    """

    def __init__(self, workers: int | None = None, must_be_faster: bool = True) -> None:
        self._must_be_faster = must_be_faster
        self._size = workers or min(8, os.cpu_count() or 1)
        self._lock = Lock()
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._workers: list[Worker] = []
        self._passed: dict[int, tuple[int, float]] = {}
        self._ready: set[int] = set()
        self._refused: set[int] = set()
        self._starting = False
        self._last_used = monotonic()
        #: Whether workers may be started at all.
        self.enabled = True

    def is_ready(self, model: TrainedModel) -> bool:
        """Whether the workers have this model."""
        return model.key in self._ready

    @contextmanager
    def worker(self, rows: int) -> Iterator[Worker | None]:
        """An idle worker for a piece of rows; None if there is none or the piece is small."""
        found: Worker | None = None
        if rows >= LEAST_ROWS and self._ready:
            self._last_used = monotonic()
            with suppress(Empty):
                found = self._idle.get_nowait()
        try:
            yield found
        finally:
            if found is not None:
                self._last_used = monotonic()
                if found in self._workers:  # else they were closed meanwhile
                    self._idle.put(found)

    def log_time(self, worker: Worker, model: TrainedModel, table: ConfigTable) -> Floats | None:
        """Log times by a worker; None if it failed, and then no worker is used any more."""
        try:
            return worker.log_time(model, table)
        except WorkerError as error:
            if worker in self._workers:
                logger.warning("%s; ONNX Runtime answers from now on", error)
                self.enabled = False
                self.close()
            return None

    def note(self, model: TrainedModel, table: ConfigTable) -> None:
        """Count rows that ONNX Runtime answers; starts the workers when that was often enough."""
        if not self.enabled or len(table) < LEAST_ROWS or model.card.family not in TREE_FAMILIES:
            return
        with self._lock:
            rows, last = self._passed.get(model.key, (0, 0.0))
            now = monotonic()
            rows = len(table) + (rows if now - last < PAUSE_S else 0)
            self._passed[model.key] = rows, now
            due = rows >= START_ROWS and model.key not in self._ready | self._refused and not self._starting
            self._starting = self._starting or due
        if due:
            Thread(target=self._take_over, args=(model, table[:LEAST_ROWS]), name="tree-workers", daemon=True).start()

    def close(self) -> None:
        """End all workers; they start again when needed."""
        with self._lock:
            workers, self._workers, self._ready = self._workers, [], set()
            self._idle = SimpleQueue()
        for worker in workers:
            worker.close()

    def _take_over(self, model: TrainedModel, probe: ConfigTable) -> None:
        """Start the workers if need be, have them load the model, check one answer; body of a background thread."""
        try:
            self._load(model, probe)
        except WorkerError as error:
            logger.info("%s stays with ONNX Runtime: %s", model.card.name, error)
            self._refused.add(model.key)
        finally:
            self._starting = False

    def _load(self, model: TrainedModel, probe: ConfigTable) -> None:
        if not self._workers:
            with self._lock:
                self._workers = [Worker() for _ in range(self._size)]
                for worker in self._workers:
                    self._idle.put(worker)
            Thread(target=self._end_when_idle, name="tree-workers-idle", daemon=True).start()
        taken: list[Worker] = []
        try:
            while len(taken) < len(self._workers):
                taken.append(self._idle.get(timeout=60))
                taken[-1].load(model)
            self._check(taken[0], model, probe)
            self._ready.add(model.key)
            self._last_used = monotonic()
        except Empty:
            raise WorkerError("the workers are busy") from None
        finally:
            for worker in taken:
                self._idle.put(worker)

    def _check(self, worker: Worker, model: TrainedModel, probe: ConfigTable) -> None:
        """Hold the worker's answers and its speed against those of ONNX Runtime."""
        from cnnpredict_gui.serving.models import Memo

        begin = perf_counter()
        here = model.log_time(ConfigTable(probe.columns), Memo())
        seconds = perf_counter() - begin
        difference = np.abs(worker.log_time(model, probe) - here).max()
        if not difference < TOLERANCE:
            raise WorkerError(f"the engines differ by {difference:.2g}")
        begin = perf_counter()
        worker.log_time(model, ConfigTable(probe.columns))
        if self._must_be_faster and perf_counter() - begin > seconds:
            raise WorkerError("the worker is not faster")

    def _end_when_idle(self) -> None:
        while self._workers:
            sleep(1.0)
            if monotonic() - self._last_used > IDLE_S:
                self.close()


#: What predictors use.
BULK = BulkEngine()
atexit.register(BULK.close)
