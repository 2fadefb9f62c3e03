"""Name agents by lab, kind and number."""

from __future__ import annotations

from typing import NamedTuple

KERNEL_ENGINEER_NUMBER = -1
"""Number of the kernel engineer of a lab, which owns the jobs that time candidates."""
PAPER_LINE_NUMBER = -3
"""Number of the papers in progress of humans, which own the experiments of these papers."""

_KINDS_WITH_NAMED_STREAMS = frozenset({"human", "paper line"})


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
        """Key of the random streams: the bare number of most kinds in an unnamed lab, else lab, kind and number."""
        if self.lab:
            return f"{self.lab}/{self.kind}/{self.number}"
        return f"{self.kind}/{self.number}" if self.kind in _KINDS_WITH_NAMED_STREAMS else self.number
