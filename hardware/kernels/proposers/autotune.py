"""Propose candidates by coordinate descent over the parameters, then by distance from the best."""

from __future__ import annotations

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.surrogate import expected_speedup


class AutotuneProposer:
    """Coordinate descent from the best default candidate, in the order of parameters, until no parameter improves.

    Then the remaining candidates follow, nearest to the best first, in random order.
    """

    name = "autotune"
    summary = "coordinate descent, then the candidates nearest to the best"

    def propose(self, history: History) -> Proposal | None:
        """Return the next candidate of the descent, or one of the nearest to the best."""
        candidate, why = _descend(history), "The next choice of one parameter, with the others fixed."
        if candidate is None:
            candidate, why = _around_best(history), "One of the untried candidates nearest to the best."
        return candidate and Proposal(candidate, expected_speedup(history, candidate), why)


def _descend(history: History) -> Candidate | None:
    """Repeat the descent from the history; return its first untried candidate, None at its end."""
    known, defaults = history.known, history.search_space.defaults
    if untried := [each for each in defaults if each not in known]:
        return untried[0]
    if not defaults:
        return None
    at, moved = max(defaults, key=lambda each: known[each] or 0.0), True
    while moved:
        before = at
        for name in history.search_space.spaces[at.family].choices:
            line = history.search_space.vary(at, name)
            if untried := [each for each in line if each not in known]:
                return untried[0]
            at = max([at, *line], key=lambda each: known[each] or 0.0)
        moved = at != before
    return None


def _around_best(history: History) -> Candidate | None:
    best = [each for each, _ in history.passed if each in history.search_space]
    if not best:
        return history.search_space.draw(history.rng, history.known)
    return history.search_space.nearest(best[0], history.known, history.rng)
