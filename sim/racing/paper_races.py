"""Compute which of two labs first writes a number of papers, or first reaches a number of doublings.

Papers come as a Poisson process in each lab, independently. A paper of one lab is of no use to the other: leaks are in
`sim.racing.leads`.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from sim.racing.arguments import check_count, check_number
from sim.racing.gil_pelaez import probability_negative

MAX_RUNS: Final = 100_000_000
MAX_PAPERS: Final = 1_000_000
MAX_STEPS: Final = 5_000
"""Largest number of papers of a lab in `probability_first_to_finish`, whose cost is the product of both numbers."""
MAX_DOUBLINGS: Final = 60


def probability_first_to(papers: int, share: float, papers_of_other: int | None = None) -> float:
    """Return the probability that a lab writes its papers before the other lab writes its own.

    ``share`` is the lab's share of the papers per day of both, from 0 to 1. With k papers for both it is the
    regularized incomplete beta function ``I_share(k, k)``, otherwise ``I_share(k, l)``. ``papers`` is k, 1 to a
    million; ``papers_of_other`` is l, by default k. The k-th paper of a Poisson process comes before the l-th of
    another exactly if k of the first k + l - 1 papers are its own. Source: the problem of points (Pascal and
    Fermat, 1654).
    """
    own, other = _checked_papers(papers, share, papers_of_other)
    return float(betainc(own, other, share))


def simulate_first_to(
    generator: np.random.Generator, papers: int, share: float, runs: int, papers_of_other: int | None = None
) -> NDArray[np.bool_]:
    """Draw the race of `probability_first_to` and return whether the lab is first, one element a run.

    The date of the k-th paper is drawn from its Gamma distribution. ``share`` is above 0 and below 1 here.
    """
    own, other = _checked_papers(papers, share, papers_of_other)
    check_count("runs", runs, 1, MAX_RUNS, "Draw at least one run.")
    with np.errstate(divide="ignore"):
        date = generator.gamma(own, size=runs) / np.float64(share)
        date_of_other = generator.gamma(other, size=runs) / np.float64(1 - share)
    return np.asarray(date < date_of_other)


def probability_first_to_finish(rates: Sequence[float], rates_of_other: Sequence[float]) -> float:
    """Return the probability that a lab takes all its steps before the other lab takes its own.

    ``rates`` are the lab's steps per day (any unit of time), one per step and positive; at most 5,000 steps. Steps take
    exponential times. The lab that takes the next step is the first with probability ``a/(a + b)``, whence a recursion
    over the steps that are left. The result is exact; the cost is the product of the two numbers of steps.
    """
    for name, steps in (("rates", rates), ("rates_of_other", rates_of_other)):
        check_count(f"len({name})", len(steps), 1, MAX_STEPS, "Use fewer papers, or simulate the race.")
        check_number(name, steps, 0, 1e300, "Give positive rates.", above=True)
    after = [1.0] * len(rates_of_other) + [0.0]
    for own in reversed(rates):
        probability = 0.0
        current = [0.0] * len(after)
        for step in range(len(rates_of_other) - 1, -1, -1):
            win = own / (own + rates_of_other[step])
            probability = win * after[step] + (1 - win) * probability
            current[step] = probability
        after = current
    return after[0]


def rates_of_papers(researchers: float, first_papers: float, growth: float, doublings: int) -> list[float]:
    """Return the papers per month at each paper of the report's toy model, with whole papers.

    The team has ``researchers`` on day 0, each of whom writes a paper a month, and doubles with software. Doubling i
    (from 0) is complete when ``first_papers (1 + m + ... + m^i)`` papers are written, rounded up. ``growth`` is m.
    Ranges are those of `probability_first_in_toy`; the papers are at most 5,000.
    """
    _check_toy(researchers, first_papers, growth, doublings)
    rates: list[float] = []
    for doubling in range(doublings):
        needed = sum(first_papers * growth**each for each in range(doubling + 1))
        check_number("papers", needed, 1, MAX_STEPS, "Use fewer doublings.")
        rates += [researchers * 2.0**doubling] * (math.ceil(needed - 1e-9) - len(rates))
    return rates


def probability_first_in_toy(
    researchers: float, researchers_of_other: float, doublings: int, first_papers: float = 2.0, growth: float = 1.5
) -> float:
    """Return the probability that a lab of the report's toy model reaches a number of doublings first.

    Doubling i (from 0) takes ``first_papers growth^i`` papers, written by ``researchers 2^i`` people, one a month each.
    It takes a Gamma-distributed time with that shape, which need not be whole, and that rate. The probability follows
    from the characteristic functions (`sim.racing.gil_pelaez`), with an error below 1e-9. With whole papers it differs
    a little: use `rates_of_papers` with `probability_first_to_finish`.

    ``researchers`` are above 0, up to 1e9; ``doublings`` 1 to 60; ``first_papers`` 1 to 1e6. ``growth`` is 1 to 1000:
    1.5 is the report's explosion, 3 its fizzle. Source: Eth and Davidson, 2025, the toy model.
    """
    _check_toy(researchers, first_papers, growth, doublings)
    _check_toy(researchers_of_other, first_papers, growth, doublings, "researchers_of_other")
    shapes = first_papers * growth ** np.arange(doublings, dtype=float)
    rates = researchers * 2.0 ** np.arange(doublings)
    rates_of_other = researchers_of_other * 2.0 ** np.arange(doublings)

    def log_characteristic(u: NDArray[np.float64]) -> NDArray[np.complex128]:
        own = np.log1p(-1j * u[:, None] / rates)
        other = np.log1p(1j * u[:, None] / rates_of_other)
        return -np.asarray((own + other) @ shapes, dtype=complex)

    mean = float(np.sum(shapes / rates - shapes / rates_of_other))
    variance = float(np.sum(shapes / rates**2 + shapes / rates_of_other**2))
    return probability_negative(log_characteristic, mean, variance)


def simulate_toy_dates(
    generator: np.random.Generator,
    researchers: float,
    doublings: int,
    runs: int,
    first_papers: float = 2.0,
    growth: float = 1.5,
) -> NDArray[np.float64]:
    """Draw the months until a lab of `probability_first_in_toy` has its doublings, one element a run."""
    _check_toy(researchers, first_papers, growth, doublings)
    check_count("runs", runs, 1, MAX_RUNS, "Draw at least one run.")
    dates = np.zeros(runs)
    for doubling in range(doublings):
        dates += generator.gamma(first_papers * growth**doubling, 1 / (researchers * 2.0**doubling), runs)
    return dates


def _checked_papers(papers: int, share: float, papers_of_other: int | None) -> tuple[int, int]:
    own = check_count("papers", papers, 1, MAX_PAPERS, "A race needs a paper.")
    other = papers if papers_of_other is None else papers_of_other
    check_count("papers_of_other", other, 1, MAX_PAPERS, "A race needs a paper.")
    check_number("share", share, 0, 1, "Use the lab's share of the papers per day.")
    return own, other


def _check_toy(
    researchers: float, first_papers: float, growth: float, doublings: int, name: str = "researchers"
) -> None:
    check_number(name, researchers, 0, 1e9, "Use a positive number.", above=True)
    check_number("first_papers", first_papers, 1, 1e6, "A doubling takes a paper or more.")
    check_number("growth", growth, 1, 1000, "Papers per doubling do not fall.")
    check_count("doublings", doublings, 1, MAX_DOUBLINGS, "Use fewer doublings.")
