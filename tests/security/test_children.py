"""The same in real child processes: limits of memory and time, the guard, and hostile files end to end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from cnnpredict_gui.bench.child import run_in_child
from cnnpredict_gui.core.errors import CancelledByUserError, ModelError, ModelFileError, WorkerError
from cnnpredict_gui.importing import importer
from cnnpredict_gui.importing.importer import import_file
from cnnpredict_gui.importing.limits import guard, limit_memory
from tests.security import cases_code, cases_damage
from tests.security.workshop import CASES, SOUND, Workshop, mapping, needs_posix

assert cases_code and cases_damage
Message = dict[str, Any]
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    "name",
    [
        "calls os.system",
        "torch: a call in what torch.save wrote",
        "bomb: gzip of 240 MB",
        "forest: a circle",
        "XGBoost: a child far away",
        "boosted.ubj cut off at 50 %",
        "ONNX trees: a feature that is not there",
        "a pipe",
    ],
)
def test_a_child_refuses(name: str, workshop: Workshop, tmp_path: Path) -> None:
    case = CASES[name]
    path = case.build(workshop)
    with pytest.raises(ModelError) as caught:
        import_file(path, mapping(**case.changes), tmp_path / "out")
    assert case.says in caught.value.message
    assert not workshop.canary.exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["forest.joblib", "network.pth", "boosted.ubj"])
def test_a_child_imports_under_guard_and_limits(name: str, workshop: Workshop, tmp_path: Path) -> None:
    stages: list[tuple[int, int]] = []
    made = import_file(
        workshop.sound / name, mapping(**SOUND[name]), tmp_path / "out", None, lambda done, total: stages.append((done, total))
    )
    assert made.difference < 1e-4
    assert [done for done, _ in stages] == sorted(done for done, _ in stages) and stages[-1] == (5, 5)


def test_the_progress_can_be_cancelled_and_leaves_nothing(workshop: Workshop, tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(CancelledByUserError):
        import_file(
            workshop.sound / "network.pth",
            mapping(family="nn"),
            tmp_path / "out",
            cancelled=lambda: time.monotonic() > begin + 0.3,
        )
    assert not (tmp_path / "out").exists()


def test_a_file_that_takes_too_long_is_given_up(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "SECONDS", 0.2)
    with pytest.raises(WorkerError, match=r"reading forest\.joblib failed: .*took longer"):
        import_file(workshop.sound / "forest.joblib", mapping(), tmp_path / "out")


def test_a_child_that_dies_is_told(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(work: str, *arguments: Any) -> Message:
        return run_in_child(f"{__name__}:die", *arguments)

    monkeypatch.setattr(importer, "run_in_child", dying)
    with pytest.raises(WorkerError, match=r"reading forest\.joblib failed") as caught:
        import_file(workshop.sound / "forest.joblib", mapping(), tmp_path / "out")
    assert "damaged, hostile or too large" in caught.value.hint


def test_memory_is_limited() -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("only Linux holds a process to its address space; elsewhere the parent watches")
    assert run_in_child(f"{__name__}:allocate", {}, None, None, 60) == {"refused": True}


def test_the_parent_watches_the_memory_where_no_limit_holds(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "MEMORY_BYTES", -990_000_000)  # together with what libraries may take: 10 MB
    with pytest.raises(WorkerError, match="needs more than"):
        import_file(workshop.sound / "forest.joblib", mapping(), tmp_path / "out")


def test_the_guard_stops_what_an_allow_list_would_miss(tmp_path: Path) -> None:
    needs_posix()
    (tmp_path / "inside").mkdir()
    (tmp_path / "lately.py").touch()
    answer = run_in_child(f"{__name__}:misbehave", {"folder": str(tmp_path)}, None, None, 60)
    assert answer == {"refused": ["system", "popen", "fork", "connect", "write", "append", "open"], "written": True}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside", "lately.py"]


# -- bodies of child processes ----------------------------------------------------------------------------------------


def die(request: Message, send: Callable[[Message], None]) -> Message:
    """End as after a crash."""
    send({"pid": os.getpid(), "stage": "reading"})
    os._exit(11)


def allocate(request: Message, send: Callable[[Message], None]) -> Message:
    """Ask for more memory than allowed."""
    limit_memory(200_000_000)
    try:
        held = bytearray(1_000_000_000)
    except MemoryError:
        return {"refused": True}
    return {"refused": len(held) == 0}


def misbehave(request: Message, send: Callable[[Message], None]) -> Message:
    """Try what no reader of a model needs."""
    folder = Path(request["folder"])
    attempts: dict[str, Callable[[], object]] = {
        "system": lambda: os.system(f"touch {folder}/canary"),
        "popen": lambda: subprocess.Popen(["touch", f"{folder}/canary"]),
        "fork": os.fork,
        "connect": lambda: socket.create_connection(("127.0.0.1", 9), 1),
        "write": lambda: (folder / "canary").write_text("x"),
        "append": lambda: open(folder / "canary", "a"),  # noqa: SIM115 - it must not be opened
        "open": lambda: os.open(folder / "canary", os.O_CREAT | os.O_WRONLY),
    }
    sys.dont_write_bytecode = False
    lift = guard(folder / "inside")
    refused = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except ModelFileError:
            refused.append(name)
    (folder / "inside" / "graph").write_text("x")
    # A module that was never compiled before is imported, and Python does not keep what it compiles.
    sys.path.insert(0, str(folder))
    import_module("lately")
    lift()
    written = (folder / "inside" / "graph").is_file()
    (folder / "inside" / "graph").unlink()
    return {"refused": refused, "written": written}
