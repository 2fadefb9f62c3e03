"""The report's arithmetic, restated by hand: nothing here is imported from the code under test.

Row numbers (O1, F1, ...) are those that `asara reproduce` prints.
"""

import math

MONTH = 365 / 12


def toy_doubling_months(first_papers: float, growth: float, i: int) -> float:
    """Months of doubling i = 0, 1, ... in the toy model: P m^i papers by 2^i researchers, one a month each."""
    return first_papers * growth**i / 2**i


def ratio(r: float, p: float = 1.0) -> float:
    """Return each doubling time over the one before: footnotes 23, 25 and 27."""
    effort_per_doubling = 2 ** (1 / r)
    return (effort_per_doubling / 2) ** p


def doublings_within(days: float, first: float, r: float) -> float:
    """Return the doublings after ``days``, from S(t) = [1 + (q - 1) t/T1]^(r/(1 - r))."""
    if r == 1:
        return days / first
    return math.log2(1 + (ratio(r) - 1) * days / first) * r / (1 - r)


def explosion_day(first: float, r: float) -> float:
    """Return the sum of all doubling times [days]."""
    return first / (1 - ratio(r))


def effort_to(doublings: float, r: float, limit: float, steps: int = 200_000) -> float:
    """Return log2 of effort over initial effort if r falls linearly to 0 at the limit, by the midpoint rule."""
    width = doublings / steps
    return sum(width / (r * (1 - (k + 0.5) * width / limit)) for k in range(steps))


def whole_paper_months(first_papers: int, growth: int, i: int) -> int:
    """F2: papers take a month each and all start together: ceil(papers / researchers) months."""
    return -(-first_papers * growth**i // 2**i)


def poisson_months(papers: int, researchers: int) -> tuple[float, float]:
    """F1: mean and variance of the months that n papers take N researchers: Gamma(n, rate N)."""
    return papers / researchers, papers / researchers**2
