"""A short run of the fuzzing, and inputs that were found by longer ones (``python -m tests.fuzz``)."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnpredict_gui.core.errors import DataFileError
from tests.fuzz import run
from tests.fuzz.readers import Reader, readers
from tests.fuzz.run import fuzz, fuzz_in_child

READERS = readers()
#: Inputs and seconds for each reader.
INPUTS, SECONDS = 4_000, 1.5
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNPREDICT_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("name", sorted(READERS))
def test_valid_files_are_read(name: str, tmp_path: Path) -> None:
    for seed in READERS[name].seeds:
        path = tmp_path / f"file{READERS[name].suffix}"
        path.write_bytes(seed)
        READERS[name].read(path)


@pytest.mark.parametrize("name", sorted(set(READERS) - {"onnx"}))
def test_mutated_files(name: str) -> None:
    outcome = fuzz(name, INPUTS, seed=1, seconds=SECONDS)
    assert outcome.taken and outcome.refused + outcome.taken > 10
    assert not outcome.findings, outcome.findings[0].what


def test_mutated_networks() -> None:
    """In a process of its own, as the window reads them: their parser is C++."""
    outcome = fuzz_in_child("onnx", 1_000, seed=1)
    assert outcome.taken and outcome.refused
    assert not outcome.findings, outcome.findings[0].what


@pytest.mark.parametrize("name", ["config", "preset", "card", "session", "settings", "usage"])
def test_any_json(name: str, tmp_path: Path) -> None:
    reader, document = READERS[name], json.loads(READERS[name].seeds[0])
    path = tmp_path / f"file{reader.suffix}"

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(sorted(document)), JSON)
    def check(key: str, value: Any) -> None:
        for content in (value, document | {key: value}, document | {"state": {key: value, "format": 1}}):
            for left in tmp_path.glob("file*"):
                left.unlink()
            outcome = run.Outcome(name)
            with run.limits():
                run.try_one(name, reader, path, json.dumps(content).encode("utf-8", "surrogatepass"), outcome)
            assert not outcome.findings, outcome.findings[0].what

    check()


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    for name, reader in READERS.items():
        outcome = run.Outcome(name)
        with run.limits():
            run.try_one(name, reader, tmp_path / f"any{reader.suffix}", data, outcome)
        assert not outcome.findings, outcome.findings[0].what


# -- the fuzzing itself -----------------------------------------------------------------------------------------------


def _fails(_path: Path) -> object:
    raise KeyError("a bug")


def _refuses(_path: Path) -> object:
    raise DataFileError("broken", "mend it")


def _hangs(_path: Path) -> object:
    time.sleep(5)
    return None


def _grows(_path: Path) -> object:
    peak, now = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, psutil.Process().memory_info().rss
    return len(b"x" * (peak - now + 160 * 2**20))


@pytest.mark.parametrize(("read", "word"), [(_fails, "KeyError"), (_hangs, "longer"), (_grows, "MiB"), (_refuses, "")])
def test_what_must_not_happen_is_found(
    read: Callable[[Path], object], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "HANG_S", 1.0 if read is _hangs else 30.0)
    monkeypatch.setattr(run, "GROWTH", 64 * 2**20)
    outcome = run.Outcome("none")
    with run.limits():
        run.try_one("none", Reader(".x", [b""], read), tmp_path / "file.x", b"", outcome)
    assert [word in one.what for one in outcome.findings] == ([True] if word else [])
    assert outcome.refused == (0 if word else 1)
