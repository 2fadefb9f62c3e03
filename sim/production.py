"""Compute how much research humans and AIs do together if a paper consists of K kinds of tasks.

Every kind of task has a share b of the tasks of a paper, and the shares sum to 1. A human works at productivity 1 on
every kind. An AI works at productivity ``eta_i`` on kind i, and cannot do it at all (``eta_i = 0``) below the
threshold of that kind. The effort ``x_i`` on kind i is the number of humans on it plus ``eta_i`` times the number of
AIs. Tasks combine with a constant elasticity of substitution (CES) ``sigma = 1/(1 - rho)``:

``Y = (sum_i b_i (x_i/b_i)^rho)^(1/rho)``.

H humans alone who spread evenly over all tasks have output ``Y = H``. rho = -inf is tasks in series (Leontief), 0 is
Cobb-Douglas and 1 is addition. The form is that of the AI Futures Model (aifuturesmodel.com, 2025); :mod:`sim.ces`
computes it.

All functions are pure. Numbers of humans and AIs, productivities and outputs are natural logarithms, so that 300
doublings do not overflow: ``-inf`` is none. AIs may be unlimited, ``inf``. An argument of type ``Numbers`` is a float
or an array. Kinds of tasks are along the last axis of an array, scenarios along the other axes.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray
from pydantic import BaseModel, model_validator
from scipy.special import expit, log_expit

from sim import ces

Numbers = Any
"""A float or a NumPy array of floats."""
Floats = NDArray[np.float64]

_SHARES_TOLERANCE = 1e-9
"""Largest distance from 1 of a sum of shares."""


class _TaskParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the kinds of tasks that a paper consists of, and of the AIs that do them."""

    kinds: Annotated[int, Interval(ge=1, le=10_000), "kinds"] = 1
    """Number of kinds of tasks, K, each with an equal share of a paper. Source: our choice; 1 is a task that is
    automated as a whole."""
    first_threshold: Annotated[float, Interval(ge=-1000, le=1000), "doublings"] = 0.0
    """Capability at which AIs can do the easiest kind of task, in doublings since day 0. Thresholds of the other kinds
    are equally spaced up to `last_threshold`. Source: the AI Futures Model spaces them equally in log capability; 0
    is our choice: everything is automated on day 0, which is the report's toy model."""
    last_threshold: Annotated[float, Interval(ge=-1000, le=1000), "doublings"] = 0.0
    """Capability at which AIs can do the hardest kind of task that they ever can, in doublings since day 0. If that is
    the last task of all, research is then fully automated: ASARA. Source: as `first_threshold`."""
    never_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.0
    """Share of the kinds of tasks that AIs never can do, rounded to whole kinds. Source: our choice, none, as in the
    report."""
    ai_productivity: Annotated[float, Interval(ge=1e-6, le=1e6), "humans per AI"] = 1.0
    """Productivity of an AI on a kind of task when its threshold is reached, in humans. Source: our choice; the report
    counts an AI as one researcher."""
    productivity_slope: Annotated[float, Interval(ge=0, le=10), "exponent"] = 0.0
    """Exponent theta of the productivity of an AI on a kind of task: it doubles theta times with each doubling of
    capability above the threshold. Source: our choice, 0, because the lab already counts better software as more AIs.
    The AI Futures Model has an 80% interval of 0.67 to 6 in its own unit of capability."""
    reallocation: bool = True
    """Whether humans move to the tasks that AIs do not do. `false`: they stay with the kinds of tasks that they did
    before automation. Source: the report's 20 times the effort on the last 5% assumes that they move."""

    @model_validator(mode="after")
    def _check_thresholds(self) -> Self:
        if self.first_threshold > self.last_threshold:
            raise ValueError(
                f"automation__first_threshold = {self.first_threshold:g} is above automation__last_threshold = "
                f"{self.last_threshold:g}; allowed: at most the last. Exchange the two values."
            )
        return self

    @property
    def rho_of_tasks(self) -> float:
        """rho of the CES by which tasks combine."""
        return -math.inf

    @property
    def automatable_kinds(self) -> int:
        """Number of kinds of tasks that AIs can do at some capability."""
        return self.kinds - round(self.kinds * self.never_share)

    def thresholds(self) -> Floats:
        """Return the capability at which AIs can do each kind [doublings], ascending; ``inf`` for never.

        A single kind has the last threshold.
        """
        return _thresholds(self.first_threshold, self.last_threshold, self.automatable_kinds, self.kinds)

    def shares(self) -> Floats:
        """Return the share of each kind in the tasks of a paper: 1/K."""
        return np.full(self.kinds, 1 / self.kinds)

    def log_productivity(self, doublings: Numbers) -> Floats:
        """Return ln of the productivity of an AI on each kind, with a capability of ``doublings`` since day 0."""
        return log_ai_productivity(
            doublings, self.thresholds(), math.log(self.ai_productivity), self.productivity_slope
        )

    def capability_of(self, productivity: float) -> float:
        """Return the capability at which an AI does the hardest kind of task as fast as this number of humans.

        It is ``inf`` if AIs never do.
        """
        hardest = float(self.thresholds()[-1])
        if productivity <= self.ai_productivity:
            return hardest
        if self.productivity_slope == 0:
            return math.inf
        return hardest + math.log2(productivity / self.ai_productivity) / self.productivity_slope

    def is_complete(self, doublings: float) -> bool:
        """Return whether AIs can do all tasks at a capability of ``doublings`` since day 0."""
        return doublings >= float(self.thresholds()[-1])

    def allocate(self, log_humans: Numbers, log_ais: Numbers, doublings: Numbers) -> Allocation:
        """Return the allocation of humans and AIs with a capability of ``doublings`` since day 0."""
        return allocate(
            log_humans,
            log_ais,
            self.log_productivity(doublings),
            self.shares(),
            self.rho_of_tasks,
            reallocation=self.reallocation,
        )


class SeriesTasks(_TaskParams, frozen=True):
    """Tasks in series: a paper needs the same work on each task, and no task replaces another."""

    combination: Annotated[Literal["series"], "name"] = "series"
    """How the tasks of a paper combine. `series`: a paper needs the same work on each kind of task, one after another
    (rho = -inf), and one AI works on a task. `ces`: more work on one kind replaces work on another, with the elasticity
    1/(1 - rho), and all AIs share the tasks under way. Source: our choice, the simplest; the report's 20 times is the
    case in series."""


class CesTasks(_TaskParams, frozen=True):
    """Tasks that replace each other with a constant elasticity of substitution (CES)."""

    combination: Annotated[Literal["ces"], "name"] = "ces"
    rho: Annotated[float, Interval(ge=-1000, le=1), "exponent"] = -2.0
    """How tasks combine, rho of a CES: 0 is Cobb-Douglas, 1 is addition. Source: the AI Futures Model takes -5, -2 and
    -1 for coding, with weights 0.25, 0.5 and 0.25."""

    @property
    def rho_of_tasks(self) -> float:
        """rho of the CES by which tasks combine."""
        return self.rho


AutomationParams = SeriesTasks | CesTasks
"""Parameters of the automation of tasks; `combination` selects the class."""


@lru_cache(maxsize=256)
def _thresholds(first: float, last: float, automatable: int, kinds: int) -> Floats:
    """Return thresholds as a read-only array, because a run reads them at each deployment."""
    start = last if automatable == 1 else first
    found = np.concatenate([np.linspace(start, last, automatable), np.full(kinds - automatable, np.inf)])
    found.flags.writeable = False
    return found


class Allocation(NamedTuple):
    """Division of humans and AIs between the kinds of tasks, and its output."""

    log_output: Numbers
    """ln Y; Y is the number of humans that would do the same research alone."""
    humans: Floats
    """Share of all humans who work on each kind; 0 if AIs do all tasks."""
    ais: Floats
    """Share of all AIs that work on each kind; 0 if there is no task for them."""
    automated: Numbers
    """Share of the tasks that AIs do. Without reallocation, the share of the tasks on which AIs work."""
    squeeze: Numbers
    """Human effort on each task that humans do, relative to that before automation; ``inf`` if they do none."""


def log_ai_productivity(doublings: Numbers, thresholds: Numbers, log_base: Numbers, slope: Numbers) -> Floats:
    """Return ln of the productivity of an AI on each kind of task; ``-inf`` below the threshold of the kind.

    ``eta_i = eta_0 (E/E_i)^theta`` for ``E >= E_i``, with the threshold E_i. Source: AI Futures Model.

    Arguments
    ---------
    doublings
        Software of each scenario, log2 E [doublings].
    thresholds
        Thresholds of the kinds, log2 E_i [doublings], along the last axis.
    log_base
        ln eta_0 of each scenario, the productivity at the threshold.
    slope
        theta of each scenario.
    """
    above = _column(doublings) - np.asarray(thresholds, dtype=float)
    can = above >= 0
    return np.where(can, _column(log_base) + _column(slope) * math.log(2) * np.where(can, above, 0.0), -np.inf)


def log_unlimited_gain(automated: Numbers, rho: Numbers, *, reallocation: bool = True) -> Numbers:
    """Return ln of output per human if AIs do the share f of the tasks without limit.

    It is ``(1/rho - 1) ln(1 - f)`` if humans move to the tasks that are left, and ``ln(1 - f)/rho`` if they stay. For
    rho < 0 this is the highest pace that a fixed f < 1 allows. For rho from 0 on it is ``inf``.
    """
    automated, rho = np.broadcast_arrays(np.asarray(automated, dtype=float), np.asarray(rho, dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_left = np.log1p(-automated)
        gain = (1 / rho - (1 if reallocation else 0)) * log_left
    gain = np.where(np.isneginf(rho) & (automated == 1) & (not reallocation), np.inf, gain)
    gain = np.where(rho >= 0, np.inf, gain)
    return np.where(automated == 0, 0.0, gain)[()]


def allocate(
    log_humans: Numbers,
    log_ais: Numbers,
    log_productivity: Numbers,
    shares: Numbers,
    rho: Numbers,
    *,
    reallocation: bool = True,
) -> Allocation:
    """Divide humans and AIs between the kinds of tasks so that output is greatest, in closed form.

    With reallocation there is one cut: AIs do the kinds on which they are most productive, and humans the others. The
    kind at the cut may be divided. Without reallocation humans are spread evenly over all tasks, and only AIs are
    placed where they add most.

    Arguments
    ---------
    log_humans, log_ais
        ln of the numbers of humans and AIs in each scenario. Humans are finite; AIs may be unlimited.
    log_productivity
        ln of the productivity of an AI on each kind, finite or ``-inf``.
    shares
        Share of each kind in the tasks of a paper; they sum to 1.
    rho
        How tasks combine in each scenario: at most 1, may be ``-inf``.
    reallocation
        Whether humans move.

    Raises ValueError if rho is above 1, or if shares are negative or do not sum to 1.
    """
    rho = np.asarray(rho, dtype=float)
    if not np.all(rho <= 1):
        raise ValueError(f"rho = {np.max(rho):g} is above 1; allowed: -inf to 1. Use 1 for tasks that add up")
    log_eta, shares = np.broadcast_arrays(
        np.asarray(log_productivity, dtype=float), np.atleast_1d(np.asarray(shares, dtype=float))
    )
    sums = shares.sum(axis=-1)
    if np.any(shares < 0) or not np.all(np.abs(sums - 1) <= _SHARES_TOLERANCE):
        farthest = np.ravel(sums)[np.argmax(np.abs(np.ravel(sums) - 1))]
        raise ValueError(f"shares = {farthest:g} in sum; allowed: 0 or more each, 1 in sum. Divide them by their sum")
    scenarios = np.broadcast_shapes(
        np.shape(log_humans), np.shape(log_ais), np.shape(rho), np.shape(log_eta)[:-1], np.shape(shares)[:-1]
    )
    order = np.argsort(-log_eta, axis=-1, kind="stable")
    tasks = _Tasks.sorted_by_productivity(log_eta, shares, order, rho, (*scenarios, np.shape(log_eta)[-1]))
    humans, ais = (np.broadcast_to(_column(each), (*scenarios, 1)) for each in (log_humans, log_ais))
    with np.errstate(all="ignore"):
        found = (_reallocated if reallocation else _with_humans_fixed)(humans, ais, tasks)
    back = np.broadcast_to(np.argsort(order, axis=-1), found.humans.shape)
    return found._replace(
        humans=np.take_along_axis(found.humans, back, axis=-1), ais=np.take_along_axis(found.ais, back, axis=-1)
    )


class _Tasks(NamedTuple):
    """Kinds of tasks, from the one on which AIs are most productive to the one on which they are least."""

    log_eta: Floats
    """ln of the productivity of an AI."""
    shares: Floats
    can: NDArray[np.bool_]
    """Whether AIs can do the kind."""
    best: Floats
    """ln of the highest productivity, one column."""
    below: Floats
    """ln of the productivity relative to the highest."""
    rho: Floats
    """rho of each scenario, one column."""
    sigma: Floats
    """Elasticity of substitution, 1/(1 - rho)."""

    @staticmethod
    def sorted_by_productivity(
        log_eta: Floats, shares: Floats, order: NDArray[np.intp], rho: Floats, shape: tuple[int, ...]
    ) -> _Tasks:
        """Sort kinds and broadcast them to scenarios by kinds."""
        log_eta = np.broadcast_to(np.take_along_axis(log_eta, order, axis=-1), shape)
        shares = np.broadcast_to(np.take_along_axis(shares, order, axis=-1), shape)
        rho = np.broadcast_to(_column(rho), (*shape[:-1], 1))
        can = np.isfinite(log_eta) & (shares > 0)
        best = np.max(np.where(can, log_eta, -np.inf), axis=-1, keepdims=True)
        below = np.where(can, log_eta - np.where(np.isfinite(best), best, 0.0), -np.inf)
        with np.errstate(divide="ignore"):
            return _Tasks(log_eta, shares, can, best, below, rho, 1 / (1 - rho))

    def log_weight(self, exponent: Floats) -> Floats:
        """Return ln(b_i (eta_i/eta_best)^exponent); ``-inf`` for kinds that AIs cannot do."""
        return np.where(self.can, np.log(self.shares) + _times(exponent, self.below), -np.inf)


def _reallocated(log_humans: Floats, log_ais: Floats, tasks: _Tasks) -> Allocation:
    """Return the allocation if humans and AIs both move.

    In their own kinds, AIs reach the levels ``y_i = A eta_i^sigma/B_A``, with ``B_A = sum b_i eta_i^(sigma - 1)``, and
    humans ``H/B_H``, with ``B_H = sum b_i``. AIs do the part theta of the kind at the cut such that its level is the
    same by either. With u = H/(A eta_m) and ``G_m = sum b_j (eta_j/eta_m)^(sigma - 1)`` over the kinds before m,

    ``theta_m = (B_m - G_m u)/(b_m (1 + u))``, where B_m is the share of kind m and the kinds after it.

    theta is above 1 before the cut and below 0 after it, so that clipping it to [0, 1] finds the cut.
    """
    shares, sigma = tasks.shares, tasks.sigma
    gain = sigma - 1
    log_ratio = log_humans - log_ais - tasks.log_eta
    log_ratio = np.where(np.isneginf(log_ais) | ~tasks.can, np.inf, log_ratio)
    by_ais, by_humans = expit(-log_ratio), expit(log_ratio)  # 1/(1 + u) and u/(1 + u)
    before = np.logaddexp.accumulate(tasks.log_weight(gain), axis=-1)
    before = np.concatenate([np.full_like(before[..., :1], -np.inf), before[..., :-1]], axis=-1)
    pulled = np.exp(before - _times(gain, tasks.below) + log_expit(log_ratio))
    pulled = np.where(np.isnan(pulled), 0.0, pulled)  # no kind before, or no human
    left = np.cumsum(shares[..., ::-1], axis=-1)[..., ::-1]
    after = np.concatenate([left[..., 1:], np.zeros_like(left[..., :1])], axis=-1)
    theta = np.where(tasks.can, np.clip((left * by_ais - pulled) / shares, 0, 1), 0.0)
    # The complement is not computed as 1 - theta, which would lose the digits of a small share.
    rest = np.where(tasks.can, np.clip((pulled + shares * by_humans - after * by_ais) / shares, 0, 1), 1.0)
    ai_shares, human_shares = shares * theta, shares * rest
    log_ai_weight = np.where(ai_shares > 0, np.log(theta) + tasks.log_weight(gain), -np.inf)
    log_ai_sum = np.logaddexp.reduce(log_ai_weight, axis=-1, keepdims=True)
    human_sum = human_shares.sum(axis=-1, keepdims=True)
    ai_levels = log_ais + tasks.best + _times(sigma, tasks.below) - log_ai_sum
    ai_levels = np.where(np.isnan(ai_levels), -np.inf, ai_levels)  # unlimited AIs that are all on better kinds
    human_levels = np.broadcast_to(log_humans - np.log(human_sum), ai_levels.shape)
    log_output = ces.log_mean(
        np.concatenate([ai_levels, human_levels], axis=-1),
        np.concatenate([ai_shares, human_shares], axis=-1),
        tasks.rho[..., 0],
    )
    return Allocation(
        log_output,
        np.where(human_sum > 0, human_shares / human_sum, 0.0),
        np.where(np.isfinite(log_ai_sum), np.exp(log_ai_weight - log_ai_sum), 0.0),
        ai_shares.sum(axis=-1)[()],
        (1 / human_sum[..., 0])[()],
    )


def _with_humans_fixed(log_humans: Floats, log_ais: Floats, tasks: _Tasks) -> Allocation:
    """Return the allocation if humans are spread evenly and AIs move.

    AIs raise the level of kind i from H to ``max(H, lambda eta_i^sigma)``. lambda is the least over m of ``(A + H sum
    b_i/eta_i) / sum b_i eta_i^(sigma - 1)``, in which the sums are over the m kinds with the highest productivity.
    """
    shares, sigma = tasks.shares, tasks.sigma
    log_cost = np.where(tasks.can, np.log(shares) - tasks.log_eta, -np.inf)  # AIs that raise the level by 1
    log_power = _times(sigma, tasks.below)
    log_sums = np.logaddexp.accumulate(np.where(tasks.can, log_cost + log_power, -np.inf), axis=-1)
    log_needs = np.logaddexp.accumulate(np.where(tasks.can, log_cost + log_humans, -np.inf), axis=-1)
    log_levels = np.where(tasks.can, np.logaddexp(log_ais, log_needs) - log_sums, np.inf)
    log_level = np.min(log_levels, axis=-1, keepdims=True)
    raised = np.where(tasks.can, log_level + log_power, -np.inf)
    raised = np.where(np.isnan(raised), -np.inf, raised)
    levels = np.maximum(log_humans, raised)
    works = tasks.can & (raised > log_humans)
    log_ai_shares = log_cost + levels + np.log1p(-np.exp(log_humans - levels)) - log_ais
    unlimited = log_cost + log_power - log_sums[..., -1:]
    ais = np.where(works, np.exp(np.where(np.isposinf(log_ais), unlimited, log_ai_shares)), 0.0)
    automated = np.where(works, shares, 0.0).sum(axis=-1)
    return Allocation(
        ces.log_mean(levels, shares, tasks.rho[..., 0]), shares, ais, automated[()], np.ones_like(automated)[()]
    )


def _times(exponent: Floats, logarithm: Floats) -> Floats:
    """Return ln of a power; the power of 1 is 1 for an infinite exponent, too."""
    return np.where(logarithm == 0, 0.0, exponent * logarithm)


def _column(values: Numbers) -> Floats:
    """Return values of scenarios with an axis for kinds."""
    return np.asarray(values, dtype=float)[..., None]
