"""Compute when a human reaction holds the pace of software, in closed form.

Software x is in doublings (log2), and its pace is ``v = dx/dt`` in doublings per day. Under the growth law of
`sim.growth` without a limit, the pace accelerates as ``dv/dt = a ln2 v^2``. The acceleration is ``a = 1 - 1/r``, for
any r. With a parallelization penalty p it is ``p (1 - 1/r)``: pass the r that has the same ratio of doubling times.

A reaction raises a barrier B, and the pace is divided by B. A *smooth* brake reacts in proportion to the log excess of
the pace over a target, ``dlnB/dt = kappa ln(v/v*)``. The gain kappa is in 1/day, and 1/kappa is the reaction time. With
``y = ln(v/v*)`` and the drift ``c = a ln2 v*`` the pace follows ``dy/dt = c e^y - kappa y``. A *relay* brake changes
ln B at the constant rate kappa, up or down. It switches when the pace leaves a band around the target.

The closed forms ignore that a barrier cannot be below 1, so they hold while it is above 1. In the long run it is above
1 only for r > 1. At r = 1 the drift is 0 and any positive gain holds the pace. For r < 1 the pace falls without a
brake, and a barrier from earlier days returns to 1. `sim.governance.pace_brakes` simulates the same brakes.

Source of the question: Eth and Davidson, *Will AI R&D Automation Cause a Software Intelligence Explosion?*, 2025, who
suggest that human reactions may push r towards 1. The closed forms are ours. W is the function of Lambert (Corless et
al., Adv. Comput. Math. 5, 329, 1996).
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from scipy.integrate import quad
from scipy.special import lambertw

from sim.racing.arguments import check_number

MAX_PACE: Final = 1e9
"""Highest pace that the functions accept [doublings/day]."""
_LN2: Final = math.log(2)
_ROUNDING: Final = 1e-12
"""Share by which a gain may be below the limit because of rounding."""


def acceleration_of(r: float) -> float:
    """Return the acceleration of the pace, ``a = 1 - 1/r``: log2 of the pace per doubling of software.

    It is positive for r > 1, 0 at r = 1 and negative below. ``r`` is 0.01 to 100.
    """
    check_number("r", r, 0.01, 100, "Use returns of the growth law.")
    return 1 - 1 / r


def days_left(pace: float, r: float) -> float:
    """Return the time until software would explode without a brake: ``1/(a ln2 v)`` [days].

    This is the time that any brake has. It is ``inf`` for r <= 1. ``pace`` is that of today [doublings/day].
    """
    _check_pace("pace", pace)
    acceleration = acceleration_of(r)
    return 1 / (acceleration * _LN2 * pace) if acceleration > 0 else math.inf


def pace_factor_after_share(share: float) -> float:
    """Return the factor of the pace after a share of the time left has passed: ``1/(1 - share)``.

    The factor does not depend on r. ``share`` is 0 to 1, and gives ``inf`` at 1.
    """
    check_number("share", share, 0, 1, "Use the share of `days_left` that has passed.")
    return 1 / (1 - share) if share < 1 else math.inf


def doublings_after_deployment_hold(days: float, pace: float, r: float) -> float:
    """Return the doublings of discovered software that a hold of deployment stores: ``r log2(1 + v ln2 D/r)``.

    Research goes on with the software of the first day, so that effort grows linearly. The release deploys the stored
    doublings at once (an overhang). A full stop of effort stores none, and free growth gives more.
    ``days``, D, is 0 or more; ``pace``, v, is that of the first day [doublings/day].
    """
    check_number("days", days, 0, 1e9, "Use the length of the hold.")
    _check_pace("pace", pace)
    acceleration_of(r)
    return r * math.log1p(pace * _LN2 * days / r) / _LN2


class RelayCycle(NamedTuple):
    """Repeated cycle of a relay brake."""

    rise_days: float
    """Time in which the pace rises while the barrier falls [days]."""
    fall_days: float
    """Time in which the pace falls while the barrier rises [days]."""
    lowest: float
    """Lowest pace, as a factor of the target."""
    highest: float
    """Highest pace, as a factor of the target."""

    @property
    def period_days(self) -> float:
        """Length of a cycle [days]."""
        return self.rise_days + self.fall_days

    @property
    def duty(self) -> float:
        """Share of the time in which the barrier rises."""
        return self.fall_days / self.period_days


@dataclass(frozen=True)
class KnifeEdge:
    """Compute what a brake needs in order to hold the pace of software at a target.

    Arguments
    ---------
    r
        Returns to research, 0.01 to 100.
    target_pace
        Pace v* above which the brake closes [doublings/day].

    Methods that need a gain raise ValueError if the gain cannot hold the pace.
    """

    r: float
    target_pace: float

    def __post_init__(self) -> None:
        acceleration_of(self.r)
        _check_pace("target_pace", self.target_pace)

    @property
    def drift(self) -> float:
        """Rate at which the log pace grows at the target without a brake, ``c = a ln2 v*`` [1/day]."""
        return acceleration_of(self.r) * _LN2 * self.target_pace

    @property
    def smallest_gain(self) -> float:
        """Smallest gain of a smooth brake that holds the pace, ``e c`` [1/day]; 0 for r <= 1."""
        return max(0.0, math.e * self.drift)

    @property
    def longest_reaction_days(self) -> float:
        """Longest reaction time of a smooth brake that holds the pace, ``1/(e c)`` [days]; ``inf`` for r <= 1."""
        return 1 / self.smallest_gain if self.smallest_gain > 0 else math.inf

    def held_pace_factor(self, gain: float) -> float:
        """Return the pace at which a smooth brake holds software, ``e^(-W0(-c/kappa))``, as a factor of the target.

        It falls from e at the smallest gain to 1. For r < 1 it is below 1, and is the pace while the barrier returns
        to 1.
        """
        return math.exp(self._held_log_excess(gain))

    def lost_pace_factor(self, gain: float) -> float:
        """Return the pace from which a smooth brake loses software, ``e^(-W-1(-c/kappa))``, as a factor of the target.

        From a higher pace, software explodes in spite of the brake. It is ``inf`` for r <= 1.
        """
        self._check_gain(gain)
        return math.exp(-_lambert(-self.drift / gain, -1)) if self.drift > 0 else math.inf

    def days_to_pace_factor(self, gain: float, factor: float) -> float:
        """Return the time from the target to a multiple of it under a smooth brake without delay [days].

        It is the integral of ``dy/(c e^y - kappa y)`` from 0 to the log of the factor, by quadrature to 1e-8. It is
        ``inf`` if the pace never gets there. ``gain`` is 0 or more, ``factor`` is 1 to 1e100.
        """
        check_number("gain", gain, 0, 1e9, "0 is no brake.")
        check_number("factor", factor, 1, 1e100, "Use a pace above the target.")
        top, drift = math.log(factor), self.drift
        if top == 0:
            return 0.0
        if drift <= 0:
            return math.inf
        slowest = min(max(0.0, math.log(gain / drift)), top) if gain > 0 else 0.0
        if drift * math.exp(slowest) <= gain * slowest:
            return math.inf
        days, _ = quad(
            lambda y: 1 / (drift * math.exp(y) - gain * y), 0, top, points=[slowest], epsrel=1e-8, limit=1000
        )
        return float(days)

    def longest_delay_days(self, gain: float) -> float:
        """Return the longest delay with which a smooth brake is stable [days].

        It is ``arccos(y0)/(kappa sqrt(1 - y0^2))`` with ``y0 = -W0(-c/kappa)``. With a longer delay, oscillations
        around the held pace grow. It is ``inf`` for ``y0 <= -1``, which needs r < 1.
        """
        level = self._held_log_excess(gain)
        if level <= -1:
            return math.inf
        return 1 / gain if level >= 1 else math.acos(level) / (gain * math.sqrt(1 - level**2))

    def oscillation_period_days(self, gain: float) -> float:
        """Return the period of a smooth brake at its longest delay, ``2 pi/(kappa sqrt(1 - y0^2))`` [days].

        It is ``inf`` at the smallest gain, and for ``y0 <= -1``.
        """
        level = self._held_log_excess(gain)
        return 2 * math.pi / (gain * math.sqrt(1 - level**2)) if abs(level) < 1 else math.inf

    def barrier_doubling_days(self, gain: float) -> float:
        """Return the time in which the barrier of a smooth brake doubles at the held pace, ``ln2/(kappa y0)`` [days].

        The barrier is proportional to ``S^a``. It grows exponentially as long as the pace is held, because the pace
        without it would. The time is ``inf`` at r = 1. For r < 1 it is negative: the barrier halves in that time.
        """
        growth = gain * self._held_log_excess(gain)
        return _LN2 / growth if growth != 0 else math.inf

    def relay_cycle(self, gain: float, half_band: float, delay_days: float = 0.0) -> RelayCycle:
        """Return the cycle of a relay brake that switches at the log excess ``+half_band`` and ``-half_band``.

        With ``w = e^-y`` the pace follows ``dw/dt = kappa w - c`` while the barrier rises and ``-kappa w - c`` while it
        falls. Both are linear, so that the cycle is exact. A delay moves the switches: the pace goes beyond the
        band. Needs r >= 1, and a highest pace below ``kappa/c``; otherwise raises ValueError.
        """
        self._check_relay(gain, half_band)
        check_number("delay_days", delay_days, 0, 1e9, "0 is no delay.")
        longest = self.longest_relay_delay_days(gain, half_band)
        if delay_days >= longest:
            raise ValueError(
                f"delay_days = {delay_days:g} loses the pace; allowed: below {longest:g}. "
                "Use a larger gain, a narrower band or a shorter delay."
            )
        ratio = self.drift / gain
        low = (math.exp(-half_band) + ratio) * math.exp(-gain * delay_days) - ratio
        high = (math.exp(half_band) - ratio) * math.exp(gain * delay_days) + ratio
        rise = math.log((high + ratio) / (low + ratio)) / gain
        fall = math.log((high - ratio) / (low - ratio)) / gain
        return RelayCycle(rise, fall, 1 / high, 1 / low)

    def longest_relay_delay_days(self, gain: float, half_band: float) -> float:
        """Return the delay from which a relay brake loses the pace, ``ln((1 + (kappa/c) e^-h)/2)/kappa`` [days].

        It is ``inf`` at r = 1 and 0 if the brake loses the pace even without a delay. Needs r >= 1.
        """
        self._check_relay(gain, half_band)
        if self.drift == 0:
            return math.inf
        return max(0.0, math.log((1 + gain / self.drift * math.exp(-half_band)) / 2) / gain)

    def narrow_relay_period_days(self, gain: float, half_band: float) -> float:
        """Return the period of a relay brake with a narrow band, ``4 h kappa/(kappa^2 - c^2)`` [days].

        This approximates `relay_cycle` without a delay. The relative error is of the order of ``half_band`` squared.
        """
        self._check_relay(gain, half_band)
        return 4 * half_band * gain / (gain**2 - self.drift**2)

    def narrow_relay_duty(self, gain: float) -> float:
        """Return the share of the time in which a relay brake with a narrow band raises the barrier.

        It is ``(1 + c/kappa)/2``.
        """
        self._check_relay(gain, 0.0)
        return (1 + self.drift / gain) / 2

    def _held_log_excess(self, gain: float) -> float:
        """Return y0, the log of the held pace over the target."""
        self._check_gain(gain)
        return -_lambert(-self.drift / gain, 0)

    def _check_gain(self, gain: float) -> None:
        check_number("gain", gain, 0, 1e9, "A smooth brake needs a positive gain.", above=True)
        check_number(
            "gain",
            gain,
            self.smallest_gain * (1 - _ROUNDING),
            1e9,
            "Use a faster reaction, or a lower target: with a smaller gain the pace is lost.",
        )

    def _check_relay(self, gain: float, half_band: float) -> None:
        check_number("r", self.r, 1, 100, "For r < 1 a relay brake has no cycle, because the pace falls without it.")
        lowest = max(0.0, self.drift)
        check_number("gain", gain, lowest, 1e9, "Use a faster reaction, or a lower target.", above=True)
        check_number("half_band", half_band, 0, 10, "Use a log excess of the pace, such as 0.05 for 5%.")


def _lambert(value: float, branch: int) -> float:
    """Return a real branch of Lambert's W; values that rounding puts below the branch point count as that point."""
    return -1.0 if value <= -1 / math.e else float(lambertw(value, branch).real)


def _check_pace(name: str, pace: float) -> None:
    check_number(name, pace, 0, MAX_PACE, "Use a positive pace in doublings per day.", above=True)
