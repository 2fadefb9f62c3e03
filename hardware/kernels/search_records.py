"""Select the repeated searches of one workload from the lines of a trace.

A search counts if it is complete and its winner was re-measured. A complete search in which no candidate passed counts
too, with the library's speed. Interrupted searches are left out, and their number is reported.
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
"""Fewest candidates of a search that counts; the fit has three parameters."""
MIN_SEARCHES: Final = 3
"""Fewest repeated searches for an interval."""
_ACCELERATOR_FAMILIES: Final = frozenset({"triton"})
"""Families that run on the accelerator, if the machine has one; all others are timed on the processor."""


class SearchRecord(NamedTuple):
    """One search in a trace."""

    session: MeasurementSession
    trials: tuple[Trial, ...]
    winner: FinalMeasurement | None
    """Last re-measurement of the winner against SDPA."""
    over: bool

    @property
    def passed(self) -> bool:
        """Whether a candidate passed."""
        return any(trial.status == "passed" for trial in self.trials)

    @property
    def candidates(self) -> int:
        """Number of candidates tried, without trials that have no usable proposal."""
        return sum(trial.status != "no proposal" for trial in self.trials)

    @property
    def is_complete(self) -> bool:
        """Whether the search has ended and its winner, if any, was re-measured."""
        return self.over and (
            self.winner is not None or not any(_log_tuned_speedup(trial) is not None for trial in self.trials)
        )

    @property
    def families(self) -> tuple[str, ...]:
        """Sorted names of the families that were tried."""
        return tuple(sorted({trial.family for trial in self.trials if trial.family}))

    @property
    def machine(self) -> str:
        """Name of the device on which it ran; two devices of one computer are two machines."""
        known = self.session.machine
        if not _ACCELERATOR_FAMILIES.isdisjoint(self.families) and known.get("accelerator"):
            return str(known["accelerator"])
        return str(known.get("processor", "?"))

    @property
    def log_winner_speedup(self) -> float:
        """Log of the re-measured speed-up of the winner, at least 0, because SDPA remains available."""
        winner = self.winner
        if winner is None or winner.status not in ("passed", "inconclusive") or not _held_out_timings(winner):
            return 0.0
        return max(0.0, _log_ratio(_held_out_timings(winner)))


class RepeatedSearches(NamedTuple):
    """The repeated searches of one workload, by one proposer in the same families."""

    workload: str
    families: tuple[str, ...]
    proposer: str
    best: tuple[Numbers, ...]
    """For each search: log of the best speed-up over SDPA after 1, 2, ... candidates, at least 0."""
    winners: Numbers
    """For each search: log of the re-measured speed-up of its winner, at least 0; 0 if no candidate passed."""
    log_cap: float
    """Log of the speed-up at the roofline; below 0 if SDPA is faster than the roofline, inf without a roofline."""
    machines: tuple[str, ...]
    """Names of the machines on which the workload was searched."""
    broken_off: int
    """Number of incomplete searches of the workload, which are left out."""


def searches_by_workload(lines: Iterable[Line]) -> dict[str, list[SearchRecord]]:
    """Return the searches of each workload by its full name, in the order of the file, including incomplete ones.

    Complete searches with fewer than four candidates are left out.
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
        if search.candidates >= (MIN_CANDIDATES if search.is_complete else 1):
            by_workload.setdefault(session.full_name, []).append(search)
    return by_workload


def complete_workloads(lines: Iterable[Line]) -> list[str]:
    """Return the full names of the workloads that have a curve."""
    return sorted(name for name, searches in searches_by_workload(lines).items() if _complete_groups(searches))


def count_incomplete(lines: Iterable[Line], workload: str) -> int:
    """Return the number of incomplete searches of a workload."""
    return sum(not search.is_complete for search in searches_by_workload(lines).get(workload, ()))


def searches_of(lines: Iterable[Line], workload: str) -> RepeatedSearches | None:
    """Return the searches behind the curve of a workload; None if none is complete or no candidate passed.

    They share proposer and families. The group with the fastest re-measured winners on average is taken. Groups of
    three or more searches come first.
    """
    records = searches_by_workload(lines).get(workload, [])
    groups = _complete_groups(records)
    if not groups:
        return None
    group = max(
        groups, key=lambda each: (len(each) >= MIN_SEARCHES, fmean(s.log_winner_speedup for s in each), len(each))
    )
    first = group[0]
    complete = [search for search in records if search.is_complete]
    return RepeatedSearches(
        workload=workload,
        families=first.families,
        proposer=first.session.proposer,
        best=tuple(_best_so_far(search.trials) for search in group),
        winners=np.array([search.log_winner_speedup for search in group]),
        log_cap=_log_roofline_ratio(group),
        machines=tuple(sorted({search.machine for search in complete})),
        broken_off=len(records) - len(complete),
    )


def _complete_groups(searches: Iterable[SearchRecord]) -> list[list[SearchRecord]]:
    """Group complete searches by proposer and families; groups without a passing candidate are left out."""
    groups: dict[tuple[tuple[str, ...], str], list[SearchRecord]] = {}
    for search in searches:
        if search.is_complete:
            groups.setdefault((search.families, search.session.proposer), []).append(search)
    return [group for group in groups.values() if any(search.passed for search in group)]


def _held_out_timings(winner: FinalMeasurement) -> list[Timing]:
    """Return the timings of the winner on the held-out shapes, or on the tuned shapes without any."""
    timed = [each for each in winner.timed if each.pairs]
    return [each for each in timed if each.held_out] or timed


def _log_ratio(timed: Iterable[Timing]) -> float:
    """Return the log of the geometric mean over shapes, as ``trace.geomean_over_shapes``, without the interval."""
    return fmean(_log_speedup_of_shape(each) for each in timed)


def _log_speedup_of_shape(timed: Timing) -> float:
    """Return the median log ratio; with three rounds or more, the mean of the medians of the rounds."""
    logs = [math.log(base / own) for own, base in timed.pairs]
    if len(timed.rounds) < MIN_ROUNDS:
        return median(logs)
    ends = list(accumulate(timed.rounds))
    return fmean(median(logs[start:end]) for start, end in pairwise([0, *ends]))


def _log_tuned_speedup(trial: Trial) -> float | None:
    tuned = [each for each in trial.timed if not each.held_out and each.pairs]
    return _log_ratio(tuned) if trial.status == "passed" and tuned else None


def _best_so_far(trials: Sequence[Trial]) -> Numbers:
    scores = [_log_tuned_speedup(trial) or 0.0 for trial in trials]
    return np.maximum(np.maximum.accumulate(scores), 0.0)


def _log_roofline_ratio(group: Iterable[SearchRecord]) -> float:
    """Return minus the log of SDPA's fraction of the roofline, averaged over the held-out shapes of the winners.

    All sessions have equal weight, and each is compared with its own measured roofline.
    """
    known = [log for search in group if (log := _log_headroom(search)) is not None]
    return fmean(known) if known else math.inf


def _log_headroom(search: SearchRecord) -> float | None:
    try:
        roofline = Roofline.model_validate(search.session.machine.get("roofline"))
    except ValidationError:
        return None
    problem, timed = search.session.problem, _held_out_timings(search.winner) if search.winner is not None else []
    if problem.dtype not in roofline.gflops or not timed:
        return None
    least = (
        roofline.seconds(flops(each.shape, problem), traffic(each.shape, problem), problem.dtype) for each in timed
    )
    taken = (median([base for _, base in each.pairs]) * 1e-9 for each in timed)
    return fmean(math.log(ns / floor) for ns, floor in zip(taken, least, strict=True))
