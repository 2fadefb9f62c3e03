"""What a step of the window costs beyond the model's own, for the same days of the same lab, in one run.

Both sides run the same days; the journey makes a frame of each, packs it, keeps its rows and now and then a whole
moment. A step is judged by what it costs beyond the model's, over 100 ms; for information, what it costs to go back,
and the longest step, which kept a moment. CPU time, sides take turns. Exits with 1 if a limit is missed, or if the
journey is another run.
"""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.progress import track

from benchmarks.ratio_table import Limit, Row, at_most, cpu_seconds, show, take_turns
from experiments.window.frame import frame_of
from experiments.window.player import RunPlayer
from sim.scenario.model import Scenario
from sim.world import World

TURNS = 5
DAYS = 20
"""In one turn."""
WARM_DAYS = 20
BEYOND_MS = 100.0
"""That a step may cost beyond the model's, so that the window never feels slow by its own doing."""


class Case(NamedTuple):
    """One lab."""

    name: str
    changes: dict[str, Any]
    limit: Limit | None = None
    """Of what a step costs beyond the model's, over 100 ms."""

    @property
    def scenario(self) -> Scenario:
        """The lab as shipped, with the changes."""
        return Scenario.load("lab").replace(**self.changes)


CASES = (
    Case("the lab as shipped", {}, at_most(1)),
    Case("10,000 researchers, a cohort", {"researcher__initial": 10_000}, at_most(1)),
    Case(
        "10,000 researchers, one by one",
        {"researcher__initial": 10_000, "run__individuals_up_to": 20_000},
        at_most(1),
    ),
    Case("a million researchers", {"researcher__initial": 1_000_000}, at_most(1)),
    Case("20,000 researchers, 100,000 GPUs", {"researcher__initial": 20_000, "cluster__gpus": 100_000}),
)


class Sides:
    """A journey and a World of one lab that go the same days."""

    def __init__(self, scenario: Scenario) -> None:
        self.journey, self.world = RunPlayer(scenario, 4), World(scenario, 4)
        self.longest = 0.0
        """Of the journey's steps, in seconds."""
        self.go(WARM_DAYS)
        self.model(WARM_DAYS)

    def go(self, days: int = DAYS) -> float:
        """Return the seconds of a step of the journey."""
        taken = [cpu_seconds(self.journey.step) for _ in range(days)]
        self.longest = max(self.longest, *taken)
        return sum(taken) / days

    def model(self, days: int = DAYS) -> float:
        """Return the seconds of a step of the World."""
        return cpu_seconds(lambda: [self.world.step() for _ in range(days)]) / days


def compare(case: Case) -> Iterator[Row]:
    """Measure a case."""
    sides = Sides(case.scenario)
    pair = take_turns(sides.go, sides.model, TURNS)
    beyond = 1e3 * (pair.ours - pair.other)
    wrong = "" if sides.journey.digest() == sides.world.digest() else f"{case.name}: the journey is another run"
    yield Row(
        f"{case.name}: a step beyond the model's, over {BEYOND_MS:g} ms",
        f"{beyond:.1f} ms",
        f"{BEYOND_MS:g} ms",
        beyond / BEYOND_MS,
        case.limit,
        wrong=wrong,
    )
    yield Row(
        f"{case.name}: a step over the model's",
        f"{1e3 * pair.ours:.1f} ms",
        f"{1e3 * pair.other:.1f} ms",
        pair.slower,
        note=_note(case, sides),
    )
    yield back(case, sides)


def _note(case: Case, sides: Sides) -> str:
    frame = 1e3 * min(cpu_seconds(lambda: frame_of(sides.world)) for _ in range(TURNS))
    return (
        f"{case.name}: the longest step took {1e3 * sides.longest:.0f} ms; a frame is built in {frame:.1f} ms; "
        f"{sides.journey.bytes / 1e6:.1f} MB are kept of {sides.journey.last} frames"
    )


def back(case: Case, sides: Sides) -> Row:
    """Measure how long it takes to have the world of an old frame again, over running to it from day 0."""
    journey = sides.journey
    middle = journey.last // 2

    def rewind() -> float:
        journey.rewind(journey.last)
        journey.digest()
        journey.rewind(middle)
        return cpu_seconds(journey.digest)

    def run() -> float:
        world = World(sides.world.scenario, 4)
        return cpu_seconds(lambda: [world.step() for _ in range(middle)])

    pair = take_turns(rewind, run, 3)
    return Row(
        f"{case.name}: back by {journey.last - middle} frames, over running there",
        f"{pair.ours:.2f} s",
        f"{pair.other:.2f} s",
        pair.slower,
    )


def rows() -> Iterator[Row]:
    """Measure all cases."""
    for case in track(CASES, "measuring", transient=True):
        yield from compare(case)


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    return int(show("the window, CPU time", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
