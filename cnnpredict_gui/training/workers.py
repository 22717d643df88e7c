"""Workers through joblib: processes of this machine (loky), or a Dask cluster.

A worker runs one piece at a time, whatever threads it has: fits seed global generators and stopwatches want no neighbour. What
pieces share travels once: to processes through a temporary file, to a cluster by Dask's scatter. Nothing but the scheduler
whose address the user gave is connected to. Dask runs what its peers send: use a cluster you trust.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import platform
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from time import monotonic
from typing import Any
from uuid import uuid4

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from cnnpredict_gui import __version__
from cnnpredict_gui.core.errors import CancelledByUserError, ConfigError, WorkerError
from cnnpredict_gui.infra.parallel import InProcess, Item, Mapper, Result, Shared

#: Seconds to wait for a scheduler to answer, for a first worker, and for new workers once none is left.
CONNECT_SECONDS, FIRST_WORKER_SECONDS, NO_WORKER_SECONDS = 5.0, 10.0, 30.0
#: Items under way at once, per worker; their results wait in memory until they are taken.
WINDOW = 8
#: How often it is asked whether the user cancelled, and whether the cluster is still there, in seconds.
_TICK, _HEALTH_TICK = 0.1, 3.0
#: What must be of the same version everywhere: results are then the same, and objects can be exchanged.
_LIBRARIES = ("numpy", "pyarrow", "onnxruntime", "scikit-learn", "xgboost-cpu", "torch", "joblib", "cloudpickle", "distributed")
_one_at_a_time = Lock()
logger = logging.getLogger(__name__)


@contextmanager
def open_workers(workers: int = 1, dask: str | None = None) -> Iterator[Mapper]:
    """A mapper over ``workers`` processes of this machine, or over the cluster of the Dask scheduler at ``dask``.

    Args:
        workers: 1 for this process alone.
        dask: Address of a scheduler, e.g. ``tcp://10.0.0.5:8786``; ``workers`` is not used then.

    Raises:
        ConfigError: there cannot be that many workers.
        WorkerError: no scheduler or no worker is there, Dask is not installed, or the workers have other versions.
    """
    if dask is not None:
        with _connected(dask) as client:
            yield DaskWorkers(client, dask)
    elif workers == 1:
        yield InProcess()
    else:
        if workers < 1:
            raise ConfigError(f"there cannot be {workers} workers", "give 1 or more", "workers")
        if getattr(sys, "frozen", False):
            hint = "leave --workers out, or install the package with pip"
            raise WorkerError("the packaged program cannot start worker processes", hint)
        try:
            yield LocalWorkers(workers)
        finally:
            get_reusable_executor(max_workers=workers).shutdown(wait=True, kill_workers=True)


@dataclass(frozen=True)
class LocalWorkers:
    """Processes of this machine, kept by loky from one call to the next."""

    workers: int

    def map(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Iterable[Item],
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """See :class:`cnnpredict_gui.infra.parallel.Mapper`."""
        # Loky renews workers that have grown and warns in a thread of its own, which must not end if warnings are errors.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        with TemporaryDirectory(prefix="cnnpredict-", ignore_cleanup_errors=True) as folder:
            place = str(Path(folder) / "shared")
            joblib.dump(shared, place)
            with joblib.parallel_config(backend="loky", n_jobs=self.workers):
                parallel = _Parallel(_Watch(cancelled))
            try:
                yield from parallel.windows(_run_with_file, function, place, items, self.workers * WINDOW)
            except BrokenProcessPool:
                hint = "is there enough memory? try fewer workers"
                raise WorkerError("a worker process was killed or crashed", hint) from None


@dataclass(frozen=True)
class DaskWorkers:
    """The workers of a cluster; those that join later are used too, and what a lost one had begun begins anew elsewhere."""

    client: Any
    address: str

    @property
    def workers(self) -> int:
        """Threads of all workers together."""
        return max(1, sum(int(count) for count in self.client.ncores().values()))

    def map(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Iterable[Item],
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """See :class:`cnnpredict_gui.infra.parallel.Mapper`."""
        from distributed import KilledWorker

        holder = _Holder(shared)
        try:
            with joblib.parallel_config(backend="dask", client=self.client, scatter=[holder]):
                parallel = _Parallel(_Watch(cancelled, self._seconds_without_workers))
            yield from parallel.windows(_run_held, function, holder, items, self.workers * WINDOW)
        except (KilledWorker, CancelledError, OSError) as error:
            if self.client.status != "running" or isinstance(error, OSError):
                raise self._gone() from None
            message = f"workers at {self.address} were lost while they worked"
            raise WorkerError(message, "have they enough memory? see what the workers printed") from None

    def _seconds_without_workers(self, before: float) -> float:
        """How long no worker has been there, given what the last look found."""
        if self.client.status != "running":
            raise self._gone()
        if self.client.ncores():
            return 0.0
        if before >= NO_WORKER_SECONDS:
            raise WorkerError(f"no worker is left at {self.address}", f"start workers again: dask worker {self.address}")
        return before + _HEALTH_TICK

    def _gone(self) -> WorkerError:
        return WorkerError(f"the scheduler at {self.address} went away", "start it and its workers, then try again")


class _Parallel(joblib.Parallel):  # type: ignore[misc]
    """joblib's loop, which asks a watch whenever it waits."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__(return_as="generator", batch_size=1, pre_dispatch="all")
        self._watch = watch

    def _initialize_backend(self) -> int:
        return max(2, int(super()._initialize_backend()))  # with 1 joblib would work here instead of on the only worker

    def _wait_retrieval(self) -> bool:
        self._watch.look()
        return bool(super()._wait_retrieval())

    def windows(self, run: Callable[..., Any], function: Any, shared: Any, items: Iterable[Any], size: int) -> Iterator[Any]:
        """Results in order; at most ``size`` items are under way, so that results not yet taken need little memory."""
        waiting = iter(items)
        while window := list(islice(waiting, size)):
            results = self(joblib.delayed(run)(function, shared, item) for item in window)
            try:
                for result in results:  # noqa: UP028 - closed below, not by the caller
                    yield result
            finally:
                with warnings.catch_warnings():  # who stops early knows that some results are not used
                    warnings.simplefilter("ignore")
                    results.close()


@dataclass
class _Watch:
    """Looks now and then whether the user cancelled and whether workers are there."""

    cancelled: Callable[[], bool] | None
    without_workers: Callable[[float], float] | None = None
    seconds_without: float = 0.0
    last: float = field(default_factory=monotonic)
    last_health: float = field(default_factory=monotonic)

    def look(self) -> None:
        now = monotonic()
        if now - self.last < _TICK:
            return
        self.last = now
        if self.cancelled is not None and self.cancelled():
            raise CancelledByUserError("cancelled")
        if self.without_workers is not None and now - self.last_health >= _HEALTH_TICK:
            self.last_health = now
            self.seconds_without = self.without_workers(self.seconds_without)


class _Holder:
    """What pieces share, as one object that travels packed: workers pass it on to each other without opening it."""

    def __init__(self, content: Any) -> None:
        self._packed = pickle.dumps(content)
        self._token = uuid4().hex

    def __dask_tokenize__(self) -> str:
        return self._token

    def __getstate__(self) -> dict[str, Any]:
        return {"_packed": self._packed, "_token": self._token}

    @cached_property
    def content(self) -> Any:
        """The object, unpacked once per process."""
        return pickle.loads(self._packed)  # noqa: S301 - from the cluster the user trusts


def _run_with_file(function: Callable[[Any, Any], Any], place: str, item: Any) -> Any:
    return _run(function, lambda: _read(place), item)


def _run_held(function: Callable[[Any, Any], Any], holder: _Holder, item: Any) -> Any:
    return _run(function, lambda: holder.content, item)


def _run(function: Callable[[Any, Any], Any], shared: Callable[[], Any], item: Any) -> Any:
    """One piece in a worker, its own calls of joblib on one thread."""
    with _one_at_a_time, joblib.parallel_config(backend="threading", n_jobs=1):
        return function(shared(), item)


@lru_cache(maxsize=1)
def _read(place: str) -> Any:
    return joblib.load(place)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of the scheduler, its workers there and of our versions."""
    try:
        import distributed
    except ImportError:
        missing = "the packaged program comes without Dask" if getattr(sys, "frozen", False) else "Dask is not installed"
        raise WorkerError(missing, "install the package with it: pip install 'cnnpredict-gui[cluster]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told by our own errors
    try:
        kind = asyncio.run(_kind_of(address))
        if kind != "Scheduler":
            raise ValueError(f"a Dask {kind.lower()} is there")
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False, direct_to_workers=False)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else f"nothing within {CONNECT_SECONDS:g} s"
        hint = "start one with 'dask scheduler', workers with 'dask worker ADDRESS', and give its ADDRESS, e.g. tcp://10.0.0.5:8786"
        raise WorkerError(f"no Dask scheduler answers at {address}: {reason}", hint) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
        except TimeoutError:
            raise WorkerError(f"the scheduler at {address} has no worker", f"start some: dask worker {address}") from None
        _check_versions(client, address)
        if max(client.ncores().values()) > 1:
            logger.warning(
                "a worker runs one piece at a time: start workers with --nthreads 1 --nworkers CORES to use all cores"
            )
        yield client


async def _kind_of(address: str) -> str:
    """What answers at an address, e.g. ``Scheduler``; the client alone would wait for ever for a server that is silent."""
    from distributed.core import rpc

    async with asyncio.timeout(CONNECT_SECONDS):
        peer = rpc(address)
        try:
            return str((await peer.identity())["type"])
        finally:
            await peer.close_rpc()


def _check_versions(client: Any, address: str) -> None:
    """All workers must have our versions."""
    hint = "install the same versions on them, see requirements.lock"
    try:
        found: dict[str, dict[str, str]] = client.run(versions)
    except Exception as error:  # whatever hinders a worker from importing this module
        message = f"the workers at {address} cannot run this program: {type(error).__name__}: {error}"
        raise WorkerError(message.splitlines()[0], hint) from None
    ours = versions()
    for worker, theirs in found.items():
        wrong = [f"{name} {theirs.get(name, 'none')} (here {ours[name]})" for name in ours if theirs.get(name) != ours[name]]
        if wrong:
            raise WorkerError(f"worker {worker} has {', '.join(wrong)}", hint)


def versions() -> dict[str, str]:
    """Versions of Python, of this project and of what it computes with, in this process."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "cnnpredict-gui": __version__}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "none"
    return found
