"""Describe a World at one time as plain immutable values. Views read frames only, never the World."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from experiments.window.event_text import EventText, last_events
from experiments.window.governance_view import GovernanceView, governance_of
from experiments.window.gpu_grid import GpuGrid, grid_of
from experiments.window.limiting_factor import LimitingFactor, limiting_factor_of
from experiments.window.literature_view import CitationNetwork, network_of
from experiments.window.queue_view import QueueView, queue_of
from experiments.window.shown_lab import ShownLab
from experiments.window.task_view import TaskView, task_view_of
from experiments.window.team_view import TeamView, team_of
from sim import reporters, run_statistics
from sim.long_run import LongRun
from sim.pace import Pace
from sim.reporters import REPORTERS

if TYPE_CHECKING:
    from hardware.kernels.speedup_curve import FittedSpeedupCurve
    from sim.lab import Lab
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


class LabSummary(NamedTuple):
    """One of several labs at one time."""

    name: str
    discovered: float
    """Discovered software [doublings]."""
    deployed: float
    """Deployed software [doublings]."""
    researchers: int
    """Number of active researchers."""
    gpus: int
    has_entered: bool
    """Whether the lab has begun its research."""
    has_ended: bool
    """Whether the lab has ended while the run goes on."""


class Frame(NamedTuple):
    """A World at one time: one lab in detail, and a summary of each lab."""

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
    lab: str
    """Name of the lab in detail; empty for the only lab of a World."""
    labs: tuple[LabSummary, ...]
    """All labs; empty if there is only one."""
    governance: GovernanceView | None
    """The regulator; None without one."""

    def value(self, column: str) -> float:
        """Return the value of a reporter of sim.reporters."""
        return self.values[COLUMNS.index(column)]


def frame_of(world: World, is_between_frames: bool = False, lab: str | None = None) -> Frame:
    """Return the frame of a world. The world is neither changed nor referenced.

    Equal states of a run give equal frames, however they were reached.

    Arguments
    ---------
    world
        World to describe.
    is_between_frames
        Whether the world is within a frame.
    lab
        Name of the lab to describe in detail, by default the first.
    """
    shown = ShownLab(world, lab)
    days = shown.series("day")
    number = len(days) - 1
    since = days[-1] if is_between_frames else days[max(0, number - 1)]
    return Frame(
        number=number,
        is_between_frames=is_between_frames,
        day=world.now,
        discovered=reporters.discovered(shown.lab),
        deployed=shown.lab.knowledge.software.deployed,
        papers=shown.lab.knowledge.papers,
        values=reporter_values(shown.lab),
        team=team_of(shown),
        tasks=task_view_of(shown),
        grid=grid_of(shown, since),
        queue=queue_of(shown),
        network=network_of(shown, since),
        kernels=_kernel_state(shown),
        limit=limiting_factor_of(shown),
        events=last_events(world),
        ending=_ending_of(shown),
        lab=shown.name,
        labs=_summaries_of(world),
        governance=governance_of(shown),
    )


def reporter_values(lab: Lab) -> tuple[float, ...]:
    """Return the values of sim.reporters for a lab, in the order of ``COLUMNS``."""
    return tuple(reporter(lab) for reporter in REPORTERS.values())


def _summaries_of(world: World) -> tuple[LabSummary, ...]:
    if len(world.labs) == 1:
        return ()
    return tuple(
        LabSummary(
            name,
            reporters.discovered(lab),
            lab.knowledge.software.deployed,
            lab.workforce.active_researchers,
            lab.compute.datacenter.capacity,
            lab.has_entered,
            lab.has_ended,
        )
        for name, lab in world.labs.items()
    )


def _kernel_state(shown: ShownLab) -> KernelState:
    engineer, found = shown.lab.kernels, shown.lab.calibration
    curve = found.curve
    return KernelState(
        calibrated=curve is not None,
        candidates=engineer.candidates,
        speedup=engineer.speedup,
        work_rate=shown.lab.compute.work_rate,
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


def _ending_of(shown: ShownLab) -> Ending | None:
    world, ending = shown.world, shown.world.ending
    if ending is None:
        return None
    pace, long_run = run_statistics.pace(world, shown.name), run_statistics.long_run(world, shown.name)
    return Ending(ending.ending, ending.sentence, pace, long_run)
