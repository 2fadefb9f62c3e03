"""Test whether a gang would fit if other gangs released or occupied GPUs. Nothing moves."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from hardware.cluster.jobs import Allocation


class FitProbe(ABC):
    """A trial fit of one gang. It starts from the free GPUs of the moment in which it is created.

    Later changes of the placement count only if they are reported to the probe.
    """

    @property
    @abstractmethod
    def fits(self) -> bool:
        """True if the gang would fit now."""

    @abstractmethod
    def release(self, allocation: Allocation) -> None:
        """Assume that a gang releases its allocation."""

    @abstractmethod
    def occupy(self, allocation: Allocation) -> None:
        """Assume that a gang occupies an allocation."""


class CountProbe(FitProbe):
    """A trial fit by the count of free GPUs: the gang needs ``need`` GPUs, and ``free`` are free."""

    def __init__(self, need: int, free: int) -> None:
        self._need = need
        self._free = free

    @property
    def fits(self) -> bool:
        """True if enough GPUs would be free."""
        return self._free >= self._need

    def release(self, allocation: Allocation) -> None:
        """Assume that a gang releases its allocation."""
        for _, number, gpus in allocation:
            self._free += number * gpus

    def occupy(self, allocation: Allocation) -> None:
        """Assume that a gang occupies an allocation."""
        for _, number, gpus in allocation:
            self._free -= number * gpus


class NodeProbe(FitProbe):
    """A trial fit by nodes: the gang needs ``need`` nodes with at least ``threshold`` GPUs free, and has ``have``.

    A gang that holds whole nodes is alone on them. So whole nodes are counted, and only nodes that gangs share are
    looked up in ``partly_free``: the free GPUs of each node that is neither wholly free nor fully held. A test of an
    allocation costs the number of its runs.
    """

    def __init__(
        self, partly_free: Mapping[int, int], gpus_per_node: int, threshold: int, need: int, have: int
    ) -> None:
        self._partly_free = partly_free
        self._gpus_per_node = gpus_per_node
        self._threshold = threshold
        self._need = need
        self._have = have
        self._assumed: dict[int, int] = {}
        """Free GPUs of the shared nodes that were looked up. A node is looked up before a gang starts on it."""

    @property
    def fits(self) -> bool:
        """True if enough nodes would be free."""
        return self._have >= self._need

    def release(self, allocation: Allocation) -> None:
        """Assume that a gang releases its allocation."""
        for first, number, gpus in allocation:
            if gpus == self._gpus_per_node:
                self._have += number
            else:
                self._change(first, gpus, otherwise=0)

    def occupy(self, allocation: Allocation) -> None:
        """Assume that a gang occupies an allocation."""
        for first, number, gpus in allocation:
            if gpus == self._gpus_per_node:
                self._have -= number
            else:
                self._change(first, -gpus, otherwise=self._gpus_per_node)

    def _change(self, node: int, gpus: int, otherwise: int) -> None:
        before = self._assumed.get(node)
        if before is None:
            before = self._partly_free.get(node, otherwise)
        after = self._assumed[node] = before + gpus
        self._have += (after >= self._threshold) - (before >= self._threshold)
