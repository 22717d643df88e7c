"""The workshop, and reading in this process instead of a child."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnpredict_gui.importing import importer, worker
from tests.security.workshop import Workshop, make_sound_models

Message = dict[str, Any]


@pytest.fixture(scope="session")
def sound_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models of every kind, made once."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_sound_models(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def workshop(tmp_path: Path, sound_models: Path) -> Workshop:
    folder = tmp_path / "files"
    folder.mkdir()
    return Workshop(folder, sound_models, tmp_path / "canary")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process for each of hundreds of files costs minutes: the same functions run here, without limits of memory.

    Files get no second chance by that: without the guard of the child, only the allow-list keeps the canary away.
    """

    def run(work: str, request: Message, on_message: Callable[[Message], None], *_: object) -> Message:
        assert work == "cnnpredict_gui.importing.worker:convert"
        return worker.convert(request, on_message)

    def no_guard(folder: Path) -> Callable[[], None]:
        return lambda: None

    monkeypatch.setattr(importer, "run_in_child", run)
    monkeypatch.setattr(worker, "limit_memory", lambda extra: None)
    monkeypatch.setattr(worker, "guard", no_guard)
