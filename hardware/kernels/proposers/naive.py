"""Propose the default candidate only."""

from __future__ import annotations

from hardware.kernels.proposers.base import History, Proposal


class DefaultProposer:
    """Proposes the default candidate of the first family, then ends the search."""

    name = "naive"
    summary = "one shot: the default candidate of the first family"

    def propose(self, history: History) -> Proposal | None:
        """Return the default candidate once, without a prediction."""
        first = history.search_space.defaults[:1]
        if not first or first[0] in history.known:
            return None
        return Proposal(first[0], None, "The untuned default values.")
