"""A frame: an immutable picture of a World at one moment, in plain values. Every view reads frames, never the World."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from experiments.window.event_text import EventText, last_events
from experiments.window.gpu_grid import Grid, grid_of
from experiments.window.limiting_factor import Limit, limit_of
from experiments.window.literature_view import Network, network_of
from experiments.window.queue_view import QueueView, queue_of
from experiments.window.team_view import TeamView, team_of
from sim import reporters
from sim.long_run import LongRun
from sim.reporters import REPORTERS
from sim.verdict import Pace

if TYPE_CHECKING:
    from hardware.kernels.speedup_curve import FittedSpeedupCurve
    from sim.world import World

COLUMNS = tuple(REPORTERS)
"""What ``Frame.values`` are, in order."""
CURVE_POINTS = 64


class KernelState(NamedTuple):
    """The measured curve of attention kernels, and where the lab's engineer stands on it."""

    calibrated: bool
    """False: no measurements drive the run, and attention never gets faster."""
    candidates: float
    """Tried so far."""
    speedup: float
    """Of attention, deployed."""
    work_rate: float
    """Of the cluster, over that of day 0."""
    curve: tuple[tuple[float, float], ...]
    """Candidates and speed-up, as measured; empty if uncalibrated."""
    tried: int
    """Candidates of the searches that were made: the curve says nothing beyond."""
    largest: float
    """Speed-up after all of them."""
    workload: str
    told: str
    """Which searches were made, in words."""


class Ending(NamedTuple):
    """Why a run stopped, what it did and where it leads."""

    name: str
    sentence: str
    pace: Pace
    """What the run did over its last part."""
    long_run: LongRun
    """Where it leads."""


class Frame(NamedTuple):
    """A World at one moment."""

    number: int
    """Of the latest whole frame."""
    between: bool
    """True: single events have been stepped since; the next whole frame is still to come."""
    day: float
    discovered: float
    """Doublings of software (log2)."""
    deployed: float
    """Doublings of software (log2)."""
    papers: float
    values: tuple[float, ...]
    """The reporters of sim.reporters, as COLUMNS names them."""
    team: TeamView
    grid: Grid
    queue: QueueView
    network: Network
    kernels: KernelState
    limit: Limit
    events: tuple[EventText, ...]
    """The latest, newest first."""
    ending: Ending | None
    """None while the run goes on."""

    def value(self, column: str) -> float:
        """Return what a reporter of sim.reporters saw."""
        return self.values[COLUMNS.index(column)]


def frame_of(world: World, between: bool = False) -> Frame:
    """Return a world as it stands; it changes nothing in it and keeps nothing of it.

    ``between``: it stands within a frame. The same moment of the same run gives an equal frame, however it was reached.
    """
    days = world.datacollector.model_vars["day"]
    number = len(days) - 1
    since = days[-1] if between else days[max(0, number - 1)]
    values = tuple(reporter(world) for reporter in REPORTERS.values())
    return Frame(
        number=number,
        between=between,
        day=world.now,
        discovered=reporters.discovered(world),
        deployed=world.software.deployed,
        papers=world.papers,
        values=values,
        team=team_of(world),
        grid=grid_of(world, since),
        queue=queue_of(world),
        network=network_of(world, since),
        kernels=_kernels(world),
        limit=limit_of(world),
        events=last_events(world),
        ending=_ending(world),
    )


def _kernels(world: World) -> KernelState:
    engineer, found = world.kernel_engineer, world.calibration
    curve = found.curve
    return KernelState(
        calibrated=curve is not None,
        candidates=engineer.candidates,
        speedup=engineer.speedup,
        work_rate=world.work_rate,
        curve=_points(curve) if curve is not None else (),
        tried=curve.tried if curve is not None else 0,
        largest=curve.largest if curve is not None else 1.0,
        workload=found.workload,
        told=curve.told if curve is not None else "uncalibrated: no measurements drive the kernels",
    )


@lru_cache(maxsize=32)
def _points(curve: FittedSpeedupCurve) -> tuple[tuple[float, float], ...]:
    """A curve, at whole candidates that are about evenly spaced on a log axis."""
    top = math.log(max(2, curve.tried))
    numbers = dict.fromkeys(round(math.exp(top * at / (CURVE_POINTS - 1))) for at in range(CURVE_POINTS))
    return tuple((float(number), curve.speedup_after(number)) for number in numbers)


def _ending(world: World) -> Ending | None:
    if world.ending is None:
        return None
    return Ending(world.ending.ending, world.ending.sentence, reporters.pace(world), reporters.long_run(world))
