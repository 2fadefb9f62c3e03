"""Compute the classical patent races: firms that buy a chance to be first.

A firm that spends x makes the discovery at the rate ``h(x) = k sqrt(x)`` per year, and the first of n firms gets the
prize. `loury`: x is paid once, at the start. `lee_wilde`: x is paid per year until the first discovery. In Loury's
race spending per firm falls with n from n = 2 on; in that of Lee and Wilde it rises. Firms are equal, and each chooses
the best x given those of the others (symmetric Nash equilibrium).

`time_level` has the step-by-step race of a leader and a follower. Time is in years; any other unit works as well, if
the interest and the rates are per that unit. Sources: Loury, *Market structure and innovation*, QJE, 1979. Lee and
Wilde, *Market structure and innovation: a reformulation*, QJE, 1980. Aghion, Bloom, Blundell, Griffith and Howitt,
*Competition and innovation: an inverted-U relationship*, QJE, 2005.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from sim.racing.arguments import check_count, check_number

Payment = Literal["once", "per year"]
Floats = NDArray[np.float64]

MAX_FIRMS: Final = 10_000
MAX_RUNS: Final = 10_000_000


class PatentEquilibrium(NamedTuple):
    """Symmetric equilibrium of a patent race."""

    spending: float
    """Spending of each firm, x: once, or per year until the first discovery."""
    hazard: float
    """Rate of discovery of each firm, h [1/year]."""
    mean_date: float
    """Mean time to the first discovery [years], 1/(n h)."""
    profit: float
    """Expected discounted profit of each firm."""


class DrawnPatentRaces(NamedTuple):
    """Independent patent races, one element (or row) a run."""

    date: Floats
    """Time of the first discovery [years]."""
    winner: NDArray[np.intp]
    """Index of the firm that makes it."""
    profit: Floats
    """Discounted profit of each firm: runs by firms."""


@dataclass(frozen=True)
class PatentRace:
    """Terms of a patent race. Raises ValueError for a number outside of its range."""

    payment: Payment
    """`once` is Loury's race, `per year` that of Lee and Wilde."""
    prize: float
    """Value of the patent on the day of the discovery, V: above 0, up to 1e12, in the unit of spending."""
    interest: float
    """Discount rate, r [1/year]: 1e-6 to 100."""
    productivity: float
    """k in h = k sqrt(x) [1/year per square root of spending]: 1e-6 to 1e6."""

    def __post_init__(self) -> None:
        if self.payment not in ("once", "per year"):
            raise ValueError(f"payment = '{self.payment}' is unknown; allowed: once, per year. Use one of them")
        check_number("prize", self.prize, 0, 1e12, "Use a positive prize.", above=True)
        check_number("interest", self.interest, 1e-6, 100, "Use a rate per year.")
        check_number("productivity", self.productivity, 1e-6, 1e6, "Use a positive rate.")

    def hazard(self, spending: float) -> float:
        """Return the rate of discovery [1/year] of a firm that spends x (0 or more): k sqrt(x)."""
        check_number("spending", spending, 0, 1e300, "Spend 0 or more.")
        return self.productivity * math.sqrt(spending)

    def expected_profit(self, spending: float, hazard_of_others: float) -> float:
        """Return the expected discounted profit of a firm.

        With its hazard h and that of all others together, a: ``h V/(a + r + h) - x`` if x is paid once, and ``(h V -
        x)/(a + r + h)`` if it is paid per year. ``hazard_of_others`` is 0 or more [1/year].
        """
        check_number("hazard_of_others", hazard_of_others, 0, 1e300, "Add the rates of the other firms.")
        own = self.hazard(spending)
        total = hazard_of_others + self.interest + own
        if self.payment == "once":
            return own * self.prize / total - spending
        return (own * self.prize - spending) / total

    def equilibrium(self, firms: int) -> PatentEquilibrium:
        """Return the symmetric equilibrium of 1 to 10,000 firms.

        With x = (h/k)^2 the first-order condition is a polynomial in h with one positive root. Paid once:
        ``V k^2 ((n - 1) h + r) = 2 h (n h + r)^2``. Paid per year: ``(2n - 1) h^2 + (2r - V k^2 (n - 1)) h = V k^2 r``.
        """
        n = check_count("firms", firms, 1, MAX_FIRMS, "A race needs a firm.")
        r, value = self.interest, self.prize * self.productivity**2
        if self.payment == "once":
            hazard = _positive_root(lambda h: 2 * h * (n * h + r) ** 2 - value * ((n - 1) * h + r))
        else:
            hazard = _positive_root(lambda h: (2 * n - 1) * h**2 + (2 * r - value * (n - 1)) * h - value * r)
        spending = (hazard / self.productivity) ** 2
        return PatentEquilibrium(spending, hazard, 1 / (n * hazard), self.expected_profit(spending, (n - 1) * hazard))

    def simulate(self, generator: np.random.Generator, spending: Sequence[float], runs: int) -> DrawnPatentRaces:
        """Draw the race of firms with the given spending (positive): the first date, its firm, and all profits."""
        check_count("len(spending)", len(spending), 1, MAX_FIRMS, "A race needs a firm.")
        check_number("spending", spending, 0, 1e300, "Leave out firms that spend nothing.", above=True)
        check_count("runs", runs, 1, MAX_RUNS, "Draw at least one run.")
        paid = np.asarray(spending, dtype=float)
        dates = generator.standard_exponential((runs, len(paid))) / (self.productivity * np.sqrt(paid))
        winner = dates.argmin(axis=1)
        date = dates.min(axis=1)
        discount = np.exp(-self.interest * date)
        duration = 1.0 if self.payment == "once" else (1 - discount[:, None]) / self.interest
        profit = -paid * duration * np.ones((runs, 1))
        profit[np.arange(runs), winner] += self.prize * discount
        return DrawnPatentRaces(date, winner, profit)


def loury(firms: int, prize: float, interest: float, productivity: float) -> PatentEquilibrium:
    """Return the equilibrium of Loury's race, in which spending is paid once. Ranges are those of `PatentRace`."""
    return PatentRace("once", prize, interest, productivity).equilibrium(firms)


def lee_wilde(firms: int, prize: float, interest: float, productivity: float) -> PatentEquilibrium:
    """Return the equilibrium of the race of Lee and Wilde, with spending per year. Ranges as for `PatentRace`."""
    return PatentRace("per year", prize, interest, productivity).equilibrium(firms)


def time_level(level_rate: float, follower_rate: float, copy_rate: float) -> float:
    """Return the share of time in which two firms of a step-by-step race are level.

    Level firms innovate at ``level_rate`` n0 each [1/year, above 0]. A follower catches up at ``follower_rate`` n1 by
    its own work plus ``copy_rate`` h by copying, 0 or more with a positive sum. A leader is never two steps ahead. The
    share is ``(n1 + h)/(2 n0 + n1 + h)``. Source: Aghion et al., 2005.
    """
    catch_up = _checked_steps(level_rate, follower_rate, copy_rate)
    return catch_up / (2 * level_rate + catch_up)


def simulate_time_level(
    generator: np.random.Generator, level_rate: float, follower_rate: float, copy_rate: float, rounds: int
) -> float:
    """Draw rounds of a step-by-step race and return the share of time in which the firms are level.

    A round is a time until a firm takes the lead and a time until the other catches up. Ranges are those of
    `time_level`; ``rounds`` is 1 to 10 million.
    """
    catch_up = _checked_steps(level_rate, follower_rate, copy_rate)
    check_count("rounds", rounds, 1, MAX_RUNS, "Draw at least one round.")
    level = generator.exponential(1 / level_rate, (rounds, 2)).min(axis=1).sum()
    apart = generator.exponential(1 / catch_up, rounds).sum()
    return float(level / (level + apart))


def _positive_root(polynomial: Callable[[float], float]) -> float:
    """Return the positive root of a polynomial that is negative at 0 and has one change of sign."""
    high = 1e-12
    while polynomial(high) <= 0:
        high *= 2
    return float(brentq(polynomial, 0.0, high, xtol=1e-300, rtol=1e-14, maxiter=500))


def _checked_steps(level_rate: float, follower_rate: float, copy_rate: float) -> float:
    """Return the rate at which a follower catches up [1/year]."""
    check_number("level_rate", level_rate, 0, 1e9, "Use a positive rate.", above=True)
    check_number("follower_rate", follower_rate, 0, 1e9, "Use a rate per year.")
    check_number("copy_rate", copy_rate, 0, 1e9, "Use a rate per year.")
    check_number("follower_rate + copy_rate", follower_rate + copy_rate, 0, 2e9, "Let the follower move.", above=True)
    return follower_rate + copy_rate
