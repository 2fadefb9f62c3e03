"""Measure in the World whether compute or labour limits research: elasticities of output, and a fitted CES.

A quasi-static lab has a fixed number of doublings of discovered and deployed software. Runs with common random numbers
differ only in researchers or only in GPUs for experiments. Pure: no files, no prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.bottleneck.steady_state import METHOD_NOTE, LabState, OutputSample, experiment_gpus, setting_at
from experiments.progress import OnProgress, Progress, ignore_progress
from experiments.statistics.intervals import mean_interval
from sim import ces
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

CONFIDENCE: Final = 0.95
SCALINGS: Final = (0.0, 0.5, 1.0)
"""Values of s that are measured: experiments of fixed size, in between, and near the frontier's size."""
STEP: Final = 2 ** (1 / 3)
"""Factor by which researchers or GPUs are raised and lowered for an elasticity, rounded to whole nodes."""
GPU_FACTORS: Final = (2.0, STEP, 1.0, 1 / STEP, 0.5)
"""Numbers of GPUs, over that at the balance point, to which a CES is fitted."""

StopCheck = Callable[[World], bool]
"""Called with the world at each frame; True stops the study."""
Runs = Sequence[Mapping[LabState, OutputSample]]
"""Output in each setting, seed by seed."""


class OutputEstimate(NamedTuple):
    """A mean over seeds with its interval."""

    value: float
    low: float | None
    """Lower end of Student's 95% interval; None with one seed."""
    high: float | None
    each: tuple[float, ...]
    """Values of the seeds."""


class OutputPoint(NamedTuple):
    """Output and its elasticities at one point of the growth path."""

    doublings: float
    researchers: int
    gpus: int
    """GPUs for experiments."""
    gpu_days: float
    """Mean cost of an experiment [GPU-days]."""
    load: float
    """GPUs that researchers who never wait would keep busy, over the existing GPUs."""
    utilisation: float
    """Share of the GPUs that are busy."""
    papers_per_day: float
    """Written papers [1/day]."""
    effective_per_day: float
    """Effective papers [1/day], which are the output Y: a paper of one of n researchers counts n^(p - 1)."""
    labour: OutputEstimate
    """Elasticity of output in researchers, dlnY/dlnL."""
    compute: OutputEstimate
    """Elasticity of output in GPUs, dlnY/dlnK."""
    total: OutputEstimate
    """Sum of both elasticities: p if papers have constant returns to scale, 1 without a penalty."""
    ceiling: float
    """Maximum factor on Y that additional researchers can bring, ``utilisation^-p``: at it no GPU is idle."""


class BalancePoint(NamedTuple):
    """Outputs at loads around the balance point, and the CES fitted to them."""

    doublings: float
    """Doublings at the point whose GPUs are varied: the nearest to balance, else the middle of the path."""
    researchers: int
    gpus: tuple[int, ...]
    loads: tuple[float, ...]
    """Loads at the observed mean cost of experiments."""
    outputs: tuple[float, ...]
    """Papers a day, over those of the same researchers without waiting."""
    fit: ces.CesFit
    """CES fitted to all seeds: written papers a day as a function of the labour limit and the compute limit."""
    rho: OutputEstimate
    """Parameter of the CES; -inf if no substitution is observed. Its interval is that of sigma."""
    sigma: OutputEstimate
    """Elasticity of substitution."""


class ScalingCase(NamedTuple):
    """Results for one s."""

    scaling: float
    """s, the exponent by which the cost of experiments follows the size of the frontier's."""
    points: tuple[OutputPoint, ...]
    corner: BalancePoint
    corner_at: float | None
    """Doublings of software at which the load reaches 1; None if it never does."""
    apparent: float | None
    """dlnY/dlnL along the last step of the path, for a constant number of GPUs in spite of cheaper experiments."""


class BottleneckStudy(NamedTuple):
    """Results of a study for all s."""

    scenario: str
    digest: str
    penalty: float
    """p, the parallelization penalty."""
    reading: str
    """Meaning of r with that penalty; empty without one."""
    seeds: tuple[int, ...]
    """Completed seeds."""
    step: float
    counted: str
    """Description of the counted window."""
    cases: tuple[ScalingCase, ...]
    pairing: float | None
    """Variance of a difference between runs with independent random numbers, over that with common ones."""
    taken_out: float | None
    """Variance of a difference between counted papers, over that after correcting for random experiment costs."""
    runs: int


class ElasticityPlan(NamedTuple):
    """The settings that are run for one point."""

    base: LabState
    labour: tuple[LabState, LabState]
    """Fewer and more researchers."""
    compute: tuple[LabState, LabState]
    """Fewer and more GPUs."""

    @property
    def settings(self) -> list[LabState]:
        """Settings to run: fewer and more researchers, fewer and more GPUs; near balance also the point itself.

        Away from balance output is proportional to one input, so that the four settings determine the point.
        """
        return [*self.labour, *self.compute, *([self.base] if self.base.is_near_balance else [])]


class _LoadSweep(NamedTuple):
    """The settings that are run around one balance point."""

    base: LabState
    settings: tuple[LabState, ...]


def study(
    scenario: Scenario,
    doublings: Sequence[float],
    seeds: Sequence[int],
    on_progress: OnProgress = ignore_progress,
    should_stop: StopCheck | None = None,
) -> BottleneckStudy | None:
    """Measure a scenario at the given doublings of software for each s.

    If ``should_stop`` stops the study, the completed seeds count. Returns None if no seed is complete.

    Raises ScenarioError if papers need no experiment or the lab cannot be simulated at these doublings. It is also
    raised if the lab has too few GPUs or researchers to vary them.
    """
    plans = {s: [plan_elasticities(scenario, each) for each in path_settings(scenario, doublings, s)] for s in SCALINGS}
    sweeps = {s: _plan_load_sweep(scenario, nearest_to_balance([plan.base for plan in plans[s]])) for s in SCALINGS}
    wanted = [setting for s in SCALINGS for plan in plans[s] for setting in plan.settings]
    settings = list(dict.fromkeys(wanted + [setting for s in SCALINGS for setting in sweeps[s].settings]))
    runs = _run_settings(scenario, settings, seeds, on_progress, should_stop)
    if not runs:
        return None
    done = tuple(seeds[: len(runs)])
    law = _fit_ces([_log_outputs(sweep, runs) for sweep in sweeps.values()])
    output = OutputLaw(law, scenario.growth.parallel_penalty)
    cases = [_summarize_case(s, plans[s], sweeps[s], output, runs) for s in SCALINGS]
    pairing, taken_out = _variance_reduction([plan for s in SCALINGS for plan in plans[s]], output, runs)
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
    """Return the mean of one value a seed, with Student's interval."""
    values = tuple(map(float, each))
    if len(values) == 1:
        return OutputEstimate(values[0], None, None, values)
    return OutputEstimate(*mean_interval(values), values)


class OutputLaw(NamedTuple):
    """Output as a function of the labour limit and the compute limit."""

    law: ces.CesFit
    """CES of written papers."""
    penalty: float
    """p: effective papers are proportional to papers^p."""


def cost_adjusted_papers(
    papers: float, setting: LabState, cost_ratio: float, law: ces.CesFit, there: LabState, penalty: float = 1.0
) -> float:
    """Return the effective papers in setting ``there``, corrected to the expected cost of experiments.

    A control variate: expensive experiments have the same effect as fewer GPUs, and ``law`` gives that effect. ``law``
    is a CES of papers as a function of the labour limit and the compute limit. ``papers`` were counted in ``setting``.
    ``cost_ratio``: observed over expected mean cost. ``penalty``: p.

    Between settings, effective papers are proportional to papers^p. The reason: the penalty counts the researchers who
    do research, which are papers a day times the time for a paper. Cheap experiments bring more papers without more
    researchers, so that effective papers are then proportional to papers.
    """
    expected, elsewhere = (
        float(law.log_output(math.log(each.labour_limited_output), math.log(each.compute_limited_output)))
        for each in (setting, there)
    )
    met = float(
        law.log_output(math.log(setting.labour_limited_output), math.log(setting.compute_limited_output / cost_ratio))
    )
    return papers * math.exp(penalty * (elsewhere - expected) + expected - met)


def path_settings(scenario: Scenario, doublings: Sequence[float], scaling: float) -> list[LabState]:
    """Return the labs of a path, with an additional one at the whole doubling whose load is nearest to 1."""
    asked = [setting_at(scenario, each, scaling) for each in doublings]
    corner_at = _balance_doublings(asked[0], scaling)
    if corner_at is not None and doublings[0] < corner_at < doublings[-1] and round(corner_at) not in doublings:
        asked.append(setting_at(scenario, float(round(corner_at)), scaling))
    return sorted(asked, key=lambda each: each.doublings)


def _balance_doublings(first: LabState, scaling: float) -> float | None:
    """Return the doublings at which the load reaches 1: it grows as 2^(s doublings)."""
    return first.doublings - math.log2(first.load) / scaling if scaling > 0 else None


def nearest_to_balance(path: Sequence[LabState]) -> LabState:
    """Return the lab whose GPUs are varied: the one nearest to balance, else the middle of the path."""
    near = [each for each in path if each.is_near_balance]
    return min(near, key=lambda each: abs(math.log(each.load))) if near else path[(len(path) - 1) // 2]


def plan_elasticities(scenario: Scenario, base: LabState) -> ElasticityPlan:
    """Return the settings for a point: fewer researchers have the same compute for each as more GPUs.

    With constant returns to scale the two elasticities then add up to 1, for any rounding to whole nodes.
    """
    low, high = (experiment_gpus(scenario, base.gpus * factor) for factor in (1 / STEP, STEP))
    if low == high:
        raise ScenarioError(_too_few_message(base.gpus, "GPUs for experiments"))
    fewer, more = (max(1, round(base.researchers * base.gpus / gpus)) for gpus in (high, low))
    if fewer == more:
        raise ScenarioError(_too_few_message(base.researchers, "researchers"))
    return ElasticityPlan(
        base,
        (base._replace(researchers=fewer), base._replace(researchers=more)),
        (base._replace(gpus=low), base._replace(gpus=high)),
    )


def _too_few_message(count: int, what: str) -> str:
    return f"{count} {what} are too few to vary them by a quarter. Raise their number."


def _plan_load_sweep(scenario: Scenario, base: LabState) -> _LoadSweep:
    """Return the settings around balance: the same researchers on more and on fewer GPUs than they can use."""
    centre = base.gpus * (1.0 if base.is_near_balance else base.load)
    sizes = dict.fromkeys(experiment_gpus(scenario, centre * factor) for factor in GPU_FACTORS)
    if len(sizes) < len(GPU_FACTORS) - 1:
        raise ScenarioError(
            f"at load 1 {base.researchers:,} researchers need {base.gpus * base.load:.3g} GPUs for experiments "
            f"({base.doublings:g} doublings), which are too few to vary them. "
            "Raise researcher__initial or researcher__experiment_gpu_days."
        )
    return _LoadSweep(base, tuple(base._replace(gpus=size).with_long_window() for size in sizes))


def _run_settings(
    scenario: Scenario,
    settings: Sequence[LabState],
    seeds: Sequence[int],
    on_progress: OnProgress,
    should_stop: StopCheck | None,
) -> list[dict[LabState, OutputSample]]:
    """Return the output of each setting, seed by seed, for the seeds that are completed."""
    costs = [setting.simulation_cost for setting in settings]
    total = sum(costs) * len(seeds)
    found: list[dict[LabState, OutputSample]] = []
    for number, seed in enumerate(seeds):
        samples: dict[LabState, OutputSample] = {}
        for place, setting in enumerate(settings):
            done = number * sum(costs) + sum(costs[:place])
            on_progress(Progress(done, total, setting.description, task=f"seed {number + 1} of {len(seeds)}"))
            sample = OutputSample.run(scenario, setting, seed, should_stop)
            if sample is None:
                return found
            samples[setting] = sample
        found.append(samples)
    return found


class _LogOutputs(NamedTuple):
    """Logarithms of the outputs of a load sweep, with a row a seed and a column a setting."""

    labour: NDArray[np.float64]
    """Papers that the researchers would write if they never waited."""
    compute: NDArray[np.float64]
    """Papers that the GPUs allow at the observed cost of experiments."""
    papers: NDArray[np.float64]
    """Written papers."""


def _log_outputs(sweep: _LoadSweep, runs: Runs) -> _LogOutputs:
    settings = sweep.settings
    return _LogOutputs(
        np.log([[setting.labour_limited_output for setting in settings] for _ in runs]),
        np.log([[setting.compute_limited_output / run[setting].cost_ratio for setting in settings] for run in runs]),
        np.log([[run[setting].written for setting in settings] for run in runs]),
    )


def _fit_ces(observed: Sequence[_LogOutputs]) -> ces.CesFit:
    """Return the CES fitted to all outputs."""
    return ces.fit(*(np.concatenate([np.ravel(each) for each in kind]) for kind in zip(*observed, strict=True)))


def _measure_balance(sweep: _LoadSweep, runs: Runs) -> BalancePoint:
    base, observed = sweep.base, _log_outputs(sweep, runs)
    labour, compute, papers = observed
    fits = [ces.fit(*each) for each in zip(labour, compute, papers, strict=True)]
    sigma = estimate([ces.sigma_from_rho(each.rho) for each in fits])
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
        _fit_ces([observed]),
        rho,
        sigma,
    )


def _log_effective_papers(
    plan: ElasticityPlan, output: OutputLaw, runs: Runs, there: LabState | None = None
) -> NDArray[np.float64]:
    """Return ln effective papers at the expected cost of experiments: a row a seed, a column a setting.

    ``there``: the setting to which all are converted; by default each stays in its own.
    """
    rows = [
        [
            cost_adjusted_papers(
                run[each].papers, each, run[each].cost_ratio, output.law, there or each, output.penalty
            )
            for each in plan.settings
        ]
        for run in runs
    ]
    return np.log(rows)


def _log_written_papers(plan: ElasticityPlan, law: ces.CesFit, runs: Runs) -> NDArray[np.float64]:
    """Return ln written papers at the point itself and the expected cost: a row a seed, a column a setting."""
    return np.log(
        [
            [
                cost_adjusted_papers(run[each].written, each, run[each].cost_ratio, law, plan.base)
                for each in plan.settings
            ]
            for run in runs
        ]
    )


def summarize_point(plan: ElasticityPlan, output: OutputLaw, runs: Runs) -> OutputPoint:
    """Return the elasticities of output at one point of a path."""
    base = plan.base
    fewer, more, smaller, larger = _log_effective_papers(plan, output, runs).T[:4]
    labour = (more - fewer) / math.log(plan.labour[1].researchers / plan.labour[0].researchers)
    compute = (larger - smaller) / math.log(plan.compute[1].gpus / plan.compute[0].gpus)
    there = _log_effective_papers(plan, output, runs, base)
    effective = math.exp(float(np.mean(there[:, 4:] if base.is_near_balance else there)))
    papers = math.exp(
        float(np.mean(_log_written_papers(plan, output.law, runs)[:, 4 if base.is_near_balance else 0 :]))
    )
    utilisation = min(1.0, papers / base.compute_limited_output)
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


def _summarize_case(
    scaling: float, plans: Sequence[ElasticityPlan], sweep: _LoadSweep, output: OutputLaw, runs: Runs
) -> ScalingCase:
    points = tuple(summarize_point(plan, output, runs) for plan in plans)
    apparent = None
    if len(points) > 1 and points[-1].researchers != points[-2].researchers:
        grown = math.log(points[-1].effective_per_day / points[-2].effective_per_day)
        apparent = grown / math.log(points[-1].researchers / points[-2].researchers)
    return ScalingCase(
        scaling, points, _measure_balance(sweep, runs), _balance_doublings(plans[0].base, scaling), apparent
    )


def _variance_reduction(
    plans: Sequence[ElasticityPlan], output: OutputLaw, runs: Runs
) -> tuple[float | None, float | None]:
    """Return the variance reductions by common random numbers and by the correction for random costs."""
    if len(runs) < 2:
        return None, None
    apart = together = counted = 0.0
    for plan in plans:
        outputs = _log_effective_papers(plan, output, runs)
        papers = np.log([[run[each].papers for each in plan.settings] for run in runs])
        for pair in (slice(0, 2), slice(2, 4)):
            apart += float(np.sum(np.var(outputs[:, pair], axis=0, ddof=1)))
            together += float(np.sum(np.var(np.diff(outputs[:, pair]), axis=0, ddof=1)))
            counted += float(np.sum(np.var(np.diff(papers[:, pair]), axis=0, ddof=1)))
    return (apart / together, counted / together) if together > 0 else (None, None)
