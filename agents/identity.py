"""Name agents by lab, kind and number."""

from __future__ import annotations

from typing import NamedTuple


class AgentId(NamedTuple):
    """Identity of an agent. It names random streams and owns jobs."""

    lab: str
    """Name of the lab; empty for the only lab of a World."""
    kind: str
    """Kind of agent, such as *researcher*."""
    number: int
    """Number within the kind. Researchers count from 1."""

    @property
    def stream_key(self) -> int | str:
        """Key of the random streams: the bare number in an unnamed lab, else lab, kind and number."""
        return f"{self.lab}/{self.kind}/{self.number}" if self.lab else self.number
