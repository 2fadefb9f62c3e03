"""What the tests of sweeps share: small designs, and a sweep that kills others and itself as it goes."""

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from experiments.cli.app import main
from experiments.design.design import Design, load_design
from experiments.sweep import command
from experiments.sweep.records import RunRecord
from experiments.sweep.runner import SweepProgress, Watch, sweep
from experiments.sweep.workers.dask import DaskWorkers
from experiments.sweep.workers.local import LocalWorkerPool
from experiments.sweep.workers.process import do_runs

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
    """A design of 2 n replications runs, of some milliseconds each."""
    path = folder / "toy.toml"
    path.write_text(TOY.format(n=n, replications=replications, engine=engine) + more)
    return load_design(str(path))


def quietly(*_: object) -> None:
    """See and say nothing."""


class Here:
    """A worker that is this process: what is tested is not how many there are."""

    def __init__(self, design: Design) -> None:
        self.design = design

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, runs: Sequence[int]) -> Iterator[RunRecord]:
        for each in runs:
            yield from do_runs(self.design, [each])


def run_here(design: Design, folder: Path, note: Callable[[str], None] = quietly, fresh: bool = False) -> SweepProgress:
    """Run a design in this process."""
    return sweep(design, folder, lambda: Here(design), fresh, quietly, note)


class Rough:
    """Shown how far a sweep is, it kills a worker now and then, and at the end of its rope the whole command."""

    def __init__(self, seed: int, die_at: int) -> None:
        self._chance, self._die_at = random.Random(seed), die_at

    def start(self, design: Design) -> LocalWorkerPool:
        crew = LocalWorkerPool(design, 2)
        self._kill(0)  # before the worker is ready
        return crew

    def __call__(self, standing: SweepProgress) -> None:
        if self._chance.random() < 0.02:
            self._kill(self._chance.randrange(2))
        if standing.done >= self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _kill(self, which: int) -> None:
        """Kill one of the worker processes that run, in the order of their numbers."""
        children = psutil.Process().children()
        running = sorted(each.pid for each in children if each.status() != psutil.STATUS_ZOMBIE)
        if which < len(running):
            os.kill(running[which], signal.SIGKILL)


def roughly(design_file: str, folder: str, seed: str, die_at: str) -> None:
    """Run a design, killing as it goes."""
    design, rough = load_design(design_file), Rough(int(seed), int(die_at))
    sweep(design, Path(folder), lambda: rough.start(design), False, rough, quietly)


def on_nodes(design_file: str, folder: str, address: str, victim: str) -> None:
    """Run a design on a Dask cluster, one of whose processes is killed when a quarter is over."""
    design, alive = load_design(design_file), [int(victim)]

    def watch(standing: SweepProgress) -> None:
        if alive and standing.done > standing.runs // 4:
            os.kill(alive.pop(), signal.SIGKILL)

    sweep(design, Path(folder), lambda: DaskWorkers(design, address), False, watch, quietly)


def interrupted(design_file: str, folder: str, after: str) -> None:
    """Run `asara sweep`, and press Ctrl-C after so many runs."""
    _signal_after(int(after), os.getpid(), signal.SIGINT)
    sys.exit(main(["sweep", design_file, "--out", folder, "--workers", "2"]))


def without_scheduler(design_file: str, folder: str, address: str, scheduler: str, after: str) -> None:
    """Run `asara sweep` on a Dask cluster, and kill its scheduler after so many runs."""
    _signal_after(int(after), int(scheduler), signal.SIGKILL)
    sys.exit(main(["sweep", design_file, "--out", folder, "--cluster", address]))


def interrupted_while_loading(design_file: str, folder: str, module: str) -> None:
    """Run `asara sweep`, and press Ctrl-C while it loads a module, as in its first seconds."""
    for name in [name for name in sys.modules if name.startswith("experiments.sweep.") and name.split(".")[2] != "cli"]:
        del sys.modules[name]

    class Press:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == module:
                sys.meta_path.remove(self)
                os.kill(os.getpid(), signal.SIGINT)

    sys.meta_path.insert(0, Press())
    sys.exit(main(["sweep", design_file, "--out", folder, "--workers", "1"]))


def _signal_after(runs: int, process: int, number: signal.Signals) -> None:
    """Send a signal to a process when so many runs are over."""
    shown = command._shown

    @contextmanager
    def watched() -> Iterator[Watch]:
        with shown() as show:

            def watch(standing: SweepProgress) -> None:
                show(standing)
                if standing.done >= runs:
                    with suppress(ProcessLookupError):
                        os.kill(process, number)

            yield watch

    command._shown = watched


def command_for(function: Any, *arguments: object) -> list[str]:
    """The command line that calls one of these functions in a process of its own."""
    return [sys.executable, __file__, function.__name__, *map(str, arguments)]


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
