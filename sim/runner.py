"""Run a scenario to its ending: no files, no prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import mesa
import pandas as pd

from agents.researcher import Researcher
from hardware.datacenter import POOL_OF
from hardware.kernels.speedup_curve import describe_searches
from sim import notebook_display, reporters
from sim.events import Event
from sim.kernel_calibration import MeasuredKernels
from sim.long_run import LongRun
from sim.margins import Margins, margins_of
from sim.reporters import Doubling
from sim.scenario.model import Scenario
from sim.verdict import Pace
from sim.world import World

Engine = Literal["world", "fluid"]


class GpuUsage(NamedTuple):
    """What one kind of job did with the cluster."""

    jobs: float
    """Jobs that are over."""
    gpu_days: float
    utilisation: float
    """GPU-days held over the GPU-days that this use could have held: its share of the cluster, or all of it."""
    mean_wait_days: float
    """From being asked for to the first start, over the jobs that have started and are over."""


class KernelSummary(NamedTuple):
    """What became of attention."""

    calibrated: bool
    """Whether measurements drove it."""
    measurements: str
    """As the scenario names them."""
    digest: str
    """SHA-256 of their file, empty if uncalibrated."""
    workload: str
    families: str
    """Of the candidates of the searches that the curve is made of, joined by +; empty if uncalibrated."""
    proposer: str
    searches: int
    broken_off: int
    """Searches that were left out."""
    candidates: float
    speedup: float
    """Of attention, deployed at the end."""
    work_rate: float
    """Of the cluster at the end."""

    @property
    def told(self) -> str:
        """Which searches drove it, in words."""
        return describe_searches(self.searches, self.proposer, self.families, self.broken_off)


class RunResult(NamedTuple):
    """What came of a run."""

    scenario: Scenario
    seed: int
    digest: str
    """Of the ledger and the cluster's records: equal for equal runs."""
    day: float
    ending: str
    """Why the run stopped: doublings, researchers, limit reached, horizon, starved or interrupted."""
    sentence: str
    """The same in words."""
    pace: Pace
    """What the run did over its last part."""
    long_run: LongRun
    """Where it leads by the law that holds at its end."""
    doublings: list[Doubling]
    software_doublings: float
    deployed_doublings: float
    researchers: float
    """At work at the end; a whole number, but in the fluid."""
    papers: float
    duplicate_share: float
    toes_exponent: float | None
    """The stepping-on-toes exponent that the duplicates imply; None where the team never changed."""
    cluster: dict[str, GpuUsage]
    kernels: KernelSummary
    margins: Margins
    """What limits progress at the margin and what training costs, by the equations of the scenario."""
    time_shares: dict[str, float]
    """Where the researchers' time went, an accounting that says nothing about what limits progress."""
    series: dict[str, list[float]]
    events: list[Event]
    jobs: list[Any]
    """The cluster's JobRecords, by end."""
    engine: Engine = "world"
    """What it was run by: agents and chance, or sim.fluid.api without either."""

    @property
    def limited_by(self) -> str:
        """The input of which 1% more brings the last completed doubling forward most."""
        return self.margins.limited_by

    def series_frame(self) -> pd.DataFrame:
        """Return the series as a data frame: one row a frame, columns as in sim.reporters.REPORTERS."""
        return notebook_display.series_frame(self)

    def doublings_frame(self) -> pd.DataFrame:
        """Return the doublings as a data frame: n, day, duration_days, papers, researchers."""
        return notebook_display.doublings_frame(self)

    def __repr__(self) -> str:
        return notebook_display.line_of(self)

    def _repr_html_(self) -> str:
        return notebook_display.html_of(self)


def run(
    scenario: Scenario | None = None,
    seed: int = 0,
    watch: Callable[[World], bool | None] | None = None,
    calibration: MeasuredKernels | None = None,
    researcher: type[Researcher] = Researcher,
) -> RunResult:
    """Run a scenario (by default the lab) with a seed and return what came of it.

    ``watch`` is shown the world on day 0 and after each frame; the run stops early if it returns True, with the
    ending "interrupted". ``calibration``, ``researcher``: as for :class:`World`. Raises ScenarioError if the scenario
    cannot be run.
    """
    world = World(scenario, seed, calibration, researcher)
    try:
        while not (watch and watch(world)) and world.running:
            world.step()
        return summarise(world)
    finally:
        mesa.Agent._ids.pop(world, None)  # Mesa counts agents in a class attribute that would keep the world


def summarise(world: World) -> RunResult:
    """Return the result of a world as it stands, at its ending or before."""
    ending, sentence = "interrupted", f"Interrupted at day {world.now:.6g}."
    if world.ending is not None:
        ending, sentence = world.ending.ending, world.ending.sentence
    return RunResult(
        scenario=world.scenario,
        seed=world.run_seed,
        digest=world.digest(),
        day=world.now,
        ending=ending,
        sentence=sentence,
        pace=reporters.pace(world),
        long_run=reporters.long_run(world),
        doublings=reporters.doublings(world),
        software_doublings=reporters.discovered(world),
        deployed_doublings=world.frontier.deployed,
        researchers=world.active_researchers,
        papers=world.papers,
        duplicate_share=world.literature.duplicates / max(1, world.literature.published),
        toes_exponent=reporters.parallelization_exponent(world),
        cluster={use: _use_of_gpus(world, use) for use in reporters.uses_of(world)},
        kernels=kernels_of(
            world.calibration, world.kernel_engineer.candidates, world.kernel_engineer.speedup, world.work_rate
        ),
        margins=margins_of(world.scenario, world.doublings),
        time_shares=reporters.time_shares(world),
        series=world.datacollector.model_vars,
        events=world.ledger,
        jobs=world.datacenter.records,
    )


def kernels_of(measured: MeasuredKernels, candidates: float, speedup: float, work_rate: float) -> KernelSummary:
    """Return what became of attention: the measurements that drove it, and how far it came."""
    curve = measured.curve
    return KernelSummary(
        calibrated=measured.curve is not None,
        measurements=measured.measurements,
        digest=measured.digest,
        workload=measured.workload,
        families=curve.families if curve is not None else "",
        proposer=curve.proposer if curve is not None else "",
        searches=curve.searches if curve is not None else 0,
        broken_off=curve.broken_off if curve is not None else 0,
        candidates=candidates,
        speedup=speedup,
        work_rate=work_rate,
    )


def _use_of_gpus(world: World, use: str) -> GpuUsage:
    over = [job for job in world.datacenter.records if job.use == use]
    started = sum(job.tasks for job in over if job.started is not None)
    possible = world.gpus_for[POOL_OF.get(use, use)].total(world.now)
    held = world.datacenter.gpu_time(use)
    return GpuUsage(
        jobs=sum(job.tasks for job in over),
        gpu_days=held,
        utilisation=held / possible if possible > 0 else 0.0,
        mean_wait_days=sum(job.waited for job in over) / started if started else 0.0,
    )
