"""Compute the lead of one lab over another by the growth law: head starts, leaks and mergers.

Each lab follows the law of `sim.growth` without a penalty, ``S = (E/E0)^r`` and ``dE/dt ~ S``, with the time T1 of the
first doubling. Software is 1 on a lab's own day 0. Days are calendar days; any other unit of time works as well.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim import growth
from sim.growth import DAYS_PER_MONTH
from sim.racing.arguments import check_count, check_number

MAX_LABS: Final = 10_000
MAX_DOUBLINGS: Final = 1_000.0


def software_ratio(day: float, head_start_days: float, r: float, first_doubling_days: float = DAYS_PER_MONTH) -> float:
    """Return the software of a leader over that of a follower that starts later with the same law.

    ``day`` is the leader's day: the follower starts, with software 1, when the leader is at ``head_start_days``. The
    ratio is ``S(day)/S(day - head start)``. It falls to 1 for r < 1, is constant at r = 1 and grows without limit for
    r > 1. ``day`` is from the head start to the leader's explosion, which is excluded. ``r`` is 0.01 to 100.
    """
    _check_law(r, first_doubling_days)
    check_number("head_start_days", head_start_days, 0, 1e9, "Name the lab that starts first as the leader.")
    check_number("day", day, head_start_days, 1e9, "Use a day on which both labs work.")
    ratio = float(growth.doubling_ratio(r))
    end = growth.explosion_time(first_doubling_days, ratio)
    if day >= end:
        raise ValueError(f"day = {day:g} is after the leader's explosion; allowed: below {end:g}. Use an earlier day")
    ahead = growth.software_at(day, first_doubling_days, ratio)
    behind = growth.software_at(day - head_start_days, first_doubling_days, ratio)
    return float(2.0 ** (ahead - behind))


def software_ratio_before_explosion(days_before: float, head_start_days: float, r: float) -> float:
    """Return the ratio of `software_ratio` a number of days before the leader's explosion.

    It is ``(1 + head_start/days_before)^(r/(r - 1))``, whatever the first doubling time. ``r`` is above 1, up to 100;
    ``days_before`` is above 0.
    """
    check_number("r", r, 1, 100, "Up to r = 1 there is no explosion.", above=True)
    check_number("head_start_days", head_start_days, 0, 1e9, "Name the lab that starts first as the leader.")
    check_number("days_before", days_before, 0, 1e9, "Use a day before the explosion.", above=True)
    return math.exp(r / (r - 1) * math.log1p(head_start_days / days_before))


def days_of_software_lead(
    ratio: float, r: float, doublings_of_follower: float = 0.0, first_doubling_days: float = DAYS_PER_MONTH
) -> float:
    """Return the days by which a lab with ``ratio`` times the software of a follower is ahead.

    It is the time that the follower takes to multiply its software by ``ratio``: ``T1 (q^(n + log2 ratio) - q^n)/(q -
    1)`` with its doublings n and the ratio q of doubling times. A head start in days keeps its days. A head start in
    software therefore depends on the date on which it is given: for r > 1 the same ratio is worth fewer days later.
    ``ratio`` is 1 or more; ``doublings_of_follower`` 0 to 1000. ``r`` is 0.01 to 100.
    """
    _check_law(r, first_doubling_days)
    check_number("ratio", ratio, 1, 1e300, "Divide the leader's software by the follower's.")
    check_number("doublings_of_follower", doublings_of_follower, 0, MAX_DOUBLINGS, "Use fewer doublings.")
    q = float(growth.doubling_ratio(r))
    first = first_doubling_days * q**doublings_of_follower
    return float(growth.time_of_doubling(math.log2(ratio), first, q))


def software_ratio_after_software_lead(
    days: float, ratio: float, r: float, first_doubling_days: float = DAYS_PER_MONTH
) -> float:
    """Return the ratio of software some days after a leader had ``ratio`` times that of a follower at software 1.

    The leader is ahead by `days_of_software_lead`. ``days`` count from the day on which the follower has software 1;
    they end with the leader's explosion. Other ranges are those of `software_ratio` and `days_of_software_lead`.
    """
    check_number("days", days, 0, 1e9, "Count days from the start of the follower.")
    lead = days_of_software_lead(ratio, r, 0.0, first_doubling_days)
    return software_ratio(days + lead, lead, r, first_doubling_days)


def first_doubling_with_leaks(labs: int, leak: float, first_doubling_days: float = DAYS_PER_MONTH) -> float:
    """Return the days of the first doubling of each of n equal labs whose effort leaks to the others.

    Each unit of effort adds ``leak`` (0 to 1) to the effort of every other lab. The time is ``T1/(1 + leak (n - 1))``.
    r and the ratio of doubling times do not change. What leaks is discovered software, at once; a leak of deployed
    software waits for a training run. ``labs`` is 1 to 10,000.
    """
    check_count("labs", labs, 1, MAX_LABS, "Use at least one lab.")
    _check_leak(leak, first_doubling_days)
    return first_doubling_days / (1 + leak * (labs - 1))


def software_with_leaks_at_unit_returns(
    software: Sequence[float], leak: float, days: float, first_doubling_days: float = DAYS_PER_MONTH
) -> NDArray[np.float64]:
    """Return the software of labs after some days at r = 1, if effort leaks as in `first_doubling_with_leaks`.

    Software equals effort at r = 1, so that ``dE_i/dt = c (E_i + leak sum_(j != i) E_j)`` with ``c = ln 2/T1`` is
    linear. The mean of all labs grows at the rate ``c (1 + leak (n - 1))``, differences from it at ``c (1 - leak)``.
    ``software`` are the positive levels of day 0; T1 is the doubling time of a lab alone. ``days`` is 0 or more, up to
    500 doublings of the mean.
    """
    check_count("len(software)", len(software), 1, MAX_LABS, "Use at least one lab.")
    check_number("software", software, 0, 1e100, "Use positive levels.", above=True)
    _check_leak(leak, first_doubling_days)
    levels = np.asarray(software, dtype=float)
    doublings = days / first_doubling_days
    rate = 1 + leak * (len(levels) - 1)
    check_number("days", days, 0, 500 * first_doubling_days / rate, "Use fewer days.")
    mean = levels.mean()
    return np.asarray(mean * 2.0 ** (doublings * rate) + (levels - mean) * 2.0 ** (doublings * (1 - leak)))


def merger_speed(researchers: Sequence[float], p: float) -> float:
    """Return the pace of research of merged labs over that of the same labs apart, if those share everything.

    With the parallelization penalty p, n researchers achieve n^p. The ratio is ``(sum n_i)^p/sum n_i^p``, which is
    ``k^(p - 1)`` for k equal labs. A merger is thus slower than full sharing for p < 1. It does not count the work that
    labs apart do twice. ``researchers`` are positive; ``p`` is 0.01 to 1.
    """
    check_count("len(researchers)", len(researchers), 1, MAX_LABS, "Use at least one lab.")
    check_number("researchers", researchers, 0, 1e100, "Leave out labs without researchers.", above=True)
    check_number("p", p, 0.01, 1, "1 is no penalty.")
    sizes = np.asarray(researchers, dtype=float)
    return float(sizes.sum() ** p / (sizes**p).sum())


def _check_law(r: float, first_doubling_days: float) -> None:
    check_number("r", r, 0.01, 100, "Use returns of the growth law.")
    check_number("first_doubling_days", first_doubling_days, 0, 1e9, "Use a positive time.", above=True)


def _check_leak(leak: float, first_doubling_days: float) -> None:
    check_number("leak", leak, 0, 1, "Use the share of effort that reaches each other lab.")
    check_number("first_doubling_days", first_doubling_days, 0, 1e9, "Use a positive time.", above=True)
