"""Place gangs on the nodes of a pool, by named policies, and measure the fragmentation of its free GPUs.

The nodes of one speed are a *node generation*. The nodes that a pool starts with have speed 1.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from hardware.cluster.fit_probes import CountProbe, FitProbe, NodeProbe
from hardware.cluster.jobs import Allocation
from hardware.cluster.node_runs import NodeRuns


class NodeRun(NamedTuple):
    """Consecutive nodes of a pool with equal GPUs."""

    first: int
    """Number of the first node."""
    number: int
    """Number of nodes."""
    gpus: int
    """GPUs of each node."""
    speed: float
    """Speed of the GPUs, relative to the nodes of day 0."""


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


class Retirement(ABC):
    """The choice of nodes that are about to be retired."""

    @abstractmethod
    def displaces(self, allocation: Allocation) -> bool:
        """Return whether a gang must leave its allocation; gangs are tried in the order of preemption."""


class Placement(ABC):
    """A policy that chooses the GPUs of a gang, and the state of the free GPUs."""

    free: int
    """Number of free GPUs."""
    has_one_speed: bool
    """True if all nodes have speed 1, so that no speed must be looked up."""

    def __init__(self, gpus: int, gpus_per_node: int) -> None:
        self.gpus = gpus
        self.gpus_per_node = gpus_per_node
        self.free = gpus
        self.has_one_speed = True

    @property
    @abstractmethod
    def free_by_node(self) -> Sequence[int]:
        """Free GPUs of each node, by its number; 0 for numbers of retired nodes."""

    @property
    @abstractmethod
    def node_runs(self) -> list[NodeRun]:
        """All nodes, in the order of their numbers."""

    @abstractmethod
    def nodes_by_speed(self) -> dict[float, int]:
        """Return the number of whole nodes of each generation."""

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

    @abstractmethod
    def speed_of(self, allocation: Allocation) -> float:
        """Return the speed of a gang: that of its slowest node."""

    @abstractmethod
    def add_nodes(self, number: int, speed: float) -> None:
        """Add free nodes. Numbers of retired nodes of this speed are used again first, lowest first."""

    @abstractmethod
    def plan_retirement(self, number: int, speed: float) -> Retirement:
        """Choose nodes of a generation that has at least ``number``: free ones first, highest number first."""

    @abstractmethod
    def retire_nodes(self, number: int, speed: float, plan: Retirement) -> None:
        """Remove the nodes of a plan; the gangs that it displaces must have released their GPUs."""


class FlatGeneration:
    """The GPUs of one speed of a pool without nodes."""

    def __init__(self, place: int, speed: float, gpus: int) -> None:
        self.place = place
        """Number by which allocations name it, in order of arrival."""
        self.speed = speed
        self.gpus = gpus
        self.free = gpus
        """Free GPUs; kept up to date if there are several generations."""


class FlatRetirement(Retirement):
    """GPUs of one generation that must be free before they can be retired."""

    def __init__(self, place: int, missing: int) -> None:
        self._place = place
        self._missing = missing

    def displaces(self, allocation: Allocation) -> bool:
        """Return whether GPUs are still missing and a gang holds some of them."""
        held = sum(number * gpus for place, number, gpus in allocation if place == self._place)
        if self._missing <= 0 or not held:
            return False
        self._missing -= held
        return True


class Flat(Placement):
    """Placement by count: all GPUs of a generation are equivalent, and an allocation names generations for nodes.

    A gang gets GPUs of the fastest generation in which it fits whole. If it fits in none, it gets GPUs of all, from
    the fastest to the slowest.
    """

    def __init__(self, gpus: int, gpus_per_node: int) -> None:
        super().__init__(gpus, gpus_per_node)
        self._generations = [FlatGeneration(0, 1.0, gpus)]
        """Generations in order of arrival."""
        self._fastest_first = list(self._generations)

    @property
    def free_by_node(self) -> Sequence[int]:
        """Free GPUs: the whole pool is one node."""
        return (self.free,)

    @property
    def node_runs(self) -> list[NodeRun]:
        """GPUs of each generation, as one node."""
        return [NodeRun(each.place, 1, each.gpus, each.speed) for each in self._generations if each.gpus]

    def nodes_by_speed(self) -> dict[float, int]:
        """Return the number of whole nodes of each generation."""
        found = {each.speed: each.gpus // self.gpus_per_node for each in self._generations}
        return {speed: number for speed, number in found.items() if number}

    def fits(self, gpus: int) -> bool:
        """Return whether enough GPUs are free."""
        return gpus <= self.free

    def take(self, gpus: int) -> Allocation | None:
        """Take free GPUs of the fastest generation that has enough, or of all from fast to slow."""
        if gpus > self.free:
            return None
        self.free -= gpus
        if self.has_one_speed:
            return ((0, 1, gpus),)
        for generation in self._fastest_first:
            if generation.free >= gpus:
                generation.free -= gpus
                return ((generation.place, 1, gpus),)
        runs = []
        for generation in self._fastest_first:
            here = min(gpus, generation.free)
            if here:
                generation.free -= here
                gpus -= here
                runs.append((generation.place, 1, here))
        return tuple(runs)

    def release(self, allocation: Allocation) -> None:
        """Free an allocation."""
        if self.has_one_speed:
            self.free += allocation[0][2]
            return
        for place, _, gpus in allocation:
            self._generations[place].free += gpus
            self.free += gpus

    def fit_probe(self, gpus: int) -> FitProbe:
        """Return a trial fit for the count of free GPUs."""
        return CountProbe(gpus, self.free)

    def speed_of(self, allocation: Allocation) -> float:
        """Return the speed of the slowest generation of a gang."""
        return min(self._generations[place].speed for place, _, _ in allocation)

    def add_nodes(self, number: int, speed: float) -> None:
        """Add the GPUs of nodes to the generation of their speed."""
        generation = self._generation(speed)
        gpus = number * self.gpus_per_node
        generation.gpus += gpus
        generation.free += gpus  # not read if there is one speed
        self.gpus += gpus
        self.free += gpus

    def _generation(self, speed: float) -> FlatGeneration:
        for generation in self._generations:
            if generation.speed == speed:
                return generation
        if self.has_one_speed:
            self._generations[0].free = self.free
        generation = FlatGeneration(len(self._generations), speed, 0)
        self._generations.append(generation)
        self._fastest_first = sorted(self._generations, key=_negative_speed)
        self.has_one_speed = False
        return generation

    def plan_retirement(self, number: int, speed: float) -> Retirement:
        """Choose GPUs of a generation: free ones first."""
        generation = self._generation(speed)
        free = self.free if self.has_one_speed else generation.free
        return FlatRetirement(generation.place, number * self.gpus_per_node - free)

    def retire_nodes(self, number: int, speed: float, plan: Retirement) -> None:
        """Remove the GPUs of nodes, which must be free."""
        self.add_nodes(-number, speed)


def _negative_speed(generation: "FlatGeneration | NodeGeneration") -> float:
    return -generation.speed


class NodeGeneration:
    """The nodes of one speed of a pool."""

    def __init__(self, speed: float, gpus_per_node: int) -> None:
        self.speed = speed
        self.whole = NodeRuns()
        """Wholly free nodes."""
        self.retired = NodeRuns()
        """Numbers of retired nodes, which new nodes use again."""
        self.nodes = 0
        """Number of whole nodes, free or held."""
        # For each count of free GPUs a heap of partly free nodes with that count. A node that has changed since is
        # removed when it reaches the top; `listed` prevents a second entry.
        self._heaps: list[list[int]] = [[] for _ in range(gpus_per_node)]
        self._listed: list[set[int]] = [set() for _ in range(gpus_per_node)]

    def list_node(self, node: int, count: int) -> None:
        """Enter a partly free node with ``count`` free GPUs."""
        if node not in self._listed[count]:
            self._listed[count].add(node)
            heappush(self._heaps[count], node)

    def fullest(self, gpus: int, partly_free: dict[int, int]) -> int | None:
        """Return the partly free node with the fewest, but at least ``gpus``, free GPUs; the lowest of several."""
        for count in range(gpus, len(self._heaps)):
            nodes = self._heaps[count]
            while nodes and partly_free.get(nodes[0]) != count:
                self._listed[count].remove(heappop(nodes))
            if nodes:
                return nodes[0]
        return None


class NodeRetirement(Retirement):
    """Numbers of the nodes that are about to be retired."""

    def __init__(self) -> None:
        self.nodes = NodeRuns()
        self._runs: list[tuple[int, int]] | None = None

    def displaces(self, allocation: Allocation) -> bool:
        """Return whether a gang holds GPUs of one of the nodes."""
        if self._runs is None:
            self._runs = self.nodes.runs()
        for first, number, _ in allocation:
            at = bisect_right(self._runs, (first + number - 1, self.nodes.count)) - 1
            if at >= 0 and sum(self._runs[at]) > first:
                return True
        return False


class Consolidated(Placement):
    """Placement by nodes: a gang that fits one node gets the fullest node with enough free GPUs, lowest number first.

    A larger gang takes wholly free nodes, lowest number first. The rest of its last node remains available. A pool
    that is not a multiple of the node size has a smaller last node, which is never part of a larger gang.

    If there are several generations, a gang gets nodes of the fastest one in which it fits whole. A gang of several
    nodes that fits in none gets nodes of all, from the fastest to the slowest.

    Wholly free nodes are kept as runs. So a gang costs the logarithm of the number of nodes for each run that it gets.
    """

    def __init__(self, gpus: int, gpus_per_node: int) -> None:
        super().__init__(gpus, gpus_per_node)
        number, rest = divmod(gpus, gpus_per_node)
        generation = NodeGeneration(1.0, gpus_per_node)
        self._generations = [generation]
        """Generations, fastest first."""
        self._segments: list[tuple[int, NodeGeneration]] = [(0, generation)]
        """First number of consecutive nodes of one generation, retired nodes included, and that generation."""
        self._firsts = [0]
        """First numbers of the segments."""
        self._numbers = number
        """Number of node numbers in use, those of retired nodes included."""
        self._partly_free: dict[int, int] = {}
        """Free GPUs of the nodes that are neither wholly free nor fully held."""
        self._small_node: NodeRun | None = None
        """The smaller last node of day 0, which counts as partly free when it is free."""
        generation.nodes = number
        if number:
            generation.whole.add(0, number)
        if rest:
            self._small_node = NodeRun(number, 1, rest, 1.0)
            self._numbers += 1
            self._set_partly_free(generation, number, rest)

    @property
    def free_by_node(self) -> Sequence[int]:
        """Free GPUs of each node, by its number; 0 for numbers of retired nodes."""
        free = [0] * self._numbers
        for generation in self._generations:
            for first, number in generation.whole.runs():
                free[first : first + number] = [self.gpus_per_node] * number
        for node, gpus in self._partly_free.items():
            free[node] = gpus
        return free

    @property
    def node_runs(self) -> list[NodeRun]:
        """All nodes, in the order of their numbers."""
        found = []
        gaps = [run for generation in self._generations for run in generation.retired.runs()]
        if self._small_node is not None:
            found.append(self._small_node)
            gaps.append(self._small_node[:2])
        gaps.sort()
        for (start, generation), end in zip(self._segments, [*self._firsts[1:], self._numbers], strict=True):
            within = [gap for gap in gaps if start <= gap[0] < end]
            firsts = [start, *(first + number for first, number in within)]
            lasts = [*(first for first, _ in within), end]
            found += [
                NodeRun(first, last - first, self.gpus_per_node, generation.speed)
                for first, last in zip(firsts, lasts, strict=True)
            ]
        return sorted(run for run in found if run.number)

    def nodes_by_speed(self) -> dict[float, int]:
        """Return the number of whole nodes of each generation."""
        return {generation.speed: generation.nodes for generation in self._generations if generation.nodes}

    def fits(self, gpus: int) -> bool:
        """Return whether a node, or enough whole nodes, are free for the gang."""
        if gpus > self.free:
            return False
        if gpus > self.gpus_per_node:
            return self._whole_nodes() >= -(-gpus // self.gpus_per_node)
        return any(
            generation.whole.count or generation.fullest(gpus, self._partly_free) is not None
            for generation in self._generations
        )

    def take(self, gpus: int) -> Allocation | None:
        """Allocate GPUs to a gang, or return None if it does not fit."""
        if gpus > self.free:
            return None
        size = self.gpus_per_node
        if gpus > size:
            return self._take_whole(gpus)
        for generation in self._generations:
            node = generation.fullest(gpus, self._partly_free) if gpus < size else None
            if node is not None:
                self._set_partly_free(generation, node, self._partly_free[node] - gpus)
            elif generation.whole.count:
                ((node, _),) = generation.whole.take_lowest(1)
                self._set_partly_free(generation, node, size - gpus)
            else:
                continue
            self.free -= gpus
            return ((node, 1, gpus),)
        return None

    def _take_whole(self, gpus: int) -> Allocation | None:
        size = self.gpus_per_node
        need = -(-gpus // size)
        rest = need * size - gpus
        sources = self._sources(need)
        if not sources:
            return None
        runs: list[tuple[int, int, int]] = []
        for generation in sources:
            here = min(need, generation.whole.count)
            runs += [(first, number, size) for first, number in generation.whole.take_lowest(here)]
            need -= here
        if rest:  # the last node is shared
            first, number, _ = runs.pop()
            last = first + number - 1
            if number > 1:
                runs.append((first, number - 1, size))
            runs.append((last, 1, size - rest))
            self._set_partly_free(sources[-1], last, rest)
        self.free -= gpus
        return tuple(runs)

    def _sources(self, need: int) -> list[NodeGeneration]:
        """Return the generations of which a gang gets ``need`` whole nodes; none if there are not enough."""
        for generation in self._generations:
            if generation.whole.count >= need:
                return [generation]
        sources = []
        for generation in self._generations:
            if generation.whole.count:
                sources.append(generation)
                need -= generation.whole.count
            if need <= 0:
                return sources
        return []

    def release(self, allocation: Allocation) -> None:
        """Free the allocation of a gang."""
        size = self.gpus_per_node
        for first, number, gpus in allocation:
            generation = self._generations[0] if len(self._segments) == 1 else self._generation_of(first)
            self.free += number * gpus
            if gpus == size:
                generation.whole.add(first, number)
                continue
            count = self._partly_free.get(first, 0) + gpus
            if count == size:
                del self._partly_free[first]
                generation.whole.add(first, 1)
            else:
                self._set_partly_free(generation, first, count)

    def fit_probe(self, gpus: int) -> FitProbe:
        """Return a trial fit over the nodes."""
        size = self.gpus_per_node
        if gpus <= size:
            return NodeProbe(self._partly_free, size, threshold=gpus, need=1, have=0)
        return NodeProbe(self._partly_free, size, threshold=size, need=-(-gpus // size), have=self._whole_nodes())

    def speed_of(self, allocation: Allocation) -> float:
        """Return the speed of the slowest node of a gang."""
        return min(self._generation_of(first).speed for first, _, _ in allocation)

    def add_nodes(self, number: int, speed: float) -> None:
        """Add free nodes. Numbers of retired nodes of this speed are used again first, lowest first."""
        generation = self._generation(speed)
        self.gpus += number * self.gpus_per_node
        self.free += number * self.gpus_per_node
        generation.nodes += number
        again = min(number, generation.retired.count)
        for run in generation.retired.take_lowest(again):
            generation.whole.add(*run)
        number -= again
        if number:
            if self._segments[-1][1] is not generation:
                self._segments.append((self._numbers, generation))
                self._firsts.append(self._numbers)
            generation.whole.add(self._numbers, number)
            self._numbers += number

    def plan_retirement(self, number: int, speed: float) -> NodeRetirement:
        """Choose nodes: wholly free ones first, then others, each with the highest number first."""
        generation = self._generation(speed)
        plan = NodeRetirement()
        for run in generation.whole.highest(number):
            plan.nodes.add(*run)
        if plan.nodes.count < number:
            self._add_held_nodes(plan, generation, number - plan.nodes.count)
        return plan

    def _add_held_nodes(self, plan: NodeRetirement, generation: NodeGeneration, number: int) -> None:
        """Add the ``number`` highest nodes that are not wholly free; costs all nodes."""
        skipped = bytearray(self._numbers)
        ends = [*self._firsts[1:], self._numbers]
        others = [
            (first, end - first)
            for (first, each), end in zip(self._segments, ends, strict=True)
            if each is not generation
        ]
        small = [] if self._small_node is None else [self._small_node[:2]]
        for first, length in (*generation.whole.runs(), *generation.retired.runs(), *others, *small):
            skipped[first : first + length] = b"\1" * length
        node = self._numbers
        for _ in range(number):
            node = skipped.rfind(0, 0, node)
            plan.nodes.add(node, 1)

    def retire_nodes(self, number: int, speed: float, plan: Retirement) -> None:
        """Remove the nodes of a plan, which must be wholly free."""
        assert isinstance(plan, NodeRetirement), "made by plan_retirement"
        generation = self._generation(speed)
        for run in plan.nodes.runs():
            generation.whole.remove(*run)
            generation.retired.add(*run)
        generation.nodes -= number
        self.gpus -= number * self.gpus_per_node
        self.free -= number * self.gpus_per_node

    def _generation(self, speed: float) -> NodeGeneration:
        for generation in self._generations:
            if generation.speed == speed:
                return generation
        generation = NodeGeneration(speed, self.gpus_per_node)
        self._generations.append(generation)
        self._generations.sort(key=_negative_speed)
        self.has_one_speed = False
        return generation

    def _generation_of(self, node: int) -> NodeGeneration:
        return self._segments[bisect_right(self._firsts, node) - 1][1]

    def _whole_nodes(self) -> int:
        """Return the number of wholly free nodes."""
        return sum(generation.whole.count for generation in self._generations)

    def _set_partly_free(self, generation: NodeGeneration, node: int, count: int) -> None:
        if count:
            self._partly_free[node] = count
            generation.list_node(node, count)
        else:
            self._partly_free.pop(node, None)


PLACEMENTS: dict[str, type[Placement]] = {"flat": Flat, "consolidated": Consolidated}
"""Every placement by its name."""
