"""Measure the cost of five labs in one World, over that of one lab, each up to 2^20 researchers.

Each lab is the shipped one with its 1,024 GPUs. The labs share the clock and nothing else, so that the work is five
times as much. CPU time, sides take turns. Exits with 1 if the limit is missed.
"""

import resource
import sys
from collections.abc import Iterator

from benchmarks.ratio_table import Row, Side, at_most, cpu_seconds, show, take_turns
from sim.events import LabEnded, RunEnded
from sim.scenario.model import Scenario
from sim.world import World

TURNS = 3
LABS = 5
RESEARCHERS = 2**20
MOST = 1.5
"""Largest cost per lab, relative to that of one lab alone: the cost is about linear in the labs."""


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
    """Measure five labs and one."""
    pair = take_turns(side(LABS), side(1), TURNS)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    what = f"{LABS} labs to {RESEARCHERS:,} researchers each, over one"
    note = f"at most {memory:,.0f} MB of memory"
    yield Row(what, f"{pair.ours:.1f} s", f"{pair.other:.1f} s", pair.slower, at_most(MOST * LABS), note=note)


def main() -> int:
    """Print the table; return 1 if the limit is missed."""
    return int(show("several labs, CPU time", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
