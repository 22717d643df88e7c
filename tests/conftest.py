"""Fixtures of all tests: a home of their own, small models."""

from __future__ import annotations

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
