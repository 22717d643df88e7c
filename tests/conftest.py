"""Fixtures of all tests: a home of their own, small models."""

from __future__ import annotations

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


def pytest_sessionfinish() -> None:
    """Take back what was copied to the off-screen clipboard: Qt deletes that after the interpreter has gone, and crashes."""
    gui = sys.modules.get("PySide6.QtGui")
    if gui is not None and gui.QGuiApplication.instance() is not None:
        gui.QGuiApplication.clipboard().clear()
