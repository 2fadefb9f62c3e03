"""What measured kernels are worth to a lab: the same luck with and without them, and the days between. Pure.

The figure is net: candidates take researchers' and GPU time. A run of each seed in which they take none gives the
gross figure beside it.

Two things leave that open: luck, and that the searches might as well have found other kernels. Pairs of runs average
luck out; no number of them makes the searches any surer. So each seed is run once more with the curve of the searches
drawn again with replacement, another draw for each seed, and one Student interval holds both: the spread of luck over
the root of the pairs, and all of the spread that other draws make.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy import stats

from agents.kernel_engineer import UNCALIBRATED
from sim.kernel_calibration import MeasuredKernels
from sim.runner import RunResult, run
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

CONFIDENCE: Final = 0.95
CUT_OFF: Final = ("horizon", "interrupted", "starved")
"""Endings that are no moment of the dynamics, so that the days between two of them mean nothing."""

Watch = Callable[[int, int, World], bool | None]
"""Shown the runs that are over, their number in all, and the world under way, frame by frame; True stops."""


class PairedGain(NamedTuple):
    """Days by which kernels bring something nearer, each pair of runs by itself and on average."""

    days: float
    low: float | None
    """The 95% interval of the mean, Student's, for luck and for what the searches leave open; None with one pair."""
    high: float | None
    each: tuple[float, ...]
    drawn_again: tuple[float, ...] = ()
    """The same with the searches drawn again; empty where these are fewer than three: the interval is luck alone."""

    @property
    def holds_nothing(self) -> bool:
        """True if there may be no gain at all."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


class KernelValue(NamedTuple):
    """What kernels were worth over pairs of runs, one with and one without them, of the same seed."""

    scenario: str
    measurements: str
    digest: str
    """SHA-256 of the measurements."""
    seeds: tuple[int, ...]
    """Of the pairs that were run to their endings."""
    doubling: int
    """The last doubling of software that every run reached; 0 if there is none."""
    to_doubling: PairedGain | None
    """Net of what candidates cost."""
    gross: PairedGain | None
    """To the same doubling, if candidates cost nothing; its interval is of luck alone. None where they cost nothing."""
    to_ending: PairedGain | None
    """None where a run was cut off by its clock, or starved."""
    endings: dict[str, tuple[int, int]]
    """How many runs ended how: with kernels, and without."""
    work_rate: float
    """Of the cluster at the end, the mean over runs with kernels."""
    searches: int
    """Of which the curve is made."""
    told: str
    """Which they are, in words."""
    sentence: str


class _Run(NamedTuple):
    """What is kept of a run."""

    doubling_days: tuple[float, ...]
    ending: str
    day: float
    work_rate: float


class _Seed(NamedTuple):
    """The runs of one seed."""

    fast: _Run
    """With kernels."""
    slow: _Run
    """Without."""
    again: _Run | None
    """With the kernels of searches drawn again; None where they were too few."""
    free: _Run | None = None
    """With kernels whose candidates cost nothing; None where they cost nothing anyway."""

    @property
    def runs(self) -> list[_Run]:
        """All of them."""
        return [run for run in self if run is not None]


def worth(scenario: Scenario, seeds: Sequence[int], watch: Watch | None = None) -> KernelValue:
    """Run a scenario with its measurements and without them, for each seed, and return the days between.

    With three searches or more each seed is run a third time, with the searches drawn again, so that the interval holds
    what they leave open; with fewer it is of luck alone, and the sentence says so. If ``watch`` stops it, the seeds
    that are complete count. Raises ScenarioError if the scenario names no measurements or cannot be run.
    """
    calibration = scenario.calibration()
    if calibration.curve is None:
        raise ScenarioError(f"kernels__measurements = '{UNCALIBRATED}': there are no kernels whose worth could be told")
    done = _runs(scenario, seeds, watch)
    doubling = min((len(each.doubling_days) for seed in done for each in seed.runs), default=0)
    searches = calibration.curve.searches
    to_doubling = _gain(done, searches, lambda each: each.doubling_days[doubling - 1]) if doubling else None
    gross = _gross(done, doubling) if doubling else None
    ended = all(each.ending not in CUT_OFF for seed in done for each in seed.runs)
    return KernelValue(
        scenario=scenario.name,
        measurements=calibration.measurements,
        digest=calibration.digest,
        seeds=tuple(seeds[: len(done)]),
        doubling=doubling,
        to_doubling=to_doubling,
        gross=gross,
        to_ending=_gain(done, searches, lambda each: each.day) if ended else None,
        endings=_endings(done),
        work_rate=float(np.mean([each.fast.work_rate for each in done])) if done else 1.0,
        searches=searches,
        told=calibration.curve.told,
        sentence=_sentence(doubling, to_doubling, len(done), searches) + _gross_sentence(to_doubling, gross),
    )


def _runs(scenario: Scenario, seeds: Sequence[int], watch: Watch | None) -> list[_Seed]:
    """The runs of each seed, as far as nobody stopped them."""
    without = scenario.replace(kernels__measurements=UNCALIBRATED)
    free = scenario.replace(kernels__candidate_researcher_hours=0.0, kernels__candidate_gpu_hours=0.0)
    drawn = scenario.bootstrap_calibrations()
    found: list[_Seed] = []
    done, total = 0, (2 + bool(drawn) + (free != scenario)) * len(seeds)
    for number, seed in enumerate(seeds):
        ways: list[tuple[Scenario, MeasuredKernels | None]] = [(scenario, None), (without, None)]
        if drawn:
            ways.append((scenario, drawn[number % len(drawn)]))
        if free != scenario:
            ways.append((free, None))
        runs: list[_Run] = []
        for each, calibration in ways:
            result = run(each, seed, _watching(watch, done, total), calibration)
            if result.ending == "interrupted":
                return found
            runs.append(_kept(result))
            done += 1
        found.append(_Seed(runs[0], runs[1], runs[2] if drawn else None, runs[-1] if free != scenario else None))
    return found


def _watching(watch: Watch | None, done: int, total: int) -> Callable[[World], bool | None] | None:
    return None if watch is None else lambda world: watch(done, total, world)


def _kept(result: RunResult) -> _Run:
    days = tuple(doubling.day for doubling in result.doublings)
    return _Run(days, result.ending, result.day, result.kernels.work_rate)


def _endings(seeds: Sequence[_Seed]) -> dict[str, tuple[int, int]]:
    names = dict.fromkeys(each.ending for seed in seeds for each in (seed.fast, seed.slow))
    return {
        name: (sum(seed.fast.ending == name for seed in seeds), sum(seed.slow.ending == name for seed in seeds))
        for name in names
    }


def _gain(seeds: Sequence[_Seed], searches: int, day: Callable[[_Run], float]) -> PairedGain | None:
    """The days from what happened with kernels to what happened without; None where there is nothing to compare."""
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


def _gross(seeds: Sequence[_Seed], doubling: int) -> PairedGain | None:
    """The days from what happened with candidates that cost nothing to what happened without kernels."""
    free = [_Seed(seed.free, seed.slow, None) for seed in seeds if seed.free is not None]
    return _gain(free, 1, lambda each: each.doubling_days[doubling - 1])


def half_width(luck: float, pairs: int, moved: float, searches: int) -> float:
    """Return half the 95% interval of a mean over pairs, at least two, that use the same searches.

    ``luck``: variance over pairs. ``moved``: variance of what drawing the searches again changes, 0 if nobody did; a
    mean over few searches drawn with replacement spreads too little by (s - 1)/s. Degrees of freedom as Welch and
    Satterthwaite have them.
    """
    parts = [(luck / pairs, pairs - 1)]
    if moved > 0:
        parts.append((moved * searches / (searches - 1), min(searches, pairs) - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(variance))


def _sentence(doubling: int, gain: PairedGain | None, pairs: int, searches: int) -> str:
    if gain is None:
        return "Nothing can be said: there is no doubling of software that every run reached."
    over = f"over {pairs} pair{'s' if pairs > 1 else ''} of runs with the same luck"
    if not any(gain.each) and not any(gain.drawn_again):
        return f"Nothing: software doubling {doubling} comes on the same day with kernels and without, {over}."
    if gain.low is None or gain.high is None:
        return f"{_moved(doubling, gain.days)}, {over}: too few for an interval."
    holds = _holds(gain, searches)
    interval = f"[{gain.low:.3g}, {gain.high:.3g}]"
    if gain.holds_nothing:
        days = f"the days by which software doubling {doubling} comes nearer, {gain.days:.3g} {interval}, may be 0"
        return f"Nothing is proved: {days}, {over}; {holds}."
    low, high = sorted((abs(gain.low), abs(gain.high)))
    return f"{_moved(doubling, gain.days)} [{low:.3g}, {high:.3g}], {over}; {holds}."


def _gross_sentence(net: PairedGain | None, gross: PairedGain | None) -> str:
    """The gross figure, and what the candidates took of it."""
    if net is None or gross is None or not any(gross.each):
        return ""
    return (
        f" This is net of what candidates cost; if they took no time of researchers and GPUs it would be "
        f"{gross.days:.3g} days."
    )


def _holds(gain: PairedGain, searches: int) -> str:
    """What the interval is of."""
    if gain.drawn_again:
        return f"the interval is of luck and of what {searches} searches leave open"
    number = f"{searches} search{'es are' if searches > 1 else ' is'} too few"
    return f"the interval is of luck alone, as {number} to say how sure the kernels are"


def _moved(doubling: int, days: float) -> str:
    """Which way kernels moved a doubling."""
    verb = f"bring software doubling {doubling} nearer" if days >= 0 else f"put software doubling {doubling} off"
    return f"Kernels {verb} by {abs(days):.3g} days"
