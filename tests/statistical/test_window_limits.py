"""The page names what brings research forward most, in a lab of which half waits."""

import math

import pytest

from experiments.window.frame import frame_of
from experiments.window.moment_margins import INPUTS, moment_margins, raise_input
from sim.scenario.model import Scenario
from sim.world import World

DAYS = 30.0
"""Of a branch."""


def papers_gained(world: World, name: str) -> float:
    """How many times as many papers a branch with a quarter more of one input publishes, at costs it draws."""
    written = []
    for changes in ({}, raise_input(world.lab.compute.datacenter, name)[0]):
        branch = world.branch(**changes)
        while branch.running and branch.now < world.now + DAYS:
            branch.step()
        written.append(branch.lab.knowledge.papers - world.lab.knowledge.papers)
    return math.log(written[1] / written[0])


def test_headline_with_frontier_experiments_names_the_limiting_input() -> None:
    world = World(Scenario.load("lab-frontier-experiments"), 0)
    while world.now < 330:
        world.step()
        if world.now >= 310:
            assert frame_of(world).limit.part == "queue", world.now
    found = moment_margins(world.snapshot())
    gained = {name: papers_gained(world, name) for name in INPUTS}
    assert found.limited_by == "experiments" == max(gained, key=gained.__getitem__)
    values = dict(found.elasticities)
    assert values["experiments"] == pytest.approx(1.0, abs=0.3)
    assert abs(values["researchers"]) < 0.1
    waiting = frame_of(world).limit.waiting
    assert "of the researchers wait for GPUs now" in waiting
    assert "256 GPUs for training are idle" in waiting
