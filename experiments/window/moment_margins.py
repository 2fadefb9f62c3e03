"""What limits progress at one moment, measured: the same moment runs on with a quarter more of one input at a time.

Each input is raised by GPUs: researchers by GPUs for inference, which house them, experiments and training runs by
GPUs of their own. All runs share the randomness of the moment. Their experiments cost the mean, because a single one of
1,000 times the median cost would hide what a quarter more of an input brings. An elasticity is the percentage by which
1% more of an input brings the next gain of software forward: a doubling, or as much as comes within the window. In
:mod:`sim.margins` inputs are raised from day 0 on, by the equations; here from this moment on, in the agents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from experiments.window.timeline import forget
from hardware.cluster.params import ClusterParams
from hardware.datacenter import SHARED, inference_gpus, pool_sizes
from sim import reporters
from sim.scenario.model import ScenarioError
from sim.world import Snapshot, World

INPUTS: Final = ("researchers", "experiments", "training")
MORE: Final = 1.25
"""By how much an input is raised, as nearly as whole nodes allow, by one node at least."""
MAX_DAYS: Final = 45.0
"""Simulated days that are run at most in search of the next doubling."""
MAX_EVENTS: Final = 250_000
"""Events of the clock of the run without a change: then the window ends there."""
MIN_GAIN: Final = 1e-3
"""Doublings; a moment after which software gains less has no margins."""
_EVENTS_A_PIECE: Final = 2_000


class MomentMargins(NamedTuple):
    """What binds at one moment."""

    day: float
    """Of the moment."""
    limited_by: str
    """The input of the largest elasticity; empty if no input changes anything or nothing could be measured."""
    elasticities: tuple[tuple[str, float], ...]
    """Input and percentage by which 1% more of it brings the gain of software forward."""
    days: float
    """The window: simulated days of the run without a change."""
    gain: float
    """Doublings of software that it gained, which the others were timed on."""
    why: str = ""
    """Why nothing was measured; else empty."""


class StoppedError(Exception):
    """A measurement was stopped from outside."""


def moment_margins(snapshot: Snapshot, stop: Callable[[], bool] = lambda: False) -> MomentMargins:
    """Measure what binds at a moment, by runs from it of the same randomness. It changes nothing outside.

    ``stop`` is called now and then. Raises StoppedError once it returns True.
    """
    base = _world(snapshot)
    try:
        path = _Path(base, stop)
        path.run(path.start + 1.0, MAX_DAYS, MAX_EVENTS)
    finally:
        forget(base)
    gain = path.gained
    if gain < MIN_GAIN:
        return MomentMargins(
            snapshot.day, "", (), path.days, gain, f"software gains nothing within {path.days:.0f} days"
        )
    found = tuple((name, _elasticity(snapshot, name, path)) for name in INPUTS)
    best, largest = max(found, key=lambda each: each[1])
    return MomentMargins(snapshot.day, best if largest > 0 else "", found, path.days, gain)


def raised(cluster: ClusterParams, name: str) -> tuple[dict[str, Any], float]:
    """Return the changes that give one use more GPUs and the others as many as before, and the factor of its GPUs.

    No changes for a use that has none.
    """
    sizes, unit = pool_sizes(cluster), cluster.gpus_per_node if cluster.placement == "consolidated" else 1
    inference = inference_gpus(cluster)
    if SHARED in sizes:
        training = math.floor(cluster.training_share * cluster.gpus + 1e-9)
        now = {"researchers": inference, "training": training, "experiments": cluster.gpus - inference}
    else:
        training = sizes.get("training", 0)
        now = {"researchers": inference, "training": training, "experiments": sizes.get("experiment", 0)}
    if not now[name]:
        return {}, 1.0
    more = max(1, round(now[name] * (MORE - 1) / unit)) * unit
    gpus = cluster.gpus + more
    inference += more if name == "researchers" else 0
    training += more if name == "training" else 0
    changes = {
        "cluster__gpus": gpus,
        "cluster__inference_share": inference / gpus,
        "cluster__training_share": min(training / gpus, 1 - inference / gpus),
    }
    return changes, (now[name] + more) / now[name]


def _elasticity(snapshot: Snapshot, name: str, base: _Path) -> float:
    """How much sooner the gain of the base comes with more of one input; 0 where the input plays no part."""
    world = _world(snapshot)
    try:
        if not _plays_a_part(world, name):
            return 0.0
        changes, factor = raised(world.scenario.cluster, name)
        if not changes:
            return 0.0
        more = world.branch(**changes)
        try:
            if name == "training" and more.trainer.run is not None:
                more.trainer.interrupt()
                more.trainer.resume()
            path = _Path(more, base.stop)
            path.run(base.start + base.gained, 2 * base.days, 3 * MAX_EVENTS)
        finally:
            forget(more)
    except ScenarioError:
        return 0.0
    finally:
        forget(world)
    days = path.day_of(base.gained)
    return math.log(base.day_of(base.gained) / days) / math.log(factor)


def _plays_a_part(world: World, name: str) -> bool:
    if name == "experiments":
        return world.scenario.researcher.experiment_gpu_days > 0
    return name == "researchers" or world.scenario.training.needed


def _world(snapshot: Snapshot) -> World:
    """A world of its own at a moment, that has room to run on."""
    world = World.restore(snapshot)
    run = world.scenario.run
    try:
        return world.branch(
            run__horizon_days=min(100_000.0, max(run.horizon_days, world.now + 3 * MAX_DAYS)),
            run__max_doublings=max(run.max_doublings, world.doublings + 3),
            run__until_researchers=0.0,
            researcher__experiment_variation="fixed",
        )
    except ScenarioError:
        return world
    finally:
        forget(world)


class _Path:
    """The software of a world, from a moment on."""

    def __init__(self, world: World, stop: Callable[[], bool]) -> None:
        self._world = world
        self.stop = stop
        self.start = reporters.discovered(world)
        self._days = [0.0]
        self._gains = [0.0]

    @property
    def gained(self) -> float:
        """Doublings of software since the moment."""
        return self._gains[-1]

    @property
    def days(self) -> float:
        return self._days[-1]

    def run(self, target: float, days: float, events: int) -> None:
        """Run on until software has so many doublings, or so many days or events have passed."""
        world, start, most = self._world, self._world.now, events
        while world.running and self.start + self.gained < target and world.now - start < days and most > 0:
            before = world.steps
            while world.running and world.steps == before and most > 0:
                if self.stop():
                    raise StoppedError
                world.step_events(_EVENTS_A_PIECE)
                most -= _EVENTS_A_PIECE
            self._days.append(world.now - start)
            self._gains.append(reporters.discovered(world) - self.start)

    def day_of(self, gain: float) -> float:
        """Return the days after which so much was gained, along straight lines between frames; at most all."""
        return float(np.interp(gain, self._gains, self._days))
