"""One shot: what somebody writes down who tunes nothing."""

from __future__ import annotations

from hardware.kernels.proposers.base import History, Proposal


class Naive:
    """The untuned candidate of the first family, then nothing more."""

    name = "naive"
    summary = "one shot: the untuned candidate of the first family"

    def propose(self, history: History) -> Proposal | None:
        """Return the untuned candidate once; it expects nothing in particular."""
        first = history.pool.naives[:1]
        if not first or first[0] in history.known:
            return None
        return Proposal(first[0], None, "The values that somebody writes down who tunes nothing.")
