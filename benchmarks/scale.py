"""Measure the cost of a simulated day with ten million researchers, over that with a thousand, in one run.

The lab is the shipped one with its 1,024 GPUs, EASY backfill, gangs in whole nodes and failures. Its software does not
change, so the number of researchers is constant. *Saturated*: a thousand researchers who never wait would need twice
the GPUs for experiments; *half used*: half of them.

Experiments cost *the same* in the lab of ten million, so nearly all of them wait. Or they are *as much cheaper* as
there are more researchers, so the demand for GPUs is equal. Both teams are cohorts; for information also a thousand
individual researchers. CPU time, sides take turns. Exits with 1 if a limit is missed.

The last row is a whole run: the road of 1,500 humans up to full automation, over the shipped one of 1% of that size.
"""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.progress import track

from benchmarks.ratio_table import Limit, Row, Side, at_most, cpu_seconds, show, take_turns
from sim.runner import run as run_scenario
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

TURNS = 7
DAYS = 10
"""In one turn."""
WARM_DAYS = 90
"""About three times what a paper takes."""
EXPERIMENT_GPUS = 256
"""Of the lab's: what inference and training leave."""
PAPERS_A_DAY = 12 / 365
"""Of a researcher who never waits."""
FEW, MANY = 1_000, 10_000_000
AT_FULL_SIZE = {
    "humans__initial": 1500,
    "growth__calibrated_for": 1500,
    "cluster__gpus": 320_000,
    "training__first_run_gpus": 80_000,
    "start__copies_per_researcher": 1.0,
}
"""Changes of `road-to-asara`, which is 1% of that size."""
ROAD_LIMIT = at_most(4)
STILL = {"growth__law": "papers", "growth__papers_first_doubling": 1e12, "training__required": False}


class Case(NamedTuple):
    """One comparison: a large team with a small one."""

    load: float
    """GPUs for experiments that a small team who never waits would keep busy, over those that there are."""
    cheaper: bool
    """The experiments of the large team cost as much less as it is larger."""
    cohort: bool = True
    """The small team is a cohort, too."""
    limit: Limit | None = None

    @property
    def name(self) -> str:
        """What it compares, for the table."""
        load = "saturated" if self.load > 1 else "half used"
        costs = "experiments as much cheaper" if self.cheaper else "the same experiments"
        return f"{load}, {costs}: a day of {MANY:,} over one of {FEW:,}" + ("" if self.cohort else " one by one")


CASES = (
    Case(2, cheaper=False, limit=at_most(2)),
    Case(2, cheaper=True, limit=at_most(2)),
    Case(0.5, cheaper=True, limit=at_most(2)),
    Case(2, cheaper=True, cohort=False),
    Case(0.5, cheaper=True, cohort=False),
)


def lab(researchers: int, gpu_days: float, cohort: bool) -> World:
    """Return a lab that has been running for some time, with experiments of a mean cost."""
    changes: dict[str, Any] = {
        "researcher__initial": researchers,
        "researcher__experiment_gpu_days": gpu_days,
        "run__max_individuals": 100 if cohort else researchers,
        "run__horizon_days": 1e5,
    }
    world = World(Scenario.load("lab"), seed=4, **STILL, kernels__measurements="none", **changes)
    run(world, WARM_DAYS)
    return world


def run(world: World, days: int) -> None:
    """Run a lab on."""
    for _ in range(days):
        world.step()


def a_day(world: World) -> Side:
    """Return a turn of a lab."""
    return lambda: cpu_seconds(lambda: run(world, DAYS)) / DAYS


def compare(case: Case) -> Row:
    """Measure a case; it is wrong if there can be no such lab."""
    gpu_days = case.load * EXPERIMENT_GPUS / (FEW * PAPERS_A_DAY)
    try:
        large = lab(MANY, gpu_days * FEW / MANY if case.cheaper else gpu_days, cohort=True)
        small = lab(FEW, gpu_days, case.cohort)
    except ScenarioError as error:
        return Row(case.name, "", "", None, case.limit, wrong=str(error))
    pair = take_turns(a_day(large), a_day(small), TURNS)
    return Row(case.name, f"{1e3 * pair.ours:.2f} ms", f"{1e3 * pair.other:.2f} ms", pair.slower, case.limit)


def compare_roads() -> Row:
    """Measure a road up to full automation at full size, with humans as a cohort, over one of 1% of that size."""
    small = Scenario.load("road-to-asara").replace(run__max_doublings=8)
    large = small.replace(**AT_FULL_SIZE)
    pair = take_turns(
        lambda: cpu_seconds(lambda: run_scenario(large)), lambda: cpu_seconds(lambda: run_scenario(small)), 1
    )
    name = "a run of road-to-asara at full size over the one at 1%"
    return Row(name, f"{pair.ours:.2f} s", f"{pair.other:.2f} s", pair.slower, ROAD_LIMIT)


def rows() -> Iterator[Row]:
    """Measure all cases."""
    for case in track(CASES, "measuring", transient=True):
        yield compare(case)
    yield compare_roads()


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    return int(show("a simulated day, CPU time", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
