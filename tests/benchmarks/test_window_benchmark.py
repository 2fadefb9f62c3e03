"""Test that the benchmark of the window compares the same days of the same lab."""

from benchmarks.window import WARM_DAYS, Sides
from sim.scenario.model import Scenario


def test_window_benchmark_sides_simulate_the_same_days():
    sides = Sides(Scenario.load("lab").replace(researcher__initial=8, cluster__gpus=32))
    sides.go(3)
    sides.model(3)
    assert sides.player.current_frame.number == sides.world.steps == WARM_DAYS + 3
    assert sides.player.digest() == sides.world.digest()
    assert sides.longest > 0
