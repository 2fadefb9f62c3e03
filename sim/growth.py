"""Compute how software grows with cumulative research effort, with pure functions in log2.

The law is that of Eth and Davidson, *Will AI R&D Automation Cause a Software Intelligence Explosion?*, 2025. Software
doubles r times for each doubling of cumulative research effort. Effort E is counted in effective papers: n researchers
who write one paper each add ``n ** p``. p is the parallelization penalty ("stepping on toes"); p = 1 is no penalty.

The report defines r as it is observed while the inputs grow, so that r includes the penalty:
``S = (E / E0) ** (r / p)``. Growth is then exponential at r = 1, whatever p. With `growth__returns_to` = effort, r is
the return to E itself, ``S = (E / E0) ** r``, and the law contains ``r p`` in place of r.

Software and effort are stored as doublings (log2), so that 300 of them do not overflow. A function that takes an
``Array`` also takes a float, and then returns a float. ``math.inf`` stands for "no limit".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from annotated_types import Interval
from pydantic import BaseModel, field_validator, model_validator

DAYS_PER_MONTH = 365 / 12
Array = Any
"""A float or a NumPy array of floats."""


class _SharedGrowthParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Hold the parameters that every growth law reads."""

    parallel_penalty: Annotated[float, Interval(ge=0.01, le=1), "exponent"] = 1.0
    """Parallelization penalty ("stepping on toes"), p: n researchers who work at the same time achieve as much as n^p
    who work one after the other. 1 is no penalty. Researchers who think, run experiments or write are counted, but not
    researchers who wait for GPUs. The effect of a smaller p depends on `returns_to`. With inputs it damps both speeding
    up and slowing down; with effort it always slows progress. Another value also re-calibrates the effort before day 0
    (law `returns`), so that `first_doubling_days` stays true. Source: the report's figures ignore it (footnote 27); the
    successor study takes 0.15 to 0.6."""


class _ImprovingParams(_SharedGrowthParams, frozen=True):
    """Hold the parameters that both laws of improving software read."""

    returns_to: Annotated[Literal["inputs", "effort"], "name"] = "inputs"
    """Quantity to which r is the return. `inputs`: r is doublings of software per doubling of cumulative research by a
    team that grows with software. It includes the penalty p: S = (E/E0)^(r/p), and the ratio of doubling times is
    2^(p (1/r - 1)). `effort`: r is doublings of software per doubling of cumulative effective effort. The penalty comes
    on top: S = (E/E0)^r, and the ratio is 2^(1/r - p). Both agree at p = 1; `effort` with r equals `inputs` with r p.
    Not read under the law `frozen`. Source: the report and the successor study give r for inputs (footnote 27);
    `effort` is the semi-endogenous form with a separate penalty (Jones, 1995)."""
    limit_doublings: Annotated[float, Interval(ge=0, le=100_000), "doublings"] = 0.0
    """Number of doublings from the software of day 0 to the limit of what the hardware can do; r falls linearly to 0 at
    the limit. 0: no limit. Another value also re-calibrates the effort before day 0 (law `returns`). Not read under the
    law `frozen`. Source: the report gives no figure (footnote 26); the successor study takes 6 to 16 years of progress
    at 8 doublings a year."""

    @field_validator("limit_doublings")
    @classmethod
    def _check_limit(cls, value: float) -> float:
        if 0 < value < 2:
            raise ValueError("must be 0 (no limit) or leave room for at least 2 doublings")
        return value

    @property
    def reading(self) -> str:
        """Sentence on what r means here and what the penalty does; empty without a penalty."""
        p = self.parallel_penalty
        return reading_of_r(self.returns_to, f"p = {p:g}") if p < 1 else ""

    @property
    def limit(self) -> float:
        """Limit of software [doublings]; ``inf`` without a limit."""
        return self.limit_doublings or math.inf


class ReturnsLaw(_ImprovingParams, frozen=True):
    """Set how hard software is to improve, by r and the time of the first doubling."""

    law: Annotated[Literal["returns"], "name"] = "returns"
    """How the difficulty of research is given. `returns`: by r and the first doubling time. `papers`: as in the toy
    model, by the papers that the first doubling takes and their growth. `frozen`: software never changes; papers are
    still written. Source: the report gives the first two; `frozen` is our choice, to measure output at fixed
    software."""
    r: Annotated[float, Interval(ge=0.01, le=100), "doublings per doubling"] = 1.4
    """Returns to software R&D; `returns_to` sets to what. Above 1 (returns to inputs) doublings get faster, below 1
    slower. Another value also re-calibrates the effort before day 0, so that `first_doubling_days` stays true. Read
    only under the law `returns`. Source: the report's Table 4, Epoch's estimate for computer vision, 1.4 (0.8 to
    2.4)."""
    first_doubling_days: Annotated[float, Interval(ge=1e-3, le=1e6), "days"] = DAYS_PER_MONTH
    """Time that the first doubling of software takes the lab of `calibrated_for` if the growth law is the only limit.
    Another value changes the effort before day 0, so it re-calibrates the lab. Read only under the law `returns`.
    Source: the report imagines one month (p. 24, footnote 22)."""
    calibrated_for: Annotated[int, Interval(ge=0, le=1_000_000_000), "researchers"] = 256
    """Number of researchers of the reference lab, whose first doubling takes `first_doubling_days`. Each of them writes
    one paper a month. This fixes the effort before day 0: a lab with more researchers, papers or GPUs is then faster.
    0: the reference is the lab's own team on day 0, so that more researchers do not change the first doubling. Read
    only under the law `returns`. Source: our choice, the team of the default lab; the report gives a time but no
    team."""

    @property
    def returns(self) -> float:
        """Returns to inputs at the software of day 0, penalty included."""
        return self.r * self.parallel_penalty if self.returns_to == "effort" else self.r


class PapersLaw(_ImprovingParams, frozen=True):
    """Set how hard software is to improve, by the papers of the first doubling and their growth."""

    law: Annotated[Literal["papers"], "name"] = "papers"
    papers_first_doubling: Annotated[float, Interval(ge=1e-3, le=1e12), "papers"] = 2.0
    """Number of papers that the first doubling takes. With `returns_to` = inputs, these are papers that the team of day
    0 writes. With effort, these are effective papers: each paper counts n^(p - 1). Read only under the law `papers`.
    Source: the report's toy model, 2."""
    difficulty_growth: Annotated[float, Interval(ge=1.001, le=1000), "times"] = 3.0
    """Ratio m of the papers that a doubling takes to those of the doubling before. With `returns_to` = inputs, these
    are papers of a team that doubles with software: r = p/(log2 m - (1 - p)), or 1/log2 m without a penalty. With
    effort, these are effective papers: r = 1/log2 m. Read only under the law `papers`. Source: the report's toy model:
    3 is its fizzle, 1.5 its explosion, 2 exponential growth."""

    @model_validator(mode="after")
    def _check_difficulty_growth(self) -> Self:
        least = 2 ** (1 - self.parallel_penalty)
        if self.returns_to == "inputs" and self.difficulty_growth <= least:
            raise ValueError(
                f"growth__difficulty_growth = {self.difficulty_growth:g} is too small for growth__parallel_penalty = "
                f"{self.parallel_penalty:g}; allowed: above 2^(1 - p) = {least:.4g}. Raise it, or set "
                "growth__returns_to = 'effort'."
            )
        return self

    @property
    def returns(self) -> float:
        """Returns to inputs at the software of day 0, penalty included."""
        p = self.parallel_penalty
        if self.returns_to == "effort":
            return p * float(returns_from_difficulty(self.difficulty_growth))
        return float(returns_from_difficulty(self.difficulty_growth, p))


class FrozenLaw(_SharedGrowthParams, frozen=True):
    """Freeze software: it never changes. Papers are still written, and the penalty still applies to them."""

    law: Annotated[Literal["frozen"], "name"] = "frozen"
    ai_doublings: Annotated[float, Interval(ge=0, le=300), "doublings"] = 0.0
    """Doublings by which the AIs are better than the software of the lab. The lab thus has the AIs of a later day, with
    that much deployed software. Its own algorithms and experiments stay as they are. Source: our choice, 0; the
    AI Futures Model defines its AI research multiplier by such a lab."""

    @property
    def returns_to(self) -> Literal["inputs"]:
        """What r refers to; without a meaning here, because there is no r."""
        return "inputs"

    @property
    def returns(self) -> float:
        """Returns to inputs: none."""
        return 0.0

    @property
    def limit(self) -> float:
        """Limit of software [doublings]: none, because software does not grow."""
        return math.inf

    @property
    def reading(self) -> str:
        """Sentence on what r means: none, because there is no r."""
        return ""


GrowthParams = ReturnsLaw | PapersLaw | FrozenLaw
"""Parameters of the growth law; `law` selects the class."""


def reading_of_r(returns_to: str, penalty: str) -> str:
    """Describe what r means for a value of `returns_to`. ``penalty`` is p as a text, such as "p = 0.5"."""
    if returns_to == "effort":
        return (
            f"growth__returns_to = effort: r is returns to effective effort, and the penalty {penalty} comes on "
            "top. Doubling times change by 2^(1/r - p)."
        )
    return (
        f"growth__returns_to = inputs: r includes the penalty {penalty}. Doubling times change by "
        "2^(p (1/r - 1)), so p damps speeding up and slowing down alike."
    )


def returns_from_difficulty(difficulty_growth: Array, p: Array = 1.0) -> Array:
    """Return r for papers per doubling that grow m-fold: ``r = p/(log2 m - (1 - p))``.

    Without a penalty r is ``1/log2 m`` (the report's Table 3). With a penalty, the papers are those of a team that
    doubles with software. Effective papers then grow ``2^(p - 1)`` times as fast, and each doubling of them brings
    ``r/p`` doublings of software. Needs ``m > 2^(1 - p)``.
    """
    return p / (np.log2(difficulty_growth) - (1 - p))


def difficulty_from_returns(r: Array) -> Array:
    """Return the growth m of papers per doubling at returns r: ``m = 2^(1/r)``."""
    return 2 ** (1 / r)


def effort_doublings(doublings: Array, r: Array, p: Array = 1.0, limit: Array = math.inf) -> Array:
    """Return log2(E/E0), the doublings of effort that n doublings of software take.

    Without a limit it is ``n p/r``. With a limit L it is the integral of ``p/r(n)``, ``-(L p/r) ln(1 - n/L)``, which is
    ``inf`` at the limit and beyond.
    """
    if np.isscalar(limit) and limit == math.inf:
        return doublings * p / r
    with np.errstate(divide="ignore"):
        return -(limit * p / r) * np.log(np.maximum(0.0, 1 - doublings / limit))


def software_doublings(effort: Array, r: Array, p: Array = 1.0, limit: Array = math.inf) -> Array:
    """Return the doublings of software after log2(E/E0) doublings of effort.

    This is the inverse of :func:`effort_doublings`. The result is never above ``limit``.
    """
    if np.isscalar(limit) and limit == math.inf:
        return effort * r / p
    return -limit * np.expm1(-effort * r / (p * limit))


def add_effort(effort: float, log2_amount: float) -> float:
    """Return log2(2^effort + 2^log2_amount); neither power is computed, so that nothing overflows."""
    high, low = (effort, log2_amount) if effort >= log2_amount else (log2_amount, effort)
    return high + math.log1p(2.0 ** (low - high)) / math.log(2)


def effort_between(low: Array, high: Array) -> Array:
    """Return log2(2^high - 2^low) for ``high >= low``; ``-inf`` if they are equal."""
    with np.errstate(divide="ignore"):
        return high + np.log2(-np.expm1((low - high) * math.log(2)))


def doubling_ratio(r: Array, p: Array = 1.0) -> Array:
    """Return q, the ratio of each doubling time to the one before: ``2^(p (1/r - 1))``. Below 1 doublings speed up."""
    return 2 ** (p * (1 / r - 1))


def returns_from_ratio(ratio: float, p: float = 1.0, returns_to: str = "inputs") -> float:
    """Return the r that gives the ratio q of doubling times: ``1/(1 + log2(q)/p)``.

    With ``returns_to`` = effort it is ``1/(p + log2(q))``. It is ``inf`` if no finite r makes doublings speed up that
    fast (``q <= 2^-p``).
    """
    inverse = 1 + (math.log2(ratio) if ratio > 0 else -math.inf) / p
    if inverse <= 0:
        return math.inf
    return 1 / inverse if returns_to == "inputs" else 1 / (p * inverse)


def time_of_doubling(n: Array, first: Array, ratio: float) -> Array:
    """Return the time at which the n-th doubling is complete: ``T1 (q^n - 1)/(q - 1)``, or ``n T1`` if q = 1."""
    return n * first if ratio == 1 else first * (ratio**n - 1) / (ratio - 1)


def explosion_time(first: float, ratio: float) -> float:
    """Return the time of infinitely many doublings, ``T1/(1 - q)``; ``inf`` if doublings do not speed up."""
    return first / (1 - ratio) if ratio < 1 else math.inf


def software_at(time: Array, first: float, ratio: float) -> Array:
    """Return log2 of software at a time, in the unit of ``first``: ``log2(1 + (q-1) t/T1)/log2 q``.

    Exact at every whole doubling if researchers double with software, and at all times if they grow with it
    continuously. ``t/T1`` if q = 1; ``inf`` from the explosion on.
    """
    if ratio == 1:
        return time / first
    remaining = np.maximum(0.0, 1 + (ratio - 1) * time / first)
    with np.errstate(divide="ignore"):
        return np.log2(remaining) / math.log2(ratio)


def ratio_exponent(r: Array, p: Array = 1.0, retraining: bool = False, speedup_exponent: float = 0.0) -> Array:
    """Return log2 of the ratio of each doubling time to the one before.

    It is ``x = p (1/r - 1)``, or ``x/(1 + |x|)`` with retraining. The latter represents training runs that must end
    before a discovery counts. It damps both ways: doublings speed up more slowly, and none takes more than twice as
    long as the one before. Source: the successor study (Davidson and Houlden, *How quick and big would a software
    intelligence explosion be?*, 2025).

    ``speedup_exponent``, phi from 0 to 1, is the share of each doubling that is spent on shorter training runs.
    Researchers
    then grow 2^(1 - phi)-fold while a doubling needs 2^(p/r) times the effort, so that ``x = p (1/r - (1 - phi))``.
    """
    exponent = p * (1 / r - (1 - speedup_exponent))
    return exponent / (1 + np.abs(exponent)) if retraining else exponent


def doublings_to_fastest(r: Array, limit: Array = math.inf) -> Array:
    """Return the number of the fastest doubling; 0 for r <= 1, when doublings never get faster.

    r falls to 1 after ``L (1 - 1/r)`` doublings. Without a limit the result is ``inf``. If a share phi of each doubling
    is spent on shorter training runs, pass ``r (1 - phi)`` in place of r.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(r > 1, np.ceil(limit * (1 - 1 / r)), 0.0)


def doublings_by(time: float, first: Array, exponent: Array) -> Array:
    """Return the doublings completed by a time if each takes ``2^exponent`` times as long as the one before.

    This is :func:`software_at` for arrays. It is ``inf`` after an explosion.
    """
    speed = exponent * math.log(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        remaining = np.log1p(np.maximum(-1.0, np.expm1(speed) * time / first))
        return np.where(exponent == 0, time / first, remaining / speed)


def explosion_times(first: Array, exponent: Array) -> Array:
    """Return the time of infinitely many doublings if each takes ``2^exponent`` times as long as the one before.

    This is :func:`explosion_time` for arrays. It is ``inf`` if doublings do not speed up.
    """
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(exponent < 0, -first / np.expm1(exponent * math.log(2)), np.inf)


def doubling_times(
    first: Array,
    r: Array,
    p: Array,
    limit: Array,
    horizon: float,
    *,
    retraining: bool = False,
    speedup_exponent: float = 0.0,
    rows: Array,
) -> Iterator[Array]:
    """Yield the times at which software has doubled n = 1, 2, ... times in many worlds, by the successor study.

    The recursion is ``t_(n+1) = t_n + D_n`` and ``D_(n+1) = D_n 2^x`` with :func:`ratio_exponent` x of r. The returns
    fall before each doubling, ``r_(n+1) = r_n - r_0/L``. No doubling begins with returns of 0 or below.

    Arguments
    ---------
    first
        Duration of the first doubling in each world.
    r, p, limit
        Returns, penalty and limit [doublings] of each world; a limit may be ``inf``.
    horizon
        Time, in the unit of ``first``, after which a doubling is at ``inf``.
    retraining, speedup_exponent
        As in :func:`ratio_exponent`.
    rows
        Array of shape (doublings, worlds) that receives the yielded times. Its length is the number of doublings.

    Finished worlds at the end of the arrays are dropped, so that rows get shorter. Sort long-lived worlds to the front
    to save work.
    """
    slope = np.minimum(limit, _EFFECTIVELY_INFINITE) * (math.log(2) * p) / r
    towards, left = math.log(2) * p * (1 - speedup_exponent), np.minimum(limit, _EFFECTIVELY_INFINITE)
    soonest = float(left.min())
    duration, before = first.copy(), np.zeros_like(left)
    exponent, over = np.empty_like(left), np.empty(left.shape, bool)
    for done, row in enumerate(rows, start=1):
        worlds = len(left)
        time = np.add(before[:worlds], duration, out=row[:worlds])
        np.putmask(time, np.greater(time, horizon, out=over), np.inf)
        yield time
        if done % _COMPACT_EVERY == 0:
            living = np.flatnonzero(np.isfinite(time) & (left > 1))
            if living.size == 0:
                return
            worlds = int(living[-1]) + 1
            slope, towards, left, duration, exponent, over = (
                each[:worlds] for each in (slope, towards, left, duration, exponent, over)
            )
        np.subtract(left, 1.0, out=left)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            # The exponent is x ln 2, because e^(x ln 2) is faster than 2^x in NumPy.
            np.subtract(np.divide(slope, left, out=exponent), towards, out=exponent)
            if retraining:
                np.divide(exponent, 1 + np.abs(exponent) / math.log(2), out=exponent)
            np.multiply(duration, np.exp(exponent, out=exponent), out=duration)
        if done >= soonest:
            np.putmask(duration, left <= 0, np.inf)
        before = time


_EFFECTIVELY_INFINITE = 1e200
"""Limit that stands for "no limit" in ratios, in which infinity would give nan [doublings]."""
_COMPACT_EVERY = 8
"""Number of doublings between two removals of finished worlds."""


@dataclass(frozen=True, slots=True)
class Law:
    """Convert effective papers into doublings of software, by the law of returns and its constants."""

    r: float
    """Returns to inputs, penalty included; 0: software never changes."""
    p: float
    """Parallelization penalty."""
    limit: float
    """Limit of software [doublings]; ``inf`` without a limit."""
    log2_initial_effort: float
    """log2 of the effort before day 0, E0 [effective papers]."""

    @property
    def is_frozen(self) -> bool:
        """Whether software never changes: r = 0."""
        return self.r == 0

    def software(self, effort: float) -> float:
        """Return doublings of software after ``effort`` doublings of effort since day 0."""
        return float(software_doublings(effort, self.r, self.p, self.limit))

    def effort(self, doublings: float) -> float:
        """Return doublings of effort since day 0 at ``doublings`` of software; ``inf`` beyond the limit."""
        if self.is_frozen:
            return math.inf if doublings > 0 else 0.0
        return float(effort_doublings(doublings, self.r, self.p, self.limit))

    def papers_between(self, effort: float, doublings: float) -> float:
        """Return the effective papers from this effort to ``doublings`` of software; 0 if that level is passed."""
        target = self.effort(doublings)
        if target <= effort:
            return 0.0
        if target == math.inf:
            return math.inf
        between = target + math.log2(-math.expm1((effort - target) * math.log(2)))
        try:
            return float(2.0 ** (self.log2_initial_effort + between))
        except OverflowError:
            return math.inf


def law_from_params(params: GrowthParams, researchers: float, papers_per_day: float) -> Law:
    """Return the law calibrated for a reference lab of ``researchers`` who each write ``papers_per_day``.

    Law `returns`: E0 is the effort before day 0 with which the first doubling takes this lab `first_doubling_days`.
    Without a limit, ``E0 = first_doubling_days rate N^p / (2^(p/r) - 1)``. Law `papers`: with E0 the first doubling
    takes `papers_first_doubling` papers of this team. Law `frozen`: r is 0, so that no effort changes software.
    """
    if params.law == "frozen":
        return Law(0.0, params.parallel_penalty, math.inf, 0.0)
    unit = Law(params.returns, params.parallel_penalty, params.limit, 0.0)
    if params.law == "papers":
        log2_papers = math.log2(params.papers_first_doubling)
        if params.returns_to == "inputs":
            log2_papers -= (1 - unit.p) * math.log2(researchers)  # a paper of one of n counts n^(p - 1)
        return replace(unit, log2_initial_effort=log2_papers - float(effort_between(0.0, unit.effort(1.0))))
    days = unconstrained_doubling_times(unit, researchers, papers_per_day, 1)[0]
    return replace(unit, log2_initial_effort=math.log2(params.first_doubling_days / days))


def unconstrained_doubling_times(
    law: Law, researchers: float, papers_per_day: float, doublings: int, step: float = 1.0
) -> list[float]:
    """Return the days that each doubling takes if the law is the only limit: no queue, no retraining.

    Work is infinitely divisible. Researchers grow with software in steps of ``step`` doublings: 1 is the report's toy
    model, a small step is nearly continuous. A doubling beyond the limit takes ``inf`` days.
    """
    return [_unconstrained_duration(law, researchers, papers_per_day, n, step) for n in range(doublings)]


def _unconstrained_duration(law: Law, researchers: float, papers_per_day: float, n: int, step: float) -> float:
    """Return the days from n to n + 1 doublings: the sum of dE/(rate N^p) over the steps of the team between them."""
    if law.is_frozen:
        return math.inf
    first, last = math.floor(n / step + _ROUNDING) + 1, math.ceil((n + 1) / step - _ROUNDING)
    levels = np.array([n, *(np.arange(first, last) * step), n + 1], dtype=float)
    effort = effort_doublings(levels, law.r, law.p, law.limit)
    if not math.isfinite(float(effort[-1])):
        return math.inf
    team = math.log2(researchers) + step * np.floor(levels[:-1] / step + _ROUNDING)
    log2_days = law.log2_initial_effort + effort_between(effort[:-1], effort[1:]) - law.p * team
    return float(np.sum(2.0 ** (log2_days - math.log2(papers_per_day))))


_ROUNDING = 1e-9
"""Tolerance for rounding: a level this close below a step has reached it [steps]."""


class SoftwareCurve(NamedTuple):
    """Doublings of software against days."""

    days: list[float]
    doublings: list[float]


def unconstrained_curve(
    law: Law,
    researchers: float,
    papers_per_day: float,
    doublings: int,
    step: float,
    last_day: float = math.inf,
    points: int = 16,
) -> SoftwareCurve:
    """Return software that is limited only by the law, up to one doubling beyond ``last_day``.

    The days of a doubling are those of `unconstrained_doubling_times`. Within a doubling the team is constant, so
    effort grows linearly with time. The curve has ``points`` points a doubling. It ends before a doubling that the
    limit of growth rules out.
    """
    curve = SoftwareCurve([0.0], [0.0])
    for n in range(doublings):
        days = _unconstrained_duration(law, researchers, papers_per_day, n, step)
        start = curve.days[-1]
        if not math.isfinite(days) or start >= last_day:
            break
        for part in (point / points for point in range(1, points + 1)):
            curve.days.append(start + days * part)
            curve.doublings.append(software_within_doubling(law, n, part))
    return curve


def software_within_doubling(law: Law, n: int, part: float) -> float:
    """Return doublings of software when this part (0 to 1) of the effort from n to n + 1 doublings has been made.

    With ``E = log2`` effort, the effort is ``log2((1 - part) 2^E(n) + part 2^E(n + 1))``.
    """
    after = law.effort(n + 1) + math.log2(part)
    return law.software(after if part == 1 else add_effort(law.effort(n) + math.log2(1 - part), after))
