"""Extrapolate the time horizon of AIs: the length of the tasks that they complete with a probability of a half.

METR measures the horizon of released models in minutes of human work (Kwa et al., arXiv 2503.14499). Its series has no
stated licence, so the repository does not contain it: :func:`read_observations` reads a copy. The published figures of
the fit are constants here.

A :class:`HorizonLaw` extrapolates it. Each doubling takes d times as long as the one before. d = 1 is exponential. For
d < 1 the horizon is infinite on a finite date *by construction*, whatever the horizon of the first day.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import numpy as np
from annotated_types import Interval
from pydantic import BaseModel

from sim.growth import explosion_time, software_at, time_of_doubling

DAYS_PER_YEAR: Final = 365.25
"""Mean length of a calendar year, for decimal years."""
MAX_RELIABLE_MINUTES: Final = 16 * 60.0
"""Horizon above which METR calls its own estimates unreliable [minutes]. Source: metr.org, September 2026."""
METR_DOUBLING_DAYS: Final = 128.744
"""Doubling time of the horizon of the best models since 2023, by least squares. Source: metr.org, time horizons 1.1,
September 2026."""
METR_DOUBLING_INTERVAL: Final = (104.428, 158.012)
"""95% interval of METR_DOUBLING_DAYS [days]. Source: as above."""
METR_SINCE: Final = date(2023, 1, 1)
"""First release date in METR's fit."""

_COLUMNS = ("model", "release_date", "p50_min", "p50_low", "p50_high", "p80_min", "is_sota")


class HorizonObservation(NamedTuple):
    """Measured time horizon of one model."""

    model: str
    released: date
    p50_minutes: float
    """Length of the tasks that the model completes with probability 0.5, in human working time [minutes]."""
    p50_low: float
    """Lower end of its 95% interval; ``nan`` if none is published."""
    p50_high: float
    """Upper end; ``nan`` if none is published."""
    p80_minutes: float
    """Length of the tasks that the model completes with probability 0.8 [minutes]; ``nan`` if none is published."""
    is_best: bool
    """Whether the horizon was the longest of all models when this one was released."""


class HorizonFit(NamedTuple):
    """Exponential growth of the horizon, fitted by least squares of log2 minutes on days."""

    doubling_days: float
    """Doubling time of the horizon [days]."""
    first: date
    """Earliest release in the fit."""
    first_minutes: float
    """Fitted horizon on that day [minutes]."""
    scatter: float
    """Standard deviation of the residuals [doublings]."""
    models: int
    """Number of models in the fit."""

    def law(self, ratio: float = 1.0) -> HorizonLaw:
        """Return the extrapolation from the first day of the fit; ``ratio``, d, is 1 for the fitted exponential."""
        return HorizonLaw(self.first, self.first_minutes, self.doubling_days, ratio)


def read_observations(path: Path) -> list[HorizonObservation]:
    """Read a table of time horizons, in order of release.

    The file is CSV with the columns `model`, `release_date` (ISO), `p50_min`, `p50_low`, `p50_high`, `p80_min` and
    `is_sota` (0 or 1). Further columns are ignored. Raises ValueError if a column is missing, or if a value is not a
    date or not a number above 0.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or [])]
        if missing:
            raise ValueError(
                f"{path.name} has no column {', '.join(missing)}; allowed: a table with {', '.join(_COLUMNS)}. "
                "Use a table of METR's time horizons"
            )
        found = [_observation(row, f"{path.name}, line {rows.line_num}") for row in rows]
    return sorted(found, key=lambda each: each.released)


def _observation(row: dict[str, str | None], where: str) -> HorizonObservation:
    """Return the observation of a row; ``where`` is its place in messages."""

    def minutes(column: str, required: bool = False) -> float:
        text = row[column] or ""
        if not text and not required:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise ValueError(f"{where}: {column} = {text!r} is not a time; allowed: above 0. Correct the table")
        return value

    try:
        released = date.fromisoformat(row["release_date"] or "")
    except ValueError:
        raise ValueError(
            f"{where}: release_date = {row['release_date']!r} is not a date; allowed: YYYY-MM-DD. Correct the table"
        ) from None
    return HorizonObservation(
        row["model"] or "",
        released,
        minutes("p50_min", required=True),
        minutes("p50_low"),
        minutes("p50_high"),
        minutes("p80_min"),
        row["is_sota"] == "1",
    )


def fit_exponential(
    observations: Iterable[HorizonObservation],
    since: date = METR_SINCE,
    max_minutes: float = MAX_RELIABLE_MINUTES,
    *,
    best_only: bool = True,
) -> HorizonFit:
    """Fit exponential growth to time horizons, by ordinary least squares of log2 minutes on the day of release.

    The defaults are those of METR's published doubling time: models that had the longest horizon at their release,
    since 2023, with p50 up to 16 h. Raises ValueError if fewer than three models are left, if all have one date, or if
    the horizon does not grow.
    """
    kept = [
        each
        for each in observations
        if each.released >= since and each.p50_minutes <= max_minutes and (each.is_best or not best_only)
    ]
    if len(kept) < 3 or len({each.released for each in kept}) < 2:
        raise ValueError(
            f"{len(kept)} models since {since} with p50 up to {max_minutes:g} minutes are too few for a fit; allowed: "
            "3 or more, of different dates. Choose an earlier date"
        )
    first = min(each.released for each in kept)
    days = np.array([(each.released - first).days for each in kept], dtype=float)
    doublings = np.log2([each.p50_minutes for each in kept])
    centred = days - days.mean()
    slope = float(centred @ doublings / (centred @ centred))
    if slope <= 0:
        raise ValueError(
            f"the horizon grows by {slope:g} doublings per day; allowed: above 0. Choose models over a longer time"
        )
    start = float(doublings.mean() - slope * days.mean())
    residuals = doublings - start - slope * days
    scatter = math.sqrt(float(residuals @ residuals) / (len(kept) - 2))
    return HorizonFit(1 / slope, first, 2.0**start, scatter, len(kept))


@dataclass(frozen=True, slots=True)
class HorizonLaw:
    """Extrapolate a time horizon whose doublings each take d times as long as the one before.

    ``H(t) = H0 (1 - (1 - d) t/tau)^(log_d 2)``, or ``H0 2^(t/tau)`` at d = 1. Source of the form: AI Futures Model,
    2025, with H0 = 26 minutes, tau = 0.458 years and d = 0.92.
    """

    start: date
    """Day on which the horizon is ``minutes``."""
    minutes: float
    """Horizon on that day, H0 [minutes of human work]."""
    doubling_days: float
    """Time that the first doubling takes, tau [days]."""
    ratio: float = 1.0
    """Ratio d of each doubling time to the one before; 1 is exponential, less is superexponential."""

    def __post_init__(self) -> None:
        for name, highest in (("minutes", 1e15), ("doubling_days", 1e6), ("ratio", 10.0)):
            value = getattr(self, name)
            if not 0 < value <= highest:
                raise ValueError(
                    f"{name} = {value:g} is out of range; allowed: above 0, up to {highest:g}. Choose a value in it"
                )

    def minutes_after(self, days: float) -> float:
        """Return the horizon this many days after the start [minutes]; ``inf`` from the infinite day on."""
        doublings = float(software_at(days, self.doubling_days, self.ratio))
        return self.minutes * 2.0**doublings if doublings < 1000 else math.inf

    def minutes_on(self, day: date) -> float:
        """Return the horizon on a date [minutes]."""
        return self.minutes_after((day - self.start).days)

    def doublings_to(self, minutes: float) -> float:
        """Return the doublings from the start to a horizon; below 0 if the start is beyond it."""
        return math.log2(minutes / self.minutes)

    def days_to(self, minutes: float) -> float:
        """Return the days from the start to a horizon; below 0 if the start is beyond it."""
        return float(time_of_doubling(self.doublings_to(minutes), self.doubling_days, self.ratio))

    def date_of(self, minutes: float) -> date | None:
        """Return the date of a horizon; None if it is after the year 9999."""
        return _date_after(self.start, self.days_to(minutes))

    @property
    def infinite_days(self) -> float:
        """Days from the start to an infinite horizon, ``tau/(1 - d)``; ``inf`` for d from 1 on."""
        return explosion_time(self.doubling_days, self.ratio)

    @property
    def infinite_date(self) -> date | None:
        """Date of an infinite horizon; None for d from 1 on, or after the year 9999."""
        return _date_after(self.start, self.infinite_days)

    @property
    def reading(self) -> str:
        """Sentences on the form of growth and on the date at which it is infinite by construction."""
        if self.infinite_days == math.inf:
            return f"The horizon doubles in {self.doubling_days:.4g} days at first and is finite on every date."
        when = f"on {self.infinite_date}" if self.infinite_date else "after the year 9999"
        return (
            f"The horizon is infinite {when} by construction: each doubling takes {self.ratio:g} times as long as the "
            "one before. No horizon of the first day changes that date."
        )


MAX_CAPABILITY: Final = 1000.0
"""Capability that stands for an infinite horizon [doublings]: the largest threshold of a task."""


class NoHorizon(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Let the capability of AIs follow the deployed software of the lab."""

    law: Annotated[Literal["none"], "name"] = "none"
    """What sets the capability of AIs, which the thresholds of tasks refer to. `none`: the software that the lab has
    deployed. `exponential` and `superexponential`: a clock, the time horizon of AIs, log2(H/H0), whatever the lab
    discovers. Source: our choice; the AI Futures Model extrapolates METR's horizon."""

    @property
    def infinite_day(self) -> float:
        """Day on which the horizon is infinite: never."""
        return math.inf

    def capability(self, day: float) -> None:
        """Return None: no clock sets the capability."""

    def day_of(self, capability: float) -> float:
        """Return ``inf``: no clock reaches a capability."""
        return math.inf


class _HorizonClock(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of a time horizon that sets the capability of AIs."""

    minutes: Annotated[float, Interval(ge=1e-3, le=1e9), "minutes"] = 26.0
    """Time horizon of the AIs of day 0, H0: the length of the tasks that they complete with probability 0.5, in human
    working time. Results state the horizon of each day by it; thresholds are in doublings since day 0. Source: the AI
    Futures Model, December 2025, 26 minutes for its first day."""
    doubling_days: Annotated[float, Interval(ge=0.1, le=1e5), "days"] = METR_DOUBLING_DAYS
    """Time of the first doubling of the time horizon. Source: METR's least squares over the best models since 2023 with
    horizons up to 16 hours, 128.744 days (104 to 158). The AI Futures Model takes 0.458 years."""

    @property
    def ratio(self) -> float:
        """Ratio of each doubling time to the one before: 1."""
        return 1.0

    @property
    def infinite_day(self) -> float:
        """Day on which the horizon is infinite by construction; ``inf`` if it is finite on every day."""
        return explosion_time(self.doubling_days, self.ratio)

    def capability(self, day: float) -> float:
        """Return the doublings of the horizon since day 0, at most MAX_CAPABILITY."""
        return min(MAX_CAPABILITY, float(software_at(day, self.doubling_days, self.ratio)))

    def day_of(self, capability: float) -> float:
        """Return the day on which the horizon has doubled this often; ``inf`` for an infinite capability."""
        if capability == math.inf:
            return math.inf
        return float(time_of_doubling(capability, self.doubling_days, self.ratio))

    def minutes_on_day(self, day: float) -> float:
        """Return the horizon on a day of the run [minutes]; ``inf`` from the infinite day on."""
        return math.inf if day >= self.infinite_day else self.minutes * 2.0 ** self.capability(day)

    @property
    def reading(self) -> str:
        """Sentence on the form of growth and on the day on which the horizon is infinite by construction."""
        if self.infinite_day == math.inf:
            return f"The time horizon doubles every {self.doubling_days:.4g} days and is finite on every day."
        return (
            f"The time horizon is infinite on day {self.infinite_day:,.0f} by construction: each doubling takes "
            f"{self.ratio:g} times as long as the one before. No horizon of day 0 changes that day."
        )


class ExponentialHorizon(_HorizonClock, frozen=True):
    """Parameters of a time horizon that doubles in a constant time."""

    law: Annotated[Literal["exponential"], "name"] = "exponential"


class SuperexponentialHorizon(_HorizonClock, frozen=True):
    """Parameters of a time horizon whose doublings each take less time than the one before."""

    law: Annotated[Literal["superexponential"], "name"] = "superexponential"
    doubling_ratio: Annotated[float, Interval(ge=0.1, le=0.999), "ratio"] = 0.92
    """Ratio d of each doubling time of the time horizon to the one before. The horizon is infinite by construction
    after doubling_days/(1 - d). Source: the AI Futures Model, December 2025, 0.92."""

    @property
    def ratio(self) -> float:
        """Ratio of each doubling time to the one before."""
        return self.doubling_ratio


HorizonParams = NoHorizon | ExponentialHorizon | SuperexponentialHorizon
"""Parameters of the time horizon as a clock; `law` selects the class."""


def decimal_year(day: date, days: float = 0.0) -> float:
    """Return a date, and this many days more, as a decimal year of 365.25 days."""
    into_year = (day - date(day.year, 1, 1)).days
    return day.year + (into_year + days) / DAYS_PER_YEAR


def _date_after(start: date, days: float) -> date | None:
    """Return the date this many days later; None if the calendar does not contain it."""
    try:
        return date.fromordinal(start.toordinal() + math.floor(days))
    except (OverflowError, ValueError):
        return None
