"""Fixtures of all tests: a home of their own, small models."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.artefacts import write_models


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own settings, cache and log folders, and does not see the user's models."""
    monkeypatch.setenv("CNNPREDICT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MODELS_DIR", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models of three targets with three time kinds, all families; made once."""
    return write_models(tmp_path_factory.mktemp("models"))


_OUTCOME = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the outcome for :func:`pytest_unconfigure`."""
    session.config.stash[_OUTCOME] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End without taking the interpreter apart.

    Qt, Dask and ONNX Runtime in one process leave it in an order of their own, and after the whole suite that can crash once
    everything is told. How the program itself ends is tested in processes of its own.
    """
    outcome = config.stash.get(_OUTCOME, None)
    if outcome is None:
        return
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.flush()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(outcome)
