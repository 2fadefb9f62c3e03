"""Steps of the fluid engine: from event to event, and between events by small parts of a doubling.

Events are World's: a doubling, a gain that begins a generation, the end of a training run, faster kernels, the limit,
the horizon. Between them papers flow at their mean rate (sim.fluid.flow). A step ends when software has grown by a
small part of a doubling, or when a small part of the researchers has gone on to another phase, however many days that
takes; where nothing but thinking takes time it goes to the next event and is exact. A scenario's numbers do not depend
on those that it is stepped with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.kernel_engineer import MAX_TIME, amdahl
from agents.trainer import generation
from hardware.cluster.reliability import fastest_gpus
from sim.fluid.flow import (
    LARGE,
    SMALLEST_RATE,
    Experiments,
    FlowStep,
    Phases,
    Rates,
    advance,
    experiments,
    flow,
    job_days,
    new_findings,
)
from sim.fluid.lab_arrays import Floats, LabArrays, ParameterColumns
from sim.growth import effort_between
from sim.software import LEVEL_TOLERANCE

RUNNING, DYNAMICS, LIMIT, STARVED, HORIZON, ENOUGH_RESEARCHERS = range(6)
"""Why a lab stopped."""
PAPER_TOLERANCE = 1e-12
"""By how much papers may exceed those that a doubling takes."""
COARSE_PAPER_TOLERANCE = 0.5
"""The same for a part of a doubling at which nothing happens."""

Mask = NDArray[np.bool_]


@dataclass(slots=True)
class State(ParameterColumns):
    """Where each lab stands, and totals over its days so far."""

    row: NDArray[np.int64]
    """Which lab."""
    ending: NDArray[np.int64]
    day: Floats
    effort: Floats
    """log2(E/E0)."""
    discovered: Floats
    deployed: Floats
    doublings: NDArray[np.int64]
    """Complete ones."""
    since: Floats
    """Days since the last one: no difference of days, which would be rounding where a doubling takes seconds."""
    papers_since: Floats
    active_researchers: Floats
    researchers: Floats
    """At work or without a GPU to house them."""
    thinking: Floats
    experimenting: Floats
    writing: Floats
    new: Floats
    """Share of the papers that are no duplicates."""
    generation: Floats
    """The latest that was begun."""
    taken: Floats
    """Discovered doublings that the generations so far have taken up."""
    shorter: Floats
    """Doublings by which the next training run is shorter than the first on the same GPUs."""
    brings: Floats
    """Doublings by which the run under way makes deployed software better."""
    run_gpus: Floats
    """GPUs of the training run under way."""
    left: Floats
    """Days until the training run ends; inf where none is under way."""
    tried: Floats
    """Candidates."""
    kernels: NDArray[np.int64]
    """Deployments of faster kernels."""
    work_rate: Floats
    at_most: Floats
    """Days that the next step may take, if the last went too far."""
    papers: Floats
    duplicates: Floats
    experiments: Floats
    """That are over."""
    own_days: Floats
    """Researcher-days of thinking and writing."""
    experiment_days: Floats
    """Researcher-days of queueing and running."""
    queue_days: Floats
    paused_days: Floats
    """Researcher-days that had no GPU."""
    inference_gpu_days: Floats
    experiment_gpu_days: Floats
    training_gpu_days: Floats


class Gpus(NamedTuple):
    """GPUs for each use now."""

    inference: Floats
    experiment: Floats
    training: Floats
    kernels: Floats
    """GPUs of experiments that candidates for kernels hold."""


class Step(NamedTuple):
    """A step that is tried: it counts where it did not go too far."""

    days: Floats
    fits: Mask
    level: Floats
    """Of software, at which something happens."""
    log2_weight: Floats
    """Effective papers to a paper."""
    before: Phases
    after: Phases
    moved: FlowStep
    rates: Rates
    each: Experiments
    gpus: Gpus


Watch = Callable[[LabArrays, State], None]


def run_labs(labs: LabArrays, fineness: int, watch: Watch | None = None) -> tuple[State, Floats]:
    """Return the last state of each lab, and of each doubling its day, days, papers and researchers at work.

    ``fineness``: steps to a doubling at least. The second array is (4, labs, most doublings), nan where there were
    fewer. ``watch`` sees the labs that are under way at the start and after each step.
    """
    marks = np.full((4, len(labs.r), int(labs.most_doublings.max())), np.nan)
    state, over = _start(labs), []
    if watch is not None:
        watch(labs, state)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        while len(state.row):
            _accept_steps(labs, state, _step(labs, state, fineness), marks)
            if watch is not None:
                watch(labs, state)
            ended = state.ending != RUNNING
            if ended.any():
                over.append(state.take(ended))
                labs, state = labs.take(~ended), state.take(~ended)
    columns = {field.name: np.concatenate([getattr(each, field.name) for each in over]) for field in fields(State)}
    return State(**columns).take(np.argsort(columns["row"])), marks


def _start(labs: LabArrays) -> State:
    zeros = {field.name: np.zeros(len(labs.r)) for field in fields(State)}
    whole = {name: np.zeros(len(labs.r), dtype=np.int64) for name in ("ending", "doublings", "kernels")}
    return State(
        **zeros
        | whole
        | {
            "row": np.arange(len(labs.r)),
            "active_researchers": labs.initial.copy(),
            "researchers": labs.initial.copy(),
            "thinking": labs.initial.copy(),
            "new": new_findings(labs.initial, labs.questions),
            "left": np.full(len(labs.r), np.inf),
            "run_gpus": labs.training_gpus.copy(),
            "work_rate": np.ones(len(labs.r)),
            "at_most": np.full(len(labs.r), np.inf),
        }
    )


# --- between events --------------------------------------------------------------------------------------


def gpus_of(labs: LabArrays, state: State) -> Gpus:
    """Return the GPUs that each use can have now; in one pool training pushes out what is in its way, by nodes."""
    training = np.where(np.isfinite(state.left), state.run_gpus, 0.0)
    pushed = np.ceil(np.maximum(0.0, training + labs.standing - labs.gpus) / labs.node) * labs.node
    inference = np.where(labs.shared, np.maximum(0.0, labs.standing - pushed), labs.standing)
    rest = np.where(labs.shared, np.maximum(0.0, labs.gpus - inference - training), labs.experiment_share)
    kernels = _candidates(labs, state, rest) * labs.candidate_gpu_days / state.work_rate
    return Gpus(inference, rest - kernels, training, kernels)


def phases_of(state: State) -> Phases:
    """Return the researchers in each phase."""
    return Phases(state.thinking, state.experimenting, state.writing)


def rates_of(labs: LabArrays, state: State, each: Experiments, gpus: Gpus) -> Rates:
    """Return how fast phases end."""
    housed = np.where(
        state.researchers > 0, state.active_researchers / np.maximum(state.researchers, SMALLEST_RATE), 0.0
    )
    most = np.where(labs.cost > 0, gpus.experiment / np.maximum(each.gpu_days, SMALLEST_RATE), LARGE)
    pace = np.where(_searching(labs, state), labs.pace, 1.0)
    return Rates(housed, labs.think / pace, each.days, labs.write / pace, most)


def experiment_gpus_and_queue(rates: Rates, each: Experiments, gpus: Gpus, phases: Phases) -> tuple[Floats, Floats]:
    """Return the GPUs that experiments hold and how many experiments queue."""
    running = np.minimum(phases.experimenting, rates.most * rates.run)
    held = running * np.where(each.days > 0, each.gpu_days / np.maximum(each.days, SMALLEST_RATE), 0.0)
    return np.minimum(held, gpus.experiment), phases.experimenting - running


def next_gain(labs: LabArrays, state: State) -> Floats:
    """Return the discovered doublings at which the next generation can begin."""
    return state.taken + labs.gain


def _step(labs: LabArrays, state: State, fineness: int) -> Step:
    """Try a step: to the next event, or as far as the flow stays nearly the same."""
    gpus, before = gpus_of(labs, state), phases_of(state)
    first = experiments(labs, state.discovered, state.work_rate)
    now = flow(rates_of(labs, state, first, gpus), before)
    level = _level(labs, state)
    part = np.where(labs.pipeline, np.minimum(level, state.discovered + 1 / fineness), level)
    log2_weight = _log2_weight(labs, state, rates_of(labs, state, first, gpus), first, gpus, before)
    goal = np.exp2(labs.log2_initial_effort + effort_between(state.effort, labs.effort(part)) - log2_weight)
    change = np.maximum(np.abs(now.thought - now.run), np.abs(now.run - now.written))
    change = np.maximum(change, np.abs(now.written - now.thought))
    lasting = np.where(change > 0, state.researchers / np.maximum(fineness * change, SMALLEST_RATE), np.inf)
    ahead = np.minimum(goal / np.maximum(now.written, SMALLEST_RATE), lasting)
    ends = (ahead, labs.horizon - state.day, state.left, _kernel_days(labs, state, gpus), state.at_most)
    days = reduce(np.minimum, ends)
    middle = _after(labs, state, np.minimum(now.written * days, goal) / 2, log2_weight)[1]
    each = experiments(labs, middle, state.work_rate)
    rates = rates_of(labs, state, each, gpus)
    after, moved = advance(rates, before, days)
    mean = (log2_weight + _log2_weight(labs, state, rates, each, gpus, after)) / 2
    goal, log2_weight = goal * np.exp2(log2_weight - mean), mean
    fits = moved.written <= goal * (1 + np.where(part < level, COARSE_PAPER_TOLERANCE, PAPER_TOLERANCE))
    back = np.maximum(
        days - (moved.written - goal) / np.maximum(flow(rates, after).written, SMALLEST_RATE),
        days * goal / np.maximum(moved.written, SMALLEST_RATE) / 2,
    )
    state.at_most = np.where(fits, np.inf, back)
    return Step(days, fits, level, log2_weight, before, after, moved, rates, each, gpus)


def _level(labs: LabArrays, state: State) -> Floats:
    """The doublings of software at which something happens next: a doubling, a gain, the limit."""
    whole, gain = np.floor(state.discovered + LEVEL_TOLERANCE) + 1, next_gain(labs, state)
    level = np.where(gain > state.discovered + LEVEL_TOLERANCE, np.minimum(whole, gain), whole)
    return np.minimum(level, labs.limit - 1)


def _log2_weight(labs: LabArrays, state: State, rates: Rates, each: Experiments, gpus: Gpus, phases: Phases) -> Floats:
    """log2 of what a paper counts: the parallelization penalty of those who do research, and duplicates."""
    counted = state.new + labs.duplicate_weight * (1 - state.new)
    team = doing_research(labs, state, rates, each, gpus, phases)
    return (labs.p - 1) * np.log2(np.maximum(team, 1.0)) + np.log2(counted)


def doing_research(
    labs: LabArrays, state: State, rates: Rates, each: Experiments, gpus: Gpus, phases: Phases
) -> Floats:
    """Return the researchers whom the parallelization penalty counts, as sim.world.World.doing_research does."""
    _, queued = experiment_gpus_and_queue(rates, each, gpus, phases)
    there = (phases.thinking + phases.writing) * rates.active + phases.experimenting - queued
    supply = np.where(labs.shared, np.maximum(1.0, labs.gpus - labs.standing), labs.experiment_share)
    supplied = supply / np.maximum(each.gpu_days, SMALLEST_RATE) * (rates.think + each.days + rates.write)
    return np.where(labs.cost > 0, np.minimum(there, supplied), state.active_researchers)


def _after(labs: LabArrays, state: State, papers: Floats, log2_weight: Floats) -> tuple[Floats, Floats]:
    """Effort and discovered software with so many papers more."""
    effort = np.logaddexp2(state.effort, np.log2(papers) + log2_weight - labs.log2_initial_effort)
    return effort, np.maximum(state.discovered, labs.software(effort))


def _kernel_days(labs: LabArrays, state: State, gpus: Gpus) -> Floats:
    """Days until the next faster kernel is found."""
    goal = labs.goals[np.arange(len(state.row)), state.kernels]
    per_day = _candidates(labs, state, gpus.experiment + gpus.kernels)
    return np.where(per_day > 0, np.maximum(0.0, goal - state.tried) / np.maximum(per_day, SMALLEST_RATE), np.inf)


def _searching(labs: LabArrays, state: State) -> Mask:
    """Where the last of the kernels is not deployed yet."""
    return np.isfinite(labs.goals[np.arange(len(state.row)), state.kernels])


def _candidates(labs: LabArrays, state: State, gpus: Floats) -> Floats:
    """Candidates tried in a day, at most what so many GPUs can time; none once the last of the kernels is deployed."""
    per_day = labs.candidates * state.active_researchers / labs.reference
    timed = MAX_TIME * gpus * state.work_rate / np.maximum(labs.candidate_gpu_days, SMALLEST_RATE)
    limited = (labs.candidate_gpu_days > 0) & (gpus > 0)
    return np.where(_searching(labs, state), np.where(limited, np.minimum(per_day, timed), per_day), 0.0)


# --- at an event -----------------------------------------------------------------------------------------


def _accept_steps(labs: LabArrays, state: State, step: Step, marks: Floats) -> None:
    """Let a step count where it fits, and let happen what it led to."""
    trained = step.fits & (step.days >= state.left)
    found = step.fits & (step.days >= _kernel_days(labs, state, step.gpus))
    stopped = step.fits & (step.days >= labs.horizon - state.day)
    still = (step.moved.thought <= 0) & (step.moved.run <= 0) & (step.moved.written <= 0)
    starved = stopped & still & ~np.isfinite(state.left)
    step = step._replace(days=np.where(starved, 0.0, step.days))  # it ended with its last event
    _accumulate_totals(state, step, labs)
    _advance_state(labs, state, step)
    state.day = np.where(stopped & ~starved, labs.horizon, state.day)
    _record_doublings(labs, state, marks)
    _deploy(state, trained, state.brings)
    state.brings = np.where(trained, 0.0, state.brings)
    state.left = np.where(trained, np.inf, state.left)
    begun = _start_due_training(labs, state)
    _deploy_kernels(labs, state, found)
    _update_active_researchers(labs, state, trained | begun | found)
    _end(labs, state, stopped, starved)


def _accumulate_totals(state: State, step: Step, labs: LabArrays) -> None:
    """Add what a step brought to the totals."""
    days = np.where(step.fits, step.days, 0.0)
    mean = Phases(*((old + new) / 2 for old, new in zip(step.before, step.after, strict=True)))
    (used, queued), (used_then, queued_then) = (
        experiment_gpus_and_queue(step.rates, step.each, step.gpus, phases) for phases in (step.before, step.after)
    )
    housed = step.rates.active
    written = np.where(step.fits, step.moved.written, 0.0)
    state.papers = state.papers + written
    state.papers_since = state.papers_since + written
    state.duplicates = state.duplicates + written * (1 - state.new)
    state.experiments = state.experiments + np.where(step.fits & (labs.cost > 0), step.moved.run, 0.0)
    state.own_days = state.own_days + days * housed * (mean.thinking + mean.writing)
    state.experiment_days = state.experiment_days + days * mean.experimenting
    state.queue_days = state.queue_days + days * (queued + queued_then) / 2
    state.paused_days = state.paused_days + days * (1 - housed) * (mean.thinking + mean.writing)
    state.inference_gpu_days = state.inference_gpu_days + days * step.gpus.inference
    state.experiment_gpu_days = state.experiment_gpu_days + days * ((used + used_then) / 2 + step.gpus.kernels)
    state.training_gpu_days = state.training_gpu_days + days * step.gpus.training
    state.tried = state.tried + days * _candidates(labs, state, step.gpus.experiment + step.gpus.kernels)


def _advance_state(labs: LabArrays, state: State, step: Step) -> None:
    """Move researchers, clocks and software; a level that is short by rounding alone is reached."""
    fits, days = step.fits, np.where(step.fits, step.days, 0.0)
    state.day, state.since, state.left = state.day + days, state.since + days, state.left - days
    effort, discovered = _after(labs, state, step.moved.written, step.log2_weight)
    reached = np.abs(discovered - step.level) < LEVEL_TOLERANCE
    effort = np.where(reached, labs.effort(step.level), effort)
    state.effort = np.where(fits, effort, state.effort)
    state.discovered = np.where(fits, np.where(reached, step.level, discovered), state.discovered)
    state.thinking = np.where(fits, step.after.thinking, state.thinking)
    state.experimenting = np.where(fits, step.after.experimenting, state.experimenting)
    state.writing = np.where(fits, step.after.writing, state.writing)


def _record_doublings(labs: LabArrays, state: State, marks: Floats) -> None:
    whole = np.floor(state.discovered + LEVEL_TOLERANCE)
    done = (whole > state.doublings) & (state.doublings < labs.most_doublings)
    if done.any():
        for mark, values in zip(
            marks, (state.day, state.since, state.papers_since, state.active_researchers), strict=True
        ):
            mark[state.row[done], state.doublings[done]] = values[done]
        state.doublings = state.doublings + done
        state.since = np.where(done, 0.0, state.since)
        state.papers_since = np.where(done, 0.0, state.papers_since)


def _deploy(state: State, where: Mask, doublings: Floats) -> None:
    better = np.minimum(state.deployed + doublings, np.maximum(state.discovered, state.deployed))
    state.deployed = np.where(where, better, state.deployed)


def _start_due_training(labs: LabArrays, state: State) -> Mask:
    """Begin the generations for which a whole gain waits, one training run at a time; return which labs did."""
    begun = np.zeros(len(state.row), dtype=bool)
    while (ready := ~np.isfinite(state.left) & (state.discovered >= next_gain(labs, state) - LEVEL_TOLERANCE)).any():
        _begin(labs, state, ready & labs.training)
        untrained = ready & ~labs.training
        state.taken = np.where(untrained, next_gain(labs, state), state.taken)
        state.generation = state.generation + ready
        _deploy(state, untrained, labs.gain)
        begun |= ready
    return begun


def _begin(labs: LabArrays, state: State, where: Mask) -> None:
    """Begin a training run in these labs, as agents.trainer.Trainer does."""
    if not where.any():
        return
    labs_here, work = labs.take(where), _run_work(labs, state)[where]
    gpus = fastest_gpus(labs_here.training_gpus, lambda gpus: job_days(labs_here, gpus, work / gpus**labs_here.scaling))
    state.run_gpus[where] = gpus
    length = work / gpus**labs_here.scaling
    state.left[where] = job_days(labs_here, gpus, length)
    waiting = np.maximum((state.discovered - state.taken)[where], labs_here.gain)
    days = length * state.work_rate[where]
    plan = generation(waiting, labs_here.gain, labs_here.takes_all, days, labs_here.speed_share, labs_here.shortest_run)
    state.taken[where] += plan.taken
    state.brings[where] = plan.better
    state.shorter[where] += plan.shorter


def _run_work(labs: LabArrays, state: State) -> Floats:
    """Days of the next training run on one GPU, with the kernels of now."""
    return np.asarray(labs.first_run * np.exp2(-state.shorter) / state.work_rate)


def _deploy_kernels(labs: LabArrays, state: State, found: Mask) -> None:
    if found.any():
        rows = np.arange(len(state.row))
        state.tried = np.where(found, labs.goals[rows, state.kernels], state.tried)
        state.kernels = state.kernels + found
        deployed = _work_rate(labs.attention, labs.speedups[rows, state.kernels])
        state.work_rate = np.where(found, deployed, state.work_rate)


def _work_rate(share: Any, speedup: Any) -> Floats:
    return np.asarray(amdahl(share, speedup))


def _update_active_researchers(labs: LabArrays, state: State, where: Mask) -> None:
    """Make as many researchers active as inference can house, fractions included; new ones begin to think.

    Only the labs in ``where`` change: even the rounding of the others must stay.
    """
    if not where.any():
        return
    hardware = gpus_of(labs, state).inference / labs.standing * state.work_rate
    active = labs.initial * np.exp2(state.deployed) * hardware
    added = np.where(where, np.maximum(0.0, active - state.researchers), 0.0)
    state.active_researchers = np.where(where, active, state.active_researchers)
    state.thinking = state.thinking + added
    state.researchers = state.researchers + added
    state.new = np.where(where, new_findings(active, labs.questions), state.new)


def _end(labs: LabArrays, state: State, stopped: Mask, starved: Mask) -> None:
    """End what is over; of several reasons the one that World would name."""
    reasons = [
        (state.discovered >= labs.limit - 1, LIMIT),
        (state.doublings >= labs.most_doublings, DYNAMICS),
        (state.active_researchers * (1 + 1e-9) >= labs.most_researchers, ENOUGH_RESEARCHERS),
        (starved, STARVED),
        (stopped, HORIZON),
    ]
    state.ending = np.select([where for where, _ in reasons], [why for _, why in reasons], RUNNING)
