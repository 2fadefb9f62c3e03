"""Measure what limits progress at one frame: run the same state on with a quarter more of one input at a time.

Each input is raised by GPUs: researchers by GPUs for inference, experiments and training runs by GPUs of their own. All
runs share the randomness of the frame. Their experiments cost the mean, because one experiment of 1,000 times the
median cost would hide the effect of an input.

An elasticity is the percentage by which 1% more of an input brings the next software gain sooner. A gain is a doubling,
or the gain within the window. :mod:`sim.margins` raises inputs from day 0 on, by the equations; this module raises them
from a frame on, in the agents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from experiments.window.shown_lab import ShownLab
from hardware.datacenter import Datacenter, gpus_by_use
from hardware.uses import Use
from sim import reporters
from sim.margins import reason_undefined
from sim.scenario.model import Scenario, ScenarioError
from sim.world import Snapshot, World

INPUTS: Final = ("researchers", "experiments", "training")
_USES: Final = {"researchers": Use.INFERENCE, "experiments": Use.EXPERIMENT, "training": Use.TRAINING}
INPUT_FACTOR: Final = 1.25
"""Factor on an input, as near as whole nodes allow, by one node at least."""
MAX_DAYS: Final = 45.0
"""Maximum simulated time of the search for the next doubling [days]."""
MAX_EVENTS: Final = 250_000
"""Maximum number of clock events of the run without a change; the window then ends there."""
MIN_GAIN: Final = 1e-3
"""Minimum gain of software [doublings]; a frame with less has no margins."""
_EVENTS_PER_PIECE: Final = 2_000


class MomentMargins(NamedTuple):
    """The elasticities at one frame."""

    day: float
    """Day of the frame."""
    limited_by: str
    """Input with the largest elasticity; empty if no input has an effect or nothing was measured."""
    elasticities: tuple[tuple[str, float], ...]
    """Input and percentage by which 1% more of it brings the software gain sooner."""
    days: float
    """Length of the window: simulated time of the run without a change [days]."""
    gain: float
    """Software gain in the window, which the other runs are timed on [doublings]."""
    reason: str = ""
    """Why nothing was measured; else empty."""


class StoppedError(Exception):
    """The caller stopped a measurement."""


def moment_margins(
    snapshot: Snapshot, stop: Callable[[], bool] = lambda: False, lab: str | None = None
) -> MomentMargins:
    """Measure the elasticities at a snapshot, by runs with shared randomness. Nothing else is changed.

    ``stop`` is called at intervals. Raises StoppedError once it returns True. ``lab`` is the name of the lab whose
    inputs are raised and whose software counts, by default the first.
    """
    world = _restored_world(snapshot)
    base = ShownLab(world, lab)
    if reason := reason_undefined(base.scenario):
        world.close()
        return MomentMargins(snapshot.day, "", (), 0.0, 0.0, reason)
    try:
        path = _SoftwarePath(base, stop)
        path.run(path.start + 1.0, MAX_DAYS, MAX_EVENTS)
    finally:
        world.close()
    gain = path.gained
    if gain < MIN_GAIN:
        return MomentMargins(
            snapshot.day, "", (), path.days, gain, f"software gains nothing within {path.days:.0f} days"
        )
    found = tuple((name, _elasticity(snapshot, base.name, name, path)) for name in INPUTS)
    best, largest = max(found, key=lambda each: each[1])
    return MomentMargins(snapshot.day, best if largest > 0 else "", found, path.days, gain)


def raise_input(datacenter: Datacenter, name: str) -> tuple[dict[str, Any], float]:
    """Return the changes that give one use more GPUs and the others the same number, and the factor on its work.

    The changes add GPUs of day 0, beside the nodes that were added since. The factor counts the GPUs that the use has
    now by their speed. A use without GPUs has no changes.
    """
    params, use = datacenter.params, _USES[name]
    unit = params.gpus_per_node if params.placement == "consolidated" else 1
    on_day_0, now = gpus_by_use(params), datacenter.gpus_by_use()
    there = now[use]
    if name == "experiments" and params.partitioning == "priority":
        there += now[Use.TRAINING]
    if not there:
        return {}, 1.0
    more = max(1, round(there * (INPUT_FACTOR - 1) / unit)) * unit
    on_day_0[use] += more
    gpus = sum(on_day_0.values())
    inference = on_day_0[Use.INFERENCE] / gpus
    changes = {
        "cluster__gpus": gpus,
        "cluster__inference_share": inference,
        "cluster__training_share": min(on_day_0[Use.TRAINING] / gpus, 1 - inference),
    }
    work = there - datacenter.gpus_added(use) + datacenter.work_added(use)
    return changes, (work + more) / work


def _elasticity(snapshot: Snapshot, lab: str, name: str, base: _SoftwarePath) -> float:
    """Return the elasticity of one input of a lab; 0 if the input is not used."""
    world = _restored_world(snapshot)
    before = ShownLab(world, lab)
    try:
        if not _is_input_used(before.scenario, name):
            return 0.0
        changes, factor = raise_input(before.lab.compute.datacenter, name)
        if not changes:
            return 0.0
        more = world.branch(**{f"{lab}.{each}" if lab else each: value for each, value in changes.items()})
        try:
            raised = ShownLab(more, lab)
            if name == "training" and raised.lab.training.run is not None:
                raised.lab.training.interrupt()
                raised.lab.training.resume()
            path = _SoftwarePath(raised, base.stop)
            path.run(base.start + base.gained, 2 * base.days, 3 * MAX_EVENTS)
        finally:
            more.close()
    except ScenarioError:
        return 0.0
    finally:
        world.close()
    days = path.day_of(base.gained)
    return math.log(base.day_of(base.gained) / days) / math.log(factor)


def _is_input_used(scenario: Scenario, name: str) -> bool:
    if name == "experiments":
        return scenario.researcher.experiment_gpu_days > 0
    return name == "researchers" or scenario.training.required


def _restored_world(snapshot: Snapshot) -> World:
    """Create a world from a snapshot, with later end conditions."""
    world = World.restore(snapshot)
    run = world.scenario.run
    try:
        return world.branch(
            run__horizon_days=min(100_000.0, max(run.horizon_days, world.now + 3 * MAX_DAYS)),
            run__max_doublings=max(run.max_doublings, max(lab.knowledge.doublings for lab in world.labs.values()) + 3),
            run__stop_at_researchers=0.0,
            researcher__experiment_variation="fixed",
        )
    except ScenarioError:
        return world
    finally:
        world.close()


class _SoftwarePath:
    """The software of a lab from a frame on."""

    def __init__(self, shown: ShownLab, stop: Callable[[], bool]) -> None:
        self._shown = shown
        self.stop = stop
        self.start = reporters.discovered(shown.lab)
        self._days = [0.0]
        self._gains = [0.0]

    @property
    def gained(self) -> float:
        """Software gain since the frame [doublings]."""
        return self._gains[-1]

    @property
    def days(self) -> float:
        return self._days[-1]

    def run(self, target: float, days: float, events: int) -> None:
        """Run until software reaches ``target`` doublings, or ``days`` days or ``events`` events have passed."""
        world, start, most = self._shown.world, self._shown.now, events
        while world.running and self.start + self.gained < target and world.now - start < days and most > 0:
            before = world.steps
            while world.running and world.steps == before and most > 0:
                if self.stop():
                    raise StoppedError
                world.step_events(_EVENTS_PER_PIECE)
                most -= _EVENTS_PER_PIECE
            self._days.append(world.now - start)
            self._gains.append(reporters.discovered(self._shown.lab) - self.start)

    def day_of(self, gain: float) -> float:
        """Return the days after which a gain was reached, by linear interpolation between frames; at most all days."""
        return float(np.interp(gain, self._gains, self._days))
