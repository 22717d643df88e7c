"""Runs commands in this process, on small models instead of the bundled ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cnnpredict_gui.cli.main import main
from cnnpredict_gui.infra import paths

LAYER = [
    "--input-channels",
    "64",
    "--input-height",
    "56",
    "--input-width",
    "56",
    "--output-channels",
    "64",
    "--kernel-size",
    "3",
]


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)

    def assert_error(self, fragment: str) -> None:
        """Exit code 2 and exactly one line on stderr that contains ``fragment`` and a hint."""
        assert self.code == 2
        lines = self.err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("cnnpredict: error: ")
        assert fragment in lines[0]
        assert lines[0].endswith(")"), "the error does not say what to do"


Run = Callable[..., Result]


@pytest.fixture
def bundled(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small models take the place of the bundled ones."""
    monkeypatch.setattr(paths, "bundled_models_dir", lambda: models_folder)
    return models_folder


@pytest.fixture
def run(bundled: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``cnnpredict`` with arguments given one by one."""

    def call(*arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call
