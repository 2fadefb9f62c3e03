"""Up the hill from a valid start, step by step; from a new start where no step leads further up."""

from __future__ import annotations

from typing import NamedTuple

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.surrogate import expected_speedup


class _Climb(NamedTuple):
    """Where the climber stands, and which steps from there it has not tried."""

    at: Candidate | None = None
    score: float = 0.0
    steps: tuple[Candidate, ...] = ()


class HillClimb:
    """First improvement among the neighbours, in random order, with restarts.

    It starts at the first family's untuned candidate, else at the first random one that passes: an invalid start
    says nothing about its neighbours.
    """

    name = "hill-climb"
    summary = "from a valid start to better neighbours, with restarts"

    def propose(self, history: History) -> Proposal | None:
        """Return an untried neighbour of where the climb stands, or a new start."""
        climb, chance = _climb(history), history.rng
        if climb.at is not None:
            step = climb.steps[int(chance.integers(len(climb.steps)))]
            return Proposal(step, expected_speedup(history, step), f"One step from a speed-up of {climb.score:.3g}.")
        start = next((each for each in history.pool.naives[:1] if each not in history.known), None)
        start = start or history.pool.draw(chance, history.known)
        return start and Proposal(start, expected_speedup(history, start), "A new start for a climb.")


def _climb(history: History) -> _Climb:
    """Walk the history again: every step that was an improvement was taken."""
    climb = _Climb()
    seen = set(history.refused)
    for candidate, score in ((each.candidate, each.score) for each in history.tried):
        seen.add(candidate)
        if score is not None and (climb.at is None or (score > climb.score and candidate in climb.steps)):
            climb = _Climb(candidate, score, tuple(history.pool.neighbours(candidate)))
        climb = climb._replace(steps=tuple(each for each in climb.steps if each not in seen))
        if not climb.steps:
            climb = _Climb()  # a peak, or nothing valid yet
    return climb
