"""Turns: playback gives way to the moves of other pages for a bounded time."""

import threading

import pytest

from experiments.window import move_priority
from experiments.window.move_priority import MovePriority


def test_give_way_without_other_moves_returns_at_once() -> None:
    found = MovePriority()
    found.give_way("page")
    found.begin("page")
    found.begin("other")
    found.give_way("page")  # its own move has priority as well
    found.end("page")
    found.end("other")
    found.give_way("page")


def test_give_way_waits_until_the_move_of_another_page_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move_priority, "PRIORITY_SECONDS", 60.0)
    found, order, started = MovePriority(), list[str](), threading.Event()

    def play() -> None:
        started.set()
        found.give_way("playing")
        order.append("piece")

    found.begin("stepping")
    thread = threading.Thread(target=play)
    thread.start()
    assert started.wait(30)
    order.append("step")
    found.end("stepping")
    thread.join(30)
    assert order == ["step", "piece"]


def test_give_way_to_a_long_move_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move_priority, "PRIORITY_SECONDS", 0.0)
    found = MovePriority()
    found.begin("long")
    found.give_way("playing")
