"""What the lines of a trace say about the repeated searches of one workload.

A search counts when it is over and its winner was measured afresh, or nothing in it passed: then it is one that found
nothing, and the library stays. One that was broken off is left out, and how many those are is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from hardware.kernels.machine import Roofline
from hardware.kernels.problem import flops, traffic
from hardware.kernels.statistics import MIN_ROUNDS
from hardware.kernels.trace import FinalMeasurement, Line, MeasurementSession, SearchEnd, Timing, Trial

Numbers = NDArray[np.float64]

MIN_CANDIDATES: Final = 4
"""Tried in one search: fewer are no search, and three numbers are fitted."""
MIN_SEARCHES: Final = 3
"""Repeated searches without which there is no interval."""
_ON_ACCELERATOR: Final = frozenset({"triton"})
"""Families that run on the accelerator of a machine that has one; all others are timed on its processor."""


class SearchRecord(NamedTuple):
    """One search, as it stands in the trace."""

    session: MeasurementSession
    trials: tuple[Trial, ...]
    winner: FinalMeasurement | None
    """What its winner gave when it was last measured afresh, against SDPA."""
    over: bool

    @property
    def passed(self) -> bool:
        """Whether any candidate passed."""
        return any(trial.status == "passed" for trial in self.trials)

    @property
    def candidates(self) -> int:
        """Candidates tried: less the times that nothing usable was proposed."""
        return sum(trial.status != "no proposal" for trial in self.trials)

    @property
    def complete(self) -> bool:
        """Whether it counts: nothing of it is still to come."""
        return self.over and (self.winner is not None or not any(_score(trial) is not None for trial in self.trials))

    @property
    def families(self) -> tuple[str, ...]:
        """Families that were tried, sorted."""
        return tuple(sorted({trial.family for trial in self.trials if trial.family}))

    @property
    def machine(self) -> str:
        """Where it ran, by name: two devices of one computer are two machines."""
        known = self.session.machine
        if not _ON_ACCELERATOR.isdisjoint(self.families) and known.get("accelerator"):
            return str(known["accelerator"])
        return str(known.get("processor", "?"))

    @property
    def log_fresh(self) -> float:
        """Log of the winner's speed-up, at least 0: one can keep SDPA, and does with a winner that fails afresh."""
        winner = self.winner
        if winner is None or winner.status not in ("passed", "inconclusive") or not _held_out(winner):
            return 0.0
        return max(0.0, _log_ratio(_held_out(winner)))


class Searches(NamedTuple):
    """The repeated searches of one workload, by one proposer in the same families."""

    workload: str
    families: tuple[str, ...]
    proposer: str
    best: tuple[Numbers, ...]
    """Of each, log of the best speed-up over SDPA after 1, 2, ... candidates, at least 0: one can keep SDPA."""
    winners: Numbers
    """Of each, log of its winner's speed-up measured afresh, at least 0; 0 where nothing passed."""
    log_cap: float
    """Log of the speed-up at the roofline, below 0 where SDPA beats the roofline; inf where that was not measured."""
    machines: tuple[str, ...]
    """On which the workload was searched, by name."""
    broken_off: int
    """Searches of the workload that are left out, as they are not over or their winner was not measured afresh."""


def searches_by_workload(lines: Iterable[Line]) -> dict[str, list[SearchRecord]]:
    """Return the searches of each workload, by its full name and in the order of the file; broken off ones too.

    A search that is over with fewer candidates than four is none.
    """
    sessions: dict[str, tuple[MeasurementSession, list[Trial]]] = {}
    winners: dict[str, FinalMeasurement] = {}
    over = set()
    for line in lines:
        if isinstance(line, MeasurementSession):
            sessions[line.session] = (line, [])
        elif isinstance(line, Trial) and line.session in sessions:
            sessions[line.session][1].append(line)
        elif isinstance(line, FinalMeasurement) and line.role == "winner" and line.against == "sdpa":
            winners[line.session] = line
        elif isinstance(line, SearchEnd):
            over.add(line.session)
    by_workload: dict[str, list[SearchRecord]] = {}
    for name, (session, trials) in sessions.items():
        search = SearchRecord(session, tuple(trials), winners.get(name), name in over)
        if search.candidates >= (MIN_CANDIDATES if search.complete else 1):
            by_workload.setdefault(session.full_name, []).append(search)
    return by_workload


def complete_workloads(lines: Iterable[Line]) -> list[str]:
    """Return the full names of the workloads of which there is a curve."""
    return sorted(name for name, searches in searches_by_workload(lines).items() if _groups(searches))


def count_incomplete(lines: Iterable[Line], workload: str) -> int:
    """Return how many searches of a workload are not complete."""
    return sum(not search.complete for search in searches_by_workload(lines).get(workload, ()))


def searches_of(lines: Iterable[Line], workload: str) -> Searches | None:
    """Return the searches of a workload of which the curve is made, None if none is complete or nothing passed.

    They are of one proposer in the same families: of the groups of three or more, or else of all, the one whose fresh
    winners are the fastest on average.
    """
    there = searches_by_workload(lines).get(workload, [])
    groups = _groups(there)
    if not groups:
        return None
    group = max(groups, key=lambda each: (len(each) >= MIN_SEARCHES, fmean(s.log_fresh for s in each), len(each)))
    first = group[0]
    complete = [search for search in there if search.complete]
    return Searches(
        workload=workload,
        families=first.families,
        proposer=first.session.proposer,
        best=tuple(_best_so_far(search.trials) for search in group),
        winners=np.array([search.log_fresh for search in group]),
        log_cap=_log_roofline_ratio(group),
        machines=tuple(sorted({search.machine for search in complete})),
        broken_off=len(there) - len(complete),
    )


def _groups(searches: Iterable[SearchRecord]) -> list[list[SearchRecord]]:
    """The complete searches by proposer and families; a group in which no candidate ever passed says nothing."""
    groups: dict[tuple[tuple[str, ...], str], list[SearchRecord]] = {}
    for search in searches:
        if search.complete:
            groups.setdefault((search.families, search.session.proposer), []).append(search)
    return [group for group in groups.values() if any(search.passed for search in group)]


def _held_out(winner: FinalMeasurement) -> list[Timing]:
    """What the winner took on the held-out shapes, which is what others get; on the tuned ones without."""
    timed = [each for each in winner.timed if each.pairs]
    return [each for each in timed if each.held_out] or timed


def _log_ratio(timed: Iterable[Timing]) -> float:
    """Log of the geometric mean over shapes, as ``hardware.kernels.trace.over_shapes`` has it, without its interval."""
    return fmean(_log_median(each) for each in timed)


def _log_median(timed: Timing) -> float:
    """The median log ratio; with three rounds of new processes or more, the mean of the medians of the rounds."""
    logs = [math.log(base / own) for own, base in timed.pairs]
    if len(timed.rounds) < MIN_ROUNDS:
        return median(logs)
    ends = list(accumulate(timed.rounds))
    return fmean(median(logs[start:end]) for start, end in pairwise([0, *ends]))


def _score(trial: Trial) -> float | None:
    tuned = [each for each in trial.timed if not each.held_out and each.pairs]
    return _log_ratio(tuned) if trial.status == "passed" and tuned else None


def _best_so_far(trials: Sequence[Trial]) -> Numbers:
    scores = [_score(trial) or 0.0 for trial in trials]
    return np.maximum(np.maximum.accumulate(scores), 0.0)


def _log_roofline_ratio(group: Iterable[SearchRecord]) -> float:
    """Minus the log of SDPA's fraction of the roofline: the mean over the shapes on which winners were held out.

    Each session counts alike, against the roofline that was measured for it.
    """
    known = [log for search in group if (log := _log_headroom(search)) is not None]
    return fmean(known) if known else math.inf


def _log_headroom(search: SearchRecord) -> float | None:
    try:
        roofline = Roofline.model_validate(search.session.machine.get("roofline"))
    except ValidationError:
        return None
    problem, timed = search.session.problem, _held_out(search.winner) if search.winner is not None else []
    if problem.dtype not in roofline.gflops or not timed:
        return None
    least = (
        roofline.seconds(flops(each.shape, problem), traffic(each.shape, problem), problem.dtype) for each in timed
    )
    taken = (median([base for _, base in each.pairs]) * 1e-9 for each in timed)
    return fmean(math.log(ns / floor) for ns, floor in zip(taken, least, strict=True))
