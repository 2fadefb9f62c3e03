"""All growth maths: how software grows with cumulative research effort. Pure functions, in log2.

The law (Eth and Davidson, *Will AI R&D Automation Cause a Software Intelligence Explosion?*, 2025): software
doubles r times for each doubling of cumulative research effort. Effort E is counted in effective papers: n
researchers who write one paper each add ``n ** p`` (stepping on toes; p = 1 is none). The report defines r by
what is seen while the inputs grow, penalty included, so ``S = (E / E0) ** (r / p)``: r = 1 is exponential growth
whatever p. `growth__returns_to` = effort states the returns to E instead, ``S = (E / E0) ** r``; a law holds r p then.

Software and effort are kept as doublings (log2), so that 300 of them do not overflow. Where a function takes
an ``Array`` it takes a float too, and answers in kind. ``math.inf`` stands for "no limit".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

import numpy as np
from annotated_types import Interval
from pydantic import BaseModel, field_validator, model_validator

DAYS_PER_MONTH = 365 / 12
Array = Any
"""A float or a NumPy array of floats."""


class GrowthParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """How hard software is to improve."""

    law: Annotated[Literal["returns", "papers"], "name"] = "returns"
    """How the difficulty is stated: `returns` by r and the first doubling time, `papers` by the toy model's
    papers for the first doubling and their growth. Source: the report states both."""
    r: Annotated[float, Interval(ge=0.01, le=100), "doublings per doubling"] = 1.4
    """Returns to software R&D. `returns_to` states to what. Above 1 (returns to inputs) doublings get faster, below 1
    slower. Another value also re-calibrates the effort before day 0, so that `first_doubling_days` stays true. Read by
    the law `returns`. Source: the report's Table 4, Epoch's estimate for computer vision, 1.4 (0.8 to 2.4)."""
    first_doubling_days: Annotated[float, Interval(ge=1e-3, le=1e6), "days"] = DAYS_PER_MONTH
    """How long the first doubling of software takes the lab of `calibrated_for` if only the law holds it up.
    Another value means another effort before day 0, so it re-calibrates the lab. Read by the law `returns`.
    Source: the report imagines one month (p. 24, footnote 22)."""
    calibrated_for: Annotated[int, Interval(ge=0, le=1_000_000_000), "researchers"] = 256
    """Researchers of the reference lab, each writing one paper a month, whose first doubling takes
    `first_doubling_days`. This fixes the effort before day 0: a lab with more researchers, papers or GPUs is then
    faster. 0: the reference is the lab's own team on day 0, and more researchers change nothing in the first doubling.
    Read by the law `returns`. Source: our choice, the team of the default lab; the report gives a time but no team."""
    papers_first_doubling: Annotated[float, Interval(ge=1e-3, le=1e12), "papers"] = 2.0
    """Papers that the first doubling takes. With `returns_to` = inputs these are papers as the team of day 0 writes
    them; with effort they are effective papers, each of which counts n^(p - 1). Read by the law `papers`. Source: the
    report's toy model, 2."""
    difficulty_growth: Annotated[float, Interval(ge=1.001, le=1000), "times"] = 3.0
    """How many times more papers each doubling takes than the one before. With `returns_to` = inputs these are papers
    as a team writes them that doubles with software: r = p/(log2 m - (1 - p)), which is 1/log2 m without a penalty.
    With effort they are effective papers: r = 1/log2 m. Read by the law `papers`. Source: the report's toy model: 3
    is its fizzle, 1.5 its explosion, 2 exponential growth."""
    parallel_penalty: Annotated[float, Interval(ge=0.01, le=1), "exponent"] = 1.0
    """Parallelization penalty ("stepping on toes"), p: n researchers who think, run experiments or write achieve as
    much as n^p who take turns; 1 is no penalty. Researchers who wait for GPUs are not counted. What a smaller p does
    depends on `returns_to`: with inputs it damps speeding up and slowing down alike, with effort it always slows.
    Another value also re-calibrates the effort before day 0 (law `returns`), so that `first_doubling_days` stays true.
    Source: the report's figures ignore it (footnote 27); the successor study takes 0.15 to 0.6."""
    returns_to: Annotated[Literal["inputs", "effort"], "name"] = "inputs"
    """What r is measured against. `inputs`: doublings of software per doubling of cumulative research by a team that
    grows with software, penalty p included, S = (E/E0)^(r/p), ratio of doubling times 2^(p (1/r - 1)). `effort`:
    doublings per doubling of cumulative effective effort, S = (E/E0)^r, so that the penalty comes on top, ratio
    2^(1/r - p). Both agree at p = 1; `effort` with r is `inputs` with r p. Source: the report and the successor study
    state r for inputs (footnote 27); `effort` is the semi-endogenous form with a separate penalty (Jones, 1995)."""
    limit_doublings: Annotated[float, Interval(ge=0, le=100_000), "doublings"] = 0.0
    """Doublings between the first software and the limit of what the hardware can do; r falls linearly to 0
    on the way. 0 is no limit. Another value also re-calibrates the effort before day 0 (law `returns`). Source: the
    report gives no figure (footnote 26); the successor study takes 6 to 16 years of progress at 8 doublings a
    year's worth."""

    @field_validator("limit_doublings")
    @classmethod
    def _room_for_a_doubling(cls, value: float) -> float:
        if 0 < value < 2:
            raise ValueError("must be 0 (no limit) or leave room for at least 2 doublings")
        return value

    @model_validator(mode="after")
    def _papers_grow_enough(self) -> Self:
        least = 2 ** (1 - self.parallel_penalty)
        if self.law == "papers" and self.returns_to == "inputs" and self.difficulty_growth <= least:
            raise ValueError(
                f"growth__difficulty_growth = {self.difficulty_growth:g} is too small for growth__parallel_penalty = "
                f"{self.parallel_penalty:g}; allowed: above 2^(1 - p) = {least:.4g}. Raise it, or set "
                "growth__returns_to = 'effort'."
            )
        return self

    @property
    def returns(self) -> float:
        """Return the returns to inputs at the first software, penalty included, from the figures that the law reads."""
        p = self.parallel_penalty
        if self.returns_to == "effort":
            return p * (self.r if self.law == "returns" else float(returns_from_difficulty(self.difficulty_growth)))
        return self.r if self.law == "returns" else float(returns_from_difficulty(self.difficulty_growth, p))

    def stated(self, returns: float) -> float:
        """Return returns to inputs as this scenario states r: the same, or returns to effort, ``r/p``."""
        return returns / self.parallel_penalty if self.returns_to == "effort" else returns

    @property
    def reading(self) -> str:
        """Return one sentence on what r means here and what the penalty does; empty without a penalty."""
        p = self.parallel_penalty
        return reading_of_r(self.returns_to, f"p = {p:g}") if p < 1 else ""

    @property
    def limit(self) -> float:
        """The limit in doublings, ``inf`` where there is none."""
        return self.limit_doublings or math.inf


def reading_of_r(returns_to: str, penalty: str) -> str:
    """Return what r means under a reading and what the penalty does; ``penalty`` states p, such as "p = 0.5"."""
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

    ``1/log2 m`` without a penalty (the report's Table 3). With one, papers are those that a team writes which doubles
    with software: effective papers grow ``2^(p - 1)`` times as fast, and ``(r/p)`` doublings of software take each
    doubling of those. Needs ``m > 2^(1 - p)``.
    """
    return p / (np.log2(difficulty_growth) - (1 - p))


def difficulty_from_returns(r: Array) -> Array:
    """Return the growth m of papers per doubling that belongs to r: ``m = 2^(1/r)``."""
    return 2 ** (1 / r)


def returns_at(doublings: Array, r: Array, limit: Array = math.inf) -> Array:
    """Return r when software has doubled that often: it falls linearly, ``r (1 - n/L)``, to 0 at the limit."""
    return r * np.maximum(0.0, 1 - doublings / limit)


def effort_doublings(doublings: Array, r: Array, p: Array = 1.0, limit: Array = math.inf) -> Array:
    """Return log2(E/E0), the doublings of effort that so many doublings of software take.

    Without a limit ``n p/r``; towards a limit L the integral of ``p/r(n)``, ``-(L p/r) ln(1 - n/L)``, which
    is ``inf`` at the limit and beyond.
    """
    if np.isscalar(limit) and limit == math.inf:
        return doublings * p / r
    with np.errstate(divide="ignore"):
        return -(limit * p / r) * np.log(np.maximum(0.0, 1 - doublings / limit))


def software_doublings(effort: Array, r: Array, p: Array = 1.0, limit: Array = math.inf) -> Array:
    """Return the doublings of software that log2(E/E0) doublings of effort bring.

    The inverse of :func:`effort_doublings`; never above ``limit``.
    """
    if np.isscalar(limit) and limit == math.inf:
        return effort * r / p
    return -limit * np.expm1(-effort * r / (p * limit))


def add_effort(effort: float, log2_amount: float) -> float:
    """Return log2(2^effort + 2^log2_amount), without leaving log2."""
    high, low = (effort, log2_amount) if effort >= log2_amount else (log2_amount, effort)
    return high + math.log1p(2.0 ** (low - high)) / math.log(2)


def effort_between(low: Array, high: Array) -> Array:
    """Return log2(2^high - 2^low), ``-inf`` where they are equal, for ``high >= low``."""
    with np.errstate(divide="ignore"):
        return high + np.log2(-np.expm1((low - high) * math.log(2)))


def doubling_ratio(r: Array, p: Array = 1.0) -> Array:
    """Return q, each doubling time over the one before: ``2^(p (1/r - 1))``. Below 1 they get faster."""
    return 2 ** (p * (1 / r - 1))


def returns_from_ratio(ratio: float, p: float = 1.0, returns_to: str = "inputs") -> float:
    """Return the r that would give this ratio of doubling times, ``1/(1 + log2(q)/p)``.

    With ``returns_to`` = effort ``1/(p + log2(q))``. ``inf`` where doublings get faster than any finite r makes them
    (``q <= 2^-p``).
    """
    inverse = 1 + (math.log2(ratio) if ratio > 0 else -math.inf) / p
    if inverse <= 0:
        return math.inf
    return 1 / inverse if returns_to == "inputs" else 1 / (p * inverse)


def doubling_time(n: Array, first: Array, ratio: Array) -> Array:
    """Return how long the n-th doubling takes (n = 1, 2, ...), in the unit of ``first``: ``T1 q^(n-1)``."""
    return first * ratio ** (n - 1)


def time_of_doubling(n: Array, first: Array, ratio: float) -> Array:
    """Return when the n-th doubling is reached: ``T1 (q^n - 1)/(q - 1)``, or ``n T1`` where q = 1."""
    return n * first if ratio == 1 else first * (ratio**n - 1) / (ratio - 1)


def explosion_time(first: float, ratio: float) -> float:
    """Return when infinitely many doublings are done, ``T1/(1 - q)``; ``inf`` where doublings do not speed up."""
    return first / (1 - ratio) if ratio < 1 else math.inf


def software_at(time: Array, first: float, ratio: float) -> Array:
    """Return log2 of software at a time, in the unit of ``first``: ``log2(1 + (q-1) t/T1)/log2 q``.

    Exact at every whole doubling where researchers double with software, and everywhere where they grow with
    it continuously. ``t/T1`` where q = 1; ``inf`` from the explosion on.
    """
    if ratio == 1:
        return time / first
    remaining = np.maximum(0.0, 1 + (ratio - 1) * time / first)
    with np.errstate(divide="ignore"):
        return np.log2(remaining) / math.log2(ratio)


def ratio_exponent(r: Array, p: Array = 1.0, retraining: bool = False, speed_share: float = 0.0) -> Array:
    """Return log2 of each doubling time over the one before: ``x = p (1/r - 1)``, or ``x/(1 + |x|)`` with retraining.

    The latter stands for training runs that must end before a discovery counts, in the successor study (Davidson and
    Houlden, *How quick and big would a software intelligence explosion be?*, 2025). It damps both ways: doublings that
    get faster do so more slowly, and none takes more than twice as long as the one before.

    ``speed_share``, phi from 0 to 1: of each doubling, the share that is spent on shorter training runs. Researchers
    then grow 2^(1 - phi)-fold while a doubling needs 2^(p/r) times the effort, so that ``x = p (1/r - (1 - phi))``.
    """
    exponent = p * (1 / r - (1 - speed_share))
    return exponent / (1 + np.abs(exponent)) if retraining else exponent


def doublings_to_fastest(r: Array, limit: Array = math.inf) -> Array:
    """Return after how many doublings the fastest one is done; 0 for r <= 1, where doublings never get faster.

    r falls to 1 after ``L (1 - 1/r)`` doublings; ``inf`` without a limit, where they get faster without end. Where a
    share phi of each doubling is spent on shorter training runs, ``r (1 - phi)`` stands in place of r.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(r > 1, np.ceil(limit * (1 - 1 / r)), 0.0)


def doublings_by(time: float, first: Array, exponent: Array) -> Array:
    """Return the doublings done by a time if each takes ``2^exponent`` of the one before; ``inf`` after an explosion.

    The vectorised :func:`software_at`.
    """
    speed = exponent * math.log(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        remaining = np.log1p(np.maximum(-1.0, np.expm1(speed) * time / first))
        return np.where(exponent == 0, time / first, remaining / speed)


def explosion_times(first: Array, exponent: Array) -> Array:
    """Return when infinitely many doublings are done if each takes ``2^exponent`` of the one before.

    The vectorised :func:`explosion_time`; ``inf`` where doublings do not speed up.
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
    speed_share: float = 0.0,
    rows: Array,
) -> Iterator[Array]:
    """Yield when software has doubled n = 1, 2, ... times, in many worlds at once: the successor study's recursion.

    ``t_(n+1) = t_n + D_n``, ``D_(n+1) = D_n 2^x`` with :func:`ratio_exponent` x of r and ``r_(n+1) = r_n - r_0/L``: the
    returns fall first, and the next doubling has those that are left. ``retraining`` and ``speed_share`` are those of
    :func:`ratio_exponent`. The first takes ``first``; none begins with
    returns of 0 or below.

    All but ``horizon`` are arrays of one entry a world; ``limit`` may hold ``inf``. ``first`` and ``horizon`` share a
    unit. A doubling beyond the horizon is at ``inf``. ``rows``, of shape (doublings, worlds), receives what is yielded,
    and ends it. Worlds at the end of the arrays that are over are left out from then on: rows get shorter, and sorting
    long-lived worlds to the front saves work.
    """
    slope = np.minimum(limit, _EFFECTIVELY_INFINITE) * (math.log(2) * p) / r
    towards, left = math.log(2) * p * (1 - speed_share), np.minimum(limit, _EFFECTIVELY_INFINITE)
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
            # x ln 2, and e^(x ln 2) rather than 2^x, which is the slower of the two in NumPy.
            np.subtract(np.divide(slope, left, out=exponent), towards, out=exponent)
            if retraining:
                np.divide(exponent, 1 + np.abs(exponent) / math.log(2), out=exponent)
            np.multiply(duration, np.exp(exponent, out=exponent), out=duration)
        if done >= soonest:
            np.putmask(duration, left <= 0, np.inf)
        before = time


_EFFECTIVELY_INFINITE = 1e200
"""Doublings: stands for no limit, where infinity would have no ratio."""
_COMPACT_EVERY = 8
"""Doublings between two looks at which worlds are over."""


@dataclass(frozen=True, slots=True)
class Law:
    """The law of returns with its constants: effort counted in papers in, doublings of software out."""

    r: float
    p: float
    limit: float
    log2_initial_effort: float
    """log2 of E0, the effective papers written before day 0."""

    def software(self, effort: float) -> float:
        """Return doublings of software after ``effort`` doublings of effort since day 0."""
        return float(software_doublings(effort, self.r, self.p, self.limit))

    def effort(self, doublings: float) -> float:
        """Return doublings of effort since day 0 at so many doublings of software; ``inf`` beyond the limit."""
        return float(effort_doublings(doublings, self.r, self.p, self.limit))

    def papers_between(self, effort: float, doublings: float) -> float:
        """Return the effective papers from this effort to so many doublings of software (0 if passed)."""
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
    """Return the law that a reference lab fixes: so many researchers who each write ``papers_per_day``.

    Law `returns`: E0 is the effort before day 0 with which the first doubling takes this lab `first_doubling_days`,
    ``E0 = first_doubling_days rate N^p / (2^(p/r) - 1)`` without a limit. Law `papers`: E0 is what makes the first
    doubling take `papers_first_doubling` papers of this team.
    """
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
    """Return the days that each doubling takes if nothing but the law holds it up: no queue, no retraining.

    Work is infinitely divisible, and researchers grow with software in steps of so many doublings (1: the
    report's toy model; small: continuously). A doubling that the limit forbids takes ``inf`` days.
    """
    return [_unconstrained_duration(law, researchers, papers_per_day, n, step) for n in range(doublings)]


def _unconstrained_duration(law: Law, researchers: float, papers_per_day: float, n: int, step: float) -> float:
    """Days from n to n + 1 doublings: the sum of dE/(rate N^p) over the steps of the team between them."""
    first, last = math.floor(n / step + _ROUNDING) + 1, math.ceil((n + 1) / step - _ROUNDING)
    levels = np.array([n, *(np.arange(first, last) * step), n + 1], dtype=float)
    effort = effort_doublings(levels, law.r, law.p, law.limit)
    if not math.isfinite(float(effort[-1])):
        return math.inf
    team = math.log2(researchers) + step * np.floor(levels[:-1] / step + _ROUNDING)
    log2_days = law.log2_initial_effort + effort_between(effort[:-1], effort[1:]) - law.p * team
    return float(np.sum(2.0 ** (log2_days - math.log2(papers_per_day))))


_ROUNDING = 1e-9
"""Steps: a level that is short of a step by rounding alone has reached it."""
