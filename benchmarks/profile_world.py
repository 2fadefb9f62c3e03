"""Profile where the time of a simulation goes: the lab of counts, the World, and the replay of a log.

The shares are those of cProfile. It adds a cost to every call, so small functions look larger than they are. Built-in
functions (heaps, random numbers, NumPy) count towards their caller. This script has no limits:
`docs/explanation/speed.md` quotes it.
"""

import cProfile
import pstats
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import scale
from benchmarks.labs import Lots
from benchmarks.logs import LOG, PROCESSORS, NoLogError, found_log
from hardware.cluster.cluster import ClusterParams
from hardware.job_logs.registry import read_job_log
from hardware.replay import replay

SHOWN = 9
ROOT = Path(__file__).parents[1]
Work = Callable[[], object]


def shares(work: Work) -> Counter[str]:
    """Return the share of the time by file of this repository, or by package."""
    profile = cProfile.Profile()
    profile.runcall(work)
    stats: Any = pstats.Stats(profile)
    spent = Counter[str]()
    for (file, _, _), (_, _, own, _, callers) in stats.stats.items():
        if file == "~" and callers:  # built in
            for (caller, _, _), (_, _, part, _) in callers.items():
                spent[place(caller)] += part
        else:
            spent[place(file)] += own
    whole = sum(spent.values())
    return Counter({name: part / whole for name, part in spent.items()})


def place(file: str) -> str:
    """Return the name under which a file is shown."""
    path = Path(file)
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1]
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else "Python and what is built in"


def subjects() -> Iterator[tuple[str, Work]]:
    """Yield what is profiled."""
    closed = Lots(10_000, "fcfs")
    closed.env.run(until=3)
    yield "64 GPUs, 10,000 researchers, jobs as counts", lambda: closed.env.run(until=closed.env.now + 500)
    gpu_days = 0.5 * scale.EXPERIMENT_GPUS / (scale.FEW * scale.PAPERS_A_DAY)
    for researchers, cohort in ((scale.FEW, False), (scale.FEW, True), (scale.MANY, True)):
        world = scale.lab(researchers, gpu_days * scale.FEW / researchers, cohort)
        name = f"a lab of {researchers:,}, half used, {'a cohort' if cohort else 'one by one'}"
        yield name, lambda world=world: scale.run(world, 300)
    try:
        log = found_log()
    except NoLogError as error:
        yield str(error), lambda: None
        return
    yield f"{LOG}: reading", lambda: read_job_log(log, "swf")
    jobs = read_job_log(log, "swf").jobs
    for queue in ("fcfs", "easy"):
        params = ClusterParams(gpus=PROCESSORS, queue=queue, placement="flat", preemption=False)
        yield f"{LOG}: {queue}", lambda params=params: replay(jobs, params)


def main() -> int:
    """Print a table for each."""
    console = Console()
    for name, work in subjects():
        table = Table(title=name, title_justify="left", box=None, show_header=False)
        for place_, share in shares(work).most_common(SHOWN):
            table.add_row(place_, f"{share:.0%}")
        console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
