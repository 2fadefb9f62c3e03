"""What the page shows is the run that a headless one is: stepped, rewound, branched, or in two browsers at once."""

from typing import Any

from sim.model import World
from sim.scenario import Scenario
from tests.browser.window_kit import Reader


def headless(frames: int, seed: int = 0, **changes: Any) -> World:
    world = World(Scenario.load("lab").replace(**changes), seed)
    for _ in range(frames):
        world.step()
    return world


def test_steps_are_those_of_a_headless_run(reader: Any) -> None:
    page: Reader = reader()
    assert page.frame() == 0
    page.step(4)
    world = headless(4)
    assert page.day() == world.now
    assert page.digest() == world.digest()
    page.step()
    assert page.digest() == headless(5).digest()
