"""Measure the cost of a player's step beyond the model's own step, on the same days of the same lab.

The player captures and packs a frame of each day, keeps its rows, and keeps a checkpoint at intervals. The limit
applies to the cost of a step beyond the model's, relative to 100 ms. The costs of going back and of the longest step,
which kept a checkpoint, are for information. CPU time; the two sides alternate. Exits with 1 if a limit is missed or if
the digests differ.
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
"""Days in one turn."""
WARM_DAYS = 20
BEYOND_MS = 100.0
"""Maximum cost of a step beyond the model's [ms]."""


class LabCase(NamedTuple):
    """A lab to measure."""

    name: str
    changes: dict[str, Any]
    limit: Limit | None = None
    """Limit on the cost of a step beyond the model's, relative to 100 ms."""

    @property
    def scenario(self) -> Scenario:
        """Scenario of the shipped lab with the changes."""
        return Scenario.load("lab").replace(**self.changes)


CASES = (
    LabCase("the lab as shipped", {}, at_most(1)),
    LabCase("10,000 researchers, a cohort", {"researcher__initial": 10_000}, at_most(1)),
    LabCase(
        "10,000 researchers, one by one",
        {"researcher__initial": 10_000, "run__max_individuals": 20_000},
        at_most(1),
    ),
    LabCase("a million researchers", {"researcher__initial": 1_000_000}, at_most(1)),
    LabCase("20,000 researchers, 100,000 GPUs", {"researcher__initial": 20_000, "cluster__gpus": 100_000}),
)


class Sides:
    """A player and a World of one lab that run the same days."""

    def __init__(self, scenario: Scenario) -> None:
        self.player, self.world = RunPlayer(scenario, 4), World(scenario, 4)
        self.longest = 0.0
        """Longest step of the player [s]."""
        self.go(WARM_DAYS)
        self.model(WARM_DAYS)

    def go(self, days: int = DAYS) -> float:
        """Return the mean time of a step of the player [s]."""
        taken = [cpu_seconds(self.player.step) for _ in range(days)]
        self.longest = max(self.longest, *taken)
        return sum(taken) / days

    def model(self, days: int = DAYS) -> float:
        """Return the mean time of a step of the World [s]."""
        return cpu_seconds(lambda: [self.world.step() for _ in range(days)]) / days


def compare(case: LabCase) -> Iterator[Row]:
    """Measure a case."""
    sides = Sides(case.scenario)
    pair = take_turns(sides.go, sides.model, TURNS)
    beyond = 1e3 * (pair.ours - pair.other)
    wrong = "" if sides.player.digest() == sides.world.digest() else f"{case.name}: the player is another run"
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


def _note(case: LabCase, sides: Sides) -> str:
    frame = 1e3 * min(cpu_seconds(lambda: frame_of(sides.world)) for _ in range(TURNS))
    return (
        f"{case.name}: the longest step took {1e3 * sides.longest:.0f} ms; a frame is built in {frame:.1f} ms; "
        f"{sides.player.stored_bytes / 1e6:.1f} MB are kept of {sides.player.last_known_frame} frames"
    )


def back(case: LabCase, sides: Sides) -> Row:
    """Measure the time to restore the world of an old frame, relative to a run from day 0."""
    player = sides.player
    middle = player.last_known_frame // 2

    def rewind() -> float:
        player.rewind(player.last_known_frame)
        player.digest()
        player.rewind(middle)
        return cpu_seconds(player.digest)

    def run() -> float:
        world = World(sides.world.scenario, 4)
        return cpu_seconds(lambda: [world.step() for _ in range(middle)])

    pair = take_turns(rewind, run, 3)
    return Row(
        f"{case.name}: back by {player.last_known_frame - middle} frames, over running there",
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
