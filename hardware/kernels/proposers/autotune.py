"""The classical way with a template: one parameter after the other over all its choices, then everything around."""

from __future__ import annotations

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.surrogate import expected_speedup


class Autotune:
    """Coordinate descent from the best untuned candidate, in the order of the parameters, until a round brings nothing.

    Then the rest, the fewest steps from the best first, in random order.
    """

    name = "autotune"
    summary = "one parameter after the other, then everything around the best"

    def propose(self, history: History) -> Proposal | None:
        """Return the next candidate of the descent, or one of the nearest to the best."""
        candidate, why = _descend(history), "The next choice of one parameter, the others held."
        if candidate is None:
            candidate, why = _around_best(history), "One of the untried candidates nearest to the best."
        return candidate and Proposal(candidate, expected_speedup(history, candidate), why)


def _descend(history: History) -> Candidate | None:
    """Walk the descent again; return the first candidate on its way that was not tried, None at its end."""
    known, naives = history.known, history.pool.naives
    if untried := [each for each in naives if each not in known]:
        return untried[0]
    if not naives:
        return None
    at, moved = max(naives, key=lambda each: known[each] or 0.0), True
    while moved:
        before = at
        for name in history.pool.spaces[at.family].choices:
            line = history.pool.line(at, name)
            if untried := [each for each in line if each not in known]:
                return untried[0]
            at = max([at, *line], key=lambda each: known[each] or 0.0)
        moved = at != before
    return None


def _around_best(history: History) -> Candidate | None:
    best = [each for each, _ in history.passed if each in history.pool]
    if not best:
        return history.pool.draw(history.rng, history.known)
    return history.pool.nearest(best[0], history.known, history.rng)
