"""Compute when rules on the pace of software ring under the growth law, and the time that is then left.

The law is that of `sim.growth`, given by the time of the first doubling T1 and the ratio q of each doubling time to the
one before. `growth.doubling_ratio` gives q for r. Software is 1 (0 doublings) at time 0, when full automation starts.
The pace is doublings per unit of time. Any unit of time works if all arguments use it.
"""

import math
from typing import Final, NamedTuple

from scipy.optimize import brentq

from sim import growth
from sim.racing.arguments import check_number

CHAN_RATIO: Final = 2.0**-0.39
"""Ratio of doubling times by Chan et al., arXiv 2609.36054, 2026. It is 0.763, so that r = 1.639 without a penalty."""
CHAN_FIRST_DOUBLING_MONTHS: Final = 4.5
"""First doubling time of Chan et al., arXiv 2609.36054, 2026 [months]."""

_TOLERANCE: Final = 1e-9
"""Relative tolerance for rounding: progress this close below the threshold has reached it, as in `WindowRule`."""


class PaceMark(NamedTuple):
    """State of an explosion when the pace reaches a multiple of the pace at time 0."""

    time: float
    """Time since 0, ``t* (1 - 1/k)``."""
    time_left: float
    """Time left to the explosion, ``t*/k``."""
    doublings: float
    """Software [doublings]. Software is ``k^(r/(r - 1))`` without a penalty."""


def mark_of_pace(multiple: float, first: float, ratio: float) -> PaceMark:
    """Return when the pace is ``multiple`` k times that at time 0, and what is then left.

    The pace is ``t*/(t* - t)`` times that at time 0, with the explosion at ``t* = T1/(1 - q)``. ``multiple`` is 1 or
    more; ``first`` is T1. ``ratio`` is q, above 0 and below 1: otherwise the pace never rises. Software is then
    ``log2(k)/log2(1/q)`` doublings.
    """
    check_number("multiple", multiple, 1, 1e12, "The pace does not fall below that at time 0.")
    _check_law(first, ratio, explosive=True)
    end = growth.explosion_time(first, ratio)
    return PaceMark(end * (1 - 1 / multiple), end / multiple, -math.log2(multiple) / math.log2(ratio))


def window_rule_alarm(
    window: float, multiple: float, reference_pace: float, first: float, ratio: float, reading_lag: float = 0.0
) -> float:
    """Return when a window rule rings under the law; ``inf`` if it never does.

    Software grows at ``reference_pace`` g0 before time 0 and by the law from then on. The rule rings when progress over
    ``window`` W reaches ``multiple`` m0 times ``g0 W``. Readings are exact and continuous, and are known after
    ``reading_lag``. For q < 1 the time may be after the explosion at ``growth.explosion_time``, because of the lag. A
    rule on recent progress rings for q >= 1 as well, if the first doubling is fast compared with g0.

    ``multiple`` is above 1; the other arguments are positive, and the lag may be 0. ``ratio`` is q, up to 1000.
    """
    check_number("window", window, 0, 1e9, "Give a positive time.", above=True)
    check_number("multiple", multiple, 1, 1e9, "At 1 the rule rings before time 0.", above=True)
    check_number("reference_pace", reference_pace, 0, 1e9, "Use the pace before time 0.", above=True)
    check_number("reading_lag", reading_lag, 0, 1e9, "Use 0 for readings without a lag.")
    _check_law(first, ratio)

    def excess(time: float) -> float:
        """Return progress over the window, less the progress at which the rule rings [doublings]."""
        past = time - window
        before = float(growth.software_at(past, first, ratio)) if past > 0 else past * reference_pace
        return float(growth.software_at(time, first, ratio)) - before - multiple * reference_pace * window

    latest = _time_of_most_progress(window, reference_pace, first, ratio)
    most = excess(latest)
    if most > 0:
        return float(brentq(excess, 0.0, latest, xtol=1e-12 * latest, rtol=1e-14)) + reading_lag
    if most > -_TOLERANCE * multiple * reference_pace * window:
        return latest + reading_lag
    return growth.explosion_time(first, ratio) + reading_lag


def _time_of_most_progress(window: float, reference_pace: float, first: float, ratio: float) -> float:
    """Return when progress over the window is largest.

    For q < 1 progress over the window rises without limit until the explosion; the result is just before it. For q = 1
    progress is constant from W on. For q > 1 it rises until W, or until the pace has fallen to the reference pace.
    """
    if ratio < 1:
        return growth.explosion_time(first, ratio) * (1 - 1e-15)
    if ratio == 1:
        return window
    fall = (ratio - 1) / (first * reference_pace * math.log(ratio))  # first pace over the reference pace
    return min(window, first * max(0.0, fall - 1) / (ratio - 1))


def time_before_level(doublings: float, alarm: float, first: float, ratio: float) -> float:
    """Return the lead time: from an alarm to the time at which software reaches a level [doublings].

    It is negative if the alarm comes after the level. An alarm at ``inf`` gives ``-inf``. ``doublings`` is 0 to 100000.
    """
    check_number("doublings", doublings, 0, 100_000, "Use the level in doublings.")
    check_number("alarm", alarm, 0, math.inf, "Use the time of the alarm.")
    _check_law(first, ratio)
    return float(growth.time_of_doubling(doublings, first, ratio)) - alarm


def _check_law(first: float, ratio: float, *, explosive: bool = False) -> None:
    check_number("first", first, 0, 1e9, "Use the time of the first doubling.", above=True)
    if explosive and ratio >= 1:
        raise ValueError(
            f"ratio = {ratio:g} is too large: the pace never rises; allowed: above 0, below 1. Use r above 1."
        )
    check_number("ratio", ratio, 0, 1000, "Use growth.doubling_ratio.", above=True)
