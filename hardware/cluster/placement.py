"""Places gangs on the nodes of a pool, by named policies, and measures the fragmentation of its free GPUs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from hardware.cluster.jobs import Allocation


def node_sizes(gpus: int, gpus_per_node: int) -> list[int]:
    """Return the GPUs of each node of a pool; the last node is smaller if the pool is no multiple of the node size."""
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
    """Test whether a gang would fit if other gangs released or occupied GPUs. Nothing moves.

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

    def release(self, allocation: Allocation) -> None:
        """Assume that a gang releases its allocation."""
        for node, gpus in allocation:
            self._change(node, gpus)

    def occupy(self, allocation: Allocation) -> None:
        """Assume that a gang occupies an allocation."""
        for node, gpus in allocation:
            self._change(node, -gpus)

    def _change(self, node: int, gpus: int) -> None:
        before = self._free[node]
        after = self._free[node] = before + gpus
        self._have += (after >= self._threshold) - (before >= self._threshold)


class Placement(ABC):
    """A policy that chooses the GPUs of a gang, and the state of the free GPUs."""

    free: int
    """Number of free GPUs."""

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
        """Return whether a gang fits now."""

    @abstractmethod
    def take(self, gpus: int) -> Allocation | None:
        """Allocate GPUs to a gang, or return None if it does not fit."""

    @abstractmethod
    def release(self, allocation: Allocation) -> None:
        """Free an allocation."""

    @abstractmethod
    def fit_probe(self, gpus: int) -> FitProbe:
        """Return a trial fit for a gang that does not fit now."""


class Flat(Placement):
    """Placement by count: all GPUs are equivalent."""

    @property
    def free_by_node(self) -> Sequence[int]:
        """Free GPUs: the whole pool is one node."""
        return (self.free,)

    def fits(self, gpus: int) -> bool:
        """Return whether enough GPUs are free."""
        return gpus <= self.free

    def take(self, gpus: int) -> Allocation | None:
        """Take any free GPUs."""
        if gpus > self.free:
            return None
        self.free -= gpus
        return ((0, gpus),)

    def release(self, allocation: Allocation) -> None:
        """Free an allocation."""
        self.free += allocation[0][1]

    def fit_probe(self, gpus: int) -> FitProbe:
        """Return a trial fit for the count of free GPUs."""
        return FitProbe((self.free,), threshold=gpus, need=1, have=0)


class Consolidated(Placement):
    """Placement by nodes: a gang that fits one node gets the fullest node with enough free GPUs, lowest number first.

    A larger gang takes wholly free nodes, lowest number first. The rest of its last node remains available. A pool
    that is not a multiple of the node size has a smaller last node, which is never part of a larger gang.
    """

    def __init__(self, gpus: int, gpus_per_node: int) -> None:
        super().__init__(gpus, gpus_per_node)
        sizes = node_sizes(gpus, gpus_per_node)
        self._free = sizes
        self._whole = sizes.count(gpus_per_node)
        """Number of wholly free nodes."""
        # For each count of free GPUs a heap of nodes with that count. A node that has changed since is removed when it
        # reaches the top; `_listed` prevents a second entry.
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

    def take(self, gpus: int) -> Allocation | None:
        """Allocate GPUs to a gang, or return None if it does not fit."""
        if gpus > self.free:
            return None
        if gpus > self.gpus_per_node:
            return self._take_whole(gpus)
        node = self._fullest(gpus)
        if node is None:
            return None
        self._set_free(node, self._free[node] - gpus)
        return ((node, gpus),)

    def _take_whole(self, gpus: int) -> Allocation | None:
        size = self.gpus_per_node
        if self._whole < -(-gpus // size):
            return None
        allocation = []
        while gpus > 0:
            node = self._lowest(size)
            assert node is not None, "counted above"
            here = min(gpus, size)
            self._set_free(node, size - here)
            allocation.append((node, here))
            gpus -= here
        return tuple(allocation)

    def release(self, allocation: Allocation) -> None:
        """Free the allocation of a gang."""
        for node, gpus in allocation:
            self._set_free(node, self._free[node] + gpus)

    def fit_probe(self, gpus: int) -> FitProbe:
        """Return a trial fit over the nodes."""
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
        """Return the lowest node with exactly ``count`` free GPUs."""
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
