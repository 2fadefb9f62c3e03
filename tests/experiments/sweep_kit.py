"""What the tests of sweeps share: small designs, and a sweep that kills others and itself as it goes."""

import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.cli import main
from experiments.designs import Design, load_design
from experiments.sweep import command
from experiments.sweep.crew import Crew
from experiments.sweep.nodes import Nodes
from experiments.sweep.runner import Standing, Watch, sweep

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


class Rough:
    """Shown how far a sweep is, it kills a worker now and then, and at the end of its rope the whole command."""

    def __init__(self, seed: int, die_at: int) -> None:
        self._chance, self._die_at = random.Random(seed), die_at
        self.crew: Crew | None = None

    def start(self, design: Design) -> Crew:
        self.crew = Crew(design, 2)
        self._kill(0)  # before it has said that it is ready
        return self.crew

    def __call__(self, standing: Standing) -> None:
        if self._chance.random() < 0.003:
            self._kill(self._chance.randrange(2))
        if standing.done >= self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _kill(self, which: int) -> None:
        if self.crew is not None:
            self.crew._workers[which].process.send_signal(signal.SIGKILL)


def roughly(design_file: str, folder: str, seed: str, die_at: str) -> None:
    """Run a design, killing as it goes."""
    design, rough = load_design(design_file), Rough(int(seed), int(die_at))
    sweep(design, Path(folder), lambda: rough.start(design), False, rough, quietly)


def on_nodes(design_file: str, folder: str, address: str, victim: str) -> None:
    """Run a design on a Dask cluster, one of whose processes is killed when a quarter is over."""
    design, alive = load_design(design_file), [int(victim)]

    def watch(standing: Standing) -> None:
        if alive and standing.done > standing.runs // 4:
            os.kill(alive.pop(), signal.SIGKILL)

    sweep(design, Path(folder), lambda: Nodes(design, address), False, watch, quietly)


def interrupted(design_file: str, folder: str, after: str) -> None:
    """Run `asara sweep`, and press Ctrl-C after so many runs."""
    shown = command._shown

    @contextmanager
    def watched() -> Iterator[Watch]:
        with shown() as show:

            def watch(standing: Standing) -> None:
                show(standing)
                if standing.done >= int(after):
                    os.kill(os.getpid(), signal.SIGINT)

            yield watch

    command._shown = watched
    sys.exit(main(["sweep", design_file, "--out", folder, "--workers", "2"]))


def command_for(function: Any, *arguments: object) -> list[str]:
    """The command line that calls one of these functions in a process of its own."""
    return [sys.executable, __file__, function.__name__, *map(str, arguments)]


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
