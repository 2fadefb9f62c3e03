"""Build small designs, and sweeps that kill their workers or themselves, for the tests of sweeps."""

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from unittest import mock

import psutil

from experiments.cli.app import main
from experiments.cli.progress import show_progress
from experiments.design.design import Design, load_design
from experiments.progress import OnProgress, Progress
from experiments.sweep import actions
from experiments.sweep.records import RunRecord
from experiments.sweep.runner import SweepState, sweep
from experiments.sweep.workers.dask import DaskWorkers
from experiments.sweep.workers.local import LocalWorkerPool
from experiments.sweep.workers.process import finished_runs

TOY = """
description = "The report's toy under uncertain difficulty."
base = "toy-explosion"
engine = "{engine}"
sampling = "random"
n = {n}
replications = {replications}

[set]
run__max_doublings = 3

[uncertainties.growth__difficulty_growth]
distribution = "uniform"
low = 1.5
high = 4.0

[levers]
researcher__initial = [1, 2]
"""


def toy(folder: Path, n: int, replications: int = 1, engine: str = "world", more: str = "") -> Design:
    """Return a design of 2 × n × replications runs, of some milliseconds each."""
    path = folder / "toy.toml"
    path.write_text(TOY.format(n=n, replications=replications, engine=engine) + more)
    return load_design(str(path))


def quietly(*_: object) -> None:
    """Ignore progress and notes."""


class InProcessWorkers:
    """Workers that run in this process."""

    def __init__(self, design: Design) -> None:
        self.design = design

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, runs: Sequence[int]) -> Iterator[RunRecord]:
        yield from finished_runs(self.design, runs)


def run_here(design: Design, folder: Path, note: Callable[[str], None] = quietly, fresh: bool = False) -> SweepState:
    """Run a design in this process."""
    return sweep(design, folder, lambda: InProcessWorkers(design), fresh, quietly, note)


class KillingCallback:
    """Progress callback that kills workers, the first before it is ready, and the command after ``die_at`` runs."""

    def __init__(self, seed: int, die_at: int, most_kills: int) -> None:
        self._chance, self._die_at, self._kills_left = random.Random(seed), die_at, most_kills

    def start(self, design: Design) -> LocalWorkerPool:
        pool = LocalWorkerPool(design, 2)
        self._kill(0)  # before the worker is ready
        return pool

    def __call__(self, progress: Progress) -> None:
        if self._chance.random() < 0.05:
            self._kill(self._chance.randrange(2))
        if (progress.done or 0) >= self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _kill(self, which: int) -> None:
        """Kill one of the worker processes that run, in the order of their numbers."""
        children = psutil.Process().children()
        running = sorted(each.pid for each in children if each.status() != psutil.STATUS_ZOMBIE)
        if self._kills_left and which < len(running):
            self._kills_left -= 1
            os.kill(running[which], signal.SIGKILL)


def kill_at_random(design_file: str, folder: str, *die_at: str) -> None:
    """Run a design several times, and kill workers and, after ``die_at`` runs each time, the command."""
    for seed, runs in enumerate(map(int, die_at)):
        if child := os.fork():  # each command is a process of its own that has loaded everything
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        else:
            _run_and_kill(design_file, folder, seed, runs)
    _run_and_kill(design_file, folder, len(die_at), sys.maxsize)


def _run_and_kill(design_file: str, folder: str, seed: int, die_at: int) -> None:
    design, rough = load_design(design_file), KillingCallback(seed, die_at, 3 if seed == 0 else 2)
    sweep(design, Path(folder), lambda: rough.start(design), False, rough, quietly)


def kill_dask_process(design_file: str, folder: str, address: str, victim: str) -> None:
    """Run a design on a Dask cluster, and kill one of its processes after a quarter of the runs."""
    design, alive = load_design(design_file), [int(victim)]

    def on_progress(progress: Progress) -> None:
        if alive and (progress.done or 0) > progress.total // 4:
            os.kill(alive.pop(), signal.SIGKILL)

    sweep(design, Path(folder), lambda: DaskWorkers(design, address), False, on_progress, quietly)


def interrupted(design_file: str, folder: str, after: str) -> None:
    """Run `asara sweep`, and send SIGINT after ``after`` runs."""
    _signal_after(int(after), os.getpid(), signal.SIGINT)
    sys.exit(main(["sweep", design_file, "--out", folder, "--workers", "2"]))


def without_scheduler(design_file: str, folder: str, address: str, scheduler: str, after: str) -> None:
    """Run `asara sweep` on a Dask cluster, and kill its scheduler after ``after`` runs."""
    _signal_after(int(after), int(scheduler), signal.SIGKILL)
    sys.exit(main(["sweep", design_file, "--out", folder, "--cluster", address]))


def interrupted_while_loading(design_file: str, folder: str, module: str) -> None:
    """Run `asara sweep`, and send SIGINT while it imports a module."""
    for name in [name for name in sys.modules if name.startswith("experiments.sweep.") and name.split(".")[2] != "cli"]:
        del sys.modules[name]

    class InterruptingFinder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == module:
                sys.meta_path.remove(self)
                os.kill(os.getpid(), signal.SIGINT)

    sys.meta_path.insert(0, InterruptingFinder())
    sys.exit(main(["sweep", design_file, "--out", folder, "--workers", "1"]))


def _signal_after(runs: int, process: int, number: signal.Signals) -> None:
    """Send a signal to a process when ``runs`` runs are done."""

    @contextmanager
    def watched(*options: Any, **named: Any) -> Iterator[OnProgress]:
        with show_progress(*options, **named) as show:

            def on_progress(progress: Progress) -> None:
                show(progress)
                if (progress.done or 0) >= runs:
                    with suppress(ProcessLookupError):
                        os.kill(process, number)

            yield on_progress

    mock.patch.object(actions, "show_progress", watched).start()


def command_for(function: Any, *arguments: object) -> list[str]:
    """Return the command line that calls one of these functions in a new process."""
    return [sys.executable, __file__, function.__name__, *map(str, arguments)]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the background job of a script ignores it
    globals()[sys.argv[1]](*sys.argv[2:])
