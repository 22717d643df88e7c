"""Processes killed at random moments while they save: nothing that was saved is lost, and nothing half-written is ever seen."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnnpredict_gui.bench.history import BenchmarkHistory
from cnnpredict_gui.infra.files import PART, remove_leftovers
from cnnpredict_gui.infra.json_store import read_json
from cnnpredict_gui.infra.settings import read_settings
from cnnpredict_gui.infra.usage import UsageCounts
from cnnpredict_gui.studies.own_presets import read_preset_file
from tests.resilience.conftest import ROOT, environment

KILLS = 200
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


def _numbers(folder: Path) -> list[int]:
    """Number in the session, the settings and the preset, and number of runs; fails if a file is damaged or torn."""
    session, problem = read_json(folder / "session.cnnpredict", 2)
    assert problem == "" and session["number"] == session["end"]
    settings, problem = read_settings(folder / "settings.json")
    assert problem == "" and settings.recent_files[0] == settings.recent_files[-1]
    preset = read_preset_file(folder / "preset.json")
    assert {layer.name for layer in preset.layers} == {preset.source} and len(preset.layers) == 50
    history = BenchmarkHistory(folder / "history.sqlite")
    runs = history.runs()
    assert history.problem == "" and all(run.predictors + run.failed == 2 for run in runs)
    return [session["number"], int(settings.recent_files[0]), int(preset.source), len(runs)]


def _uses(folder: Path) -> int:
    counts = UsageCounts(folder / "usage.json")
    assert counts.problem == ""
    return dict(counts.most_used("layers")).get("saved", 0)


class Saver:
    """Starts processes that save, one after the other, and kills them."""

    def __init__(self, folder: Path, home: Path) -> None:
        command = [sys.executable, "-m", "tests.resilience.savers", str(folder)]
        self._program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(home), cwd=ROOT
        )

    def run_and_kill(self, number: int, after: float) -> list[int]:
        """Save from ``number`` on and kill after some seconds; numbers whose save was complete."""
        assert self._program.stdin is not None and self._program.stdout is not None
        self._program.stdin.write(f"{number}\n")
        self._program.stdin.flush()
        saved = []
        while not (line := self._program.stdout.readline()).startswith("started"):
            saved.append(int(line))
        time.sleep(after)
        os.kill(int(line.split()[1]), signal.SIGKILL)
        while (line := self._program.stdout.readline()) != "gone\n":
            saved.append(int(line))
        return saved

    def close(self) -> None:
        """End the program."""
        self._program.kill()
        self._program.communicate()


@pytest.mark.timeout(300)
def test_two_hundred_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    folder, chance, done, torn = tmp_path / "kept", random.Random(5), -1, 0
    folder.mkdir()
    saver = Saver(folder, tmp_path / "home")
    try:
        for kills in range(1, KILLS + 1):
            saved = saver.run_and_kill(done + 1, chance.uniform(0.0, 0.16))
            done = saved[-1] if saved else done
            if done >= 0:
                *found, runs = _numbers(folder)
                assert all(number in (done, done + 1) for number in found), (done, found)
                assert found == sorted(found, reverse=True)  # saved in this order, so none is ahead of one before it
                assert done + 1 <= _uses(folder) <= done + 1 + kills  # what was cut short later on counts too
                assert done + 1 <= runs <= done + 1 + kills
                torn += len(set(found)) > 1
    finally:
        saver.close()
    assert done >= 1 and torn >= 1  # or no kill came between two files
    assert list(folder.glob("*.damaged-*")) == []
    for path in folder.glob(f"{PART}*"):
        os.utime(path, (0, 0))
    remove_leftovers(folder)
    kept = {path.name for path in folder.iterdir()} - {"history.sqlite-journal"}
    assert kept == {"session.cnnpredict", "settings.json", "usage.json", "preset.json", "history.sqlite"}


def test_two_programs_that_write_the_same_files_do_not_tear_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.resilience.savers", str(tmp_path)]
    env = environment(tmp_path / "home")
    programs = [
        subprocess.Popen([*command, str(start)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, cwd=ROOT)
        for start in (0, 1_000_000)
    ]
    try:
        looks, seen, end = 0, set[int](), time.monotonic() + 60
        while (looks < 300 or len({number >= 1_000_000 for number in seen}) < 2) and time.monotonic() < end:
            if (tmp_path / "preset.json").exists() and (tmp_path / "usage.json").exists():
                content = json.loads((tmp_path / "session.cnnpredict").read_bytes())
                assert content["number"] == content["end"]
                settings, problem = read_settings(tmp_path / "settings.json")
                assert problem == "" and settings.recent_files[0] == settings.recent_files[-1]
                assert UsageCounts(tmp_path / "usage.json").problem == ""
                read_preset_file(tmp_path / "preset.json")
                seen.add(content["number"])
                looks += 1
    finally:
        for program in programs:
            program.kill()
        said = [program.communicate()[1].decode() for program in programs]
    assert said == ["", ""]  # neither was disturbed by the other
    assert looks >= 300 and {number >= 1_000_000 for number in seen} == {True, False}
    assert list(tmp_path.glob("*.damaged-*")) == []
