"""Feeds mutated files to the readers and notes what must not happen: any error but ours, a hang, much memory, a crash."""

from __future__ import annotations

import json
import logging
import multiprocessing as mp
import os
import random
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from cnnpredict_gui.core.errors import CnnPredictError
from tests.fuzz.mutate import mutate_bytes, mutate_json
from tests.fuzz.readers import Reader, readers

HANG_S = 10.0
#: Most address space of a process that reads, in bytes, and most memory that one file may cost.
SPACE, GROWTH = 6 * 2**30, 512 * 2**20


class Hang(BaseException):
    """A reader took too long; no reader may catch it."""


@dataclass
class Finding:
    """An input that did what none may do."""

    reader: str
    what: str
    data: bytes = field(repr=False)


@dataclass
class Outcome:
    """How many files a reader took, refused with our errors, and what was found; seconds in all."""

    reader: str
    taken: int = 0
    refused: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)


def _alarm(_signal: int, _frame: FrameType | None) -> None:
    raise Hang


@contextmanager
def limits() -> Iterator[None]:
    """Silence the log, and let a reader that takes longer than HANG_S be interrupted."""
    logging.disable(logging.CRITICAL)
    before = signal.signal(signal.SIGALRM, _alarm)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        logging.disable(logging.NOTSET)


def mutated(reader: Reader, rng: random.Random) -> bytes:
    """A seed with something changed."""
    seed = rng.choice(reader.seeds)
    if reader.suffix in (".json", ".cnnpredict") and rng.random() < 0.7:
        return mutate_json(seed, rng)
    return mutate_bytes(seed, rng, reader.seeds)


def try_one(name: str, reader: Reader, path: Path, data: bytes, outcome: Outcome) -> None:
    """Let a reader read ``data``."""
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        reader.read(path)
        outcome.taken += 1
    except CnnPredictError as error:
        outcome.refused += 1
        if not str(error).strip():
            outcome.findings.append(Finding(name, "an error without a message", data))
    except Hang:
        outcome.findings.append(Finding(name, f"took longer than {HANG_S:g} s", data))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        outcome.findings.append(Finding(name, traceback.format_exc(limit=-6), data))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    if grown > GROWTH:
        outcome.findings.append(Finding(name, f"took {grown / 2**20:.0f} MiB", data))


def _memory_folder() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def fuzz(name: str, inputs: int, seed: int, seconds: float = float("inf")) -> Outcome:
    """Try up to so many inputs in this process, for at most so many seconds."""
    reader, outcome, rng = readers()[name], Outcome(name), random.Random(f"{name} {seed}")
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder, limits():
        for _ in range(inputs):
            if time.perf_counter() - begin > seconds or len(outcome.findings) >= 20:
                break
            for left in Path(folder).iterdir():  # what a reader set aside
                left.unlink()
            try_one(name, reader, Path(folder) / f"file{reader.suffix}", mutated(reader, rng), outcome)
    outcome.seconds = time.perf_counter() - begin
    return outcome


def _serve(name: str, inputs: int, seed: int, pipe: Connection) -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    outcome = fuzz(name, inputs, seed)
    found = [(one.reader, one.what, one.data) for one in outcome.findings]
    pipe.send((outcome.taken, outcome.refused, outcome.seconds, found))


def fuzz_in_child(name: str, inputs: int, seed: int) -> Outcome:
    """The same in a process of its own, so that a crash of a parser in C is found rather than suffered."""
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(name, inputs, seed, theirs))
    begin = time.perf_counter()
    child.start()
    theirs.close()
    outcome = Outcome(name)
    try:
        outcome.taken, outcome.refused, outcome.seconds, found = ours.recv()
        outcome.findings = [Finding(*one) for one in found]
    except EOFError:
        child.join()
        what = f"the process ended with {child.exitcode} (inputs {inputs}, seed {seed})"
        outcome.findings, outcome.seconds = [Finding(name, what, b"")], time.perf_counter() - begin
    child.join()
    return outcome


def keep(findings: list[Finding], folder: Path) -> None:
    """Write each input that was found beside a text that says what it did."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(findings):
        (folder / f"{one.reader}-{number}.bin").write_bytes(one.data)
        (folder / f"{one.reader}-{number}.txt").write_text(json.dumps({"reader": one.reader, "what": one.what}, indent=1))
