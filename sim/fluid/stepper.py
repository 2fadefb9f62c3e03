"""Advance the fluid engine from event to event, and between events by small fractions of a doubling.

The events are those of World: doublings, gains that start a generation, ends of training runs, faster kernels, the
limit and the horizon. AIs learn tasks when software is deployed, so that thresholds are crossed at events only. Between
events, papers flow at their mean rate (sim.fluid.flow, sim.fluid.paper_line). A step is a small fraction of a doubling
of software or humans. It ends earlier when a small share of the researchers has changed its phase. If
only thinking takes time, a step leads to the next event and is exact. The results of a scenario do not depend on the
others that are stepped with it.

The papers of humans in a step are integrated by Simpson's rule, so that the error for a growing number of humans falls
with the fourth power of ``steps_per_doubling``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.generations import plan_generation
from agents.kernel_model import MAX_TIME, amdahl
from hardware.cluster.reliability import fastest_gpus
from sim.fluid.flow import (
    EFFECTIVELY_INFINITE,
    MIN_RATE,
    Experiments,
    FlowStep,
    Phases,
    Rates,
    advance,
    experiments,
    job_days,
    phase_rates,
    share_not_duplicate,
)
from sim.fluid.lab_arrays import Floats, LabArrays, ParameterColumns
from sim.fluid.paper_line import LineFlow, humans_on, is_complete, line_flow
from sim.growth import effort_between
from sim.software import LEVEL_TOLERANCE

RUNNING, ENOUGH_DOUBLINGS, LIMIT, STALLED, HORIZON, ENOUGH_RESEARCHERS = range(6)
"""Reasons for which a lab stops."""
PAPER_TOLERANCE = 1e-12
"""Relative excess of papers over those that lead to the next event."""
COARSE_PAPER_TOLERANCE = 0.5
"""Relative excess of papers over those of a step that ends without an event."""

Mask = NDArray[np.bool_]


@dataclass(slots=True)
class State(ParameterColumns):
    """Present state of each lab, and its totals so far."""

    row: NDArray[np.int64]
    """Index of the lab."""
    ending: NDArray[np.int64]
    """Reason for which it stopped, or RUNNING."""
    day: Floats
    effort: Floats
    """log2(E/E0), effort since day 0 [doublings]."""
    discovered: Floats
    """Discovered software [doublings]."""
    deployed: Floats
    """Deployed software [doublings]."""
    doublings: NDArray[np.int64]
    """Number of complete doublings."""
    since: Floats
    """Time since the last doubling [days]. It is summed: a difference of days is inexact for doublings of seconds."""
    papers_since: Floats
    """Papers since the last doubling."""
    active_researchers: Floats
    """Number of AIs that do research on their own; 0 until AIs can do all tasks."""
    assistants: Floats
    """Number of AIs that help humans, because they cannot do all tasks yet."""
    researchers: Floats
    """Number of researchers, inactive ones included."""
    asara_day: Floats
    """Day on which AIs could do all tasks of research; nan until then."""
    thinking: Floats
    experimenting: Floats
    writing: Floats
    new: Floats
    """Share of the papers that are not duplicates."""
    generation: Floats
    """Number of the latest generation that was started."""
    taken: Floats
    """Discovered software that the generations so far have taken up [doublings]."""
    shorter: Floats
    """Halvings of the next training run, relative to the first on the same GPUs."""
    brings: Floats
    """Gain of deployed software by the present training run [doublings]."""
    run_gpus: Floats
    """GPUs of the present training run."""
    left: Floats
    """Time until the present training run ends [days]; inf without a run."""
    tried: Floats
    """Number of kernel candidates tried."""
    kernels: NDArray[np.int64]
    """Number of deployments of faster kernels."""
    work_rate: Floats
    """Work of the cluster per day, relative to day 0."""
    at_most: Floats
    """Longest duration of the next step if the last one went too far [days]."""
    papers: Floats
    """Papers published."""
    duplicates: Floats
    """Duplicates among the papers."""
    experiments: Floats
    """Completed experiments."""
    own_days: Floats
    """Time of thinking and writing [researcher-days]."""
    experiment_days: Floats
    """Time of queueing and running [researcher-days]."""
    queue_days: Floats
    """Time of queueing [researcher-days], and of the queueing of humans' papers [days]."""
    paused_days: Floats
    """Time of inactive researchers [researcher-days]."""
    inference_gpu_days: Floats
    """GPU time of inference [GPU-days]."""
    experiment_gpu_days: Floats
    """GPU time of experiments [GPU-days]."""
    training_gpu_days: Floats
    """GPU time of training runs [GPU-days]."""


class Gpus(NamedTuple):
    """Number of GPUs for each use at present."""

    inference: Floats
    experiment: Floats
    training: Floats
    kernels: Floats
    """GPUs for experiments that kernel candidates hold."""


class LineStep(NamedTuple):
    """Papers of humans, and of the AIs that help them, in a step."""

    papers: Floats
    """Number of papers."""
    waited: Floats
    """Time that their experiments waited for GPUs [days]."""
    last: Floats
    """Papers per day at the end of the step."""


class Step(NamedTuple):
    """A trial step. It is accepted in labs in which it does not pass the next event."""

    days: Floats
    """Duration [days]."""
    fits: Mask
    """Whether the step is accepted."""
    level: Floats
    """Software at the next event [doublings]."""
    log2_weight: Floats
    """log2 of the effective papers per paper."""
    before: Phases
    """Researchers in each phase before the step."""
    after: Phases
    """Researchers in each phase after the step."""
    moved: FlowStep
    """Papers of AI researchers that completed each phase."""
    line: LineStep
    """Papers of humans."""
    rates: Rates
    each: Experiments
    """Mean experiment."""
    gpus: Gpus

    @property
    def papers(self) -> Floats:
        """Papers published in the step."""
        return self.moved.written + self.line.papers


StepCallback = Callable[[LabArrays, State], None]


def run_labs(labs: LabArrays, steps_per_doubling: int, on_step: StepCallback | None = None) -> tuple[State, Floats]:
    """Run labs to their ends; return the last state of each, and the figures of each doubling.

    ``steps_per_doubling`` is the smallest number of steps per doubling. ``on_step`` is called at the start and after
    each step, with the labs that are still running. The figures are day, duration, papers and active researchers, of
    shape (4, labs, largest number of doublings), with nan for missing doublings.
    """
    marks = np.full((4, len(labs.r), int(labs.most_doublings.max())), np.nan)
    state, over = _initial_state(labs), []
    if on_step is not None:
        on_step(labs, state)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        while len(state.row):
            _accept_steps(labs, state, _try_step(labs, state, steps_per_doubling), marks)
            if on_step is not None:
                on_step(labs, state)
            ended = state.ending != RUNNING
            if ended.any():
                over.append(state.take(ended))
                labs, state = labs.take(~ended), state.take(~ended)
    columns = {field.name: np.concatenate([getattr(each, field.name) for each in over]) for field in fields(State)}
    return State(**columns).take(np.argsort(columns["row"])), marks


def _initial_state(labs: LabArrays) -> State:
    none = np.zeros(len(labs.r))
    complete = is_complete(labs, none)
    researchers = np.where(complete, labs.initial, none)
    zeros = {field.name: np.zeros(len(labs.r)) for field in fields(State)}
    whole = {name: np.zeros(len(labs.r), dtype=np.int64) for name in ("ending", "doublings", "kernels")}
    return State(
        **zeros
        | whole
        | {
            "row": np.arange(len(labs.r)),
            "active_researchers": researchers.copy(),
            "assistants": np.where(complete, none, labs.initial),
            "researchers": researchers.copy(),
            "asara_day": np.where(complete, 0.0, np.nan),
            "thinking": researchers.copy(),
            "new": _share_not_duplicate(labs, none, researchers),
            "left": np.full(len(labs.r), np.inf),
            "run_gpus": labs.training_gpus.copy(),
            "work_rate": np.ones(len(labs.r)),
            "at_most": np.full(len(labs.r), np.inf),
        }
    )


# --- Between events --------------------------------------------------------------------------------------


def gpus_of(labs: LabArrays, state: State) -> Gpus:
    """Return the GPUs that each use can have now. In a shared pool, training preempts inference in whole nodes."""
    training = np.where(np.isfinite(state.left), state.run_gpus, 0.0)
    pushed = np.ceil(np.maximum(0.0, training + labs.standing - labs.gpus) / labs.node) * labs.node
    inference = np.where(labs.shared, np.maximum(0.0, labs.standing - pushed), labs.standing)
    rest = np.where(labs.shared, np.maximum(0.0, labs.gpus - inference - training), labs.experiment_share)
    kernels = _candidates_per_day(labs, state, rest) * labs.candidate_gpu_days / state.work_rate
    return Gpus(inference, rest - kernels, training, kernels)


def phases_of(state: State) -> Phases:
    """Return the number of researchers in each phase."""
    return Phases(state.thinking, state.experimenting, state.writing)


def line_of(
    labs: LabArrays, state: State, each: Experiments, gpus: Gpus, phases: Phases, days: Floats | float = 0.0
) -> LineFlow:
    """Return the present papers of humans, and of the AIs that help them; or those after some days."""
    if not labs.humans.any():
        none = np.zeros(len(state.row))
        return LineFlow(none, none, none)
    others = phases.experimenting
    return line_flow(labs, state.day + days, state.assistants, state.deployed, each, gpus.experiment, others)


def rates_of(labs: LabArrays, state: State, each: Experiments, gpus: Gpus, line: LineFlow) -> Rates:
    """Return the mean durations of the phases, and the limits on them. Experiments of humans take their GPUs first."""
    active = np.where(state.researchers > 0, state.active_researchers / np.maximum(state.researchers, MIN_RATE), 0.0)
    most = np.where(labs.cost > 0, gpus.experiment / np.maximum(each.gpu_days, MIN_RATE), EFFECTIVELY_INFINITE)
    most = np.maximum(0.0, most - line.papers)
    pace = np.where(_is_searching_kernels(labs, state), labs.pace, 1.0)
    return Rates(active, labs.think / pace, each.days, labs.write / pace, most)


def experiment_gpus_and_queue(rates: Rates, each: Experiments, gpus: Gpus, phases: Phases) -> tuple[Floats, Floats]:
    """Return the number of GPUs that experiments hold, and the number of experiments that wait."""
    running = np.minimum(phases.experimenting, rates.most * rates.run)
    held = running * np.where(each.days > 0, each.gpu_days / np.maximum(each.days, MIN_RATE), 0.0)
    return np.minimum(held, gpus.experiment), phases.experimenting - running


def next_gain(labs: LabArrays, state: State) -> Floats:
    """Return the discovered software at which the next generation can start [doublings]."""
    return state.taken + labs.gain


def _try_step(labs: LabArrays, state: State, steps_per_doubling: int) -> Step:
    """Try a step to the next event, or as long as the flow stays nearly constant."""
    gpus, before = gpus_of(labs, state), phases_of(state)
    first = experiments(labs, state.discovered, state.work_rate)
    line = line_of(labs, state, first, gpus, before)
    rates = rates_of(labs, state, first, gpus, line)
    now = phase_rates(rates, before)
    published = now.written + line.papers
    level = _next_event_level(labs, state)
    part = np.where(labs.pipeline, np.minimum(level, state.discovered + 1 / steps_per_doubling), level)
    log2_weight = _log2_weight(labs, state, rates, first, gpus, before, line)
    goal = np.exp2(labs.log2_initial_effort + effort_between(state.effort, labs.effort(part)) - log2_weight)
    change = np.maximum(np.abs(now.thought - now.run), np.abs(now.run - now.written))
    change = np.maximum(change, np.abs(now.written - now.thought))
    lasting = np.where(change > 0, state.researchers / np.maximum(steps_per_doubling * change, MIN_RATE), np.inf)
    ahead = np.minimum(goal / np.maximum(published, MIN_RATE), lasting)
    hiring = np.where(growing_humans(labs), 1 / np.maximum(steps_per_doubling * labs.human_growth, MIN_RATE), np.inf)
    ends = (ahead, labs.horizon - state.day, state.left, _kernel_days(labs, state, gpus), state.at_most, hiring)
    days = reduce(np.minimum, ends)
    middle = _software_after(labs, state, np.minimum(published * days, goal) / 2, log2_weight)[1]
    each = experiments(labs, middle, state.work_rate)
    half = _phases_within(labs, rates, before, days / 2)
    halfway = line_of(labs, state, each, gpus, half, days / 2)
    rates = rates_of(labs, state, each, gpus, halfway)
    after, moved = advance(rates, before, days)
    mean = (log2_weight + _log2_weight(labs, state, rates, each, gpus, after, halfway)) / 2
    line_step = LineStep(*([np.zeros_like(days)] * 3))
    if labs.humans.any():
        reached = _software_after(labs, state, np.minimum(published * days, goal), log2_weight)[1]
        last = experiments(labs, reached, state.work_rate)
        at_end = line_of(labs, state, last, gpus, after, days)
        rates_at_end = rates_of(labs, state, last, gpus, at_end)
        weights = (
            log2_weight,
            _log2_weight(labs, state, rates, each, gpus, half, halfway),
            _log2_weight(labs, state, rates_at_end, last, gpus, after, at_end),
        )
        line_step, mean = _line_step(labs, days, (line, halfway, at_end), weights, moved.written, mean)
    goal, log2_weight = goal * np.exp2(log2_weight - mean), mean
    papers = moved.written + line_step.papers
    fits = papers <= goal * (1 + np.where(part < level, COARSE_PAPER_TOLERANCE, PAPER_TOLERANCE))
    back = np.maximum(
        days - (papers - goal) / np.maximum(phase_rates(rates, after).written + line_step.last, MIN_RATE),
        days * goal / np.maximum(papers, MIN_RATE) / 2,
    )
    state.at_most = np.where(fits, np.inf, back)
    return Step(days, fits, level, log2_weight, before, after, moved, line_step, rates, each, gpus)


def _phases_within(labs: LabArrays, rates: Rates, before: Phases, days: Floats) -> Phases:
    """Return the phases within a step, on which the papers of humans depend if there are AI researchers, too."""
    both = (labs.humans > 0) & (before.thinking + before.experimenting + before.writing > 0)
    return advance(rates, before, days)[0] if both.any() else before


def _line_step(
    labs: LabArrays,
    days: Floats,
    flows: tuple[LineFlow, LineFlow, LineFlow],
    log2_weights: tuple[Floats, Floats, Floats],
    written: Floats,
    log2_weight: Floats,
) -> tuple[LineStep, Floats]:
    """Return the papers of humans in a step, and log2 of the effective papers per paper of all researchers.

    Arguments
    ---------
    labs, days
        The labs, and the duration of the step.
    flows, log2_weights
        Papers of humans, and log2 of the effective papers per paper, at the start, the middle and the end.
    written, log2_weight
        Papers of AI researchers in the step, and log2 of the effective papers per such paper.
    """
    papers = days * _simpson(*(flow.papers for flow in flows))
    weights = [np.exp2(each) for each in log2_weights]
    counted = days * _simpson(*(flow.papers * weight for flow, weight in zip(flows, weights, strict=True)))
    both, total = counted + written * np.exp2(log2_weight), papers + written
    there = (labs.humans > 0) & (papers > 0)
    mean = np.log2(np.where(there, both, 1.0) / np.where(there, total, 1.0))
    waited = days * _simpson(*(flow.waiting for flow in flows))
    return LineStep(papers, waited, flows[-1].papers), np.where(there, mean, log2_weight)


def _simpson(first: Floats, middle: Floats, last: Floats) -> Floats:
    """Return the mean of a function by Simpson's rule; exact for a constant."""
    return middle + (first - 2 * middle + last) / 6


def _next_event_level(labs: LabArrays, state: State) -> Floats:
    """Return the software at the next event: a doubling, a gain or the limit [doublings]."""
    whole, gain = np.floor(state.discovered + LEVEL_TOLERANCE) + 1, next_gain(labs, state)
    level = np.where(gain > state.discovered + LEVEL_TOLERANCE, np.minimum(whole, gain), whole)
    return np.minimum(level, labs.limit - 1)


def _log2_weight(
    labs: LabArrays, state: State, rates: Rates, each: Experiments, gpus: Gpus, phases: Phases, line: LineFlow
) -> Floats:
    """Return log2 of the effective papers per paper: by the parallelization penalty, duplicates and safety."""
    counted = state.new + labs.duplicate_weight * (1 - state.new)
    team = doing_research(labs, state, rates, each, gpus, phases, line)
    return (labs.p - 1) * np.log2(np.maximum(team, 1.0)) + np.log2(counted) + labs.log2_software_share


def doing_research(
    labs: LabArrays, state: State, rates: Rates, each: Experiments, gpus: Gpus, phases: Phases, line: LineFlow
) -> Floats:
    """Return the number of researchers that the penalty counts, as sim.knowledge.LabKnowledge.doing_research does."""
    _, queued = experiment_gpus_and_queue(rates, each, gpus, phases)
    there = (phases.thinking + phases.writing) * rates.active + phases.experimenting - queued
    supply = np.where(labs.shared, np.maximum(1.0, labs.gpus - labs.standing), labs.experiment_share)
    supplied = supply / np.maximum(each.gpu_days, MIN_RATE) * (rates.think + each.days + rates.write)
    return np.where(labs.cost > 0, np.minimum(there, supplied), state.active_researchers) + line.at_work


def _software_after(labs: LabArrays, state: State, papers: Floats, log2_weight: Floats) -> tuple[Floats, Floats]:
    """Return effort and discovered software after more papers."""
    effort = np.logaddexp2(state.effort, np.log2(papers) + log2_weight - labs.log2_initial_effort)
    return effort, np.maximum(state.discovered, labs.software(effort))


def _kernel_days(labs: LabArrays, state: State, gpus: Gpus) -> Floats:
    """Return the time until the next faster kernel is deployed [days]."""
    goal = labs.goals[np.arange(len(state.row)), state.kernels]
    per_day = _candidates_per_day(labs, state, gpus.experiment + gpus.kernels)
    return np.where(per_day > 0, np.maximum(0.0, goal - state.tried) / np.maximum(per_day, MIN_RATE), np.inf)


def _is_searching_kernels(labs: LabArrays, state: State) -> Mask:
    """Return whether each lab has further kernels to deploy."""
    return np.isfinite(labs.goals[np.arange(len(state.row)), state.kernels])


def _candidates_per_day(labs: LabArrays, state: State, gpus: Floats) -> Floats:
    """Return the candidates tried per day, limited by the GPUs that time them; 0 after the last deployment."""
    per_day = labs.candidates * state.active_researchers / labs.reference
    timed = MAX_TIME * gpus * state.work_rate / np.maximum(labs.candidate_gpu_days, MIN_RATE)
    limited = (labs.candidate_gpu_days > 0) & (gpus > 0)
    return np.where(_is_searching_kernels(labs, state), np.where(limited, np.minimum(per_day, timed), per_day), 0.0)


# --- At an event -----------------------------------------------------------------------------------------


def _accept_steps(labs: LabArrays, state: State, step: Step, marks: Floats) -> None:
    """Apply a step in the labs in which it is accepted, and process the events to which it led."""
    trained = step.fits & (step.days >= state.left)
    found = step.fits & (step.days >= _kernel_days(labs, state, step.gpus))
    stopped = step.fits & (step.days >= labs.horizon - state.day)
    still = (step.moved.thought <= 0) & (step.moved.run <= 0) & (step.papers <= 0)
    stalled = stopped & still & ~np.isfinite(state.left)
    step = step._replace(days=np.where(stalled, 0.0, step.days))  # a stalled run ends with its last event
    _accumulate_totals(state, step, labs)
    _advance_state(labs, state, step)
    state.day = np.where(stopped & ~stalled, labs.horizon, state.day)
    _record_doublings(labs, state, marks)
    _deploy(state, trained, state.brings)
    state.brings = np.where(trained, 0.0, state.brings)
    state.left = np.where(trained, np.inf, state.left)
    begun = _start_due_training(labs, state)
    _deploy_kernels(labs, state, found)
    _update_active_researchers(labs, state, trained | begun | found)
    if growing_humans(labs).any():
        now = _share_not_duplicate(labs, state.day, state.active_researchers)
        state.new = np.where(growing_humans(labs), now, state.new)
    _record_endings(labs, state, stopped, stalled)


def _accumulate_totals(state: State, step: Step, labs: LabArrays) -> None:
    """Add a step to the totals."""
    days = np.where(step.fits, step.days, 0.0)
    mean = Phases(*((old + new) / 2 for old, new in zip(step.before, step.after, strict=True)))
    (used, queued), (used_then, queued_then) = (
        experiment_gpus_and_queue(step.rates, step.each, step.gpus, phases) for phases in (step.before, step.after)
    )
    active = step.rates.active
    written = np.where(step.fits, step.papers, 0.0)
    by_line = np.where(step.fits, step.line.papers, 0.0)
    state.papers = state.papers + written
    state.papers_since = state.papers_since + written
    state.duplicates = state.duplicates + written * (1 - state.new)
    run = step.moved.run + step.line.papers
    state.experiments = state.experiments + np.where(step.fits & (labs.cost > 0), run, 0.0)
    state.own_days = state.own_days + days * active * (mean.thinking + mean.writing)
    state.experiment_days = state.experiment_days + days * mean.experimenting
    waited = np.where(step.fits, step.line.waited, 0.0)
    state.queue_days = state.queue_days + days * (queued + queued_then) / 2 + waited
    state.paused_days = state.paused_days + days * (1 - active) * (mean.thinking + mean.writing)
    state.inference_gpu_days = state.inference_gpu_days + days * step.gpus.inference
    state.experiment_gpu_days = state.experiment_gpu_days + days * ((used + used_then) / 2 + step.gpus.kernels)
    state.experiment_gpu_days = state.experiment_gpu_days + by_line * np.where(labs.cost > 0, step.each.gpu_days, 0.0)
    state.training_gpu_days = state.training_gpu_days + days * step.gpus.training
    state.tried = state.tried + days * _candidates_per_day(labs, state, step.gpus.experiment + step.gpus.kernels)


def _advance_state(labs: LabArrays, state: State, step: Step) -> None:
    """Advance researchers, times and software; a level that is missed by rounding only is reached."""
    fits, days = step.fits, np.where(step.fits, step.days, 0.0)
    state.day, state.since, state.left = state.day + days, state.since + days, state.left - days
    effort, discovered = _software_after(labs, state, step.papers, step.log2_weight)
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
    """Start the generations for which a whole gain waits, one training run at a time; return the labs that did."""
    begun = np.zeros(len(state.row), dtype=bool)
    while (ready := ~np.isfinite(state.left) & (state.discovered >= next_gain(labs, state) - LEVEL_TOLERANCE)).any():
        _start_training(labs, state, ready & labs.training)
        untrained = ready & ~labs.training
        state.taken = np.where(untrained, next_gain(labs, state), state.taken)
        state.generation = state.generation + ready
        _deploy(state, untrained, labs.gain)
        begun |= ready
    return begun


def _start_training(labs: LabArrays, state: State, where: Mask) -> None:
    """Start a training run in these labs, as agents.trainer.Trainer does."""
    if not where.any():
        return
    labs_here, work = labs.take(where), _run_work(labs, state)[where]
    gpus = fastest_gpus(labs_here.training_gpus, lambda gpus: job_days(labs_here, gpus, work / gpus**labs_here.scaling))
    state.run_gpus[where] = gpus
    length = work / gpus**labs_here.scaling
    state.left[where] = job_days(labs_here, gpus, length)
    waiting = np.maximum((state.discovered - state.taken)[where], labs_here.gain)
    days = length * state.work_rate[where]
    plan = plan_generation(
        waiting, labs_here.gain, labs_here.takes_all, days, labs_here.speedup_exponent, labs_here.shortest_run
    )
    state.taken[where] += plan.taken
    state.brings[where] = plan.better
    state.shorter[where] += plan.shorter


def _run_work(labs: LabArrays, state: State) -> Floats:
    """Return the duration of the next training run on one GPU, with the present kernels [days]."""
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
    """Set the number of active researchers to the capacity of inference, fractions included; new ones start to think.

    Only the labs in ``where`` change, so that even the rounding of the others stays the same.
    """
    if not where.any():
        return
    hardware = gpus_of(labs, state).inference / labs.standing * state.work_rate
    running = labs.initial * np.exp2(state.deployed) * hardware
    complete = is_complete(labs, state.deployed)
    active = np.where(complete, running, 0.0)
    state.asara_day = np.where(where & complete & np.isnan(state.asara_day), state.day, state.asara_day)
    state.assistants = np.where(where, running - active, state.assistants)
    added = np.where(where, np.maximum(0.0, active - state.researchers), 0.0)
    state.active_researchers = np.where(where, active, state.active_researchers)
    state.thinking = state.thinking + added
    state.researchers = state.researchers + added
    state.new = np.where(where, _share_not_duplicate(labs, state.day, active), state.new)


def _share_not_duplicate(labs: LabArrays, day: Floats, researchers: Floats) -> Floats:
    """Return the share of the papers that are not duplicates; humans have several papers in progress each."""
    drafts = humans_on(labs, day) * labs.papers_in_progress
    return share_not_duplicate(researchers + drafts, labs.questions)


def growing_humans(labs: LabArrays) -> Mask:
    """Return the labs whose number of humans grows."""
    return np.asarray((labs.humans > 0) & (labs.human_growth > 0))


def _record_endings(labs: LabArrays, state: State, stopped: Mask, stalled: Mask) -> None:
    """Record the endings; of several reasons, record the one that World would give."""
    reasons = [
        (state.discovered >= labs.limit - 1, LIMIT),
        (state.doublings >= labs.most_doublings, ENOUGH_DOUBLINGS),
        (state.active_researchers * (1 + 1e-9) >= labs.most_researchers, ENOUGH_RESEARCHERS),
        (stalled, STALLED),
        (stopped, HORIZON),
    ]
    state.ending = np.select([where for where, _ in reasons], [why for _, why in reasons], RUNNING)
