"""Measure the cost of two and of five labs in one World, over that of one lab, each up to 2^20 researchers.

Each lab is the shipped one with its 1,024 GPUs. The labs share the clock and nothing else, so that n labs are n times
the work. CPU time, sides take turns. Exits with 1 if a limit is missed. The limit in seconds is for a quiet core. On
a core that other programs use too, the same run takes up to twice as long.
"""

import resource
import sys
from collections.abc import Iterator

from benchmarks.ratio_table import Row, Side, at_most, cpu_seconds, show, take_turns
from sim.events import LabEnded, RunEnded
from sim.scenario.model import Scenario
from sim.world import World

TURNS = 3
FEW, LABS = 2, 5
RESEARCHERS = 2**20
MOST = 1.2
"""Largest cost per lab, relative to that of one lab alone: the cost is linear in the labs."""
SECONDS = 8.0
"""Largest cost of the five labs [s of CPU time on a quiet core]."""
MEGABYTES = 1000.0
"""Largest memory of this process, with all runs [MB]."""


def scenario(labs: int) -> Scenario:
    """Return a scenario of some equal labs, each up to the number of researchers."""
    alone = Scenario.load("lab").replace(
        run__stop_at_researchers=RESEARCHERS, run__max_doublings=300, run__horizon_days=3650.0
    )
    return alone if labs == 1 else alone.replace(**{f"lab{each}.policy__name": "fixed" for each in range(labs)})


def run(labs: int) -> None:
    """Run some labs to the end. Raises RuntimeError if one of them does not reach the number of researchers."""
    with World(scenario(labs)) as world:
        while world.running:
            world.step()
        endings = {event.ending for event in world.ledger if isinstance(event, LabEnded if labs > 1 else RunEnded)}
        if endings != {"researchers"}:
            raise RuntimeError(f"Labs ended by {endings}; allowed: the number of researchers. Check the scenario.")


def side(labs: int) -> Side:
    """Return a turn of some labs."""
    return lambda: cpu_seconds(lambda: run(labs))


def rows() -> Iterator[Row]:
    """Measure two labs and five over one; then the time and the memory of the five."""
    for labs in (FEW, LABS):
        pair = take_turns(side(labs), side(1), TURNS)
        what = f"{labs} labs to {RESEARCHERS:,} researchers each, over one"
        yield Row(what, f"{pair.ours:.1f} s", f"{pair.other:.1f} s", pair.slower, at_most(MOST * labs))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Row(f"{LABS} labs, on a quiet core", f"{pair.ours:.1f} s", f"{SECONDS:g} s", pair.ours / SECONDS, at_most(1))
    what = f"{LABS} labs, memory without garbage collection"
    yield Row(what, f"{memory:,.0f} MB", f"{MEGABYTES:,.0f} MB", memory / MEGABYTES, at_most(1))


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    return int(show("several labs, CPU time", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
