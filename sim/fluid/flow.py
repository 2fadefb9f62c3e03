"""The mean flow of papers through a lab: thinking, experiments, writing. Pure functions on arrays, an element a lab."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammainc, gammaln, ndtr

from hardware.cluster.reliability import checkpoint_interval, job_time
from sim.fluid.lab_arrays import VARIATIONS, Floats, LabArrays

SMALLEST_RATE = 1e-300
LARGE = 1e200
"""Stands for a job that never ends, and for more jobs than there ever are."""
MANY = 1e6
"""Researchers to an open question from which the expansion for many is as good as what rounding leaves of the sum."""


class Experiments(NamedTuple):
    """The mean experiment."""

    days: Floats
    """On its GPUs."""
    gpu_days: Floats


class Phases(NamedTuple):
    """Researchers by what they are doing: at their own work, or theirs to go on with once they are housed again."""

    thinking: Floats
    experimenting: Floats
    """Queueing or running."""
    writing: Floats


class Rates(NamedTuple):
    """How fast phases end."""

    active: Floats
    """Share of the researchers that GPUs house; the others neither think nor write."""
    think: Floats
    """Mean days of it."""
    run: Floats
    write: Floats
    most: Floats
    """Experiments that the GPUs can end in a day."""


class FlowStep(NamedTuple):
    """Papers that came to the end of a phase."""

    thought: Floats
    run: Floats
    written: Floats


def experiments(labs: LabArrays, discovered: Floats, work_rate: Floats) -> Experiments:
    """Return the mean experiment at so many doublings of discovered software.

    The mean is over the distribution of costs, of which each gang size takes an interval: up to one GPU for
    ``experiment_days`` the first, twice that the next, all that is left the largest (agents.work_model.gpus_to_ask). A
    cost c in a gang of g takes ``c/g`` days, longer by what failures add to it, less by the work rate.
    """
    mean = labs.cost * np.exp2(-labs.cheaper * discovered)
    days, gpu_days = np.zeros_like(mean), np.zeros_like(mean)
    below, below_number = np.zeros_like(mean), np.zeros_like(mean)
    size = 1.0
    while np.any(size < 2 * labs.gang):
        last, void = size >= labs.gang, size >= 2 * labs.gang
        gang = np.minimum(size, labs.gang)
        edge = np.where(last, np.inf, size * labs.patience)
        share, number = _share_below(labs, edge, mean)
        part, jobs = np.where(void, 0.0, share - below), np.where(void, 0.0, number - below_number)
        length = mean * part / (gang * np.maximum(jobs, SMALLEST_RATE) * work_rate)
        held = np.where(length > 0, job_days(labs, gang, length) * gang * jobs, 0.0)
        days, gpu_days = days + held / gang, gpu_days + held
        below, below_number = share, number
        size *= 2
    return Experiments(np.minimum(days, LARGE), np.minimum(gpu_days, LARGE))


def _share_below(labs: LabArrays, edge: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """The share of all GPU-days, and of all experiments, that costs up to an edge make up."""
    x = edge / np.maximum(mean, SMALLEST_RATE)
    with np.errstate(divide="ignore"):
        z, half = np.log(x) / labs.sigma, labs.sigma / 2
    fixed, exponential = (labs.variation == VARIATIONS.index(kind) for kind in ("fixed", "exponential"))
    share, number = ndtr(z - half), ndtr(z + half)
    if exponential.any():  # seldom, and dear
        share = np.where(exponential, gammainc(2.0, x), share)
        number = np.where(exponential, -np.expm1(-x), number)
    cheap = (x >= 1).astype(float)
    share, number = np.where(fixed, cheap, share), np.where(fixed, cheap, number)
    return share, number


def job_days(labs: LabArrays, gpus: Floats, days: Floats) -> Floats:
    """Return the mean days of a job of so many days of work on these GPUs (hardware.cluster.reliability.job_time)."""
    life = np.where(labs.failures > 0, 1 / np.maximum(labs.failures, SMALLEST_RATE), 0.0)
    interval = checkpoint_interval(labs.checkpoint, labs.checkpoint_cost, life, gpus)
    return np.asarray(job_time(days, gpus * labs.failures, interval, labs.checkpoint_cost, labs.restart))


def new_findings(researchers: Floats, questions: Floats) -> Floats:
    """Return the share of papers that are no duplicates, with so many at work on so many open questions.

    Memoryless work on a question drawn from those open; the first answer closes it, and each later one to it is a
    duplicate. Workers who come to an open question at rate a and publish at rate k leave it open for u with probability
    ``exp(-a (u - (1 - e^(-k u))/k))``. With x = a/k researchers to a question its mean, in units of 1/k, is
    ``e^x x^(-x) gamma(x, x)``, and one in x of that many papers is new; about ``sqrt(2/(pi x))`` where x is large.
    """
    x = researchers / questions
    few = np.clip(x, SMALLEST_RATE, MANY)
    log_life = few - few * np.log(few) + gammaln(few) + np.log(np.maximum(gammainc(few, few), SMALLEST_RATE))
    exact = np.exp(-log_life - np.log(few))
    root = np.sqrt(2 / (np.pi * np.maximum(x, MANY)))
    return np.where(x <= 0, 1.0, np.where(x < MANY, np.minimum(exact, 1.0), root / (1 + root / 3)))


def flow(rates: Rates, phases: Phases) -> FlowStep:
    """Return what passes through each phase in a day, now."""
    thought = phases.thinking * rates.active / rates.think
    with np.errstate(divide="ignore", invalid="ignore"):
        run = np.where(rates.run > 0, np.minimum(phases.experimenting / rates.run, rates.most), thought)
        written = np.where(rates.write > 0, phases.writing * rates.active / rates.write, run)
    return FlowStep(thought, run, written)


def advance(rates: Rates, phases: Phases, days: Floats) -> tuple[Phases, FlowStep]:
    """Return the phases after so many days, and what has passed through each.

    Two half steps of backward Euler extrapolated with a whole one: second order, at rest where phases are much shorter
    than the step, and exact where nothing but thinking takes time. Where that would leave a phase negative the two
    half steps stand.
    """
    whole, moved = _implicit(rates, phases, days)
    half, first = _implicit(rates, phases, days / 2)
    twice, second = _implicit(rates, half, days / 2)
    better = Phases(*(2 * two - one for two, one in zip(twice, whole, strict=True)))
    passed = [a + b for a, b in zip(first, second, strict=True)]
    good = (better.thinking >= 0) & (better.experimenting >= 0) & (better.writing >= 0)
    moves = [2 * two - one for two, one in zip(passed, moved, strict=True)]
    for move in moves:
        good &= move >= 0
    return (
        Phases(*(np.where(good, new, safe) for new, safe in zip(better, twice, strict=True))),
        FlowStep(*(np.where(good, new, safe) for new, safe in zip(moves, passed, strict=True))),
    )


def _implicit(rates: Rates, phases: Phases, days: Floats) -> tuple[Phases, FlowStep]:
    """One step of backward Euler around the cycle think, run, write, solved in closed form.

    ``go`` of what is in a phase or comes to it passes on, ``stay`` = 1 - go; all terms are positive, so that nothing
    cancels however short or long the phases are. Where that would run more than the GPUs can do, they do what they can.
    """
    thinking, running, writing = phases
    worked, clock = np.maximum(days * rates.active, SMALLEST_RATE), np.maximum(days, SMALLEST_RATE)
    think_stay, think_go = _split(rates.think, worked)
    run_stay, run_go = _split(rates.run, clock)
    write_stay, write_go = _split(rates.write, worked)
    left = think_stay + think_go * (run_stay + run_go * write_stay)
    written = write_go * (writing + run_go * (running + think_go * thinking)) / left
    thought = think_go * (thinking + written)
    run = run_go * (running + thought)
    full = run > rates.most * days
    run = np.where(full, rates.most * days, run)
    written = np.where(full, write_go * (writing + run), written)
    thought = np.where(full, think_go * (thinking + written), thought)
    after = Phases(
        think_stay * (thinking + written),
        np.where(full, np.maximum(running + thought - run, 0.0), run_stay * (running + thought)),
        write_stay * (writing + run),
    )
    return after, FlowStep(thought, run, written)


def _split(mean: Floats, days: Floats) -> tuple[Floats, Floats]:
    return mean / (mean + days), days / (mean + days)
