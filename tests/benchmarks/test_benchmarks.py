"""Test that both sides of each benchmark do the same work; nothing is timed here."""

import io
import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import growth_law as law
from benchmarks.heap_loop import NoCompilerError, build
from benchmarks.labs import BareLoop, Callbacks, Lots, Processes
from benchmarks.logs import our_starts
from benchmarks.ratio_table import Row, at_least, at_most, show, take_turns
from hardware.cluster.cluster import ClusterParams
from hardware.job_logs.log import LoggedJob
from hardware.replay import replay
from tests.oracles.queueing import repairman


def exponentials(seed: int) -> Iterator[float]:
    """Yield the draws of the C loop: splitmix64 through the inverse of the distribution function."""
    mask = 2**64 - 1
    for step in count(1):
        z = (seed + step * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        z ^= z >> 31
        yield -math.log(((z >> 11) + 0.5) * 2.0**-53)


@pytest.mark.parametrize("researchers", [64, 200])
def test_c_loop_and_cluster_with_equal_draws_finish_equal_jobs(tmp_path: Path, researchers: int) -> None:
    try:
        loop = build(tmp_path)
    except NoCompilerError as error:
        pytest.skip(str(error))
    counted = loop.run(researchers, gpus=64, warm=3, until=50, seed=8)
    lab = Callbacks(researchers, "fcfs", exponentials(8))
    lab.env.run(until=3)
    before = lab.finished
    lab.env.run(until=50)
    records = lab.cluster.records
    assert (counted.all_jobs, counted.jobs) == (lab.finished, lab.finished - before)
    assert counted.last == records[-1].ended
    running = [job for job in lab.cluster.jobs() if job.state == "running"]
    waits = [job.started_at - job.submitted for job in running]
    waits += [record.started - record.submitted for record in records if record.started is not None]
    assert counted.waited == pytest.approx(math.fsum(waits), rel=1e-12)


@pytest.mark.parametrize("lab", [Callbacks, Lots, Processes, BareLoop])
def test_benchmark_labs_have_the_throughput_of_the_machine_repairman(lab: type[Callbacks]) -> None:
    """100 researchers on 64 GPUs over 400 mean times: the share of jobs finished is that of the machine repairman."""
    closed = lab(100, "fcfs")
    closed.env.run(until=3)
    before = closed.finished
    closed.env.run(until=403)
    expected = 400 * repairman(100, 64, 1, 1)[0]
    assert closed.finished - before == pytest.approx(expected, abs=4 * math.sqrt(expected))


def test_growth_law_implementations_agree_to_rounding() -> None:
    inputs = law.drawn(400)
    assert law.differ(law.ours, law.in_numpy, 400) == law.differ(law.ours, law.in_python, 400) == ""
    shortest = law.ours(inputs)
    assert 0.3 < np.isfinite(shortest[0]).mean() < 1 and np.isfinite(shortest[1]).any()
    assert law.differ(law.ours, lambda asked: law.in_numpy(asked) * 1.001, 400)


def test_our_starts_are_keyed_by_job_name() -> None:
    jobs = [LoggedJob("7", 0, 10, 2), LoggedJob("9", 1, 5, 2), LoggedJob("8", 2, 5, 1)]
    assert our_starts(replay(jobs, ClusterParams(gpus=2, queue="fcfs"))) == {"7": 0, "9": 10, "8": 15}


def test_take_turns_alternates_sides_and_returns_median_ratios() -> None:
    order = ""
    costs = {"o": iter([1.0, 1.0, 2.0]), "t": iter([3.0, 8.0, 10.0])}

    def side(name: str) -> float:
        nonlocal order
        order += name
        return next(costs[name])

    pair = take_turns(lambda: side("o"), lambda: side("t"), 3)
    assert order == "ottoot"
    assert (pair.ours, pair.other, pair.faster, pair.slower) == (1, 8, 5, 0.2)


@pytest.mark.parametrize(
    ("row", "verdict", "missed"),
    [
        (Row("a", "", "", 2.0, at_least(2)), "holds", 0),
        (Row("a", "", "", 1.9, at_least(2)), "missed", 1),
        (Row("a", "", "", 2.0, at_most(2)), "holds", 0),
        (Row("a", "", "", 2.1, at_most(2)), "missed", 1),
        (Row("a", "", "", 2.1), "", 0),
        (Row("a", "", "", None, at_least(2), "no log is there"), "left out", 0),
        (Row("a", "", "", 9.0, at_least(2), wrong="3 jobs differ"), "wrong", 1),
    ],
)
def test_row_verdict_states_whether_its_limit_holds(row: Row, verdict: str, missed: int) -> None:
    printed = io.StringIO()
    assert row.verdict == verdict
    assert show("speed", [row], Console(file=printed, width=100)) == missed
    assert row.note in printed.getvalue() and row.wrong in printed.getvalue()
