"""Run scenarios with the fluid engine: the growth law and the mean flow of papers, without agents and random numbers.

``fluid(scenarios)`` returns a table with one row per scenario. ``run_fluid(scenario)`` returns one of them as a
RunResult, as a World does. docs/explanation/simulation-vs-theory.md describes how the two differ, and by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.phases import Phase
from hardware.datacenter import SHARED, pool_sizes
from hardware.uses import Use
from sim import events
from sim.fluid.flow import experiments
from sim.fluid.lab_arrays import Floats, LabArrays, lab_arrays
from sim.fluid.paper_line import humans_on, kinds_automated
from sim.fluid.stepper import (
    ENOUGH_DOUBLINGS,
    ENOUGH_RESEARCHERS,
    HORIZON,
    LIMIT,
    State,
    experiment_gpus_and_queue,
    gpus_of,
    line_of,
    phases_of,
    rates_of,
    run_labs,
)
from sim.long_run import LongRun, long_run
from sim.pace import Pace, pace_of
from sim.reporters import REPORTERS
from sim.run_statistics import Doubling
from sim.runner import GpuUsage, RunResult, summarise_kernels
from sim.scenario.model import Scenario

STEPS_PER_DOUBLING = 32
"""Smallest number of steps per doubling."""
BATCH_SIZE = 2048
"""Number of scenarios that are stepped together: their arrays fit into a processor's cache."""


class FluidTable(NamedTuple):
    """Results of the fluid engine, with one element or row per scenario."""

    day: Floats
    """Day on which the run stopped."""
    ending: list[str]
    """Reason to stop, as in RunResult."""
    sentence: list[str]
    """The reason to stop, as a sentence."""
    pace: list[Pace]
    """Pace over the last part of the run."""
    long_run: list[LongRun]
    """Long-run growth of the scenario."""
    doublings: NDArray[np.int64]
    """Number of completed doublings."""
    doubling_day: Floats
    """Day of each doubling, of shape (scenarios, largest number of doublings), with nan for missing doublings."""
    doubling_days: Floats
    """Duration of each doubling [days], of the same shape."""
    doubling_papers: Floats
    """Papers of each doubling, of the same shape."""
    doubling_researchers: Floats
    """Active researchers at the end of each doubling, of the same shape."""
    software_doublings: Floats
    """Discovered software at the end [doublings]."""
    deployed_doublings: Floats
    """Deployed software at the end [doublings]."""
    researchers: Floats
    """Active researchers at the end."""
    papers: Floats
    """Papers published."""
    duplicate_share: Floats
    """Share of the papers that are duplicates."""
    training_runs: Floats
    """Number of completed training runs."""
    experiments: Floats
    """Number of completed experiments."""
    mean_wait_days: Floats
    """Mean time that experiments wait for GPUs [days]."""
    gpu_days: dict[str, Floats]
    """GPU time by use [GPU-days]."""
    utilisation: dict[str, Floats]
    """GPU-days by use, relative to those that the use could have held."""
    time_shares: dict[str, Floats]
    """Shares of the researchers' time by activity, as in sim.run_statistics.time_shares."""
    candidates: Floats
    """Number of kernels tried."""
    speedup: Floats
    """Speed-up of attention that is deployed at the end."""
    work_rate: Floats
    """Work of the cluster per day at the end, relative to day 0."""
    asara_day: Floats
    """Day on which AIs can do all tasks of research (ASARA): 0 if on day 0, nan if not in the run."""
    share_automated: Floats
    """Share of the kinds of tasks that AIs can do at the end."""

    def doublings_of(self, row: int) -> list[Doubling]:
        """Return the doublings of one scenario. Numbers of researchers have fractions."""
        columns = (self.doubling_day, self.doubling_days, self.doubling_papers, self.doubling_researchers)
        rows = [(n + 1, *(float(each[row, n]) for each in columns)) for n in range(int(self.doublings[row]))]
        return [Doubling(*each) for each in rows]  # type: ignore[arg-type]  # researchers are fractional here


def fluid(scenarios: Sequence[Scenario], steps_per_doubling: int = STEPS_PER_DOUBLING) -> FluidTable:
    """Run scenarios with the fluid engine. They may differ in every parameter, and do not affect each other.

    ``steps_per_doubling`` is the smallest number of steps per doubling; the discretization error falls with its square.
    Raises ScenarioError for a scenario that the engine does not support (sim.fluid.supports). Raises ValueError without
    scenarios.
    """
    if not scenarios:
        raise ValueError("there are no scenarios; allowed: one or more. Pass a list of scenarios")
    blocks = [scenarios[first : first + BATCH_SIZE] for first in range(0, len(scenarios), BATCH_SIZE)]
    return _concatenate([_run_batch(block, steps_per_doubling) for block in blocks])


def _run_batch(scenarios: Sequence[Scenario], steps_per_doubling: int) -> FluidTable:
    labs = lab_arrays(scenarios)
    state, marks = run_labs(labs, steps_per_doubling)
    return _build_table(scenarios, labs, state, marks)


def _concatenate(tables: list[FluidTable]) -> FluidTable:
    """Join the rows of several tables."""
    if len(tables) == 1:
        return tables[0]
    most = max(table.doubling_day.shape[1] for table in tables)
    return FluidTable(*(_concatenate_column(list(values), most) for values in zip(*tables, strict=True)))


def _concatenate_column(parts: list[Any], most: int) -> Any:
    if isinstance(parts[0], list):
        return [each for part in parts for each in part]
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if parts[0].ndim == 2:
        parts = [np.pad(part, ((0, 0), (0, most - part.shape[1])), constant_values=np.nan) for part in parts]
    return np.concatenate(parts)


# --- From the engine's final state to a table ------------------------------------------------------------


def _build_table(scenarios: Sequence[Scenario], labs: LabArrays, state: State, marks: Floats) -> FluidTable:
    endings = [
        _describe_ending(*row) for row in zip(scenarios, state.ending.tolist(), state.doublings.tolist(), strict=True)
    ]
    held: dict[str, Floats] = {
        Use.INFERENCE: state.inference_gpu_days,
        Use.EXPERIMENT: state.experiment_gpu_days,
        Use.TRAINING: state.training_gpu_days,
    }
    could = _available_gpu_days(scenarios, state.day)
    return FluidTable(
        day=state.day,
        ending=[ending for ending, _ in endings],
        sentence=[sentence for _, sentence in endings],
        pace=[_pace(scenario, state, marks, row) for row, scenario in enumerate(scenarios)],
        long_run=[
            long_run(scenario, sentence if ending == "stalled" else "")
            for scenario, (ending, sentence) in zip(scenarios, endings, strict=True)
        ],
        doublings=state.doublings,
        doubling_day=marks[0],
        doubling_days=marks[1],
        doubling_papers=marks[2],
        doubling_researchers=marks[3],
        software_doublings=state.discovered,
        deployed_doublings=state.deployed,
        researchers=state.active_researchers,
        papers=state.papers,
        duplicate_share=state.duplicates / np.maximum(1.0, state.papers),
        training_runs=np.where(labs.training, state.generation - np.isfinite(state.left), 0.0),
        experiments=state.experiments,
        mean_wait_days=_ratio(state.queue_days, state.experiments),
        gpu_days=held,
        utilisation={use: _ratio(days, could[use]) for use, days in held.items()},
        time_shares=_time_shares(state),
        candidates=state.tried,
        speedup=labs.speedups[np.arange(len(scenarios)), state.kernels],
        work_rate=state.work_rate,
        asara_day=state.asara_day,
        share_automated=kinds_automated(labs, state.deployed) / labs.kinds,
    )


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0)


def _pace(scenario: Scenario, state: State, marks: Floats, row: int) -> Pace:
    days, papers = marks[1:3, row, : state.doublings[row]].tolist()
    penalty, open_days = scenario.growth.parallel_penalty, float(state.since[row])
    return pace_of(days, papers, penalty, open_days, scenario.growth.returns_to)


def _describe_ending(scenario: Scenario, why: int, doublings: int) -> tuple[str, str]:
    """Return the name and the sentence of an ending, as World does."""
    if why == ENOUGH_DOUBLINGS:
        return events.enough_doublings(doublings)
    if why == ENOUGH_RESEARCHERS:
        return events.enough_researchers(scenario.run.stop_at_researchers)
    if why == LIMIT:
        return events.LIMIT_REACHED
    if why == HORIZON:
        return events.at_horizon(scenario.run.horizon_days)
    return events.STALLED


def _available_gpu_days(scenarios: Sequence[Scenario], days: Floats) -> dict[str, Floats]:
    """Return the GPU-days that each use could have held."""
    sizes = [pool_sizes(scenario.cluster) for scenario in scenarios]
    return {use: days * np.array([float(size.get(SHARED) or size.get(use, 0)) for size in sizes]) for use in Use}


def _time_shares(state: State) -> dict[str, Floats]:
    parts = {"researchers": state.own_days, "experiments": state.experiment_days, "paused": state.paused_days}
    total = np.asarray(sum(parts.values()))
    return {name: _ratio(part, total) for name, part in parts.items()}


# --- One scenario as a run -------------------------------------------------------------------------------


def run_fluid(scenario: Scenario, steps_per_doubling: int = STEPS_PER_DOUBLING) -> RunResult:
    """Run one scenario with the fluid engine and return a RunResult.

    The result has no events and no jobs, and its series has one row per step. Its seed is always 0. Raises
    ScenarioError as :func:`fluid` does.
    """
    series: dict[str, list[float]] = {name: [] for name in REPORTERS}

    def record(labs: LabArrays, state: State) -> None:
        for name, column in observe(labs, state).items():
            series[name].append(float(column[0]))

    labs = lab_arrays([scenario])
    state, marks = run_labs(labs, steps_per_doubling, record)
    found = _build_table([scenario], labs, state, marks)
    doublings = found.doublings_of(0)
    return RunResult(
        scenario=scenario,
        seed=0,
        digest=events.digest([*doublings, events.RunEnded(float(found.day[0]), found.ending[0], found.sentence[0])]),
        day=float(found.day[0]),
        ending=found.ending[0],
        sentence=found.sentence[0],
        pace=found.pace[0],
        long_run=found.long_run[0],
        doublings=doublings,
        software_doublings=float(found.software_doublings[0]),
        deployed_doublings=float(found.deployed_doublings[0]),
        researchers=float(found.researchers[0]),
        papers=float(found.papers[0]),
        duplicate_share=float(found.duplicate_share[0]),
        toes_exponent=None,
        cluster=_cluster(found),
        kernels=summarise_kernels(
            scenario.calibration(), float(found.candidates[0]), float(found.speedup[0]), float(found.work_rate[0])
        ),
        time_shares={part: float(share[0]) for part, share in found.time_shares.items()},
        series=series,
        events=[],
        jobs=[],
        engine="fluid",
    )


def observe(labs: LabArrays, state: State) -> dict[str, Floats]:
    """Return the quantities that sim.reporters reports of a World."""
    gpus, phases = gpus_of(labs, state), phases_of(state)
    each = experiments(labs, state.discovered, state.work_rate)
    line = line_of(labs, state, each, gpus, phases)
    rates = rates_of(labs, state, each, gpus, line)
    used, queued = experiment_gpus_and_queue(rates, each, gpus, phases)
    used = used + np.where(labs.cost > 0, line.papers * each.gpu_days, 0.0)
    none = np.zeros_like(used)
    own = {Phase.THINK: phases.thinking * rates.active, Phase.WRITE: phases.writing * rates.active}
    count = own | {
        Phase.QUEUE: queued,
        Phase.RUN: phases.experimenting - queued,
        Phase.PAUSED: (phases.thinking + phases.writing) * (1 - rates.active),
    }
    return {
        "day": state.day,
        "discovered": state.discovered,
        "deployed": state.deployed,
        "researchers": state.active_researchers,
        "researchers_in_cohorts": state.researchers,
        "humans": humans_on(labs, state.day),
        "assistants": state.assistants,
        "share_automated": kinds_automated(labs, state.deployed) / labs.kinds,
        "drafts_waiting": none,
        "papers": state.papers,
        "duplicates": state.duplicates,
        **{f"researchers_{phase}": researchers for phase, researchers in count.items()},
        "gpus_inference": gpus.inference,
        "gpus_experiment": used + gpus.kernels,
        "gpus_training": gpus.training,
        "gpus_background": labs.background,
        "gpus_idle": labs.gpus - gpus.inference - used - gpus.kernels - gpus.training,
        "experiments_waiting": queued + line.waiting,
        "training_waiting": none,
        "kernel_speedup": labs.speedups[np.arange(len(used)), state.kernels],
        "work_rate": state.work_rate,
    }


def _cluster(found: FluidTable) -> dict[str, GpuUsage]:
    jobs = {
        Use.INFERENCE: 0.0,
        Use.EXPERIMENT: float(found.experiments[0]),
        Use.TRAINING: float(found.training_runs[0]),
    }
    waits = {Use.INFERENCE: 0.0, Use.EXPERIMENT: float(found.mean_wait_days[0]), Use.TRAINING: 0.0}
    return {
        str(use): GpuUsage(jobs[use], float(found.gpu_days[use][0]), float(found.utilisation[use][0]), waits[use])
        for use in Use
    }
