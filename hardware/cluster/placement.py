"""Places gangs on the nodes of a pool, by named policies, and measures the fragmentation of its free GPUs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from hardware.cluster.jobs import Seats


def node_sizes(gpus: int, gpus_per_node: int) -> list[int]:
    """Return the GPUs of each node of a pool; a pool that is not a multiple of the node size has a smaller last node."""
    return [min(gpus_per_node, gpus - first) for first in range(0, gpus, gpus_per_node)]


def fragmentation(free: Sequence[int], gpus_per_node: int) -> float:
    """Return the share of the free GPUs that no gang of a whole node could use; 0 when nothing is free.

    ``free``: the free GPUs of each node.
    """
    total = sum(free)
    whole = sum(gpus for gpus in free if gpus >= gpus_per_node)
    return 1 - whole / total if total else 0.0


def largest_gang(placement: str, gpus: int, gpus_per_node: int) -> int:
    """Return the most GPUs that one gang can ever have in a pool: all, or those of the whole nodes."""
    if placement == "flat" or gpus < gpus_per_node:
        return gpus
    return gpus - gpus % gpus_per_node


class FitProbe:
    """Would a gang fit if some others went or came? Nothing moves; each question costs the nodes of one gang.

    The gang needs ``need`` nodes with at least ``threshold`` GPUs free.
    """

    def __init__(self, free: Sequence[int], threshold: int, need: int, have: int) -> None:
        self._free = list(free)
        self._threshold = threshold
        self._need = need
        self._have = have

    @property
    def fits(self) -> bool:
        """True if the gang would fit now."""
        return self._have >= self._need

    def leave(self, seats: Seats) -> None:
        """Suppose that a gang gives up its seats."""
        for node, gpus in seats:
            self._change(node, gpus)

    def come(self, seats: Seats) -> None:
        """Suppose that a gang takes these seats."""
        for node, gpus in seats:
            self._change(node, -gpus)

    def _change(self, node: int, gpus: int) -> None:
        before = self._free[node]
        after = self._free[node] = before + gpus
        self._have += (after >= self._threshold) - (before >= self._threshold)


class Placement(ABC):
    """Which GPUs of a pool are free, and which a gang gets."""

    free: int
    """How many GPUs are free."""

    def __init__(self, gpus: int, gpus_per_node: int) -> None:
        self.gpus = gpus
        self.gpus_per_node = gpus_per_node
        self.free = gpus

    @property
    @abstractmethod
    def free_by_node(self) -> Sequence[int]:
        """Free GPUs of each node."""

    @abstractmethod
    def fits(self, gpus: int) -> bool:
        """Return whether a gang can be seated now."""

    @abstractmethod
    def take(self, gpus: int) -> Seats | None:
        """Seat a gang, or return None if it does not fit."""

    @abstractmethod
    def release(self, seats: Seats) -> None:
        """Free the seats of a gang."""

    @abstractmethod
    def vacancy(self, gpus: int) -> FitProbe:
        """Return a what-if for a gang that does not fit now."""


class Flat(Placement):
    """A count: every GPU is as near to every other."""

    @property
    def free_by_node(self) -> Sequence[int]:
        """Free GPUs: the whole pool is one node."""
        return (self.free,)

    def fits(self, gpus: int) -> bool:
        """Return whether so many GPUs are free."""
        return gpus <= self.free

    def take(self, gpus: int) -> Seats | None:
        """Take any free GPUs."""
        if gpus > self.free:
            return None
        self.free -= gpus
        return ((0, gpus),)

    def release(self, seats: Seats) -> None:
        """Give them back."""
        self.free += seats[0][1]

    def vacancy(self, gpus: int) -> FitProbe:
        """Return a what-if over the one count."""
        return FitProbe((self.free,), threshold=gpus, need=1, have=0)


class Consolidated(Placement):
    """Nodes: a gang that fits a node sits on one, the fullest that can take it, lowest number first.

    A larger gang takes nodes that are wholly free, lowest number first; what it leaves of its last node stays
    open to gangs that fit. A smaller last node (a pool that is not a multiple of the node size) takes gangs that
    fit it and is never part of a larger gang.
    """

    def __init__(self, gpus: int, gpus_per_node: int) -> None:
        super().__init__(gpus, gpus_per_node)
        sizes = node_sizes(gpus, gpus_per_node)
        self._free = sizes
        self._whole = sizes.count(gpus_per_node)
        """How many nodes are wholly free."""
        # For each count of free GPUs the numbers of the nodes that have so many, lowest first. A node that has
        # changed since stays listed until it comes up; `_listed` keeps it from being listed twice.
        self._nodes: list[list[int]] = [[] for _ in range(gpus_per_node + 1)]
        self._listed = [bytearray(len(sizes)) for _ in range(gpus_per_node + 1)]
        for node, size in enumerate(sizes):
            self._nodes[size].append(node)
            self._listed[size][node] = 1
        for nodes in self._nodes:
            heapify(nodes)

    @property
    def free_by_node(self) -> Sequence[int]:
        """Free GPUs of each node."""
        return self._free

    def fits(self, gpus: int) -> bool:
        """Return whether a node, or enough whole nodes, are free for the gang."""
        if gpus > self.free:
            return False
        if gpus > self.gpus_per_node:
            return self._whole >= -(-gpus // self.gpus_per_node)
        return self._fullest(gpus) is not None

    def take(self, gpus: int) -> Seats | None:
        """Seat a gang, or return None if it does not fit."""
        if gpus > self.free:
            return None
        if gpus > self.gpus_per_node:
            return self._take_whole(gpus)
        node = self._fullest(gpus)
        if node is None:
            return None
        self._set_free(node, self._free[node] - gpus)
        return ((node, gpus),)

    def _take_whole(self, gpus: int) -> Seats | None:
        size = self.gpus_per_node
        if self._whole < -(-gpus // size):
            return None
        seats = []
        while gpus > 0:
            node = self._lowest(size)
            assert node is not None, "counted above"
            here = min(gpus, size)
            self._set_free(node, size - here)
            seats.append((node, here))
            gpus -= here
        return tuple(seats)

    def release(self, seats: Seats) -> None:
        """Free the seats of a gang."""
        for node, gpus in seats:
            self._set_free(node, self._free[node] + gpus)

    def vacancy(self, gpus: int) -> FitProbe:
        """Return a what-if over the nodes."""
        size = self.gpus_per_node
        if gpus <= size:
            return FitProbe(self._free, threshold=gpus, need=1, have=0)
        return FitProbe(self._free, threshold=size, need=-(-gpus // size), have=self._whole)

    def _fullest(self, gpus: int) -> int | None:
        for count in range(gpus, self.gpus_per_node + 1):
            node = self._lowest(count)
            if node is not None:
                return node
        return None

    def _lowest(self, count: int) -> int | None:
        """Return the lowest node with exactly so many GPUs free."""
        nodes, free = self._nodes[count], self._free
        while nodes and free[nodes[0]] != count:
            self._listed[count][heappop(nodes)] = 0
        return nodes[0] if nodes else None

    def _set_free(self, node: int, count: int) -> None:
        before = self._free[node]
        self._free[node] = count
        self.free += count - before
        self._whole += (count == self.gpus_per_node) - (before == self.gpus_per_node)
        if count and not self._listed[count][node]:
            self._listed[count][node] = 1
            heappush(self._nodes[count], node)


PLACEMENTS: dict[str, type[Placement]] = {"flat": Flat, "consolidated": Consolidated}
"""Every placement by its name."""
