"""Run a scenario to its end and return the result, without writing or printing anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from hardware.datacenter import POOL_OF
from hardware.kernels.speedup_curve import describe_searches
from sim import reporters, run_statistics
from sim.ai_path import AiPath, ai_path, multiplier_sentence
from sim.engines import Engine
from sim.events import Event, LabEnded, RunEnded
from sim.governance.record import GovernanceRecord
from sim.kernel_calibration import MeasuredKernels
from sim.lab import Lab
from sim.lab_factory import LabFactory
from sim.long_run import LongRun
from sim.margins import Margins, margins_of
from sim.notebook_display import factor, format_number, summary_html
from sim.pace import Pace
from sim.road import Road, road_of
from sim.run_statistics import Doubling
from sim.scenario.model import Scenario, ScenarioError
from sim.start import StartParams
from sim.world import World, series_name


class GpuUsage(NamedTuple):
    """Use of the cluster by one kind of job."""

    jobs: float
    """Number of jobs that are over."""
    gpu_days: float
    """GPU time that the jobs held [GPU-days]."""
    utilisation: float
    """GPU-days that the jobs held, relative to those that this use could have held (its partition, or all GPUs)."""
    mean_wait_days: float
    """Mean time from submission to first start, over the jobs that have started and are over [days]."""


class KernelSummary(NamedTuple):
    """Kernels of attention at the end of a run, and the measurements behind them."""

    calibrated: bool
    """Whether measurements set the speed-up."""
    measurements: str
    """Name of the measurements in the scenario."""
    digest: str
    """SHA-256 of the file of measurements; empty if uncalibrated."""
    workload: str
    """Workload of the measurements."""
    families: str
    """Kernel families of the searches in the curve, joined by +; empty if uncalibrated."""
    proposer: str
    """Method that proposed the candidates of the searches."""
    searches: int
    """Number of searches in the curve."""
    broken_off: int
    """Number of incomplete searches, which the curve leaves out."""
    candidates: float
    """Number of candidates tried in the run."""
    speedup: float
    """Speed-up of attention that is deployed at the end."""
    work_rate: float
    """Work of the cluster per day at the end, relative to day 0."""

    @property
    def description(self) -> str:
        """The searches behind the speed-up, as a phrase."""
        return describe_searches(self.searches, self.proposer, self.families, self.broken_off)


class RunResult(NamedTuple):
    """Result of a run."""

    scenario: Scenario
    """Scenario at the end of the run."""
    seed: int
    """Random seed."""
    digest: str
    """SHA-256 of the events and the job records: equal for equal runs."""
    day: float
    """Day on which the run stopped."""
    ending: str
    """Reason to stop: doublings, researchers, limit reached, horizon, stalled or interrupted."""
    sentence: str
    """The reason to stop, as a sentence."""
    pace: Pace
    """Pace of the run over its last part."""
    long_run: LongRun
    """Long-run growth by the scenario at the end of the run."""
    doublings: list[Doubling]
    """Completed doublings of discovered software, in order."""
    software_doublings: float
    """Discovered software at the end [doublings]."""
    deployed_doublings: float
    """Deployed software at the end [doublings]."""
    researchers: float
    """Number of active researchers at the end; whole except with the fluid engine."""
    papers: float
    """Number of papers published."""
    duplicate_share: float
    """Share of the papers that are duplicates."""
    toes_exponent: float | None
    """Parallelization exponent ("stepping on toes") that the duplicates imply; None if the team never changed."""
    cluster: dict[str, GpuUsage]
    """Use of the cluster, by use."""
    kernels: KernelSummary
    """Kernels of attention at the end, and their measurements."""
    time_shares: dict[str, float]
    """Shares of the researchers' time by activity. They do not show what limits progress; ``margins`` does."""
    series: dict[str, list[float]]
    """One value per frame for each of sim.reporters.REPORTERS."""
    events: list[Event]
    """Events of the run, in order of time."""
    jobs: list[Any]
    """JobRecords of the cluster, in order of their ends."""
    engine: Engine = "world"
    """Engine of the run: `world` (agents and random numbers) or `fluid` (equations, sim.fluid)."""
    road: Road | None = None
    """Automation of the tasks of research; None if AIs do all research from day 0 on, or with the fluid engine."""
    governance: GovernanceRecord | None = None
    """What the regulator of all labs measured and ordered; None without a regulator."""

    @property
    def margins(self) -> Margins:
        """Input that limits progress at the margin, and the cost of training runs, by the equations of the scenario.

        The first read solves the equations, which can take longer than the run of a small lab.
        """
        return margins_of(self.scenario, len(self.doublings))

    @property
    def limited_by(self) -> str:
        """Input of which 1% more brings the last completed doubling forward most."""
        return self.margins.limited_by

    @property
    def ai_path(self) -> AiPath:
        """AIs in use over the days of the run."""
        task_days = (0.0,) * self.scenario.automation.kinds if self.road is None else self.road.task_days
        waiting = self.software_doublings - self.deployed_doublings
        return ai_path(self.scenario, self.seed, self.events, task_days, self.day, waiting)

    @property
    def road_sentences(self) -> list[str]:
        """Sentences on the road to ASARA, with the AI research multiplier; none if the run has no road."""
        if self.road is None:
            return []
        start = [self.scenario.start.sentence] if isinstance(self.scenario.start, StartParams) else []
        return [*self.road.sentences, *start, multiplier_sentence(self.scenario, self.ai_path)]

    def series_frame(self) -> pd.DataFrame:
        """Return the series as a data frame: one row per frame, columns as in sim.reporters.REPORTERS."""
        return pd.DataFrame(self.series)

    def doublings_frame(self) -> pd.DataFrame:
        """Return the doublings as a data frame: n, day, duration_days, papers, researchers."""
        return pd.DataFrame([doubling._asdict() for doubling in self.doublings], columns=list(Doubling._fields))

    def __repr__(self) -> str:
        return (
            f"<RunResult {self.scenario.name}, {_describe_source(self)}: {len(self.doublings)} doublings by day "
            f"{self.day:.4g}; stopped by: {self.ending}; pace: {self.pace.name}; long run: {self.long_run.kind}>"
        )

    def _repr_html_(self) -> str:
        """Return the page of HTML that a notebook displays."""
        discovered, deployed = factor(self.software_doublings), factor(self.deployed_doublings)
        statements = {
            "Scenario": f"{self.scenario.name}, {_describe_source(self)}",
            "Why it stopped": self.sentence,
            "What this run did": self.pace.sentence,
            "Where it leads": self.long_run.sentence,
            "At the end": f"day {format_number(self.day)}: software {discovered} discovered, {deployed} deployed; "
            f"{format_number(self.researchers)} researchers, {format_number(self.papers)} papers",
        }
        if self.road is not None:
            statements["The road to ASARA"] = " ".join(self.road_sentences)
        return summary_html(statements, self.series["day"], self.series["discovered"], self.doublings)


def _describe_source(result: RunResult) -> str:
    return "engine fluid, no randomness" if result.engine == "fluid" else f"seed {result.seed}"


def run(
    scenario: Scenario | None = None,
    seed: int = 0,
    watch: Callable[[World], bool | None] | None = None,
    calibration: MeasuredKernels | None = None,
    make: LabFactory | None = None,
) -> RunResult:
    """Run a scenario with a random seed and return the result.

    Arguments
    ---------
    scenario
        The scenario, by default `lab`.
    seed
        Random seed, any integer.
    watch
        Function that is called with the world on day 0 and after each frame. If it returns True, the run stops early
        with the ending "interrupted".
    calibration, make
        As for :class:`World`.

    Raises ScenarioError if the scenario cannot be run.
    """
    if scenario is not None:
        require_one_lab(scenario)
    with World(scenario, seed, calibration, make) as world:
        while not (watch and watch(world)) and world.running:
            world.step()
        return summarise(world)


def require_one_lab(scenario: Scenario) -> None:
    """Refuse a scenario with several labs. Raises ScenarioError with the command that runs it."""
    if len(scenario.labs) > 1:
        raise ScenarioError(
            f"the scenario '{scenario.name}' has {len(scenario.labs)} labs ({', '.join(scenario.labs)}); allowed here: "
            f"one. Run it with `asara race {scenario.name}`, or with sim.race.run_race in Python"
        )


def summarise(world: World, lab: str = "", digest: str | None = None) -> RunResult:
    """Return the result of a lab of a world so far, whether its run is over or not.

    ``lab``: name of the lab, empty for the only one. ``digest``: that of the world, if it is already known.
    """
    there = world.labs[lab]
    knowledge, literature = there.knowledge, there.knowledge.literature
    ending, sentence = _ending_of(world, lab)
    return RunResult(
        scenario=there.settings.scenario if lab else world.scenario,
        seed=world.run_seed,
        digest=world.digest() if digest is None else digest,
        day=world.now,
        ending=ending,
        sentence=sentence,
        pace=run_statistics.pace(world, lab),
        long_run=run_statistics.long_run(world, lab),
        doublings=run_statistics.doublings(world, lab),
        software_doublings=reporters.discovered(there),
        deployed_doublings=knowledge.software.deployed,
        researchers=there.workforce.active_researchers,
        papers=knowledge.papers,
        duplicate_share=literature.duplicates / max(1, literature.published),
        toes_exponent=run_statistics.parallelization_exponent(world, lab),
        cluster={use: _gpu_usage(there, use) for use in reporters.uses_of(there)},
        kernels=summarise_kernels(
            there.calibration, there.kernels.candidates, there.kernels.speedup, there.compute.work_rate
        ),
        time_shares=run_statistics.time_shares(world, lab),
        series={name: world.datacollector.model_vars[series_name(lab, name)] for name in reporters.REPORTERS},
        events=[event for event in world.ledger if isinstance(event, RunEnded) or event.lab == lab],
        jobs=there.compute.datacenter.records,
        road=road_of(world) if not lab else None,
        governance=world.governance,
    )


def _ending_of(world: World, lab: str) -> tuple[str, str]:
    """Return the ending of a lab, or of the run if that ended first, and its sentence."""
    ended = next((event for event in world.ledger if isinstance(event, LabEnded) and event.lab == lab), world.ending)
    if ended is None:
        return "interrupted", f"Interrupted at day {world.now:.6g}."
    return ended.ending, ended.sentence


def summarise_kernels(measured: MeasuredKernels, candidates: float, speedup: float, work_rate: float) -> KernelSummary:
    """Return the summary of the kernels: the measurements behind them, and the progress of the run."""
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


def _gpu_usage(lab: Lab, use: str) -> GpuUsage:
    over = [job for job in lab.compute.datacenter.records if job.use == use]
    started = sum(job.tasks for job in over if job.started is not None)
    possible = lab.compute.gpus_for[POOL_OF.get(use, use)].total(lab.now)
    held = lab.compute.datacenter.gpu_time(use)
    return GpuUsage(
        jobs=sum(job.tasks for job in over),
        gpu_days=held,
        utilisation=held / possible if possible > 0 else 0.0,
        mean_wait_days=sum(job.waited for job in over) / started if started else 0.0,
    )
