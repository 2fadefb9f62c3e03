"""Measure the overhead of a sweep over its runs, and the speed of two workers against one process.

Runs take about 20 ms: a small lab for two months, each with its own random seed. *Serial* is a plain loop over them in
this process, without workers, files or progress. The other side is the sweep of `asara sweep`, with its table, from the
moment at which its two workers have started. For information the table also has the sweep with the start of its
workers. It also has two plain loops side by side in separate processes, the upper limit of the machine.

Wall time; sides take turns. The last row compares CPU time: all processes of a sweep over the plain loop, for each run.
It is the overhead on a machine that is busy too. Exits with 1 if a limit is missed.
"""

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from rich.progress import track

from benchmarks.ratio_table import Row, at_least, at_most, cpu_seconds, show, take_turns, wall_seconds
from experiments.design.design import Design, load_design
from experiments.sweep.runner import sweep
from experiments.sweep.workers.local import LocalWorkerPool
from experiments.sweep.workers.process import do_runs

RUNS = 300
TURNS = 3
WORKERS = 2
DESIGN = f"""
description = "A small lab for two months, with a new random seed in each run."
base = "lab"
engine = "world"
sampling = "random"
n = 1
replications = {RUNS}

[set]
researcher__initial = 32
growth__calibrated_for = 32
run__horizon_days = 60

[uncertainties.growth__r]
distribution = "uniform"
low = 0.8
high = 1.4
"""


def quietly(*_: object) -> None:
    """See and say nothing."""


class Started:
    """Two workers that stay: a sweep may use them, and the next one too."""

    def __init__(self, design: Design) -> None:
        self._crew = LocalWorkerPool(design, WORKERS)
        for _ in self._crew.run(range(2 * WORKERS)):
            pass  # each has loaded what it needs

    def cpu_seconds(self) -> float:
        """CPU time of the workers so far."""
        times = [psutil.Process(worker.process.pid).cpu_times() for worker in self._crew._workers]
        return sum(each.user + each.system for each in times)

    def __enter__(self) -> LocalWorkerPool:
        return self._crew

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        """Leave no worker behind."""
        self._crew.close()


def swept(design: Design, workers: Callable[[], object]) -> float:
    """Return the seconds a run of a sweep into a new folder."""
    with tempfile.TemporaryDirectory() as name:
        return wall_seconds(lambda: sweep(design, Path(name) / "out", workers, False, quietly, quietly)) / len(design)


def swept_cpu(design: Design, workers: Started) -> float:
    """Return the CPU seconds a run of a sweep into a new folder, this process and its workers together."""
    before = workers.cpu_seconds()
    with tempfile.TemporaryDirectory() as name:
        own = cpu_seconds(lambda: sweep(design, Path(name) / "out", lambda: workers, False, quietly, quietly))
    return (own + workers.cpu_seconds() - before) / len(design)


def serial(design: Design, runs: range) -> None:
    """Do runs one after the other, and collect garbage, as the workers do."""
    collects = gc.isenabled()
    gc.enable()
    for run in runs:
        do_runs(design, [run])
    if not collects:
        gc.disable()


def side_by_side(design_file: Path, started: list[subprocess.Popen[str]]) -> None:
    """Let processes that have loaded everything do all runs, each its share, and wait for the last."""
    for process in started:
        assert process.stdin is not None
        process.stdin.write(f"{design_file}\n")
        process.stdin.flush()
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()


def a_share(first: int) -> None:
    """Be one of the plain processes: do every second run of a design whenever its name comes."""
    print("ready", flush=True)
    for line in sys.stdin:
        design = load_design(line.strip())
        serial(design, range(first, len(design), WORKERS))
        print("done", flush=True)


def plain_processes() -> list[subprocess.Popen[str]]:
    """Start the plain processes, and wait until they have loaded everything."""
    command = [sys.executable, __file__]
    pipe = subprocess.PIPE
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    started = [
        subprocess.Popen([*command, str(first)], stdin=pipe, stdout=pipe, text=True, env=environment)
        for first in range(WORKERS)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    return started


def row(what: str, ours: Callable[[], float], other: Callable[[], float], limit: float | None = None) -> Row:
    """Measure one comparison."""
    pair = take_turns(ours, other, TURNS)
    bound = None if limit is None else at_least(limit)
    return Row(what, f"{1e3 * pair.ours:.1f} ms", f"{1e3 * pair.other:.1f} ms", pair.faster, bound)


def rows(folder: Path) -> Iterator[Row]:
    """Measure all comparisons."""
    path = folder / "sweep.toml"
    path.write_text(DESIGN)
    design = load_design(str(path))
    alone: Callable[[], float] = lambda: wall_seconds(lambda: serial(design, range(RUNS))) / RUNS  # noqa: E731
    workers, plain = Started(design), plain_processes()
    try:
        yield row("2 workers of a sweep: faster than serial", lambda: swept(design, lambda: workers), alone, 1.9)
        both: Callable[[], float] = lambda: wall_seconds(lambda: side_by_side(path, plain)) / RUNS  # noqa: E731
        yield row("2 plain processes: faster than serial", both, alone)
        yield row(
            "2 workers of a sweep, with their start: faster than serial",
            lambda: swept(design, lambda: LocalWorkerPool(design, WORKERS)),
            alone,
        )
        alone_cpu: Callable[[], float] = lambda: cpu_seconds(lambda: serial(design, range(RUNS))) / RUNS  # noqa: E731
        pair = take_turns(lambda: swept_cpu(design, workers), alone_cpu, TURNS)
        name = "CPU time of a run of a sweep: over a plain loop's"
        yield Row(name, f"{1e3 * pair.ours:.1f} ms", f"{1e3 * pair.other:.1f} ms", pair.slower, at_most(1.1))
    finally:
        workers.close()
        for process in plain:
            process.kill()
            process.wait()


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    with tempfile.TemporaryDirectory() as name:
        measured = track(rows(Path(name)), "measuring", total=4, transient=True)
        return int(show(f"{RUNS} runs of a sweep, wall time a run", measured) > 0)


if __name__ == "__main__":
    if sys.argv[1:]:
        a_share(int(sys.argv[1]))
    else:
        sys.exit(main())
