"""Compute the mean flow of papers through thinking, experiments and writing.

All functions are pure and take arrays with one element per lab.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy.special import gammainc, gammaln, ndtr

from hardware.cluster.reliability import checkpoint_interval, job_time
from sim.fluid.lab_arrays import VARIATIONS, Floats, LabArrays

MIN_RATE = 1e-300
EFFECTIVELY_INFINITE = 1e200
"""Duration of a job that never ends [days], and a number of jobs above any real one."""
MANY_PER_QUESTION = 1e6
"""Researchers per open question from which the asymptotic expansion is as exact as the sum in floating point."""


class Experiments(NamedTuple):
    """Mean duration and mean cost of an experiment."""

    days: Floats
    """Mean time on its GPUs [days]."""
    gpu_days: Floats
    """Mean GPU time [GPU-days]."""


class Phases(NamedTuple):
    """Number of researchers in each phase, inactive ones included: they resume the phase when they are active again."""

    thinking: Floats
    experimenting: Floats
    """Researchers whose experiment waits or runs."""
    writing: Floats


class Rates(NamedTuple):
    """Mean durations of the phases, and the limits on them."""

    active: Floats
    """Share of the researchers that is active; the others neither think nor write."""
    think: Floats
    """Mean time of thinking [days]."""
    run: Floats
    """Mean time of an experiment on its GPUs [days]."""
    write: Floats
    """Mean time of writing [days]."""
    most: Floats
    """Largest number of experiments that the GPUs can complete per day."""


class FlowStep(NamedTuple):
    """Number of papers that completed each phase."""

    thought: Floats
    """Papers that completed thinking."""
    run: Floats
    """Papers that completed their experiment."""
    written: Floats
    """Papers that completed writing."""


def experiments(labs: LabArrays, discovered: Floats, work_rate: Floats) -> Experiments:
    """Return the mean duration and cost of an experiment at ``discovered`` doublings of software.

    The mean is over the distribution of costs. An experiment runs on one GPU if it then takes at most
    ``experiment_days``; each doubling of its GPUs doubles that limit of the cost. The largest number of GPUs takes the
    rest (agents.work_model.gpus_to_ask). A cost c on g GPUs takes ``c/g`` days, divided by the work rate and extended
    by failures.
    """
    mean = labs.cost * np.exp2(-labs.cheaper * discovered)
    sizes = _gang_sizes(labs)
    gangs = np.minimum(sizes, labs.gang)
    edges = np.where(sizes >= labs.gang, np.inf, sizes * labs.patience)
    share, number = _share_below(labs, edges, mean)
    share[1:], number[1:] = share[1:] - share[:-1], number[1:] - number[:-1]
    unused = sizes >= 2 * labs.gang
    part, jobs = np.where(unused, 0.0, share), np.where(unused, 0.0, number)
    length = mean * part / (gangs * np.maximum(jobs, MIN_RATE) * work_rate)
    held = np.where(length > 0, job_days(labs, gangs, length) * gangs * jobs, 0.0)
    days, gpu_days = _sum_rows(held / gangs), _sum_rows(held)
    return Experiments(np.minimum(days, EFFECTIVELY_INFINITE), np.minimum(gpu_days, EFFECTIVELY_INFINITE))


def _gang_sizes(labs: LabArrays) -> Floats:
    """Return 1, 2, 4 and so on, up to the first that is at least the largest gang, as a column."""
    largest = int(labs.gang.max())
    return np.ldexp(1.0, np.arange((largest - 1).bit_length() + 1))[:, np.newaxis]


def _sum_rows(table: Floats) -> Floats:
    """Return the sum of the rows, added in order: `numpy.sum` may round differently for other numbers of columns."""
    return reduce(np.add, table)


def _share_below(labs: LabArrays, edge: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """Return the share of all GPU-days, and of all experiments, with costs up to an edge."""
    x = edge / np.maximum(mean, MIN_RATE)
    with np.errstate(divide="ignore"):
        z, half = np.log(x) / labs.sigma, labs.sigma / 2
    fixed, exponential = (labs.variation == VARIATIONS.index(kind) for kind in ("fixed", "exponential"))
    share, number = ndtr(z - half), ndtr(z + half)
    if exponential.any():  # computed only if needed, because it is slow
        share = np.where(exponential, gammainc(2.0, x), share)
        number = np.where(exponential, -np.expm1(-x), number)
    cheap = (x >= 1).astype(float)
    share, number = np.where(fixed, cheap, share), np.where(fixed, cheap, number)
    return share, number


def job_days(labs: LabArrays, gpus: Floats, days: Floats) -> Floats:
    """Return the mean duration of a job with failures, for ``days`` of work on these GPUs [days].

    See hardware.cluster.reliability.job_time.
    """
    life = np.where(labs.failures > 0, 1 / np.maximum(labs.failures, MIN_RATE), 0.0)
    interval = checkpoint_interval(labs.checkpoint, labs.checkpoint_cost, life, gpus)
    return np.asarray(job_time(days, gpus * labs.failures, interval, labs.checkpoint_cost, labs.restart))


def share_not_duplicate(researchers: Floats, questions: Floats) -> Floats:
    """Return the share of papers that are not duplicates, for ``researchers`` active on ``questions`` open questions.

    Work is memoryless, on a question drawn from the open ones. The first answer closes the question, and each later
    answer is a duplicate. Researchers start on an open question at rate a and publish at rate k. The question is still
    open after a time u with probability ``exp(-a (u - (1 - e^(-k u))/k))``. With x = a/k researchers per question, the
    mean time, in units of 1/k, is ``e^x x^(-x) gamma(x, x)``. One in x times that number of papers is new, which is
    about ``sqrt(2/(pi x))`` for large x.
    """
    x = researchers / questions
    few = np.clip(x, MIN_RATE, MANY_PER_QUESTION)
    log_life = few - few * np.log(few) + gammaln(few) + np.log(np.maximum(gammainc(few, few), MIN_RATE))
    exact = np.exp(-log_life - np.log(few))
    root = np.sqrt(2 / (np.pi * np.maximum(x, MANY_PER_QUESTION)))
    return np.where(x <= 0, 1.0, np.where(x < MANY_PER_QUESTION, np.minimum(exact, 1.0), root / (1 + root / 3)))


def phase_rates(rates: Rates, phases: Phases) -> FlowStep:
    """Return the papers that complete each phase per day, at the present state."""
    thought = phases.thinking * rates.active / rates.think
    with np.errstate(divide="ignore", invalid="ignore"):
        run = np.where(rates.run > 0, np.minimum(phases.experimenting / rates.run, rates.most), thought)
        written = np.where(rates.write > 0, phases.writing * rates.active / rates.write, run)
    return FlowStep(thought, run, written)


def advance(rates: Rates, phases: Phases, days: Floats) -> tuple[Phases, FlowStep]:
    """Return the phases after ``days``, and the papers that completed each.

    Two half steps of backward Euler are extrapolated with one whole step. The method is of second order. It is stable
    if phases are much shorter than the step, and exact if only thinking takes time. If the extrapolation makes a phase
    negative, the two half steps are used instead.
    """
    whole, moved = _backward_euler(rates, phases, days)
    half, first = _backward_euler(rates, phases, days / 2)
    twice, second = _backward_euler(rates, half, days / 2)
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


def _backward_euler(rates: Rates, phases: Phases, days: Floats) -> tuple[Phases, FlowStep]:
    """Take one step of backward Euler around the cycle think, run, write, solved in closed form.

    Of the papers that are in a phase or enter it, the share ``go`` leaves it and the share ``stay`` = 1 - go remains.
    All terms are positive, so that rounding errors do not grow for very short or long phases. The number of experiments
    is limited to the capacity of the GPUs.
    """
    thinking, running, writing = phases
    worked, clock = np.maximum(days * rates.active, MIN_RATE), np.maximum(days, MIN_RATE)
    think_stay, think_go = _stay_and_go(rates.think, worked)
    run_stay, run_go = _stay_and_go(rates.run, clock)
    write_stay, write_go = _stay_and_go(rates.write, worked)
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


def _stay_and_go(mean: Floats, days: Floats) -> tuple[Floats, Floats]:
    return mean / (mean + days), days / (mean + days)
