"""Measure how fast a real log is replayed, against AccaSim from PyPI in the same run, with equal waits of each job.

The log is that of NASA Ames' iPSC/860 of 1993 (18,239 jobs on 128 processors), first come first served and with EASY
backfill. Both sides have the exact run times and write no files. They receive the jobs already read, so that the time
is that of the simulation alone. *With reading* includes the file, which AccaSim reads during its simulation.

AccaSim simulates the original machine, with one node for each processor. For information it also simulates one large
node, its fastest case. CPU time, sides take turns. Exits with 1 if a limit is missed or a job waits longer here than
there.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.progress import track

from benchmarks.peer_accasim import Dispatcher, Machine, NoAccaSimError, Started, install, simulation, unpacked
from benchmarks.ratio_table import Limit, Row, at_least, cpu_seconds, show, take_turns
from experiments.reproduction.report_claims import find_data
from hardware.cluster.cluster import ClusterParams
from hardware.job_logs.log import LoggedJob
from hardware.job_logs.registry import read_job_log
from hardware.replay import ReplayResult, replay

LOG = "NASA-iPSC-1993-3.1-cln.swf.gz"
PROCESSORS = 128
TURNS, INFORMATION_TURNS = 5, 1
OUR_RUNS = 3
"""Runs of ours in one turn, which is short."""
CACHE = Path("out") / "benchmarks" / "accasim"
DISPATCHERS: dict[str, Dispatcher] = {"fcfs": "FirstInFirstOut", "easy": "EASYBackfilling"}


class Case(NamedTuple):
    """One comparison."""

    discipline: str
    ahead: bool
    """The jobs are read beforehand."""
    one_by_one: bool
    """AccaSim has a node a processor."""
    limit: Limit | None = None

    @property
    def name(self) -> str:
        """What it compares, for the table."""
        read = "jobs read beforehand" if self.ahead else "with reading"
        return f"NASA log, {self.discipline}, {read}: faster than AccaSim" + ("" if self.one_by_one else ", one node")


CASES = (
    Case("fcfs", True, True, at_least(40)),
    Case("easy", True, True, at_least(40)),
    Case("fcfs", False, True),
    Case("easy", False, True),
    Case("fcfs", True, False),
    Case("easy", True, False),
)


class NoLogError(Exception):
    """There is no log; says so in a sentence."""


def our_run(case: Case, path: Path, jobs: list[LoggedJob]) -> Callable[[], ReplayResult]:
    """Return a run of ours."""
    params = ClusterParams(gpus=PROCESSORS, queue=case.discipline, placement="flat", preemption=False)
    return lambda: replay(jobs if case.ahead else read_job_log(path, "swf").jobs, params)


def our_starts(result: ReplayResult) -> Started:
    """Return when each job started, by its number in the log."""
    pairs = zip(result.jobs, result.records, strict=True)
    return {job.job: int(record.started) for job, record in pairs if record.started is not None}


def compare(case: Case, path: Path) -> Row:
    """Run both sides in turns; a row is wrong if a job starts at another time."""
    log = read_job_log(path, "swf").jobs
    ours = our_run(case, path, log)
    theirs: list[Started] = []

    def our_turn() -> float:
        return cpu_seconds(lambda: [ours() for _ in range(OUR_RUNS)]) / (OUR_RUNS * len(log))

    def their_turn() -> float:
        run = simulation(path, Machine(PROCESSORS, case.one_by_one), DISPATCHERS[case.discipline], case.ahead)
        return cpu_seconds(lambda: theirs.append(run())) / len(log)

    pair = take_turns(our_turn, their_turn, TURNS if case.limit else INFORMATION_TURNS)
    starts = our_starts(ours())
    differ = sum(starts[job] != started for job, started in theirs[-1].items())
    wrong = f"{differ:,} jobs start at other times" if differ or len(starts) != len(theirs[-1]) else ""
    return Row(
        case.name, f"{1e6 * pair.ours:.2f} µs", f"{1e6 * pair.other:.0f} µs", pair.faster, case.limit, wrong=wrong
    )


def found_log() -> Path:
    """Return the log; raises NoLogError."""
    try:
        data = find_data(None)
    except FileNotFoundError as error:
        raise NoLogError(str(error)) from None
    path = data / "traces" / LOG if data else None
    if path is None or not path.is_file():
        raise NoLogError(f"{LOG} is not there: set ASARA_DATA to the folder that holds traces/")
    return path


def rows(cache: Path) -> Iterator[Row]:
    """Measure all cases, and report missing logs or programs."""
    try:
        log = found_log()
        install(cache)
    except (NoLogError, NoAccaSimError) as error:
        yield from (Row(case.name, "", "", None, case.limit, str(error)) for case in CASES)
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = unpacked(log, Path(folder))
        for case in track(CASES, "measuring", transient=True):
            yield compare(case, plain)


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accasim", type=Path, default=CACHE, help="the folder that AccaSim is installed into")
    chosen = options.parse_args()
    return int(show("a real log run again, CPU time a job", rows(chosen.accasim.resolve())) > 0)


if __name__ == "__main__":
    sys.exit(main())
