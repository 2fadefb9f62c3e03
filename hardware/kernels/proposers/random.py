"""Propose random candidates, uniform over the allowed ones, without repeats: the baseline of other strategies."""

from __future__ import annotations

from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.surrogate import expected_speedup


class RandomProposer:
    """Uniform random draws without repeats, until all candidates are tried."""

    name = "random"
    summary = "uniform over the space, without repeats"

    def propose(self, history: History) -> Proposal | None:
        """Return a candidate that was not tried yet."""
        candidate = history.search_space.draw(history.rng, history.known)
        if candidate is None:
            return None
        return Proposal(candidate, expected_speedup(history, candidate), "Drawn at random from the untried candidates.")
