"""Mean behaviour of a lab, restated by hand: nothing here is imported from the code under test."""

import math
from itertools import pairwise

import numpy as np

from tests.oracles import report


def limited_days(first: float, r: float, limit: float, doublings: int) -> list[float]:
    """Return the days of each doubling if the team doubles with software and r falls linearly to 0 at the limit."""
    effort = [(1 - n / limit) ** (-limit * math.log(2) / r) for n in range(doublings + 1)]
    days = [(effort[n + 1] - effort[n]) / 2**n for n in range(doublings)]
    return [first * each / days[0] for each in days]


def stepwise_days(first: float, r: float, step: float, doublings: int) -> list[float]:
    """Return the days of each doubling if the team grows each time that software has gained ``step`` doublings.

    ``first``: days of the first doubling with a team that grows in whole doublings. It fixes the initial effort.
    """

    def days(n: int) -> float:
        inside = [
            k * step for k in range(math.ceil(n / step - 1e-9), math.ceil((n + 1) / step)) if n < k * step < n + 1
        ]
        levels = [n, *inside, n + 1]
        return sum(
            (2 ** (high / r) - 2 ** (low / r)) / 2 ** (step * math.floor(low / step + 1e-9))
            for low, high in pairwise(levels)
        )

    return [first * days(n) / (2 ** (1 / r) - 1) for n in range(doublings)]


def deployment_days(first_run: float, k: float, begun: float, runs: int) -> list[float]:
    """Return the ends of consecutive training runs, each k times as long as the one before (row O19)."""
    return [begun + first_run * (1 - k**n) / (1 - k) for n in range(1, runs + 1)]


def written_papers(researchers: float, think: float, write: float, days: float) -> float:
    """Return the mean number of papers after ``days`` by researchers that all begin to think on day 0, then write."""
    both = 1 / think + 1 / write
    return researchers / (think + write) * (days - (1 - math.exp(-both * days)) / both)


def job_days(work: float, failures: float, restart: float, checkpoint: float, draws: int) -> np.ndarray:
    """Simulate the days of jobs that fail at a rate, return to their last checkpoint and restart."""
    chance = np.random.default_rng(1)
    found = np.zeros(draws)
    for job in range(draws):
        done, owed, spent = 0.0, 0.0, 0.0
        while True:
            life = chance.exponential(1 / failures)
            if life >= owed + work - done:
                found[job] = spent + owed + work - done
                break
            spent += life
            done += checkpoint * (max(0.0, life - owed) // checkpoint)
            owed = restart
    return found


def end_day_variation(first_papers: float, growth: float, initial: float, doublings: int) -> float:
    """Return standard deviation over mean of the total time of all doublings, with Poisson papers (row F1)."""
    papers = [first_papers * growth**i for i in range(doublings)]
    teams = [initial * 2**i for i in range(doublings)]
    mean = sum(report.poisson_months(n, team)[0] for n, team in zip(papers, teams, strict=True))
    variance = sum(report.poisson_months(n, team)[1] for n, team in zip(papers, teams, strict=True))
    return math.sqrt(variance) / mean


def effort_time_with_humans(levels: np.ndarray, r: float, humans: float, gain: float) -> np.ndarray:
    """Return the times at which software reaches ``levels`` [doublings] if AIs grow each time it gains ``gain``.

    h humans and AIs that double with software add up. The unit of time is E0 over the effort per day of the AIs of day
    0, and effort is ``E0 2^(n/r)``.
    """
    number = math.ceil(float(levels.max()) / gain - 1e-9)
    steps = np.arange(number + 1) * gain
    ends = np.union1d(np.round(steps, 12), np.round(levels, 12))
    team = humans + 2 ** (gain * np.floor(ends[:-1] / gain + 1e-9))
    times = np.concatenate([[0.0], np.cumsum(np.diff(2 ** (ends / r)) / team)])
    return times[np.searchsorted(ends, levels - 1e-9)]


def days_of_growing_humans(levels: np.ndarray, r: float, p: float, growth: float, effort: float) -> np.ndarray:
    """Return the days at which growing humans alone reach ``levels`` [doublings].

    The rate of effort is ``E0 growth^(p t/365)/effort``. ``effort`` is E0 over the effort per day of the humans of day
    0 [days].
    """
    speed = p * math.log(growth) / 365
    return np.log1p(speed * effort * (2 ** (levels * p / r) - 1)) / speed


def extrapolate(values: list[np.ndarray]) -> np.ndarray:
    """Return the limit of values at step sizes that halve each time, if the error is a power series of the step."""
    order = 1
    while len(values) > 1:
        values = [(2**order * fine - coarse) / (2**order - 1) for coarse, fine in pairwise(values)]
        order += 1
    return values[0]
