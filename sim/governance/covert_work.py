"""Compute how long covert work stays undiscovered, and what a pause gains if a lab works in secret.

The time from the start of covert work to its discovery has a Gamma distribution. Its mean is ``A/log10(N)^B`` years
for N workers, and its variance is 3.88 years times the mean. Source: the simulator dark_compute (Clymer and others,
December 2025), which fits it to 12 covert nuclear weapons programmes.
"""

import math
from dataclasses import dataclass
from typing import Final

from scipy.special import gammainc, gammaincc, gammaincinv, gammaln

from sim import growth
from sim.growth import DAYS_PER_MONTH
from sim.racing.arguments import check_number

MEAN_YEARS_OF_100: Final = 6.95
"""Mean time to discovery of 100 workers [years]."""
MEAN_YEARS_OF_1000: Final = 3.42
"""Mean time to discovery of 1,000 workers [years]."""
VARIANCE_OVER_MEAN: Final = 3.88
"""Variance of the time to discovery over its mean [years]."""
EXPONENT: Final = math.log(MEAN_YEARS_OF_100 / MEAN_YEARS_OF_1000) / math.log(3 / 2)
"""B, 1.7489, from both means."""
SCALE_YEARS: Final = MEAN_YEARS_OF_100 * 2**EXPONENT
"""A, 23.358, from both means: the mean time to discovery of 10 workers [years]."""


@dataclass(frozen=True, slots=True)
class TimeToDiscovery:
    """Hold the Gamma distribution of the time from the start of covert work to its discovery."""

    shape: float
    """Shape of the Gamma distribution."""
    scale_years: float = VARIANCE_OVER_MEAN
    """Scale of the Gamma distribution [years]."""

    def __post_init__(self) -> None:
        check_number("shape", self.shape, 0, 1e6, "Divide the mean by the scale.", above=True)
        check_number("scale_years", self.scale_years, 0, 1e6, "Divide the variance by the mean.", above=True)

    @property
    def mean_years(self) -> float:
        """Mean time to discovery [years]."""
        return self.shape * self.scale_years

    def probability_by(self, years: float) -> float:
        """Return the probability that the work is found within some years, 0 or more."""
        check_number("years", years, 0, math.inf, "Count from the start of the work.")
        return float(gammainc(self.shape, years / self.scale_years))

    def years_at(self, probability: float) -> float:
        """Return the years within which the work is found with this probability, 0 to 1 (excluded).

        With a uniform random number in place of the probability, it draws a time to discovery.
        """
        check_number("probability", probability, 0, 1 - 1e-15, "At 1 the time is infinite.")
        return float(gammaincinv(self.shape, probability)) * self.scale_years

    def hazard(self, years: float) -> float:
        """Return the rate of discovery of work that is still hidden after some years, above 0 [1/year].

        It approaches ``1/scale_years``: from below if the shape is above 1, from above otherwise.
        """
        check_number("years", years, 0, 1e9, "Count from the start of the work.", above=True)
        x = years / self.scale_years
        hidden = float(gammaincc(self.shape, x))
        if hidden < 1e-290:
            return 1 / self.scale_years
        log_density = (self.shape - 1) * math.log(x) - x - float(gammaln(self.shape))
        return math.exp(log_density) / self.scale_years / hidden


def time_to_discovery(workers: float) -> TimeToDiscovery:
    """Return the distribution of the time to discovery of a covert project with a number of workers, 2 to 1e9.

    The mean is ``A/log10(N)^B`` years. The fit is to programmes of about 100 to 1,000 workers and more; smaller numbers
    are an extrapolation.
    """
    check_number("workers", workers, 2, 1e9, "The fit needs a team.")
    return TimeToDiscovery(SCALE_YEARS / math.log10(workers) ** EXPONENT / VARIANCE_OVER_MEAN)


def explosion_day_of_hidden_lab(
    share: float, r: float, pause_day: float = 0.0, first_doubling_days: float = DAYS_PER_MONTH, p: float = 1.0
) -> float:
    """Return the day of the explosion of a lab that goes on in secret with a share of the compute from a pause on.

    Until ``pause_day`` d the law of `sim.growth` holds with the whole compute, and the explosion would be on day t*.
    From then on the research effort is ``share^p`` times that of the law, with the parallelization penalty p (1: none).
    The explosion is therefore on day ``d + (t* - d)/share^p``, which is ``t*/share`` for d = 0 and p = 1. A pause
    cannot gain more than that.

    ``share`` is above 0, up to 1; ``r`` is above 1, up to 100. ``pause_day`` is from 0 to t*.
    """
    end = _explosion_day(r, first_doubling_days, p)
    check_number("share", share, 0, 1, "Use the share of the compute that is hidden.", above=True)
    check_number("pause_day", pause_day, 0, end, "Pause before the explosion.")
    return float(pause_day + (end - pause_day) / share**p)


def days_gained_by_pause(
    share: float, r: float, pause_day: float = 0.0, first_doubling_days: float = DAYS_PER_MONTH, p: float = 1.0
) -> float:
    """Return the days by which a pause delays the explosion if a lab goes on in secret and is not found.

    It is ``(t* - d)(1/share^p - 1)``. Arguments as in `explosion_day_of_hidden_lab`.
    """
    later = explosion_day_of_hidden_lab(share, r, pause_day, first_doubling_days, p)
    return later - _explosion_day(r, first_doubling_days, p)


def probability_found_in_time(
    workers: float,
    share: float,
    r: float,
    pause_day: float = 0.0,
    first_doubling_days: float = DAYS_PER_MONTH,
    p: float = 1.0,
) -> float:
    """Return the probability that a hidden lab is found between the pause and its explosion.

    The lab has a number of ``workers``, 2 to 1e9, and hides from the pause on. Other arguments as in
    `explosion_day_of_hidden_lab`. A year is 365 days.
    """
    hidden_days = explosion_day_of_hidden_lab(share, r, pause_day, first_doubling_days, p) - pause_day
    return time_to_discovery(workers).probability_by(hidden_days / 365)


def _explosion_day(r: float, first_doubling_days: float, p: float) -> float:
    check_number("r", r, 1, 100, "Up to r = 1 there is no explosion.", above=True)
    check_number("first_doubling_days", first_doubling_days, 0, 1e9, "Use the first doubling time.", above=True)
    check_number("p", p, 0.01, 1, "1 is no parallelization penalty.")
    return growth.explosion_time(first_doubling_days, float(growth.doubling_ratio(r, p)))
