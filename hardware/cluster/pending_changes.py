"""Hold the changes of the nodes and limits of a pool until the end of an instant."""

from collections.abc import Callable
from typing import Any

from simpy import Event


class PendingChanges:
    """Changes of the nodes and limits of a pool, which take effect together before the dispatch of an instant.

    They are apart from the cluster because instances with more than 30 attributes are slower in CPython.
    """

    def __init__(self) -> None:
        self.initial_gpus = 0
        """Number of GPUs of the pool on day 0."""
        self.nodes: dict[float, int] = {}
        """Number of nodes added since day 0, less those retired, by speed."""
        self.settled_nodes: dict[float, int] = {}
        """The part of `nodes` that has taken effect."""
        self.limits: dict[str, tuple[int | None, bool]] = {}
        """Limits that are ordered in this instant, by use, and whether running jobs are preempted for them."""
        self.others = False
        """Whether `before_settlement` has work to do."""
        self.before_settlement: Callable[[], None] | None = None
        """Function that is called before the changes take effect."""
        self.event: Event | None = None
        """Scheduled event of the settlement; None if no change of this instant is left."""
        self.calls: list[Callable[[Any], None]] = []
        """Callbacks of that event."""

    def unsettled_nodes(self) -> dict[float, int]:
        """Return the changes of the number of nodes, by speed, that have not taken effect yet."""
        return {speed: number - self.settled_nodes.get(speed, 0) for speed, number in self.nodes.items()}
