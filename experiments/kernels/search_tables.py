"""Derive tables of searches from a trace: best so far, failures and predictions. Pure; does not need torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from experiments.kernels.result_tables import candidate_name, machine_name, roofline_seconds, sessions
from hardware.kernels.search import geomean_speedup, improvements
from hardware.kernels.trace import FinalMeasurement, Line, MeasurementSession, SearchEnd, Timing, Trial

MIN_FORECASTS = 5
"""Fewest pairs of prediction and outcome for a rank correlation."""


class SearchRow(NamedTuple):
    """One search: its cost and the steps of its best speed-up."""

    session: str
    machine: str
    workload: str
    proposer: str
    seed: int
    tried: int
    budget: int
    over: bool
    """Whether it is complete; an interrupted search can be resumed."""
    counts: dict[str, int]
    """Candidates by status."""
    cpu_s: float
    tokens: int
    best: str
    steps: tuple[tuple[int, float], ...]
    """(candidates tried, best speed-up over SDPA so far) at each improvement, timed quickly on the tuned shapes."""
    cap: float | None
    """Speed-up over SDPA at the roofline, on the tuned shapes."""


class Failures(NamedTuple):
    """Candidates of one proposer by status."""

    proposer: str
    tried: int
    """Number of candidates; ``counts`` also includes trials without a usable proposal."""
    counts: dict[str, int]
    failed: float | None
    """Share of candidates that neither passed nor were inconclusive, 0 to 1."""
    families: dict[str, int]
    """Validation check → number of candidates that failed it."""


class PredictionAccuracy(NamedTuple):
    """Accuracy of the speed-ups that a proposer predicted for candidates that passed."""

    proposer: str
    pairs: int
    rank_correlation: float | None
    """Spearman's rank correlation, -1 to 1; None with fewer than five pairs or equal values."""
    optimism: float | None
    """Median of predicted over measured speed-up."""


def search_rows(lines: Sequence[Line]) -> list[SearchRow]:
    """Return the searches of a trace in order; sessions without trials are left out."""
    tried: dict[str, list[Trial]] = {}
    for line in lines:
        if isinstance(line, Trial):
            tried.setdefault(line.session, []).append(line)
    over = {line.session for line in lines if isinstance(line, SearchEnd)}
    return [
        _search_row(session, tried[name], name in over, _baseline_timings(lines, name))
        for name, session in sessions(lines).items()
        if name in tried
    ]


def _search_row(
    session: MeasurementSession, trials: Sequence[Trial], over: bool, baseline: Sequence[Timing]
) -> SearchRow:
    steps = improvements(trials)
    best = steps[-1][0] if steps else None
    return SearchRow(
        session=session.session,
        machine=machine_name(session),
        workload=session.full_name,
        proposer=session.proposer,
        seed=session.seed,
        tried=len(trials),
        budget=session.budget,
        over=over,
        counts=dict(Counter(trial.status for trial in trials).most_common()),
        cpu_s=sum(trial.cpu_s for trial in trials),
        tokens=sum(trial.tokens for trial in trials),
        best=candidate_name(best.family, tuple(best.parameters.items()), best.source) if best else "",
        steps=tuple((trial.number, score) for trial, score in steps),
        cap=_roofline_speedup(session, baseline),
    )


def _baseline_timings(lines: Sequence[Line], session: str) -> list[Timing]:
    """Return all timings of a session with SDPA as the baseline."""
    trials = (line for line in lines if isinstance(line, Trial) and line.session == session)
    measured = (line for line in lines if isinstance(line, FinalMeasurement) and line.session == session)
    timed = [timed for trial in trials for timed in trial.timed]
    return timed + [timed for line in measured if line.against == "sdpa" for timed in line.timed]


def _roofline_speedup(session: MeasurementSession, baseline: Sequence[Timing]) -> float | None:
    logs = []
    for shape in session.tuned:
        times = [baseline for timed in baseline if timed.shape == shape for _, baseline in timed.pairs]
        least = roofline_seconds(session, shape)
        if not times or least is None:
            return None
        logs.append(math.log(median(times) * 1e-9 / least))
    return math.exp(sum(logs) / len(logs)) if logs else None


def failure_rows(lines: Sequence[Line]) -> list[Failures]:
    """Return the candidates of each proposer by status, and the total if there are several proposers."""
    known = sessions(lines)
    trials = [line for line in lines if isinstance(line, Trial) and line.session in known]
    names = list(dict.fromkeys(known[trial.session].proposer for trial in trials))
    found = [_failure_row(name, [t for t in trials if known[t.session].proposer == name]) for name in names]
    return [*found, _failure_row("all", trials)] if len(found) > 1 else found


def _failure_row(proposer: str, trials: Sequence[Trial]) -> Failures:
    counts = Counter(trial.status for trial in trials)
    candidates = len(trials) - counts["no proposal"]
    valid = counts["passed"] + counts["inconclusive"]
    stopped = Counter(trial.failed_on for trial in trials if trial.failed_on)
    share = 1 - valid / candidates if candidates else None
    return Failures(proposer, candidates, dict(counts.most_common()), share, dict(stopped.most_common()))


def forecast_rows(lines: Sequence[Line]) -> list[PredictionAccuracy]:
    """Compare predictions with outcomes, for each proposer that made predictions."""
    known = sessions(lines)
    pairs: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        if isinstance(line, Trial) and line.status == "passed" and line.expects and line.session in known:
            score = geomean_speedup(line.timed)
            if score is not None:
                pairs.setdefault(known[line.session].proposer, []).append((line.expects, score))
    return [_forecast_row(proposer, found) for proposer, found in pairs.items()]


def _forecast_row(proposer: str, pairs: Sequence[tuple[float, float]]) -> PredictionAccuracy:
    optimism = median(predicted / measured for predicted, measured in pairs)
    return PredictionAccuracy(proposer, len(pairs), rank_correlation(pairs), optimism)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Spearman's rank correlation; None with too few pairs, or if all values of one side are equal."""
    if len(pairs) < MIN_FORECASTS or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    from scipy.stats import rankdata  # noqa: PLC0415

    ranks = [rankdata(side) for side in zip(*pairs, strict=True)]
    return float(np.corrcoef(np.array(ranks))[0, 1])
