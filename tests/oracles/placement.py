"""A slow placement of gangs, one node at a time, written from the stated rules alone."""

from dataclasses import dataclass
from itertools import chain


@dataclass
class ReferenceNode:
    """One node; a node of size 0 is retired."""

    speed: float
    size: int
    free: int


class ReferencePlacement:
    """All nodes of a pool in a list, which every operation searches; allocations are pairs (node, GPUs)."""

    def __init__(self, gpus: int, gpus_per_node: int) -> None:
        self.gpus_per_node = gpus_per_node
        sizes = [min(gpus_per_node, gpus - first) for first in range(0, gpus, gpus_per_node)]
        self.nodes = [ReferenceNode(1.0, size, size) for size in sizes]

    @property
    def free_by_node(self) -> list[int]:
        """Return the free GPUs of each node."""
        return [node.free for node in self.nodes]

    def speeds(self) -> list[float]:
        """Return the speeds of the nodes, the highest first."""
        return sorted({node.speed for node in self.nodes}, reverse=True)

    def whole(self, speed: float) -> list[int]:
        """Return the wholly free nodes of a speed, in order."""
        nodes = enumerate(self.nodes)
        return [at for at, node in nodes if node.speed == speed and node.free == self.gpus_per_node]

    def choose(self, gpus: int) -> list[tuple[int, int]] | None:
        """Return what a gang gets; nothing moves."""
        size = self.gpus_per_node
        if gpus <= size:
            fitting = [(-node.speed, node.free, at) for at, node in enumerate(self.nodes) if node.free >= gpus]
            return [(min(fitting)[2], gpus)] if fitting else None
        need = -(-gpus // size)
        by_speed = [self.whole(speed) for speed in self.speeds()]
        pools = [nodes for nodes in by_speed if len(nodes) >= need] or [list(chain(*by_speed))]
        chosen = pools[0][:need]
        if len(chosen) < need:
            return None
        return [(at, min(size, gpus - place * size)) for place, at in enumerate(chosen)]

    def occupy(self, allocation: list[tuple[int, int]], sign: int = -1) -> None:
        """Hold an allocation; with ``sign`` = 1 free it."""
        for at, gpus in allocation:
            self.nodes[at].free += sign * gpus

    def add(self, number: int, speed: float) -> None:
        """Add nodes; those that were retired return first, lowest number first."""
        size = self.gpus_per_node
        for _ in range(number):
            retired = [node for node in self.nodes if node.speed == speed and node.size == 0]
            if retired:
                retired[0].size = retired[0].free = size
            else:
                self.nodes.append(ReferenceNode(speed, size, size))

    def retired_next(self, number: int, speed: float) -> list[int]:
        """Return the nodes that are retired: free ones first, then the others, highest number first."""
        mine = [at for at, node in enumerate(self.nodes) if node.speed == speed and node.size == self.gpus_per_node]
        return sorted(mine, key=lambda at: (self.nodes[at].free < self.gpus_per_node, -at))[:number]

    def retire(self, nodes: list[int]) -> None:
        """Retire nodes."""
        for at in nodes:
            self.nodes[at].size = self.nodes[at].free = 0
