"""Propose candidates by hill climbing from a valid start, with restarts at local optima."""

from __future__ import annotations

from typing import NamedTuple

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.surrogate import expected_speedup


class _ClimbState(NamedTuple):
    """Current candidate of the climb, its score, and its untried neighbours."""

    at: Candidate | None = None
    score: float = 0.0
    steps: tuple[Candidate, ...] = ()


class HillClimbProposer:
    """First improvement among the neighbours, in random order, with restarts.

    It starts at the default candidate of the first family, else at the first random candidate that passes. An invalid
    start gives no information about its neighbours.
    """

    name = "hill-climb"
    summary = "from a valid start to better neighbours, with restarts"

    def propose(self, history: History) -> Proposal | None:
        """Return an untried neighbour of the current candidate, or a new start."""
        climb, rng = _replay_climb(history), history.rng
        if climb.at is not None:
            step = climb.steps[int(rng.integers(len(climb.steps)))]
            return Proposal(step, expected_speedup(history, step), f"One step from a speed-up of {climb.score:.3g}.")
        start = next((each for each in history.search_space.defaults[:1] if each not in history.known), None)
        start = start or history.search_space.draw(rng, history.known)
        return start and Proposal(start, expected_speedup(history, start), "A new start for a climb.")


def _replay_climb(history: History) -> _ClimbState:
    """Repeat the climb from the history: each improvement was taken as a step."""
    climb = _ClimbState()
    seen = set(history.refused)
    for candidate, score in ((each.candidate, each.score) for each in history.tried):
        seen.add(candidate)
        if score is not None and (climb.at is None or (score > climb.score and candidate in climb.steps)):
            climb = _ClimbState(candidate, score, tuple(history.search_space.neighbours(candidate)))
        climb = climb._replace(steps=tuple(each for each in climb.steps if each not in seen))
        if not climb.steps:
            climb = _ClimbState()  # a local optimum, or no valid candidate yet
    return climb
