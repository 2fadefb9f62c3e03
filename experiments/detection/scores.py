"""Score detectors on series of readings: alarms, delays, lead times, ROC curves, each with an interval. Pure.

A truth states for each run from which day on an alarm is true. The alarm that counts is the first one that stands at a
reading of that day or later. Alarms at earlier readings are false.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from experiments.detection.detectors import NamedDetector
from experiments.detection.runs import ReadRun, TimedReading
from experiments.statistics.intervals import CONFIDENCE, MeanInterval, Share, mean_interval, share_of, wilson
from sim.governance.detectors import Detector, WindowRule
from sim.governance.run_lengths import precision

DAYS_PER_YEAR: Final = 365.0
BOOTSTRAP_SAMPLES: Final = 1000
_BOOTSTRAP_SEED: Final = 20
_ROUNDING: Final = 1e-9
_DIGITS: Final = 9
"""Decimals of a statistic, so that rounding errors do not rank equal ones."""

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """An estimate with the ends of its 95% interval; ``nan`` if there is none."""

    value: float
    low: float
    high: float


class Days(NamedTuple):
    """Mean of a time over the runs in which it ended, with Student's 95% interval."""

    mean: float
    low: float
    high: float
    runs: int
    """Number of runs in the mean."""
    censored: int
    """Number of runs that ended before the alarm; the mean leaves them out."""


class Roc(NamedTuple):
    """Shares of true and false alarms by threshold, from strict to lax."""

    thresholds: tuple[float, ...]
    false_alarms: tuple[float, ...]
    """Share of cases without the truth in which the statistic reaches the threshold."""
    false_low: tuple[float, ...]
    """Lower end of Wilson's 95% interval of `false_alarms`."""
    false_high: tuple[float, ...]
    detected: tuple[float, ...]
    """Share of runs with the truth in which it does so before the level."""
    detected_low: tuple[float, ...]
    """Lower end of Wilson's 95% interval of `detected`."""
    detected_high: tuple[float, ...]
    area: Estimate
    """Area under the curve: the probability that a case with the truth has the higher statistic. The interval is a
    bootstrap over runs."""


class Followed(NamedTuple):
    """A detector that has followed one run."""

    run: ReadRun
    alarms: tuple[TimedReading, ...]
    """Readings that raised an alarm."""
    standing: tuple[TimedReading, ...]
    """Readings at which an alarm was raised or still stood."""
    statistics: tuple[float, ...]
    """Statistic at each reading, without a start afresh after an alarm."""


def follow(detector: NamedDetector, run: ReadRun) -> Followed:
    """Apply a detector to the readings of a run."""
    rule = detector.build()
    alarms, standing = [], []
    stands = False
    for reading in run.readings:
        rings = rule.update(reading.day, reading.doublings)
        stands = rings or (stands and rule.statistic >= rule.threshold * (1 - _ROUNDING))
        if rings:
            alarms.append(reading)
        if stands:
            standing.append(reading)
    return Followed(run, tuple(alarms), tuple(standing), statistics(detector.build_unreached(), run.readings))


def statistics(rule: Detector, readings: Sequence[TimedReading]) -> tuple[float, ...]:
    """Return the statistic of a detector at each reading.

    For a rule that must hold for some time, it is the smallest statistic of that time.
    """
    found: list[float] = []
    for reading in readings:
        rule.update(reading.day, reading.doublings)
        found.append(round(rule.statistic, _DIGITS))
    sustained = rule.sustained_days if isinstance(rule, WindowRule) else 0.0
    if sustained == 0:
        return tuple(found)
    days = [reading.day for reading in readings]
    held = []
    for at, day in enumerate(days):
        first = at
        while first > 0 and days[first] > day - sustained * (1 - _ROUNDING):
            first -= 1
        held.append(min(found[first : at + 1]))
    return tuple(held)


class Case(NamedTuple):
    """What a detector did in one run, by one truth."""

    followed: Followed
    true_from: float
    """Day from which on an alarm is true; ``inf`` if there is none."""

    @property
    def alarm(self) -> TimedReading | None:
        """First reading at which a true alarm stands, known before the end of the run; None if there is none."""
        run = self.followed.run
        return next(
            (each for each in self.followed.standing if each.day >= self.true_from and each.known_on <= run.end), None
        )

    @property
    def false_alarms(self) -> int:
        """Number of alarms at readings of earlier days."""
        return sum(each.day < self.true_from for each in self.followed.alarms)

    @property
    def quiet_days(self) -> float:
        """Time in which an alarm is false [days]."""
        run = self.followed.run
        return min(run.end, self.true_from) - run.readings[0].day

    @property
    def highest(self) -> float:
        """Highest statistic while an alarm is true and of use: before the level, or the end of the run."""
        run = self.followed.run
        latest = min(run.level_day, run.end)
        return max(self._statistics(self.true_from, latest), default=-math.inf)

    def highest_of_quiet_years(self) -> list[float]:
        """Return the highest statistic of each full year in which alarms are false."""
        run = self.followed.run
        first = run.readings[0].day
        years = math.floor((min(run.end, self.true_from) - first) / DAYS_PER_YEAR + _ROUNDING)
        found = []
        for year in range(years):
            start, end = first + year * DAYS_PER_YEAR, first + (year + 1) * DAYS_PER_YEAR
            pairs = zip(run.readings, self.followed.statistics, strict=True)
            found += [max(within)] if (within := [value for each, value in pairs if start < each.day <= end]) else []
        return found

    def highest_of_run(self) -> float:
        """Return the highest statistic from day 0 to the end of the run."""
        return max(self._statistics(0.0, self.followed.run.end), default=-math.inf)

    def _statistics(self, start: float, latest: float) -> list[float]:
        pairs = zip(self.followed.run.readings, self.followed.statistics, strict=True)
        return [value for each, value in pairs if each.day >= start and each.known_on <= latest]


class DetectorScore(NamedTuple):
    """How a detector does against one truth."""

    detector: str
    truth: str
    """`pace` or `singular`."""
    false_alarms_per_year: Estimate
    false_share: Share | None
    """Share of the runs without the truth with an alarm; only for `singular`."""
    missed: Share
    """Share of the runs with the truth that end without a true alarm."""
    delay: Days
    """Time from the start of the truth to the day on which the regulator has the alarm."""
    in_time: Share
    """Share of the runs with the truth and the level in which it has the alarm before the level."""
    lead: Days
    """Time from that day to the level; negative if the alarm is later."""
    precision: Estimate
    """Probability that an alarm is true, with the base rate."""
    roc: Roc | None
    """None if no run has the truth or none lacks it."""


def score_pace(detector: str, followed: Sequence[Followed], base_rate: float) -> DetectorScore:
    """Return the score against the truth that the pace is a multiple of the reference.

    ``base_rate``: number of times that this happens, per year.
    """
    cases = [Case(each, each.run.fast_from) for each in followed]
    rate, missed = false_alarm_rate(cases), _missed(cases)
    quiet = [case.highest_of_quiet_years() for case in cases]
    return DetectorScore(
        detector=detector,
        truth="pace",
        false_alarms_per_year=rate,
        false_share=None,
        missed=missed,
        delay=_delays(cases),
        in_time=_in_time(cases),
        lead=_leads(cases),
        precision=_precision_of_rate(rate, missed, base_rate),
        roc=roc_curve(_positives(cases), quiet),
    )


def score_singular(detector: str, followed: Sequence[Followed], probability: float) -> DetectorScore:
    """Return the score against the truth that the run is singular, from day 0 on.

    ``probability``: that of a run to be singular, for the precision.
    """
    cases = [Case(each, 0.0 if each.run.is_singular else math.inf) for each in followed]
    others = [case for case in cases if case.true_from == math.inf]
    false, missed = share_of([_rings_in_run(case) for case in others]), _missed(cases)
    return DetectorScore(
        detector=detector,
        truth="singular",
        false_alarms_per_year=false_alarm_rate(cases),
        false_share=false,
        missed=missed,
        delay=_delays(cases),
        in_time=_in_time(cases),
        lead=_leads(cases),
        precision=_precision_of_share(false, missed, probability),
        roc=roc_curve(
            _positives(cases), [[case.highest_of_run()] if case.true_from == math.inf else [] for case in cases]
        ),
    )


def _rings_in_run(case: Case) -> bool:
    run = case.followed.run
    return any(each.day >= 0 and each.known_on <= run.end for each in case.followed.standing)


def _missed(cases: Sequence[Case]) -> Share:
    return share_of([case.alarm is None for case in cases if case.true_from < math.inf])


def _delays(cases: Sequence[Case]) -> Days:
    true = [case for case in cases if case.true_from < math.inf]
    return _days([case.alarm.known_on - case.true_from for case in true if case.alarm is not None], len(true))


def _leads(cases: Sequence[Case]) -> Days:
    reach = [case for case in cases if _has_level(case)]
    return _days([case.followed.run.level_day - case.alarm.known_on for case in reach if case.alarm], len(reach))


def _in_time(cases: Sequence[Case]) -> Share:
    reach = [case for case in cases if _has_level(case)]
    return share_of([case.alarm is not None and case.alarm.known_on < case.followed.run.level_day for case in reach])


def _has_level(case: Case) -> bool:
    return case.true_from < math.inf and case.followed.run.level_day < math.inf


def _positives(cases: Sequence[Case]) -> list[float]:
    """Return the highest statistic of each run with the truth; `nan` for the others."""
    return [case.highest if case.true_from < math.inf else math.nan for case in cases]


# --- Estimates -------------------------------------------------------------------------------------------------------


def _days(values: Sequence[float], of: int) -> Days:
    censored = of - len(values)
    if len(values) > 1:
        return Days(*mean_interval(values), len(values), censored)
    mean = values[0] if values else math.nan
    return Days(*MeanInterval(mean, math.nan, math.nan), len(values), censored)


def false_alarm_rate(cases: Sequence[Case]) -> Estimate:
    """Estimate the false alarms per year in which an alarm is false."""
    return rate_interval(
        [case.false_alarms for case in cases], [max(0.0, case.quiet_days) / DAYS_PER_YEAR for case in cases]
    )


def rate_interval(counts: Sequence[int], years: Sequence[float]) -> Estimate:
    """Return a rate per year with the exact 95% interval of a Poisson rate, widened if counts scatter more.

    The counts are divided by their dispersion, the mean of squared deviations over expected counts, if that is above 1.
    Sources: Garwood, *Biometrika* 28, 1936; dispersion as in McCullagh and Nelder, *Generalized Linear Models*, 1989.
    """
    total = sum(years)
    if total <= 0:
        return Estimate(math.nan, math.nan, math.nan)
    number = sum(counts)
    expected = [number / total * each for each in years]
    used = [(count, mean) for count, mean in zip(counts, expected, strict=True) if mean > 0]
    dispersion = 1.0
    if len(used) > 1:
        dispersion = max(1.0, sum((count - mean) ** 2 / mean for count, mean in used) / (len(used) - 1))
    events, exposure, tail = number / dispersion, total / dispersion, (1 - CONFIDENCE) / 2
    low = float(chdtri(2 * events, 1 - tail)) / 2 if events > 0 else 0.0
    return Estimate(number / total, low / exposure, float(chdtri(2 * events + 2, tail)) / 2 / exposure)


def _precision_of_rate(rate: Estimate, missed: Share, base_rate: float) -> Estimate:
    """Return the precision; the ends of its interval combine those of the rate and of the missed share."""

    def value(false: float, power: float) -> float:
        if math.isnan(false) or math.isnan(power):
            return math.nan
        return precision(1 / false if false > 0 else math.inf, base_rate, power)

    return Estimate(
        value(rate.value, 1 - missed.share), value(rate.high, 1 - missed.high), value(rate.low, 1 - missed.low)
    )


def _precision_of_share(false: Share, missed: Share, probability: float) -> Estimate:
    def value(wrong: float, power: float) -> float:
        true, untrue = probability * power, (1 - probability) * wrong
        return true / (true + untrue) if true + untrue > 0 else math.nan

    return Estimate(
        value(false.share, 1 - missed.share), value(false.high, 1 - missed.high), value(false.low, 1 - missed.low)
    )


def roc_curve(positives: Sequence[float], negatives: Sequence[Sequence[float]]) -> Roc | None:
    """Return the ROC curve of a statistic, from what each run gives.

    ``positives``: highest statistic of each run with the truth, `nan` for a run without it. ``negatives``: highest
    statistics of the cases of each run without it. Returns None without either.
    """
    there = np.array([each for each in positives if not math.isnan(each)])
    absent = np.array([each for of_run in negatives for each in of_run])
    if not len(there) or not len(absent):
        return None
    thresholds = np.unique(np.concatenate([there, absent]))[::-1]
    detected = np.array([float(np.mean(there >= each)) for each in thresholds])
    false = np.array([float(np.mean(absent >= each)) for each in thresholds])
    ends = [wilson(each, len(there)) for each in detected]
    false_ends = [wilson(each, len(absent)) for each in false]
    return Roc(
        thresholds=tuple(thresholds.tolist()),
        false_alarms=tuple(false.tolist()),
        false_low=tuple(low for low, _ in false_ends),
        false_high=tuple(high for _, high in false_ends),
        detected=tuple(detected.tolist()),
        detected_low=tuple(low for low, _ in ends),
        detected_high=tuple(high for _, high in ends),
        area=_area(np.array(positives, dtype=float), negatives),
    )


def _area(positives: Floats, negatives: Sequence[Sequence[float]]) -> Estimate:
    """Return the area under a ROC curve, with the bootstrap interval over runs (percentiles)."""
    runs = len(positives)
    has_truth = ~np.isnan(positives)
    sizes = np.array([len(each) for each in negatives], dtype=float)
    wins = np.zeros((runs, runs))
    for at, of_run in enumerate(negatives):
        for value in of_run:
            wins[:, at] += np.where(has_truth, (positives > value) + 0.5 * (positives == value), 0.0)

    def area(weights: Floats) -> Floats:
        pairs = (weights @ has_truth) * (weights @ sizes)
        total = np.einsum("bi,ij,bj->b", weights, wins, weights)
        return np.asarray(np.divide(total, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))

    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    weights = generator.multinomial(runs, np.full(runs, 1 / runs), BOOTSTRAP_SAMPLES).astype(float)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(area(weights), [tail, 1 - tail])
    return Estimate(float(area(np.ones((1, runs)))[0]), float(low), float(high))
