"""Brake the pace of software at readings, and simulate brakes under the growth law.

A brake is an object that a regulator updates with readings of the pace. It answers with a barrier of 1 or more, by
which effort is divided. The same classes run in a simulation of labs and in `simulate_brake`, which needs no lab. Time
is in days, the pace in doublings of software per day. `sim.governance.knife_edge` has the closed forms.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.governance.knife_edge import MAX_PACE, acceleration_of
from sim.racing.arguments import check_number

Floats = NDArray[np.float64]
Outcome = Literal["held", "oscillating", "lost", "released", "undecided"]

LOST_FACTOR: Final = math.exp(8)
"""Multiple of the target pace from which a simulated pace is lost. Source: our choice."""
SETTLED_SPREAD: Final = 0.01
"""Difference between the highest and the lowest log pace up to which a pace is steady. Source: our choice."""
SHRINKING: Final = 0.95
"""Ratio of successive spreads up to which oscillations shrink. Source: our choice."""
MIN_TURNS: Final = 4
"""Number of turning points of the pace from which it oscillates: two periods."""
MIN_READINGS: Final = 16
"""Number of readings that a simulated brake needs, so that each quarter has a spread."""
MAX_READINGS: Final = 1_000_000
_LN2: Final = math.log(2)
_LOWEST_FACTOR: Final = 1e-3
"""Multiple of the target below which a reading counts as this multiple, because it may be 0 or less."""
_LARGEST_EXPONENT: Final = 700.0
_ROUNDING_DAYS: Final = 1e-9


class Brake(Protocol):
    """Describe what a simulation needs from a brake."""

    @property
    def target_pace(self) -> float:
        """Pace above which the brake closes [doublings/day]."""

    @property
    def log2_barrier(self) -> float:
        """Barrier in force [doublings], 0 or more."""

    def update(self, day: float, pace: float) -> float:
        """Take a reading of the pace, and return the barrier in force from that day on, 1 or more."""


class PaceBrake(ABC):
    """Raise a barrier while the pace of software is above a target, and lower it while the pace is below.

    Arguments
    ---------
    target_pace
        Pace v* above which the brake closes [doublings/day].
    gain
        Speed of the reaction, kappa [1/day]; 0 is no brake.
    delay_days
        Time from a reading to its effect [days]. It is rounded up to the next reading.

    The log of the barrier changes at a rate that depends on the last reading that has taken effect. Each reading
    counts for the days since the reading before it; the first one changes nothing. The barrier is never below 1.
    """

    def __init__(self, target_pace: float, gain: float, delay_days: float = 0.0) -> None:
        check_number("target_pace", target_pace, 0, MAX_PACE, "Use a pace in doublings per day.", above=True)
        check_number("gain", gain, 0, 1e9, "0 is no brake.")
        check_number("delay_days", delay_days, 0, 1e9, "0 is no delay.")
        self._target_pace = target_pace
        self._gain = gain
        self._delay_days = delay_days
        self._log_barrier = 0.0
        self._pending: deque[tuple[float, float]] = deque()
        self._last_day = -math.inf
        self._counted_until: float | None = None

    @property
    def target_pace(self) -> float:
        """Pace above which the brake closes [doublings/day]."""
        return self._target_pace

    @property
    def gain(self) -> float:
        """Speed of the reaction [1/day]."""
        return self._gain

    @property
    def delay_days(self) -> float:
        """Time from a reading to its effect [days]."""
        return self._delay_days

    @property
    def log2_barrier(self) -> float:
        """Barrier in force [doublings], 0 or more."""
        return self._log_barrier / _LN2

    @property
    def barrier(self) -> float:
        """Barrier in force, 1 or more, at most e^700."""
        return math.exp(min(self._log_barrier, _LARGEST_EXPONENT))

    def update(self, day: float, pace: float) -> float:
        """Take a reading of the pace [doublings/day], and return the barrier in force from that day on.

        Days must not decrease. A reading may be 0 or negative, as noise makes it; it then counts as a thousandth of
        the target.
        """
        if not (math.isfinite(day) and day >= self._last_day):
            raise ValueError(
                f"day = {day:g} is not a day after the last reading; allowed: {self._last_day:g} or later. "
                "Update a brake in the order of days."
            )
        if not math.isfinite(pace):
            raise ValueError(f"pace = {pace:g} is not a finite number; allowed: any other. Leave out this reading.")
        self._last_day = day
        self._pending.append((day, math.log(max(pace / self._target_pace, _LOWEST_FACTOR))))
        latest = day - self._delay_days + _ROUNDING_DAYS * max(1.0, abs(day))
        while self._pending and self._pending[0][0] <= latest:
            read_on, log_excess = self._pending.popleft()
            rate = self._rate(log_excess)
            if self._counted_until is not None:
                self._log_barrier = max(0.0, self._log_barrier + rate * (read_on - self._counted_until))
            self._counted_until = read_on
        return self.barrier

    @abstractmethod
    def _rate(self, log_excess: float) -> float:
        """Return the rate of the log barrier [1/day] after a reading with this log of the pace over the target."""


class SmoothBrake(PaceBrake):
    """React in proportion to the log excess of the pace: ``dlnB/dt = kappa ln(v/v*)``."""

    def _rate(self, log_excess: float) -> float:
        return self._gain * log_excess


class RelayBrake(PaceBrake):
    """Raise the log barrier at the rate kappa from one reading above a band until one below it, then lower it.

    The band is ``target_pace`` times ``e^-half_band`` to ``e^half_band``. A relay begins by lowering.
    """

    def __init__(self, target_pace: float, gain: float, half_band: float, delay_days: float = 0.0) -> None:
        super().__init__(target_pace, gain, delay_days)
        check_number("half_band", half_band, 0, 10, "Use a log excess of the pace, such as 0.05 for 5%.")
        self._half_band = half_band
        self._is_closing = False

    @property
    def half_band(self) -> float:
        """Log excess at which the brake switches."""
        return self._half_band

    @property
    def is_closing(self) -> bool:
        """Whether the barrier rises."""
        return self._is_closing

    def _rate(self, log_excess: float) -> float:
        if log_excess >= self._half_band:
            self._is_closing = True
        elif log_excess <= -self._half_band:
            self._is_closing = False
        return self._gain if self._is_closing else -self._gain


class BrakedRun(NamedTuple):
    """Pace, barrier and software of a simulated brake at each reading."""

    days: Floats
    """Days of the readings."""
    pace: Floats
    """Pace that was read [doublings/day]."""
    log2_barrier: Floats
    """Barrier in force after the reading [doublings]."""
    software: Floats
    """Software since the first day [doublings]."""
    outcome: Outcome
    """Name of what the pace does, as in `name_outcome`."""
    lost_on: float | None
    """Day on which the pace passed the limit of a lost pace; None if it did not."""


def simulate_brake(
    brake: Brake,
    r: float,
    days: float,
    *,
    start_pace: float | None = None,
    reading_days: float = 1.0,
    first_day: float = 0.0,
    lost_factor: float = LOST_FACTOR,
) -> BrakedRun:
    """Simulate a brake that is updated at regular readings, under the growth law without a limit.

    Arguments
    ---------
    brake
        Brake of any class. The simulation updates a copy.
    r
        Returns to research, 0.01 to 100.
    days
        Length of the run [days]; it ends earlier if the pace is lost.
    start_pace
        Pace on the first day with the barrier then in force [doublings/day]; by default the target of the brake.
    reading_days
        Time between readings [days].
    first_day
        Day of the first reading, not before the last reading that the brake has taken.
    lost_factor
        Multiple of the target from which the pace is lost, above 1.

    The barrier is constant between readings, where the law has an exact solution (`advance`). The run of the brake at
    its readings is thus exact, apart from rounding. It differs from a brake that reacts continuously in the first order
    of ``reading_days``.
    """
    acceleration = acceleration_of(r)
    pace = brake.target_pace if start_pace is None else start_pace
    check_number("start_pace", pace, 0, MAX_PACE, "Use a pace in doublings per day.", above=True)
    check_number("lost_factor", lost_factor, 1, 1e100, "Use a multiple of the target.", above=True)
    check_number("reading_days", reading_days, 0, 1e9, "Use the time between readings.", above=True)
    lowest, highest = MIN_READINGS * reading_days, MAX_READINGS * reading_days
    check_number("days", days, lowest, highest, "Use another length, or another time between readings.")
    brake = copy.deepcopy(brake)
    limit = lost_factor * brake.target_pace
    rows, software, lost_on = [], 0.0, None
    for reading in range(math.floor(days / reading_days + _ROUNDING_DAYS) + 1):
        day, before = first_day + reading * reading_days, brake.log2_barrier
        brake.update(day, pace)
        rows.append((day, pace, brake.log2_barrier, software))
        pace *= 2 ** (before - brake.log2_barrier)
        if pace >= limit:
            lost_on = day
            break
        gained, faster = advance(pace, reading_days, acceleration)
        if faster >= limit:
            lost_on = day + (1 / pace - 1 / limit) / (acceleration * _LN2)
            break
        software, pace = software + gained, faster
    columns = np.array(rows).T
    outcome = "lost" if lost_on is not None else name_outcome(columns[1], columns[2])
    return BrakedRun(columns[0], columns[1], columns[2], columns[3], outcome, lost_on)


def name_outcome(pace: Floats, log2_barrier: Floats) -> Outcome:
    """Return a name for the pace of a run that was not lost, from the second half of its readings.

    released: the barrier is 1 in the whole last quarter. held: the spread of the log pace in the last quarter is at
    most SETTLED_SPREAD, or at most SHRINKING times that in the quarter before. oscillating: the spread does not shrink,
    and the pace turns at least MIN_TURNS times. undecided: none of these. A quarter should contain a period.
    """
    quarter = len(pace) // 4
    check_number("len(pace)", len(pace), MIN_READINGS, MAX_READINGS + 1, "Use more readings.")
    if not np.any(log2_barrier[-quarter:]):
        return "released"
    logs = np.log(pace[-2 * quarter :])
    earlier, later = np.ptp(logs[:quarter]), np.ptp(logs[quarter:])
    if later <= max(SETTLED_SPREAD, SHRINKING * earlier):
        return "held"
    directions = np.sign(np.diff(logs))
    directions = directions[directions != 0]
    turns = int(np.count_nonzero(directions[1:] != directions[:-1]))
    return "oscillating" if turns >= MIN_TURNS else "undecided"


def advance(pace: float, days: float, acceleration: float) -> tuple[float, float]:
    """Return the doublings of software in some days, and the pace after them, if the barrier does not change.

    Solves ``dv/dt = a ln2 v^2`` exactly: ``1/v`` falls by ``a ln2`` per day. Both are ``inf`` from the explosion on. A
    pace of 0 (a full stop) stays 0. Divide the pace by a barrier before the call.
    """
    if acceleration == 0:
        return pace * days, pace
    used = acceleration * _LN2 * pace * days
    if used >= 1:
        return math.inf, math.inf
    return -math.log1p(-used) / (acceleration * _LN2), pace / (1 - used)


def software_under_barriers(periods: Sequence[tuple[float, float]], start_pace: float, r: float) -> float:
    """Return the doublings of software after successive periods, each with its days and its barrier.

    A barrier is 1 or more, and ``inf`` is a full stop of effort. A full stop of D days shifts the path by exactly D
    days. Any brake of D days leaves software between that of free growth D days earlier and that of free growth.
    ``start_pace`` is the pace of the first day without a barrier [doublings/day].
    """
    acceleration = acceleration_of(r)
    check_number("start_pace", start_pace, 0, MAX_PACE, "Use a pace in doublings per day.", above=True)
    software, free_pace = 0.0, start_pace
    for days, barrier in periods:
        check_number("days", days, 0, 1e9, "Use the length of a period.")
        check_number("barrier", barrier, 1, math.inf, "1 is no barrier, inf is a full stop.")
        gained, _ = advance(free_pace / barrier, days, acceleration)
        software += gained
        free_pace = start_pace * 2 ** (acceleration * software) if math.isfinite(software) else math.inf
        if not math.isfinite(free_pace):
            return math.inf
    return software
