"""Reading the log while it grows and rotates; crash reports."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnpredict_gui.infra import crash, logs
from cnnpredict_gui.infra.crash import crash_reports, write_crash_report
from cnnpredict_gui.infra.log_reading import LogReader
from cnnpredict_gui.infra.logs import ROOT, set_up_logging

logger = logging.getLogger(f"{ROOT}.test")


@pytest.fixture
def log(own_home: Path) -> Iterator[Path]:
    """The log file of this test; handlers are removed afterwards."""
    path = set_up_logging(logging.DEBUG)
    assert path is not None
    yield path
    for handler in list(logging.getLogger(ROOT).handlers):
        logging.getLogger(ROOT).removeHandler(handler)
        handler.close()


def test_lines_come_back_in_parts(log: Path) -> None:
    reader = LogReader()
    assert reader.read() == []
    thread = threading.Thread(target=lambda: logger.warning("from a thread"))
    thread.start()
    thread.join()
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("went wrong")
    first, second = reader.read()
    assert (first.level, first.source, first.message) == ("WARNING", "cnnpredict_gui.test", "from a thread")
    assert first.thread.startswith("Thread-") and first.time[:2] == "20"
    assert second.level == "ERROR" and "ValueError: two" in second.message and second.number == first.number + 1
    assert reader.read() == []
    logger.info("more")
    assert [line.message for line in reader.read()] == ["more"]


def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    reader = LogReader(path)
    path.write_bytes(b"2026-01-02 03:04:05,678 INFO a b caf")
    assert reader.read() == []
    with path.open("ab") as file:
        file.write("é\nrubbish without form\n\n".encode())
    lines = reader.read()
    assert [line.message for line in lines] == ["café", "rubbish without form"] and lines[1].time == ""


def test_a_rotated_log_is_followed(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 400)
    set_up_logging(logging.DEBUG)
    reader, seen = LogReader(), []
    for number in range(20):
        logger.info("event %d", number)
        if number % 3 == 0:
            seen += [line.message for line in reader.read()]
    seen += [line.message for line in reader.read()]
    assert seen == [f"event {number}" for number in range(20)] and log.with_name(f"{log.name}.1").exists()


def test_crash_reports_tell_what_is_needed_and_are_limited(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger.info("what happened before")
    monkeypatch.setattr(crash, "KEPT", 3)
    for number in range(5):
        try:
            raise RuntimeError(f"failure {number}")
        except RuntimeError as error:
            path = write_crash_report(error, "test")
    assert path is not None and path == crash_reports()[0] and len(crash_reports()) == 3
    text = path.read_text(encoding="utf-8")
    for needed in ("RuntimeError: failure 4", "test_log_and_crash.py", "Python:", "onnxruntime:", "what happened before"):
        assert needed in text


def test_no_crash_report_where_nothing_can_be_written(own_home: Path) -> None:
    own_home.mkdir(parents=True)
    (own_home / "log").write_text("in the way")
    assert write_crash_report(RuntimeError("x")) is None


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_faults_of_the_interpreter_leave_a_trace(own_home: Path) -> None:
    import subprocess
    import sys

    code = "from cnnpredict_gui.infra.crash import watch_for_faults; watch_for_faults(); import os; os.abort()"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": "."}, check=False, timeout=30)
    assert done.returncode != 0 and "Fatal Python error: Aborted" in (own_home / "log" / "fault.log").read_text()
    again = code.partition("import os;")[0]
    subprocess.run([sys.executable, "-c", again], env=os.environ | {"PYTHONPATH": "."}, check=True, timeout=30)
    assert "Aborted" in crash_reports()[0].read_text() and (own_home / "log" / "fault.log").read_text() == ""
