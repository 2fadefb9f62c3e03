"""What measured kernels are worth to a lab: the same luck with and without them, and the days between. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy import stats

from agents.kernel_engineer import UNCALIBRATED
from sim.model import World
from sim.run import RunResult, run
from sim.scenario import Scenario, ScenarioError

CONFIDENCE: Final = 0.95
CUT_OFF: Final = ("horizon", "interrupted", "starved")
"""Endings that are no moment of the dynamics, so that the days between two of them mean nothing."""

Watch = Callable[[int, int, World], bool | None]
"""Shown the runs that are over, their number in all, and the world under way, frame by frame; True stops."""


class Gain(NamedTuple):
    """Days by which kernels bring something nearer, each pair of runs by itself and on average."""

    days: float
    low: float | None
    """The 95% interval of the mean over pairs, Student's; None with one pair."""
    high: float | None
    each: tuple[float, ...]

    @property
    def holds_nothing(self) -> bool:
        """True if there may be no gain at all."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


class Worth(NamedTuple):
    """What kernels were worth over pairs of runs, one with and one without them, of the same seed."""

    scenario: str
    measurements: str
    digest: str
    """SHA-256 of the measurements."""
    seeds: tuple[int, ...]
    """Of the pairs that were run to their endings."""
    doubling: int
    """The last doubling of software that every run reached; 0 if there is none."""
    to_doubling: Gain | None
    to_ending: Gain | None
    """None where a run was cut off by its clock, or starved."""
    endings: dict[str, tuple[int, int]]
    """How many runs ended how: with kernels, and without."""
    work_rate: float
    """Of the cluster at the end, the mean over runs with kernels."""
    sentence: str


class _Run(NamedTuple):
    """What is kept of a run."""

    doubling_days: tuple[float, ...]
    ending: str
    day: float
    work_rate: float


def worth(scenario: Scenario, seeds: Sequence[int], watch: Watch | None = None) -> Worth:
    """Run a scenario with its measurements and without them, for each seed, and return the days between.

    If ``watch`` stops it, the pairs that are complete count. Raises ScenarioError if the scenario names no
    measurements or cannot be run.
    """
    calibration = scenario.calibration()
    if calibration.curve is None:
        raise ScenarioError(f"kernels__measurements = '{UNCALIBRATED}': there are no kernels whose worth could be told")
    pairs = _pairs(scenario, seeds, watch)
    doubling = min((len(each.doubling_days) for pair in pairs for each in pair), default=0)
    days = [(a.doubling_days[doubling - 1], b.doubling_days[doubling - 1]) for a, b in pairs] if doubling else []
    to_doubling = _gain(days)
    ended = all(each.ending not in CUT_OFF for pair in pairs for each in pair)
    return Worth(
        scenario=scenario.name,
        measurements=calibration.measurements,
        digest=calibration.digest,
        seeds=tuple(seeds[: len(pairs)]),
        doubling=doubling,
        to_doubling=to_doubling,
        to_ending=_gain([(a.day, b.day) for a, b in pairs] if ended else []),
        endings=_endings(pairs),
        work_rate=float(np.mean([a.work_rate for a, _ in pairs])) if pairs else 1.0,
        sentence=_sentence(doubling, to_doubling, len(pairs)),
    )


def _pairs(scenario: Scenario, seeds: Sequence[int], watch: Watch | None) -> list[tuple[_Run, _Run]]:
    """The runs with and without kernels, as far as nobody stopped them."""
    without = scenario.replace(kernels__measurements=UNCALIBRATED)
    pairs: list[tuple[_Run, _Run]] = []
    done, total = 0, 2 * len(seeds)
    for seed in seeds:
        pair: list[_Run] = []
        for each in (scenario, without):
            result = run(each, seed, _watching(watch, done, total))
            if result.ending == "interrupted":
                return pairs
            pair.append(_kept(result))
            done += 1
        pairs.append((pair[0], pair[1]))
    return pairs


def _watching(watch: Watch | None, done: int, total: int) -> Callable[[World], bool | None] | None:
    return None if watch is None else lambda world: watch(done, total, world)


def _kept(result: RunResult) -> _Run:
    days = tuple(doubling.day for doubling in result.doublings)
    return _Run(days, result.ending, result.day, result.kernels.work_rate)


def _endings(pairs: Sequence[tuple[_Run, _Run]]) -> dict[str, tuple[int, int]]:
    names = dict.fromkeys(each.ending for pair in pairs for each in pair)
    return {name: (sum(a.ending == name for a, _ in pairs), sum(b.ending == name for _, b in pairs)) for name in names}


def _gain(days: Sequence[tuple[float, float]]) -> Gain | None:
    """The days from what happened with kernels to what happened without; None where there is nothing to compare."""
    if not days:
        return None
    nearer = np.array([without - with_kernels for with_kernels, without in days])
    mean, number = float(nearer.mean()), len(nearer)
    if number == 1:
        return Gain(mean, None, None, (mean,))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, number - 1) * nearer.std(ddof=1) / np.sqrt(number))
    return Gain(mean, mean - half, mean + half, tuple(map(float, nearer)))


def _sentence(doubling: int, gain: Gain | None, pairs: int) -> str:
    if gain is None:
        return "Nothing can be said: there is no doubling of software that every run reached."
    over = f"over {pairs} pair{'s' if pairs > 1 else ''} of runs with the same luck"
    if gain.low is None or gain.high is None:
        return f"{_moved(doubling, gain.days)}, {over}: too few for an interval."
    interval = f"[{gain.low:.3g}, {gain.high:.3g}]"
    if gain.holds_nothing:
        return f"Nothing: the days by which software doubling {doubling} comes nearer, {interval}, hold 0, {over}."
    low, high = sorted((abs(gain.low), abs(gain.high)))
    return f"{_moved(doubling, gain.days)} [{low:.3g}, {high:.3g}], {over}."


def _moved(doubling: int, days: float) -> str:
    """Which way kernels moved a doubling."""
    verb = f"bring software doubling {doubling} nearer" if days >= 0 else f"put software doubling {doubling} off"
    return f"Kernels {verb} by {abs(days):.3g} days"
