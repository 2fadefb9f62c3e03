"""Estimate the value of measured kernels for a lab: days saved in runs with and without them, on equal seeds. Pure.

The figure is net: candidates take time of researchers and GPUs. One more run of each seed, in which candidates cost
nothing, gives the gross figure.

The estimate has two sources of uncertainty. Run-to-run variability averages out over pairs of runs. The uncertainty
of the searches does not: other searches might have found other kernels. So each seed is run once more with a curve
from searches that are resampled with replacement. One Student interval covers both: the variance over pairs divided
by their number, and the full variance that the resampled searches cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy import stats

from agents.params import UNCALIBRATED
from experiments.progress import OnProgress, Progress, ignore_progress
from sim.kernel_calibration import MeasuredKernels
from sim.runner import RunResult, run
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

CONFIDENCE: Final = 0.95
CENSORED_ENDINGS: Final = ("horizon", "interrupted", "stalled")
"""Endings that the dynamics did not cause, so that the time between two of them has no meaning."""

StopCheck = Callable[[World], bool]
"""Called with the world at each frame; True stops the estimate."""


class PairedGain(NamedTuple):
    """Days that kernels save until some event, for each pair of runs and on average."""

    days: float
    low: float | None
    """Lower end of Student's 95% interval of the mean, for both sources of uncertainty; None with one pair."""
    high: float | None
    each: tuple[float, ...]
    drawn_again: tuple[float, ...] = ()
    """The same with resampled searches. Empty with fewer than three searches.

    Then the interval covers run-to-run variability only."""

    @property
    def may_be_zero(self) -> bool:
        """Whether the interval contains 0."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


class KernelValue(NamedTuple):
    """Value of kernels over pairs of runs with the same seed, one with and one without kernels."""

    scenario: str
    measurements: str
    digest: str
    """SHA-256 of the measurements."""
    seeds: tuple[int, ...]
    """Seeds of the completed pairs."""
    doubling: int
    """Last doubling of software that every run reached; 0 if there is none."""
    to_doubling: PairedGain | None
    """Days saved until that doubling, net of the cost of candidates."""
    gross: PairedGain | None
    """The same if candidates cost nothing; the interval covers run-to-run variability only.

    None if candidates cost nothing anyway."""
    to_ending: PairedGain | None
    """Days saved until the ending; None if a run stopped at the horizon, was interrupted or stalled."""
    endings: dict[str, tuple[int, int]]
    """Ending → number of runs with kernels, and without."""
    work_rate: float
    """Work rate of the cluster at the end, relative to no kernels; mean over runs with kernels."""
    searches: int
    """Number of searches behind the curve."""
    searches_description: str
    """Description of these searches."""
    sentence: str


class _RunSummary(NamedTuple):
    """The results of one run."""

    doubling_days: tuple[float, ...]
    ending: str
    day: float
    work_rate: float


class _SeedRuns(NamedTuple):
    """The runs of one seed."""

    fast: _RunSummary
    """Run with kernels."""
    slow: _RunSummary
    """Run without kernels."""
    again: _RunSummary | None
    """Run with kernels of resampled searches; None with fewer than three searches."""
    free: _RunSummary | None = None
    """Run with kernels whose candidates cost nothing; None if they cost nothing anyway."""

    @property
    def runs(self) -> list[_RunSummary]:
        """All runs of the seed."""
        return [run for run in self if run is not None]


def estimate_kernel_value(
    scenario: Scenario,
    seeds: Sequence[int],
    on_progress: OnProgress = ignore_progress,
    should_stop: StopCheck = lambda world: False,
) -> KernelValue:
    """Run a scenario with and without its kernel measurements, for each seed, and return the days saved.

    With three searches or more, each seed is run a third time with resampled searches. Then the interval covers the
    uncertainty of the searches too; otherwise it covers run-to-run variability only. If ``should_stop`` stops the
    estimate, the completed seeds count. Raises ScenarioError if the scenario names no measurements or cannot be run.
    """
    calibration = scenario.calibration()
    if calibration.curve is None:
        raise ScenarioError(
            f"kernels__measurements = '{UNCALIBRATED}' has no kernels to evaluate; name a measurement file"
        )
    done = _run_seeds(scenario, seeds, on_progress, should_stop)
    doubling = min((len(each.doubling_days) for seed in done for each in seed.runs), default=0)
    searches = calibration.curve.searches
    to_doubling = _paired_gain(done, searches, lambda each: each.doubling_days[doubling - 1]) if doubling else None
    gross = _gross_gain(done, doubling) if doubling else None
    ended = all(each.ending not in CENSORED_ENDINGS for seed in done for each in seed.runs)
    return KernelValue(
        scenario=scenario.name,
        measurements=calibration.measurements,
        digest=calibration.digest,
        seeds=tuple(seeds[: len(done)]),
        doubling=doubling,
        to_doubling=to_doubling,
        gross=gross,
        to_ending=_paired_gain(done, searches, lambda each: each.day) if ended else None,
        endings=_count_endings(done),
        work_rate=float(np.mean([each.fast.work_rate for each in done])) if done else 1.0,
        searches=searches,
        searches_description=calibration.curve.description,
        sentence=_sentence(doubling, to_doubling, len(done), searches) + _gross_sentence(to_doubling, gross),
    )


def _run_seeds(
    scenario: Scenario, seeds: Sequence[int], on_progress: OnProgress, should_stop: StopCheck
) -> list[_SeedRuns]:
    """Run all variants of each seed; return the seeds that were completed."""
    without = scenario.replace(kernels__measurements=UNCALIBRATED)
    free = scenario.replace(kernels__candidate_researcher_hours=0.0, kernels__candidate_gpu_hours=0.0)
    drawn = scenario.bootstrap_calibrations()
    found: list[_SeedRuns] = []
    done, total = 0, (2 + bool(drawn) + (free != scenario)) * len(seeds)
    for number, seed in enumerate(seeds):
        ways: list[tuple[Scenario, MeasuredKernels | None]] = [(scenario, None), (without, None)]
        if drawn:
            ways.append((scenario, drawn[number % len(drawn)]))
        if free != scenario:
            ways.append((free, None))
        runs: list[_RunSummary] = []
        for each, calibration in ways:
            result = run(each, seed, _frame_callback(on_progress, should_stop, done, total), calibration)
            if result.ending == "interrupted":
                return found
            runs.append(_summarize_run(result))
            done += 1
        found.append(_SeedRuns(runs[0], runs[1], runs[2] if drawn else None, runs[-1] if free != scenario else None))
    return found


def _frame_callback(on_progress: OnProgress, should_stop: StopCheck, done: int, total: int) -> Callable[[World], bool]:
    def on_frame(world: World) -> bool:
        text = f"{done} of {total} runs are complete; the current run is at day {world.now:,.0f}"
        on_progress(Progress(done, total, text))
        return should_stop(world)

    return on_frame


def _summarize_run(result: RunResult) -> _RunSummary:
    days = tuple(doubling.day for doubling in result.doublings)
    return _RunSummary(days, result.ending, result.day, result.kernels.work_rate)


def _count_endings(seeds: Sequence[_SeedRuns]) -> dict[str, tuple[int, int]]:
    names = dict.fromkeys(each.ending for seed in seeds for each in (seed.fast, seed.slow))
    return {
        name: (sum(seed.fast.ending == name for seed in seeds), sum(seed.slow.ending == name for seed in seeds))
        for name in names
    }


def _paired_gain(seeds: Sequence[_SeedRuns], searches: int, day: Callable[[_RunSummary], float]) -> PairedGain | None:
    """Return the days between an event with kernels and without them; None without seeds."""
    if not seeds:
        return None
    nearer = np.array([day(seed.slow) - day(seed.fast) for seed in seeds])
    again = np.array([day(seed.slow) - day(seed.again) for seed in seeds if seed.again is not None])
    mean, each, other = float(nearer.mean()), tuple(map(float, nearer)), tuple(map(float, again))
    if len(seeds) == 1:
        return PairedGain(mean, None, None, each, other)
    moved = float(np.var(again - nearer, ddof=1)) if other else 0.0
    half = half_width(float(np.var(nearer, ddof=1)), len(seeds), moved, searches)
    return PairedGain(mean, mean - half, mean + half, each, other)


def _gross_gain(seeds: Sequence[_SeedRuns], doubling: int) -> PairedGain | None:
    """Return the days between a doubling with free candidates and the same doubling without kernels."""
    free = [_SeedRuns(seed.free, seed.slow, None) for seed in seeds if seed.free is not None]
    return _paired_gain(free, 1, lambda each: each.doubling_days[doubling - 1])


def half_width(pair_variance: float, pairs: int, search_variance: float, searches: int) -> float:
    """Return half the 95% interval of a mean over pairs, at least two, that use the same searches.

    ``pair_variance``: variance over pairs. ``search_variance``: variance that resampling the searches causes, 0
    without resampling. Resampling s searches underestimates the variance of their mean by the factor (s - 1)/s. The
    degrees of freedom follow Welch and Satterthwaite.
    """
    parts = [(pair_variance / pairs, pairs - 1)]
    if search_variance > 0:
        parts.append((search_variance * searches / (searches - 1), min(searches, pairs) - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(variance))


def _sentence(doubling: int, gain: PairedGain | None, pairs: int, searches: int) -> str:
    if gain is None:
        return "No estimate: no doubling of software was reached by every run."
    over = f"over {pairs} pair{'s' if pairs > 1 else ''} of runs with the same random seed"
    if not any(gain.each) and not any(gain.drawn_again):
        return f"No effect: software doubling {doubling} comes on the same day with and without kernels, {over}."
    if gain.low is None or gain.high is None:
        return f"{_format_shift(doubling, gain.days)}, {over}; an interval needs two pairs."
    sources = _interval_sources(gain, searches)
    interval = f"[{gain.low:.3g}, {gain.high:.3g}]"
    if gain.may_be_zero:
        days = f"kernels bring software doubling {doubling} forward by {gain.days:.3g} days {interval}"
        return f"No significant effect: {days}, {over}. {sources}."
    low, high = sorted((abs(gain.low), abs(gain.high)))
    return f"{_format_shift(doubling, gain.days)} [{low:.3g}, {high:.3g}], {over}. {sources}."


def _gross_sentence(net: PairedGain | None, gross: PairedGain | None) -> str:
    """Format the gross figure; empty if candidates cost nothing."""
    if net is None or gross is None or not any(gross.each):
        return ""
    return (
        f" This is net of the cost of candidates. If candidates took no time of researchers and GPUs, it would be "
        f"{gross.days:.3g} days."
    )


def _interval_sources(gain: PairedGain, searches: int) -> str:
    """Describe which sources of uncertainty the interval covers."""
    if gain.drawn_again:
        return f"The interval covers run-to-run variability and the uncertainty of {searches} searches"
    return "The interval covers run-to-run variability only; the uncertainty of the searches needs three searches"


def _format_shift(doubling: int, days: float) -> str:
    """Describe by how many days kernels move a doubling."""
    verb = f"bring software doubling {doubling} forward" if days >= 0 else f"delay software doubling {doubling}"
    return f"Kernels {verb} by {abs(days):.3g} days"
