"""The real program, killed, stopped, started twice, and with its models taken away while it runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.resilience.conftest import ASCII, ROOT, environment, fill, make_read_only, run_program

pytestmark = [pytest.mark.skipif(os.name == "nt", reason="signals"), pytest.mark.timeout(180)]


class Program:
    """The desktop program in a process of its own (off-screen), and what it says."""

    def __init__(self, home: Path, models: Path, **changes: str | None) -> None:
        self._env = environment(home, MODELS_DIR=str(models), **changes)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.resilience.live_program"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self._env,
            cwd=ROOT,
        )
        self.first = self._answer()

    def ask(self, **command: Any) -> dict[str, Any]:
        """Do something, and say how things are then."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def wait_for(self, name: str, value: Any) -> dict[str, Any]:
        """Ask until a fact is so."""
        end = monotonic() + 60
        while (facts := self.ask())[name] != value:
            assert monotonic() < end, facts
            sleep(0.1)
        return facts

    def kill(self) -> None:
        """As a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def close(self) -> int:
        """Close the window; the exit code."""
        self.process.communicate(timeout=60)
        return self.process.returncode

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the program ended"
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def models(models_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models_folder, tmp_path / "models"))


@pytest.fixture
def started(home: Path, models: Path) -> Iterator[list[Program]]:
    """Programs started by the test; killed at its end."""
    programs = [Program(home, models)]
    yield programs
    for program in programs:
        if program.process.poll() is None:
            program.kill()
        program.process.communicate()


def _kept(home: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((home / "data" / "last-session.cnnpredict").read_bytes())
    except FileNotFoundError:
        return {}
    return found


def _wait_until_kept(home: Path, channels: int) -> None:
    end = monotonic() + 60
    while _kept(home).get("state", {}).get("config", {}).get("output_channels") != channels:
        assert monotonic() < end
        sleep(0.05)


def test_a_killed_program_comes_back_as_it_was(started: list[Program], home: Path, models: Path) -> None:
    (first,) = started
    assert "did not end properly" not in first.ask()["message"]
    first.ask(set={"output_channels": 77, "batch_size": 3}, view="sweep")
    _wait_until_kept(home, 77)
    first.kill()
    second = Program(home, models)
    started.append(second)
    facts = second.ask()
    assert (facts["config"]["output_channels"], facts["config"]["batch_size"], facts["view"]) == (77, 3, "sweep")
    assert "did not end properly" in facts["message"] and "Restored" in facts["message"]
    second.ask(set={"output_channels": 78})
    assert second.close() == 0
    third = Program(home, models)
    started.append(third)
    facts = third.ask()
    assert facts["config"]["output_channels"] == 78 and "did not end properly" not in facts["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="there terminating is killing")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_told_to_end_keeps_its_session(
    started: list[Program], home: Path, models: Path, number: signal.Signals
) -> None:
    (first,) = started
    first.ask(set={"output_channels": 77})
    first.process.send_signal(number)
    assert first.process.wait(60) == 0
    assert _kept(home)["state"]["config"]["output_channels"] == 77
    second = Program(home, models)
    started.append(second)
    assert "did not end properly" not in second.ask()["message"]


def test_a_program_told_to_end_while_it_asks_for_a_write_ends(started: list[Program], home: Path) -> None:
    (first,) = started
    first.ask(set={"output_channels": 77})
    first.ask(end=True)
    assert first.process.wait(60) == 0
    assert _kept(home)["state"]["config"]["output_channels"] == 77


def test_a_program_that_copied_ends_well(started: list[Program]) -> None:
    (first,) = started
    first.wait_for("loading", False)
    assert first.ask(copy=True)["told"] == []
    assert first.close() == 0


def test_a_kept_session_torn_to_pieces_is_told_and_the_program_starts(started: list[Program], home: Path, models: Path) -> None:
    started[0].ask(set={"output_channels": 77})
    _wait_until_kept(home, 77)
    started[0].kill()
    path = home / "data" / "last-session.cnnpredict"
    path.write_bytes(path.read_bytes()[:100])
    again = Program(home, models)
    started.append(again)
    assert "is damaged" in again.first["problems"] and again.ask()["config"]["output_channels"] != 77
    assert len(list(path.parent.glob("last-session.damaged-*"))) == 1


def test_a_computer_that_slept_goes_on(started: list[Program], home: Path) -> None:
    """A stopped process stands for sleep: all its timers are late at once, autosave and the sampler of the machine included."""
    (program,) = started
    program.wait_for("loading", False)
    assert program.ask(view="machine")["view"] == "machine"
    os.kill(program.process.pid, signal.SIGSTOP)
    sleep(3)
    os.kill(program.process.pid, signal.SIGCONT)
    program.ask(set={"output_channels": 99})
    _wait_until_kept(home, 99)
    program.wait_for("busy", False)
    assert program.close() == 0


def test_models_taken_away_while_it_runs(started: list[Program], models: Path) -> None:
    """The small models replace 15 bundled ones of the same names; when they are gone, the bundled ones are back."""
    (program,) = started
    before = program.wait_for("loading", False)
    assert before["failed"] == 15  # those replaced
    shutil.rmtree(models)
    program.ask(set={"output_channels": 40})  # what is loaded goes on predicting
    assert program.wait_for("busy", False)["loaded"] == before["loaded"]
    program.ask(rescan=True)
    after = program.wait_for("loading", False)
    assert (after["loaded"], after["failed"]) == (before["loaded"], 0)
    program.ask(set={"output_channels": 41})
    program.wait_for("busy", False)
    assert program.close() == 0


@pytest.mark.parametrize("locale", [{}, ASCII], ids=["utf-8", "ascii"])
def test_a_second_start_hands_over_and_disturbs_nothing(locale: dict[str, str | None], models: Path, tmp_path: Path) -> None:
    home = tmp_path / "größe" / "home"
    first = Program(home, models, **locale)
    try:
        first.ask(set={"output_channels": 50})
        session = home.parent / "größer.cnnpredict"
        _wait_until_kept(home, 50)
        content = _kept(home)
        content["state"]["config"]["output_channels"] = 51
        session.write_text(json.dumps(content), encoding="utf-8")
        env = environment(home, MODELS_DIR=str(models), **locale)
        second = run_program("-m", "cnnpredict_gui", str(session), env=env)
        assert second.returncode == 0 and "Traceback" not in second.stderr
        end = monotonic() + 60
        while first.ask()["config"]["output_channels"] != 51:
            assert monotonic() < end
            sleep(0.1)
        _wait_until_kept(home, 51)
        assert (home / "data" / "running").read_text().strip() == str(first.process.pid)
        assert first.ask()["told"] == [] and first.close() == 0 and not (home / "data" / "running").exists()
    finally:
        if first.process.poll() is None:
            first.kill()
    settings = json.loads((home / "config" / "settings.json").read_bytes())
    assert os.fsencode(settings["recent_files"][0]).decode() == str(session)


def test_a_window_that_hangs_does_not_keep_others_from_starting(started: list[Program], home: Path, models: Path) -> None:
    (first,) = started
    first.wait_for("loading", False)
    os.kill(first.process.pid, signal.SIGSTOP)
    second = Program(home, models)
    started.append(second)
    assert "did not end properly" not in second.wait_for("loading", False)["message"]
    log = (home / "log" / "cnnpredict.log").read_text(encoding="utf-8")
    assert "does not answer; this one goes on by itself" in log
    os.kill(first.process.pid, signal.SIGCONT)
    first.ask(set={"output_channels": 60})
    _wait_until_kept(home, 60)
    second.ask(set={"output_channels": 61})  # both write the same file: the last one wins, and it is whole
    assert (first.close(), second.close()) == (0, 0)
    assert _kept(home)["state"]["config"]["output_channels"] == 61
    assert not list((home / "data").glob("*.damaged-*"))


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_home_that_cannot_be_written_is_told_once_and_the_window_goes_on(
    trouble: str, small_disk: Path, models: Path
) -> None:
    (fill if trouble == "full" else make_read_only)(small_disk)
    program = Program(small_disk / "home", models)
    try:
        program.wait_for("loading", False)
        program.ask(set={"output_channels": 63})
        end = monotonic() + 60
        while not (told := program.ask()["told"]):
            assert monotonic() < end
            sleep(0.05)
        assert "the session is not kept" in told[0] and ("No space left" if trouble == "full" else "Read-only") in told[0]
        assert program.ask(set={"output_channels": 64})["config"]["output_channels"] == 64
        sleep(1)
        assert len(program.ask()["told"]) == 1  # though it is tried again and again
        assert program.close() == 0
    finally:
        if program.process.poll() is None:
            program.kill()
