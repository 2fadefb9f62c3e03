"""Whether compute or labour holds research up, measured in the World: elasticities of output, and the CES that fits.

A lab is held at a moment of its path: so many doublings of software discovered and deployed, and nothing moves further.
There runs of the same luck differ in researchers or in GPUs for experiments alone. Pure: no files, no prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from experiments.held import COUNTED, Held, Setting, experiment_gpus, setting_at
from sim import ces
from sim.model import World
from sim.scenario import Scenario, ScenarioError

CONFIDENCE: Final = 0.95
SCALINGS: Final = (0.0, 0.5, 1.0)
"""The s that are looked at: experiments of fixed size, the middle, and near the frontier's size."""
STEP: Final = 2 ** (1 / 3)
"""By how much researchers or GPUs are raised and lowered for an elasticity."""
LOADS: Final = (0.5, 2**-0.5, 1.0, 2**0.5, 2.0)
"""Loads about the corner, between which a CES is fitted."""

Watch = Callable[[float, str, World], bool | None]
"""Shown the share of the work that is done, what is under way, and its world; True stops."""


class Estimate(NamedTuple):
    """A mean over seeds."""

    value: float
    low: float | None
    """Its 95% interval, Student's; None with one seed."""
    high: float | None
    each: tuple[float, ...]
    """Seed by seed."""


class Point(NamedTuple):
    """One moment of the path of a lab, and what more of an input would bring there."""

    doublings: float
    researchers: int
    gpus: int
    """For experiments."""
    gpu_days: float
    """Mean cost of an experiment."""
    load: float
    """GPUs that researchers who never wait would keep busy, over those that there are."""
    utilisation: float
    papers_per_day: float
    labour: Estimate
    """dlnY/dlnL"""
    compute: Estimate
    """dlnY/dlnK"""
    total: Estimate
    """Their sum: 1 where returns to scale are constant."""
    ceiling: float
    """What any number of researchers more could multiply output by: until no GPU is idle."""


class Corner(NamedTuple):
    """A sweep through the loads at which labour and compute change places, and the CES that fits it."""

    doublings: float
    """Of the point whose GPUs are varied: the middle of the path, or the earlier of the two in the middle."""
    researchers: int
    gpus: tuple[int, ...]
    loads: tuple[float, ...]
    """At what experiments turned out to cost."""
    outputs: tuple[float, ...]
    """Papers a day, over those of as many researchers who never wait."""
    fit: ces.Fit
    """Of all seeds together."""
    rho: Estimate
    """-inf where no substitution is seen; its interval is that of sigma."""
    sigma: Estimate


class Case(NamedTuple):
    """All about one s."""

    scaling: float
    points: tuple[Point, ...]
    corner: Corner
    corner_at: float | None
    """Doublings of software at which the load comes to 1; None if it never does."""
    apparent: float | None
    """dlnY/dlnL along the last step of the path: what one sees who counts GPUs and not what software makes of them."""


class Study(NamedTuple):
    """What was measured."""

    scenario: str
    digest: str
    seeds: tuple[int, ...]
    """That were run to their ends."""
    step: float
    counted: str
    """When papers were counted."""
    cases: tuple[Case, ...]
    pairing: float | None
    """Variance of a difference of runs with luck of their own, over that of runs with the same luck."""
    taken_out: float | None
    """Variance of a difference of papers as they were counted, over that with the luck of costs taken out."""
    runs: int


class _Plan(NamedTuple):
    """The runs that one point takes."""

    base: Setting
    labour: tuple[Setting, Setting]
    """Fewer and more researchers."""
    compute: tuple[Setting, Setting]

    @property
    def settings(self) -> list[Setting]:
        """All of them."""
        return [*self.labour, *self.compute]


class _Sweep(NamedTuple):
    """The runs that one corner takes."""

    base: Setting
    settings: tuple[Setting, ...]


def study(scenario: Scenario, doublings: Sequence[float], seeds: Sequence[int], watch: Watch | None = None) -> Study:
    """Measure a scenario at so many doublings of software, for each s; if ``watch`` stops it, whole seeds count.

    Raises ScenarioError where papers need no experiment, where the lab cannot be held so far along its path, or where
    its GPUs are too few to be varied.
    """
    plans = {s: [_plan(scenario, setting_at(scenario, n, s)) for n in doublings] for s in SCALINGS}
    sweeps = {s: _sweep(scenario, plans[s][(len(doublings) - 1) // 2].base) for s in SCALINGS}
    wanted = [setting for s in SCALINGS for plan in plans[s] for setting in plan.settings]
    settings = list(dict.fromkeys(wanted + [setting for s in SCALINGS for setting in sweeps[s].settings]))
    seen = _runs(scenario, settings, seeds, watch)
    done = tuple(seeds[: len(seen)])
    cases = [_case(s, plans[s], sweeps[s], seen) for s in SCALINGS] if seen else []
    pairing, taken_out = _less_luck([plan for s in SCALINGS for plan in plans[s]], seen)
    return Study(
        scenario=scenario.name,
        digest=scenario.digest(),
        seeds=done,
        step=STEP,
        counted=COUNTED,
        cases=tuple(cases),
        pairing=pairing,
        taken_out=taken_out,
        runs=len(settings) * len(done),
    )


def estimate(each: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """Return the mean of one figure a seed, with Student's interval."""
    mean, count = float(np.mean(each)), len(each)
    if count < 2:
        return Estimate(mean, None, None, tuple(map(float, each)))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * np.std(each, ddof=1) / math.sqrt(count))
    return Estimate(mean, mean - half, mean + half, tuple(map(float, each)))


def luck_weight(grown: NDArray[np.float64], luck: NDArray[np.float64], more: float) -> float:
    """Return the weight with which luck in the cost of experiments is taken out of output: its elasticity to compute.

    Experiments that happen to be dear are as much as fewer GPUs, so the weight w is the elasticity that comes of using
    it: ``w = mean(grown + w luck)/more``. ``grown``, ``luck``: differences of ln papers and of ln (mean cost that was
    met / expected) between runs with more and with less compute, a seed each; ``more``: the difference of ln GPUs.
    From 0 to 1; without any luck, or in the long run, the weight makes no difference.
    """
    left = more - float(np.mean(luck))
    weight = float(np.mean(grown)) / left if left > 0 else 1.0
    return min(1.0, max(0.0, weight))


def _plan(scenario: Scenario, base: Setting) -> _Plan:
    """The runs about a point."""
    fewer, more = (max(1, round(base.researchers * factor)) for factor in (1 / STEP, STEP))
    low, high = (experiment_gpus(scenario, base.gpus * factor) for factor in (1 / STEP, STEP))
    if fewer == more or low == high:
        what = "researchers" if fewer == more else "GPUs for experiments"
        few = base.researchers if fewer == more else base.gpus
        raise ScenarioError(f"{few} {what} are too few to be varied by a quarter: give the lab more of them")
    return _Plan(
        base,
        (base._replace(researchers=fewer), base._replace(researchers=more)),
        (base._replace(gpus=low), base._replace(gpus=high)),
    )


def _sweep(scenario: Scenario, base: Setting) -> _Sweep:
    """The runs through the corner: the same researchers, on GPUs that are enough for them and on fewer."""
    sizes = [experiment_gpus(scenario, base.gpus * base.load / load) for load in LOADS]
    if len(set(sizes)) < len(LOADS) - 1:
        raise ScenarioError(
            f"at load 1 {base.researchers:,} researchers would need {base.gpus * base.load:.3g} GPUs for experiments "
            f"({base.doublings:g} doublings), too few to be varied: give the lab more researchers or dearer experiments"
        )
    return _Sweep(base, tuple(base._replace(gpus=size).settled() for size in dict.fromkeys(sizes)))


def _runs(
    scenario: Scenario, settings: Sequence[Setting], seeds: Sequence[int], watch: Watch | None
) -> list[dict[Setting, Held]]:
    """What was seen in each setting, seed by seed, as far as nobody stopped it."""
    work = [setting.work for setting in settings]
    total = sum(work) * len(seeds)
    found: list[dict[Setting, Held]] = []
    for number, seed in enumerate(seeds):
        seen: dict[Setting, Held] = {}
        for place, setting in enumerate(settings):
            share = (number * sum(work) + sum(work[:place])) / total
            text = f"seed {number + 1} of {len(seeds)}: {setting.told}"
            held = Held.run(scenario, setting, seed, _watching(watch, share, text))
            if held is None:
                return found
            seen[setting] = held
        found.append(seen)
    return found


def _watching(watch: Watch | None, share: float, text: str) -> Callable[[World], bool | None] | None:
    return None if watch is None else lambda world: watch(share, text, world)


def _logs(pair: tuple[Setting, Setting], seen: Sequence[dict[Setting, Held]]) -> tuple[NDArray[np.float64], ...]:
    """ln papers and ln luck, for each a row a seed: with fewer and with more."""
    papers = np.log([[each[setting].papers for setting in pair] for each in seen])
    return papers, np.log([[each[setting].luck for setting in pair] for each in seen])


def _weight(plan: _Plan, seen: Sequence[dict[Setting, Held]]) -> float:
    grown, luck = (np.diff(rows)[:, 0] for rows in _logs(plan.compute, seen))
    return luck_weight(grown, luck, math.log(plan.compute[1].gpus / plan.compute[0].gpus))


def _point(plan: _Plan, seen: Sequence[dict[Setting, Held]]) -> Point:
    base, weight = plan.base, _weight(plan, seen)
    outputs = [papers + weight * luck for papers, luck in (_logs(pair, seen) for pair in (plan.labour, plan.compute))]
    wider = math.log(plan.labour[1].researchers / plan.labour[0].researchers)
    larger = math.log(plan.compute[1].gpus / plan.compute[0].gpus)
    labour, compute = np.diff(outputs[0])[:, 0] / wider, np.diff(outputs[1])[:, 0] / larger
    all_held = [each[setting] for each in seen for setting in plan.settings]
    busy = [math.log(held.utilisation) + (weight - 1) * math.log(held.luck) for held in all_held]
    utilisation = math.exp(float(np.mean(busy)))
    return Point(
        base.doublings, base.researchers, base.gpus, base.gpu_days, base.load, utilisation,
        math.exp(float(np.mean(outputs))), estimate(labour), estimate(compute), estimate(labour + compute),
        1 / utilisation,
    )  # fmt: skip


def _corner(sweep: _Sweep, seen: Sequence[dict[Setting, Held]]) -> Corner:
    """Fit a CES to papers against researchers and what GPUs were worth at the cost that experiments turned out to have.

    Where GPUs are all busy this leaves no luck at all, and where hardly any is it changes nothing.
    """
    base, settings = sweep.base, sweep.settings
    labour = np.full(len(settings), math.log(base.researchers))
    compute = np.array([[math.log(setting.gpus / each[setting].luck) for setting in settings] for each in seen])
    papers = np.array([[math.log(each[setting].papers) for setting in settings] for each in seen])
    fits = [ces.fit(labour, *each) for each in zip(compute, papers, strict=True)]
    whole = ces.fit(np.tile(labour, len(seen)), compute.ravel(), papers.ravel())
    sigma = estimate([ces.substitution(each.rho) for each in fits])
    if sigma.low is not None:
        sigma = sigma._replace(low=max(0.0, sigma.low))
    low, high = (None if end is None else ces.rho_of(end) for end in (sigma.low, sigma.high))
    rho = Estimate(ces.rho_of(sigma.value), low, high, tuple(each.rho for each in fits))
    loads = np.exp(np.mean(math.log(base.alone * base.gpu_days) - compute, axis=0))
    outputs = np.exp(np.mean(papers, axis=0)) / base.alone
    return Corner(
        base.doublings, base.researchers, tuple(setting.gpus for setting in settings),
        tuple(map(float, loads)), tuple(map(float, outputs)), whole, rho, sigma,
    )  # fmt: skip


def _case(scaling: float, plans: Sequence[_Plan], sweep: _Sweep, seen: Sequence[dict[Setting, Held]]) -> Case:
    points = tuple(_point(plan, seen) for plan in plans)
    first = plans[0].base
    ahead = -math.log2(first.load) / scaling if scaling > 0 else None
    apparent = None
    if len(points) > 1 and points[-1].researchers != points[-2].researchers:
        grown = math.log(points[-1].papers_per_day / points[-2].papers_per_day)
        apparent = grown / math.log(points[-1].researchers / points[-2].researchers)
    corner_at = None if ahead is None else first.doublings + ahead
    return Case(scaling, points, _corner(sweep, seen), corner_at, apparent)


def _less_luck(plans: Sequence[_Plan], seen: Sequence[dict[Setting, Held]]) -> tuple[float | None, float | None]:
    """How much less the differences vary for having the same luck, and for the luck of costs being taken out."""
    if len(seen) < 2:
        return None, None
    apart = together = counted = 0.0
    for plan in plans:
        weight = _weight(plan, seen)
        for pair in (plan.labour, plan.compute):
            papers, luck = _logs(pair, seen)
            output = papers + weight * luck
            apart += float(np.sum(np.var(output, axis=0, ddof=1)))
            together += float(np.sum(np.var(np.diff(output), axis=0, ddof=1)))
            counted += float(np.sum(np.var(np.diff(papers), axis=0, ddof=1)))
    return (apart / together, counted / together) if together > 0 else (None, None)
