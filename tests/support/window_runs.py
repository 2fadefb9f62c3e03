"""What the tests of the window share: small labs, and runs that nobody looks at."""

import logging
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from experiments.window.frame import Frame, frame_of
from experiments.window.player import RunPlayer
from sim.scenario.model import Scenario
from sim.world import World


class Walked(NamedTuple):
    """A headless run, frame by frame."""

    frames: list[Frame]
    digests: list[str]
    series: dict[str, list[float]]

    @property
    def last(self) -> int:
        return len(self.frames) - 1


def small_lab(**changes: Any) -> Scenario:
    """Return a lab of few researchers in which all happens in few frames: queues, failures, training, an ending."""
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


def walk(scenario: Scenario, seed: int = 0) -> Walked:
    """Run a scenario to its end and note what each frame was."""
    world = World(scenario, seed)
    frames, digests = [frame_of(world)], [world.digest()]
    while world.running:
        world.step()
        frames.append(frame_of(world))
        digests.append(world.digest())
    return Walked(frames, digests, world.datacollector.model_vars)


thorough = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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


def move(journey: RunPlayer, what: str, how: Any) -> None:
    """Do to a journey one of MOVES."""
    if what == "step":
        journey.step(how)
    elif what == "event":
        for _ in range(how):
            journey.step_event()
    elif what == "next":
        journey.to_next(how, 40)
    elif what == "rewind":
        journey.rewind(how)
    elif what == "go to":
        journey.go_to(how)
    elif what == "digest":
        journey.digest()
    else:
        journey.life(how)


def logged(monkeypatch: pytest.MonkeyPatch, module: str) -> list[str]:
    """What a module of the window logs, through a logger of its own: other libraries set up those that all share."""
    lines: list[str] = []
    logger = logging.Logger("asara.window")
    logger.addFilter(lambda record: bool(lines.append(record.getMessage())))
    monkeypatch.setattr(f"{module}._log", logger)
    return lines
