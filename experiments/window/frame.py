"""Describe a World at one time as plain immutable values. Views read frames only, never the World."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from experiments.window.event_text import EventText, last_events
from experiments.window.gpu_grid import GpuGrid, grid_of
from experiments.window.limiting_factor import LimitingFactor, limiting_factor_of
from experiments.window.literature_view import CitationNetwork, network_of
from experiments.window.queue_view import QueueView, queue_of
from experiments.window.task_view import TaskView, task_view_of
from experiments.window.team_view import TeamView, team_of
from sim import reporters, run_statistics
from sim.long_run import LongRun
from sim.pace import Pace
from sim.reporters import REPORTERS

if TYPE_CHECKING:
    from hardware.kernels.speedup_curve import FittedSpeedupCurve
    from sim.world import World

COLUMNS = tuple(REPORTERS)
"""Names of the values in ``Frame.values``, in order."""
CURVE_POINTS = 64


class KernelState(NamedTuple):
    """The measured curve of attention kernels, and the current position of the lab's engineer on it."""

    calibrated: bool
    """False if the run uses no measurements; attention is then never faster."""
    candidates: float
    """Number of candidates tried so far."""
    speedup: float
    """Speed-up of deployed attention."""
    work_rate: float
    """Work rate of the cluster, relative to day 0."""
    curve: tuple[tuple[float, float], ...]
    """Measured pairs of candidates and speed-up; empty if uncalibrated."""
    tried: int
    """Number of candidates of the searches; the curve has no values beyond it."""
    largest: float
    """Speed-up after all candidates."""
    workload: str
    method_note: str
    """Searches that were made, in words."""


class Ending(NamedTuple):
    """The end of a run: its reason, its pace and its long-run behaviour."""

    name: str
    sentence: str
    pace: Pace
    """Pace over the last part of the run."""
    long_run: LongRun
    """Long-run behaviour."""


class Frame(NamedTuple):
    """A World at one time."""

    number: int
    """Number of the latest whole frame."""
    is_between_frames: bool
    """Whether single events have been run since that frame."""
    day: float
    discovered: float
    """Discovered software [doublings]."""
    deployed: float
    """Deployed software [doublings]."""
    papers: float
    values: tuple[float, ...]
    """Values of sim.reporters, in the order of ``COLUMNS``."""
    team: TeamView
    tasks: TaskView | None
    """Humans and AIs by task; None if AIs have done all research since day 0 and there are no humans."""
    grid: GpuGrid
    queue: QueueView
    network: CitationNetwork
    kernels: KernelState
    limit: LimitingFactor
    events: tuple[EventText, ...]
    """Latest events, newest first."""
    ending: Ending | None
    """End of the run; None if the run continues."""

    def value(self, column: str) -> float:
        """Return the value of a reporter of sim.reporters."""
        return self.values[COLUMNS.index(column)]


def frame_of(world: World, is_between_frames: bool = False) -> Frame:
    """Return the frame of a world. The world is neither changed nor referenced.

    ``is_between_frames``: the world is within a frame. Equal states of a run give equal frames, however they were
    reached.
    """
    days = world.datacollector.model_vars["day"]
    number = len(days) - 1
    since = days[-1] if is_between_frames else days[max(0, number - 1)]
    values = tuple(reporter(world.lab) for reporter in REPORTERS.values())
    return Frame(
        number=number,
        is_between_frames=is_between_frames,
        day=world.now,
        discovered=reporters.discovered(world.lab),
        deployed=world.lab.knowledge.software.deployed,
        papers=world.lab.knowledge.papers,
        values=values,
        team=team_of(world),
        tasks=task_view_of(world),
        grid=grid_of(world, since),
        queue=queue_of(world),
        network=network_of(world, since),
        kernels=_kernel_state(world),
        limit=limiting_factor_of(world),
        events=last_events(world),
        ending=_ending_of(world),
    )


def _kernel_state(world: World) -> KernelState:
    engineer, found = world.lab.kernels, world.lab.calibration
    curve = found.curve
    return KernelState(
        calibrated=curve is not None,
        candidates=engineer.candidates,
        speedup=engineer.speedup,
        work_rate=world.lab.compute.work_rate,
        curve=_curve_points(curve) if curve is not None else (),
        tried=curve.tried if curve is not None else 0,
        largest=curve.largest if curve is not None else 1.0,
        workload=found.workload,
        method_note=curve.description if curve is not None else "uncalibrated: the run uses no measurements",
    )


@lru_cache(maxsize=32)
def _curve_points(curve: FittedSpeedupCurve) -> tuple[tuple[float, float], ...]:
    """Return points of a curve at whole numbers of candidates, about evenly spaced on a log axis."""
    top = math.log(max(2, curve.tried))
    numbers = dict.fromkeys(round(math.exp(top * at / (CURVE_POINTS - 1))) for at in range(CURVE_POINTS))
    return tuple((float(number), curve.speedup_after(number)) for number in numbers)


def _ending_of(world: World) -> Ending | None:
    if world.ending is None:
        return None
    return Ending(
        world.ending.ending, world.ending.sentence, run_statistics.pace(world), run_statistics.long_run(world)
    )
