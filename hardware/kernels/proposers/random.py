"""Uniform over all that is allowed, without repeats: what every other strategy has to beat."""

from __future__ import annotations

from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.surrogate import expected_speedup


class Random:
    """Uniform draws without repeats, until all is tried."""

    name = "random"
    summary = "uniform over the space, without repeats"

    def propose(self, history: History) -> Proposal | None:
        """Return a candidate that was not tried yet."""
        candidate = history.pool.draw(history.rng, history.known)
        if candidate is None:
            return None
        return Proposal(candidate, expected_speedup(history, candidate), "Drawn at random from what was not tried yet.")
