"""How searches went, from a trace: best so far, what failed and why, what was foreseen. Pure; needs no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from experiments.kernels.result_tables import candidate_name, floor, machine_name, sessions
from hardware.kernels.search import geomean_speedup, improvements
from hardware.kernels.trace import FinalMeasurement, Line, MeasurementSession, SearchEnd, Timing, Trial

MIN_FORECASTS = 5
"""With fewer pairs of prediction and outcome no rank correlation is told."""


class SearchRow(NamedTuple):
    """One search: what it spent and the steps of its best so far."""

    session: str
    machine: str
    workload: str
    proposer: str
    seed: int
    tried: int
    budget: int
    over: bool
    """Its budget was spent, or it ended for a reason; else it was broken off and can be resumed."""
    counts: dict[str, int]
    """Candidates by status."""
    cpu_s: float
    tokens: int
    best: str
    steps: tuple[tuple[int, float], ...]
    """(candidates tried, best speed-up over SDPA so far): where it rose, on the tuned shapes, as the search saw it."""
    cap: float | None
    """The speed-up over SDPA that the roofline allows on the tuned shapes."""


class Failures(NamedTuple):
    """Candidates of one proposer by status."""

    proposer: str
    tried: int
    """Without the times that nothing usable was proposed, which ``counts`` has too."""
    counts: dict[str, int]
    failed: float | None
    """Share of the candidates that was not valid: neither passed nor merely inconclusive, 0 to 1."""
    families: dict[str, int]
    """Which validation family stopped them."""


class Forecast(NamedTuple):
    """How well a proposer foresaw the speed of its candidates that passed."""

    proposer: str
    pairs: int
    rank_correlation: float | None
    """Spearman's, -1 to 1; None for fewer than five pairs or where all are alike."""
    optimism: float | None
    """Median of predicted over measured speed-up."""


def searches(lines: Sequence[Line]) -> list[SearchRow]:
    """Return every search of a trace in its order; a session without candidates tried is none."""
    tried: dict[str, list[Trial]] = {}
    for line in lines:
        if isinstance(line, Trial):
            tried.setdefault(line.session, []).append(line)
    over = {line.session for line in lines if isinstance(line, SearchEnd)}
    return [
        _search(session, tried[name], name in over, _standard_times(lines, name))
        for name, session in sessions(lines).items()
        if name in tried
    ]


def _search(session: MeasurementSession, trials: Sequence[Trial], over: bool, standard: Sequence[Timing]) -> SearchRow:
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
        cap=_cap(session, standard),
    )


def _standard_times(lines: Sequence[Line], session: str) -> list[Timing]:
    """All in which SDPA was the baseline of a session."""
    trials = (line for line in lines if isinstance(line, Trial) and line.session == session)
    measured = (line for line in lines if isinstance(line, FinalMeasurement) and line.session == session)
    timed = [timed for trial in trials for timed in trial.timed]
    return timed + [timed for line in measured if line.against == "sdpa" for timed in line.timed]


def _cap(session: MeasurementSession, standard: Sequence[Timing]) -> float | None:
    logs = []
    for shape in session.tuned:
        times = [baseline for timed in standard if timed.shape == shape for _, baseline in timed.pairs]
        least = floor(session, shape)
        if not times or least is None:
            return None
        logs.append(math.log(median(times) * 1e-9 / least))
    return math.exp(sum(logs) / len(logs)) if logs else None


def failures(lines: Sequence[Line]) -> list[Failures]:
    """Return what became of the candidates of each proposer, and of all together where there are several."""
    known = sessions(lines)
    trials = [line for line in lines if isinstance(line, Trial) and line.session in known]
    names = list(dict.fromkeys(known[trial.session].proposer for trial in trials))
    found = [_failures(name, [t for t in trials if known[t.session].proposer == name]) for name in names]
    return [*found, _failures("all", trials)] if len(found) > 1 else found


def _failures(proposer: str, trials: Sequence[Trial]) -> Failures:
    counts = Counter(trial.status for trial in trials)
    candidates = len(trials) - counts["no proposal"]
    valid = counts["passed"] + counts["inconclusive"]
    stopped = Counter(trial.failed_on for trial in trials if trial.failed_on)
    share = 1 - valid / candidates if candidates else None
    return Failures(proposer, candidates, dict(counts.most_common()), share, dict(stopped.most_common()))


def forecasts(lines: Sequence[Line]) -> list[Forecast]:
    """Return prediction against outcome, for each proposer that predicted anything."""
    known = sessions(lines)
    pairs: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        if isinstance(line, Trial) and line.status == "passed" and line.expects and line.session in known:
            score = geomean_speedup(line.timed)
            if score is not None:
                pairs.setdefault(known[line.session].proposer, []).append((line.expects, score))
    return [_forecast(proposer, found) for proposer, found in pairs.items()]


def _forecast(proposer: str, pairs: Sequence[tuple[float, float]]) -> Forecast:
    optimism = median(predicted / measured for predicted, measured in pairs)
    return Forecast(proposer, len(pairs), rank_correlation(pairs), optimism)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Spearman's rank correlation; None for too few pairs, or where one side is all alike."""
    if len(pairs) < MIN_FORECASTS or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    from scipy.stats import rankdata  # noqa: PLC0415

    ranks = [rankdata(side) for side in zip(*pairs, strict=True)]
    return float(np.corrcoef(np.array(ranks))[0, 1])
