"""Work in the background gives way to the window."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cnnpredict_gui.infra import precedence


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(precedence, "_LONGEST_S", 60.0)
    yield
    precedence.release()


def worker() -> tuple[threading.Thread, threading.Event]:
    passed = threading.Event()

    def work() -> None:
        precedence.give_way()
        passed.set()

    thread = threading.Thread(target=work)
    thread.start()
    return thread, passed


def test_nobody_waits_without_a_window() -> None:
    thread, passed = worker()
    assert passed.wait(10)
    thread.join()


def test_work_waits_until_the_turn_is_over() -> None:
    precedence.claim()
    thread, passed = worker()
    assert not passed.wait(0.2)
    precedence.release()
    assert passed.wait(10)
    thread.join()


def test_the_window_does_not_wait_for_itself() -> None:
    precedence.claim()
    precedence.give_way()


def test_no_turn_holds_work_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "_LONGEST_S", 0.01)
    precedence.claim()
    thread, passed = worker()
    assert passed.wait(10)
    thread.join()


def test_items_are_handed_on_and_the_window_goes_first_at_every_hundredth(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[object] = []
    monkeypatch.setattr(precedence, "give_way", lambda: happened.append("window"))
    happened.extend(precedence.giving_way(range(250)))
    assert [number for number, one in enumerate(happened) if one == "window"] == [0, 101, 202]
    assert [one for one in happened if one != "window"] == list(range(250))
