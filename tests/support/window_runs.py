"""Share small labs and headless runs between the tests of the page."""

import logging
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from experiments.window.frame import Frame, frame_of
from experiments.window.player import RunPlayer
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.properties import examples


class HeadlessRun(NamedTuple):
    """A headless run, frame by frame."""

    frames: list[Frame]
    digests: list[str]
    series: dict[str, list[float]]

    @property
    def last(self) -> int:
        return len(self.frames) - 1


def small_lab(**changes: Any) -> Scenario:
    """Return a lab of few researchers with queues, failures, training and an ending in few frames."""
    lab = {
        "researcher__initial": 6,
        "growth__calibrated_for": 0,
        "training__first_run_gpus": 8,
        "researcher__papers_per_month": 6.0,
        "growth__first_doubling_days": 10.0,
        "cluster__gpus": 32,
        "cluster__gpu_hours_between_failures": 1000.0,
        "training__first_run_days": 8.0,
        "literature__open_questions": 12,
        "run__max_doublings": 4,
        "run__horizon_days": 60.0,
    }
    return Scenario.load("lab").replace(**(lab | changes))


def run_headless(scenario: Scenario, seed: int = 0) -> HeadlessRun:
    """Run a scenario to its end and record each frame."""
    world = World(scenario, seed)
    frames, digests = [frame_of(world)], [world.digest()]
    while world.running:
        world.step()
        frames.append(frame_of(world))
        digests.append(world.digest())
    return HeadlessRun(frames, digests, world.datacollector.model_vars)


thorough = examples(25)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(1, 6)),
        st.tuples(st.just("event"), st.integers(1, 12)),
        st.tuples(st.just("next"), st.sampled_from(["doubling", "retraining", "queue"])),
        st.tuples(st.just("rewind"), st.integers(0, 60)),
        st.tuples(st.just("go to"), st.integers(0, 30)),
        st.tuples(st.just("digest"), st.none()),
        st.tuples(st.just("life"), st.integers(1, 8)),
    ),
    max_size=14,
)


def move(player: RunPlayer, what: str, how: Any) -> None:
    """Execute one of ``MOVES`` on a player."""
    if what == "step":
        player.step(how)
    elif what == "event":
        for _ in range(how):
            player.step_event()
    elif what == "next":
        player.advance_to_next(how, 40)
    elif what == "rewind":
        player.rewind(how)
    elif what == "go to":
        player.seek(how)
    elif what == "digest":
        player.digest()
    else:
        player.history(how)


def captured_log(monkeypatch: pytest.MonkeyPatch, module: str) -> list[str]:
    """Return a list of the log messages of a module, which gets a logger of its own for the test."""
    lines: list[str] = []
    logger = logging.Logger("asara.window")

    def keep(record: logging.LogRecord) -> bool:
        lines.append(record.getMessage())
        return False

    logger.addFilter(keep)
    monkeypatch.setattr(f"{module}._log", logger)
    return lines
