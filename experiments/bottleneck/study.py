"""Whether compute or labour holds research up, measured in the World: elasticities of output, and the CES that fits.

A lab is held at a moment of its path: so many doublings of software discovered and deployed, and nothing moves further.
There runs of the same luck differ in researchers or in GPUs for experiments alone. Pure: no files, no prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.bottleneck.steady_state import METHOD_NOTE, LabState, OutputSample, experiment_gpus, setting_at
from experiments.statistics.intervals import mean_interval
from sim import ces
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

CONFIDENCE: Final = 0.95
SCALINGS: Final = (0.0, 0.5, 1.0)
"""The s that are looked at: experiments of fixed size, the middle, and near the frontier's size."""
STEP: Final = 2 ** (1 / 3)
"""By how much researchers or GPUs are raised and lowered for an elasticity, as nearly as whole nodes allow."""
AROUND: Final = (2.0, STEP, 1.0, 1 / STEP, 0.5)
"""GPUs, over as many as would be at the corner, between which a CES is fitted."""

Watch = Callable[[float, str, World], bool | None]
"""Shown the share of the work that is done, what is under way, and its world; True stops."""
Runs = Sequence[Mapping[LabState, OutputSample]]
"""What was seen in each setting, seed by seed."""


class OutputEstimate(NamedTuple):
    """A mean over seeds."""

    value: float
    low: float | None
    """Its 95% interval, Student's; None with one seed."""
    high: float | None
    each: tuple[float, ...]
    """Seed by seed."""


class OutputPoint(NamedTuple):
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
    """Papers written."""
    effective_per_day: float
    """Effective papers, which are the output Y: a paper of one of n counts n^(p - 1)."""
    labour: OutputEstimate
    """dlnY/dlnL"""
    compute: OutputEstimate
    """dlnY/dlnK"""
    total: OutputEstimate
    """Their sum: p where papers have constant returns to scale, 1 without a penalty."""
    ceiling: float
    """What any number of researchers more could multiply Y by, ``utilisation^-p``: until no GPU is idle."""


class BalancePoint(NamedTuple):
    """A sweep through the loads at which labour and compute change places, and the CES that fits it."""

    doublings: float
    """Of the point whose GPUs are varied: the nearest to the corner, or else the middle of the path."""
    researchers: int
    gpus: tuple[int, ...]
    loads: tuple[float, ...]
    """At what experiments turned out to cost."""
    outputs: tuple[float, ...]
    """Papers a day, over those of as many researchers who never wait."""
    fit: ces.CesFit
    """Of all seeds together: of papers written a day to those that researchers, and those that GPUs, alone allow."""
    rho: OutputEstimate
    """-inf where no substitution is seen; its interval is that of sigma."""
    sigma: OutputEstimate


class ScalingCase(NamedTuple):
    """All about one s."""

    scaling: float
    points: tuple[OutputPoint, ...]
    corner: BalancePoint
    corner_at: float | None
    """Doublings of software at which the load comes to 1; None if it never does."""
    apparent: float | None
    """dlnY/dlnL along the last step of the path: what one sees who counts GPUs and not what software makes of them."""


class BottleneckStudy(NamedTuple):
    """What was measured."""

    scenario: str
    digest: str
    penalty: float
    """p, the parallelization penalty."""
    reading: str
    """What r means with that penalty; empty without one."""
    seeds: tuple[int, ...]
    """That were run to their ends."""
    step: float
    counted: str
    """When papers were counted."""
    cases: tuple[ScalingCase, ...]
    pairing: float | None
    """Variance of a difference of runs with luck of their own, over that of runs with the same luck."""
    taken_out: float | None
    """Variance of a difference of papers as they were counted, over that with the luck of costs taken out."""
    runs: int


class _Plan(NamedTuple):
    """The runs that one point takes."""

    base: LabState
    labour: tuple[LabState, LabState]
    """Fewer and more researchers."""
    compute: tuple[LabState, LabState]

    @property
    def settings(self) -> list[LabState]:
        """All of them: fewer and more researchers, fewer and more GPUs; near the corner the point itself too.

        Elsewhere output is as the researchers or as the GPUs, and the four say what it is in between.
        """
        return [*self.labour, *self.compute, *([self.base] if self.base.crowded else [])]


class _Sweep(NamedTuple):
    """The runs that one corner takes."""

    base: LabState
    settings: tuple[LabState, ...]


def study(
    scenario: Scenario, doublings: Sequence[float], seeds: Sequence[int], watch: Watch | None = None
) -> BottleneckStudy:
    """Measure a scenario at so many doublings of software, for each s; if ``watch`` stops it, whole seeds count.

    Raises ScenarioError where papers need no experiment, where the lab cannot be held so far along its path, or where
    its GPUs are too few to be varied.
    """
    plans = {s: [_plan(scenario, each) for each in _moments(scenario, doublings, s)] for s in SCALINGS}
    sweeps = {s: _sweep(scenario, _nearest_to_corner([plan.base for plan in plans[s]])) for s in SCALINGS}
    wanted = [setting for s in SCALINGS for plan in plans[s] for setting in plan.settings]
    settings = list(dict.fromkeys(wanted + [setting for s in SCALINGS for setting in sweeps[s].settings]))
    runs = _runs(scenario, settings, seeds, watch)
    done = tuple(seeds[: len(runs)])
    law = _fitted([_observed(sweep, runs) for sweep in sweeps.values()]) if runs else None
    output = _Output(law, scenario.growth.parallel_penalty) if law else None
    cases = [_case(s, plans[s], sweeps[s], output, runs) for s in SCALINGS] if output else []
    pairing, taken_out = (
        _variance_reduction([plan for s in SCALINGS for plan in plans[s]], output, runs) if output else (None, None)
    )
    return BottleneckStudy(
        scenario=scenario.name,
        digest=scenario.digest(),
        penalty=scenario.growth.parallel_penalty,
        reading=scenario.growth.reading,
        seeds=done,
        step=STEP,
        counted=METHOD_NOTE,
        cases=tuple(cases),
        pairing=pairing,
        taken_out=taken_out,
        runs=len(settings) * len(done),
    )


def estimate(each: Sequence[float] | NDArray[np.float64]) -> OutputEstimate:
    """Return the mean of one figure a seed, with Student's interval."""
    values = tuple(map(float, each))
    if len(values) == 1:
        return OutputEstimate(values[0], None, None, values)
    return OutputEstimate(*mean_interval(values), values)


class _Output(NamedTuple):
    """How output follows from what researchers alone, and GPUs alone, allow."""

    law: ces.CesFit
    """Of papers."""
    penalty: float
    """p: effective papers go as papers^p."""


def cost_adjusted_papers(
    papers: float, setting: LabState, luck: float, law: ces.CesFit, there: LabState, penalty: float = 1.0
) -> float:
    """Return the effective papers that would have been counted ``there``, had experiments cost what was expected.

    Experiments that happen to be dear are as much as fewer GPUs; what that took is told by a CES, ``law``, of papers to
    those that researchers alone and that GPUs alone allow. ``papers`` were counted in ``setting``; ``luck``: mean cost
    that was met / expected. ``penalty``: p; from one setting to another effective papers go as papers^p, as the penalty
    counts the researchers who do research: papers a day times the time that a paper takes. Costs that happen to be low
    bring papers in a window without more researchers, so that effective papers go as papers.
    """
    expected, elsewhere = (
        float(law.log_output(math.log(each.alone), math.log(each.allowed))) for each in (setting, there)
    )
    met = float(law.log_output(math.log(setting.alone), math.log(setting.allowed / luck)))
    return papers * math.exp(penalty * (elsewhere - expected) + expected - met)


def _moments(scenario: Scenario, doublings: Sequence[float], scaling: float) -> list[LabState]:
    """The labs of a path, with one more where the load is nearest to 1 if a whole doubling there was not asked for."""
    asked = [setting_at(scenario, each, scaling) for each in doublings]
    corner_at = _corner_at(asked[0], scaling)
    if corner_at is not None and doublings[0] < corner_at < doublings[-1] and round(corner_at) not in doublings:
        asked.append(setting_at(scenario, float(round(corner_at)), scaling))
    return sorted(asked, key=lambda each: each.doublings)


def _corner_at(first: LabState, scaling: float) -> float | None:
    """Doublings at which the load comes to 1: it grows as 2^(s doublings)."""
    return first.doublings - math.log2(first.load) / scaling if scaling > 0 else None


def _nearest_to_corner(path: Sequence[LabState]) -> LabState:
    """The lab whose GPUs are varied: of those near the corner the nearest, else the middle of the path."""
    near = [each for each in path if each.crowded]
    return min(near, key=lambda each: abs(math.log(each.load))) if near else path[(len(path) - 1) // 2]


def _plan(scenario: Scenario, base: LabState) -> _Plan:
    """The runs about a point: with fewer researchers there is as much compute for each as with more GPUs.

    So, if returns to scale are constant, the two elasticities add up to 1 whatever the nodes leave of the steps.
    """
    low, high = (experiment_gpus(scenario, base.gpus * factor) for factor in (1 / STEP, STEP))
    if low == high:
        raise ScenarioError(_too_few(base.gpus, "GPUs for experiments"))
    fewer, more = (max(1, round(base.researchers * base.gpus / gpus)) for gpus in (high, low))
    if fewer == more:
        raise ScenarioError(_too_few(base.researchers, "researchers"))
    return _Plan(
        base,
        (base._replace(researchers=fewer), base._replace(researchers=more)),
        (base._replace(gpus=low), base._replace(gpus=high)),
    )


def _too_few(count: int, what: str) -> str:
    return f"{count} {what} are too few to be varied by a quarter: give the lab more of them"


def _sweep(scenario: Scenario, base: LabState) -> _Sweep:
    """The runs through the corner: the same researchers, on GPUs that are enough for them and on fewer."""
    centre = base.gpus * (1.0 if base.crowded else base.load)
    sizes = dict.fromkeys(experiment_gpus(scenario, centre * factor) for factor in AROUND)
    if len(sizes) < len(AROUND) - 1:
        raise ScenarioError(
            f"at load 1 {base.researchers:,} researchers would need {base.gpus * base.load:.3g} GPUs for experiments "
            f"({base.doublings:g} doublings), too few to be varied: give the lab more researchers or dearer experiments"
        )
    return _Sweep(base, tuple(base._replace(gpus=size).settled() for size in sizes))


def _runs(
    scenario: Scenario, settings: Sequence[LabState], seeds: Sequence[int], watch: Watch | None
) -> list[dict[LabState, OutputSample]]:
    """What was seen in each setting, seed by seed, as far as nobody stopped it."""
    work = [setting.work for setting in settings]
    total = sum(work) * len(seeds)
    found: list[dict[LabState, OutputSample]] = []
    for number, seed in enumerate(seeds):
        seen: dict[LabState, OutputSample] = {}
        for place, setting in enumerate(settings):
            share = (number * sum(work) + sum(work[:place])) / total
            text = f"seed {number + 1} of {len(seeds)}: {setting.told}"
            held = OutputSample.run(scenario, setting, seed, _watching(watch, share, text))
            if held is None:
                return found
            seen[setting] = held
        found.append(seen)
    return found


def _watching(watch: Watch | None, share: float, text: str) -> Callable[[World], bool | None] | None:
    return None if watch is None else lambda world: watch(share, text, world)


class _Observed(NamedTuple):
    """Of a sweep, in logarithms, a row a seed and a column a setting."""

    labour: NDArray[np.float64]
    """Papers that the researchers would write if they never waited."""
    compute: NDArray[np.float64]
    """Papers that the GPUs allow at the cost that was met."""
    papers: NDArray[np.float64]
    """That were written."""


def _observed(sweep: _Sweep, runs: Runs) -> _Observed:
    settings = sweep.settings
    return _Observed(
        np.log([[setting.alone for setting in settings] for _ in runs]),
        np.log([[setting.allowed / run[setting].luck for setting in settings] for run in runs]),
        np.log([[run[setting].written for setting in settings] for run in runs]),
    )


def _fitted(observed: Sequence[_Observed]) -> ces.CesFit:
    """The CES that fits all of it."""
    return ces.fit(*(np.concatenate([np.ravel(each) for each in kind]) for kind in zip(*observed, strict=True)))


def _corner(sweep: _Sweep, runs: Runs) -> BalancePoint:
    base, observed = sweep.base, _observed(sweep, runs)
    labour, compute, papers = observed
    fits = [ces.fit(*each) for each in zip(labour, compute, papers, strict=True)]
    sigma = estimate([ces.substitution(each.rho) for each in fits])
    if sigma.low is not None:
        sigma = sigma._replace(low=max(0.0, sigma.low))
    low, high = (None if end is None else ces.rho_from_sigma(end) for end in (sigma.low, sigma.high))
    rho = OutputEstimate(ces.rho_from_sigma(sigma.value), low, high, tuple(each.rho for each in fits))
    loads, outputs = np.exp(np.mean(labour - compute, axis=0)), np.exp(np.mean(papers - labour, axis=0))
    return BalancePoint(
        base.doublings,
        base.researchers,
        tuple(setting.gpus for setting in sweep.settings),
        tuple(map(float, loads)),
        tuple(map(float, outputs)),
        _fitted([observed]),
        rho,
        sigma,
    )


def _outputs(plan: _Plan, output: _Output, runs: Runs, there: LabState | None = None) -> NDArray[np.float64]:
    """ln papers at the expected cost of experiments, there or where they were written: a row a seed, a column a run."""
    rows = [
        [
            cost_adjusted_papers(run[each].papers, each, run[each].luck, output.law, there or each, output.penalty)
            for each in plan.settings
        ]
        for run in runs
    ]
    return np.log(rows)


def _papers(plan: _Plan, law: ces.CesFit, runs: Runs) -> NDArray[np.float64]:
    """ln papers written at the point itself, at the expected cost of experiments: a row a seed, a column a run."""
    return np.log(
        [
            [cost_adjusted_papers(run[each].written, each, run[each].luck, law, plan.base) for each in plan.settings]
            for run in runs
        ]
    )


def _point(plan: _Plan, output: _Output, runs: Runs) -> OutputPoint:
    base = plan.base
    fewer, more, smaller, larger = _outputs(plan, output, runs).T[:4]
    labour = (more - fewer) / math.log(plan.labour[1].researchers / plan.labour[0].researchers)
    compute = (larger - smaller) / math.log(plan.compute[1].gpus / plan.compute[0].gpus)
    there = _outputs(plan, output, runs, base)
    effective = math.exp(float(np.mean(there[:, 4:] if base.crowded else there)))
    papers = math.exp(float(np.mean(_papers(plan, output.law, runs)[:, 4 if base.crowded else 0 :])))
    utilisation = min(1.0, papers / base.allowed)
    return OutputPoint(
        base.doublings,
        base.researchers,
        base.gpus,
        base.gpu_days,
        base.load,
        utilisation,
        papers,
        effective,
        estimate(labour),
        estimate(compute),
        estimate(labour + compute),
        utilisation**-output.penalty,
    )


def _case(scaling: float, plans: Sequence[_Plan], sweep: _Sweep, output: _Output, runs: Runs) -> ScalingCase:
    points = tuple(_point(plan, output, runs) for plan in plans)
    apparent = None
    if len(points) > 1 and points[-1].researchers != points[-2].researchers:
        grown = math.log(points[-1].effective_per_day / points[-2].effective_per_day)
        apparent = grown / math.log(points[-1].researchers / points[-2].researchers)
    return ScalingCase(scaling, points, _corner(sweep, runs), _corner_at(plans[0].base, scaling), apparent)


def _variance_reduction(plans: Sequence[_Plan], output: _Output, runs: Runs) -> tuple[float | None, float | None]:
    """How much less the differences vary for having the same luck, and for the luck of costs being taken out."""
    if len(runs) < 2:
        return None, None
    apart = together = counted = 0.0
    for plan in plans:
        outputs = _outputs(plan, output, runs)
        papers = np.log([[run[each].papers for each in plan.settings] for run in runs])
        for pair in (slice(0, 2), slice(2, 4)):
            apart += float(np.sum(np.var(outputs[:, pair], axis=0, ddof=1)))
            together += float(np.sum(np.var(np.diff(outputs[:, pair]), axis=0, ddof=1)))
            counted += float(np.sum(np.var(np.diff(papers[:, pair]), axis=0, ddof=1)))
    return (apart / together, counted / together) if together > 0 else (None, None)
