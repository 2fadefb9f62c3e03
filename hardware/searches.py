"""What the lines of a trace say about the repeated searches of one workload."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from hardware.kernels.machine import Roofline
from hardware.kernels.problem import flops, traffic
from hardware.kernels.trace import Line, Measured, Session, Timed, Trial

Numbers = NDArray[np.float64]

FEWEST_CANDIDATES: Final = 4
"""Tried in one search: fewer are no search, and three numbers are fitted."""


class Searches(NamedTuple):
    """The repeated searches of one workload."""

    workload: str
    best: tuple[Numbers, ...]
    """Of each, log of the best speed-up over SDPA after 1, 2, ... candidates, at least 0: one can keep SDPA."""
    winners: Numbers
    """Of each, log of its winner's speed-up measured afresh; nan where it was not."""
    cap: float
    """Speed-up at the roofline; inf where that was not measured."""
    machines: tuple[str, ...]
    """On which they ran, by name."""


def searched(lines: Iterable[Line]) -> dict[str, list[list[Trial]]]:
    """Return the searches of each workload, by its full name: the trials of each, in the order of the file."""
    sessions: dict[str, tuple[str, list[Trial]]] = {}
    for line in lines:
        if isinstance(line, Session):
            sessions[line.session] = (line.full_name, [])
        elif isinstance(line, Trial) and line.session in sessions:
            sessions[line.session][1].append(line)
    by_workload: dict[str, list[list[Trial]]] = {}
    for name, trials in sessions.values():
        if len(trials) >= FEWEST_CANDIDATES and any(trial.status == "passed" for trial in trials):
            by_workload.setdefault(name, []).append(trials)
    return by_workload


def searches_of(lines: Sequence[Line], workload: str) -> Searches | None:
    """Return the searches of a workload, None if there are none."""
    searches = searched(lines).get(workload)
    if searches is None:
        return None
    names = [trials[0].session for trials in searches]
    sessions = [line for line in lines if isinstance(line, Session) and line.session in names]
    fresh = {line.session: _log_fresh(line) for line in lines if isinstance(line, Measured) and _is_winner(line)}
    return Searches(
        workload=workload,
        best=tuple(_best_so_far(trials) for trials in searches),
        winners=np.array([fresh.get(name, math.nan) for name in names]),
        cap=_cap(sessions[-1], searches),
        machines=tuple(sorted({_machine(each) for each in sessions})),
    )


def _machine(session: Session) -> str:
    return str(session.machine.get("accelerator") or session.machine.get("processor", "?"))


def _is_winner(line: Measured) -> bool:
    return line.role == "winner" and line.against == "sdpa"


def _log_fresh(winner: Measured) -> float:
    """Log of a winner's speed-up on the held-out shapes, which is what others get; on the tuned ones without.

    A winner that fails when it is measured afresh is none: the library stays.
    """
    if winner.status not in ("passed", "inconclusive") or not winner.timed:
        return 0.0
    return _log_ratio([each for each in winner.timed if each.held_out] or winner.timed)


def _log_ratio(timed: Iterable[Timed]) -> float:
    """Log of the geometric mean over shapes of the median ratio, as ``hardware.kernels.statistics`` has it."""
    pairs = (np.asarray(each.pairs, dtype=float) for each in timed)
    return float(np.mean([np.median(np.log(times[:, 1] / times[:, 0])) for times in pairs]))


def _best_so_far(trials: Sequence[Trial]) -> Numbers:
    scores = []
    for trial in trials:
        tuned = [each for each in trial.timed if not each.held_out]
        scores.append(_log_ratio(tuned) if trial.status == "passed" and tuned else 0.0)
    return np.maximum(np.maximum.accumulate(scores), 0.0)


def _cap(session: Session, searches: Iterable[Iterable[Trial]]) -> float:
    """Return one over SDPA's own fraction of the roofline, the geometric mean over the tuned shapes."""
    try:
        roofline = Roofline.model_validate(session.machine.get("roofline"))
    except ValidationError:
        return math.inf
    dtype = session.problem.dtype
    if dtype not in roofline.gflops:
        return math.inf
    logs = []
    for shape in session.tuned:
        timed = [each for trials in searches for trial in trials for each in trial.timed if each.shape == shape]
        taken = [baseline for each in timed for _, baseline in each.pairs]
        least = roofline.seconds(flops(shape, session.problem), traffic(shape, session.problem), dtype) * 1e9
        if taken:
            logs.append(math.log(float(np.median(taken)) / least))
    return max(1.0, math.exp(float(np.mean(logs)))) if logs else math.inf
