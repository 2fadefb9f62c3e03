"""Tests of the placement of gangs on nodes, against a reference that searches all nodes."""

import heapq
import math
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from random import Random
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.cluster import node_runs, placement
from hardware.cluster.fit_probes import FitProbe
from hardware.cluster.jobs import Allocation, nodes_of
from hardware.cluster.node_runs import NodeRuns
from hardware.cluster.placement import Consolidated, Flat, NodeRun, fragmentation, largest_gang, node_sizes
from tests.oracles.placement import ReferencePlacement
from tests.support.properties import examples


def test_node_sizes_of_an_uneven_pool_end_with_a_smaller_node() -> None:
    assert node_sizes(gpus=44, gpus_per_node=8) == [8, 8, 8, 8, 8, 4]
    assert node_sizes(gpus=16, gpus_per_node=8) == [8, 8]
    assert node_sizes(gpus=0, gpus_per_node=8) == []


def test_consolidated_small_gang_gets_the_fullest_node_that_fits() -> None:
    place = Consolidated(32, 8)
    assert place.take(3) == ((0, 1, 3),)
    assert place.take(6) == ((1, 1, 6),)
    assert place.take(2) == ((1, 1, 2),)  # node 1 had 2 left, node 0 had 5
    assert place.take(5) == ((0, 1, 5),)
    assert place.take(1) == ((2, 1, 1),)
    assert list(place.free_by_node) == [0, 0, 7, 8] and place.free == 15
    assert place.take(8) == ((3, 1, 8),)
    assert place.take(8) is None and place.free == 7
    place.release(((0, 1, 5),))
    place.release(((3, 1, 8),))
    place.release(((1, 1, 6),))
    assert place.take(5) == ((0, 1, 5),)
    assert place.take(6) == ((1, 1, 6),)


def test_consolidated_gang_gets_the_lowest_of_equally_full_nodes() -> None:
    place = Consolidated(24, 8)
    for node in range(3):
        assert place.take(8) == ((node, 1, 8),)
    for node in (2, 0, 1):
        place.release(((node, 1, 8),))
    assert [place.take(8) for _ in range(3)] == [((node, 1, 8),) for node in range(3)]


def test_consolidated_large_gang_gets_whole_free_nodes() -> None:
    place = Consolidated(32, 8)
    place.take(1)
    assert place.take(20) == ((1, 2, 8), (3, 1, 4))
    assert place.take(4) == ((3, 1, 4),)  # the rest of its last node stays free
    assert place.take(9) is None
    assert place.take(7) == ((0, 1, 7),) and place.free == 0


def test_smaller_last_node_accepts_only_small_gangs() -> None:
    place = Consolidated(20, 8)
    assert place.take(3) == ((2, 1, 3),)  # the fullest: it has only 4
    assert place.take(16) == ((0, 2, 8),)
    assert place.take(2) is None


def test_gang_gets_the_fastest_generation_in_which_it_fits_whole() -> None:
    for place in (Consolidated(16, 8), Flat(16, 8)):
        place.add_nodes(1, 2.0)
        place.add_nodes(2, 4.0)
        assert not place.has_one_speed
        allocations = [place.take(gpus) for gpus in (16, 8, 8)]
        assert [place.speed_of(each) for each in allocations if each is not None] == [4.0, 2.0, 1.0]


def test_gang_that_fits_no_generation_is_mixed_from_fast_to_slow() -> None:
    for place in (Consolidated(16, 8), Flat(16, 8)):
        place.add_nodes(1, 2.0)
        place.add_nodes(2, 4.0)
        mixed = place.take(32)
        assert mixed is not None and place.speed_of(mixed) == 1.0
        if isinstance(place, Consolidated):
            assert mixed == ((3, 2, 8), (2, 1, 8), (0, 1, 8))
        place.release(mixed)
        assert place.free == 40


def test_numbers_of_retired_nodes_are_used_again() -> None:
    place = Consolidated(36, 8)
    assert place.take(8) == ((0, 1, 8),)
    plan = place.plan_retirement(2, 1.0)
    assert not plan.displaces(((0, 1, 8),))
    place.retire_nodes(2, 1.0, plan)
    assert list(place.free_by_node) == [0, 8, 0, 0, 4] and place.gpus == 20
    assert place.node_runs == [NodeRun(0, 2, 8, 1.0), NodeRun(4, 1, 4, 1.0)]
    place.add_nodes(3, 1.0)
    assert list(place.free_by_node) == [0, 8, 8, 8, 4, 8] and place.nodes_by_speed() == {1.0: 5}
    assert place.node_runs == [NodeRun(0, 4, 8, 1.0), NodeRun(4, 1, 4, 1.0), NodeRun(5, 1, 8, 1.0)]


@pytest.mark.parametrize(
    ("placement", "gpus", "largest"),
    [("flat", 20, 20), ("consolidated", 20, 16), ("consolidated", 16, 16), ("consolidated", 5, 5)],
)
def test_largest_gang_equals_the_gpus_of_whole_nodes(placement: str, gpus: int, largest: int) -> None:
    assert largest_gang(placement, gpus, 8) == largest


def test_fragmentation_counts_idle_gpus_outside_free_nodes() -> None:
    assert fragmentation([8, 4, 4, 0], 8) == 0.5
    assert fragmentation([8, 8], 8) == 0
    assert fragmentation([0, 0], 8) == 0
    assert fragmentation([7], 8) == 1


PLACEMENT_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 40)),
        st.tuples(st.just("take"), st.integers(1, 40)),
        st.tuples(st.just("release"), st.integers(0, 40)),
        st.tuples(st.just("release"), st.integers(0, 40)),
        st.tuples(st.just("add"), st.integers(1, 3), st.sampled_from([1.0, 1.0, 2.0, 0.5])),
        st.tuples(st.just("retire"), st.integers(1, 3), st.sampled_from([1.0, 1.0, 2.0, 0.5])),
    ),
    max_size=60,
)


class Pair:
    """A placement by nodes, one by count, and the reference, to which the same happens."""

    def __init__(self, gpus: int, size: int) -> None:
        self.place, self.flat = Consolidated(gpus, size), Flat(gpus, size)
        self.reference = ReferencePlacement(gpus, size)
        self.held: list[tuple[Allocation, Allocation]] = []

    def take(self, gpus: int) -> None:
        expected = self.reference.choose(gpus)
        assert self.place.fits(gpus) == (expected is not None)
        allocation = self.place.take(gpus)
        assert (None if allocation is None else list(nodes_of(allocation))) == expected
        if allocation is None or expected is None:
            return
        assert len({place for place, _ in expected}) == len(expected) >= len(allocation)
        assert self.place.speed_of(allocation) == min(self.reference.nodes[at].speed for at, _ in expected)
        self.reference.occupy(expected)
        beside = self.flat.take(gpus)
        assert beside is not None
        self.held.append((allocation, beside))

    def release(self, number: int) -> None:
        if self.held:
            allocation, beside = self.held.pop(number % len(self.held))
            self.place.release(allocation)
            self.flat.release(beside)
            self.reference.occupy(list(nodes_of(allocation)), sign=1)

    def add(self, number: int, speed: float) -> None:
        for place in (self.place, self.flat):
            place.add_nodes(number, speed)
        self.reference.add(number, speed)

    def retire(self, number: int, speed: float) -> None:
        number = min(number, self.place.nodes_by_speed().get(speed, 0))
        if not number:
            return
        gone = self.reference.retired_next(number, speed)
        plan, beside = self.place.plan_retirement(number, speed), self.flat.plan_retirement(number, speed)
        for at, (allocation, other) in list(enumerate(self.held))[::-1]:
            moves = plan.displaces(allocation)
            assert moves == any(node in gone for node, _ in nodes_of(allocation))
            if moves or beside.displaces(other):
                self.release(at)
        self.place.retire_nodes(number, speed, plan)
        self.flat.retire_nodes(number, speed, beside)
        self.reference.retire(gone)


@examples(300)
@given(gpus=st.integers(1, 40), size=st.integers(1, 9), steps=PLACEMENT_STEPS)
def test_placement_equals_a_search_of_all_nodes(gpus: int, size: int, steps: list[Any]) -> None:
    pair = Pair(gpus, size)
    for name, *arguments in steps:
        getattr(pair, name)(*arguments)
        reference, place = pair.reference, pair.place
        assert list(place.free_by_node) == reference.free_by_node
        assert place.free == sum(reference.free_by_node) == pair.flat.free
        assert place.gpus == pair.flat.gpus == sum(node.size for node in reference.nodes)
        held = sum(count for allocation, _ in pair.held for _, count in nodes_of(allocation))
        assert place.free == place.gpus - held
        listed = {
            node: (run.gpus, run.speed) for run in place.node_runs for node in range(run.first, run.first + run.number)
        }
        assert listed == {at: (node.size, node.speed) for at, node in enumerate(reference.nodes) if node.size}
        _check_probe(pair, arguments[0])


def _check_probe(pair: Pair, gpus: int) -> None:
    """A trial fit after each release equals the search; an allocation that is taken meanwhile does not count."""
    if not pair.place.fits(gpus):
        probe, beside = pair.place.fit_probe(gpus), pair.flat.fit_probe(gpus)
        for allocation, other in pair.held:
            probe.release(allocation)
            beside.release(other)
            pair.reference.occupy(list(nodes_of(allocation)), sign=1)
            assert probe.fits == (pair.reference.choose(gpus) is not None)
            assert beside.fits or not probe.fits
        _check_probe_of_starts(pair, probe, gpus)
        for allocation, _ in pair.held:
            probe.occupy(allocation)
            pair.reference.occupy(list(nodes_of(allocation)))
        assert not probe.fits


def _check_probe_of_starts(pair: Pair, probe: FitProbe, gpus: int) -> None:
    """Gangs that start now are tested, and count against the trial fit or not, as a reservation does."""
    started = []
    for size, counts in ((1, True), (gpus // 2, False), (2, False), (pair.place.gpus_per_node, True), (1, False)):
        allocation = pair.place.take(size) if size else None
        if allocation is None:
            continue
        pair.place.release(allocation)
        nodes = list(nodes_of(allocation))
        pair.reference.occupy(nodes)
        probe.occupy(allocation)
        assert probe.fits == (pair.reference.choose(gpus) is not None)
        probe.release(allocation)
        pair.reference.occupy(nodes, sign=1)
        assert pair.place.take(size) == allocation
        if counts:
            probe.occupy(allocation)
            pair.reference.occupy(nodes)
        started.append((allocation, counts))
    for allocation, counts in started[::-1]:
        pair.place.release(allocation)
        if counts:
            probe.release(allocation)
            pair.reference.occupy(list(nodes_of(allocation)), sign=1)


def test_node_runs_that_change_for_long_stay_small() -> None:
    runs = NodeRuns()
    runs.add(0, 1)
    runs.add(10, 5)
    for _ in range(5000):
        runs.remove(12, 1)
        runs.add(12, 1)
    assert runs.runs() == [(0, 1), (10, 5)] and len(pickle.dumps(runs)) < 2000


@examples(300)
@given(
    st.lists(st.tuples(st.sampled_from(["add", "take", "remove"]), st.integers(0, 30), st.integers(1, 6)), max_size=60)
)
def test_node_runs_equal_a_set_of_numbers(steps: list[tuple[str, int, int]]) -> None:
    runs, numbers = NodeRuns(), set[int]()
    for name, first, number in steps:
        span = set(range(first, first + number))
        if name == "add" and not span & numbers:
            runs.add(first, number)
            numbers |= span
        elif name == "take" and number <= len(numbers):
            taken = [node for start, size in runs.take_lowest(number) for node in range(start, start + size)]
            assert taken == sorted(numbers)[:number]
            numbers -= set(taken)
        elif name == "remove" and span <= numbers:
            runs.remove(first, number)
            numbers -= span
        assert runs.count == len(numbers) and runs.lowest() == min(numbers, default=None)
        assert [node for start, size in runs.runs() for node in range(start, start + size)] == sorted(numbers)
        assert all(a + n < b for (a, n), (b, _) in pairwise(runs.runs()))  # runs that touch are one
        highest = [node for start, size in runs.highest(number) for node in range(start, start + size)]
        assert sorted(highest) == sorted(numbers)[-number:]


class OperationCounter:
    """Count the lines of the modules of placement that are executed, and the levels of heaps that are passed.

    An operation on a heap of n entries passes log2(n) levels.
    """

    FILES = (placement.__file__, node_runs.__file__)
    HEAP_CALLS = ("heappush", "heappop", "heapreplace", "heapify")

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operations = 0.0
        for module in (placement, node_runs):
            for name in self.HEAP_CALLS:
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, self._counted(getattr(heapq, name), name == "heapify"))

    def _counted(self, call: Callable[..., Any], costs_all: bool) -> Callable[..., Any]:
        def counted(heap: list[int], *arguments: int) -> Any:
            self.operations += len(heap) if costs_all else math.log2(len(heap) + 1)
            return call(heap, *arguments)

        return counted

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in self.FILES:
            return None
        self.operations += event == "line"
        return self._trace

    @contextmanager
    def counting(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)


def use_at_random(pool: Consolidated, held: list[Allocation], gangs: int, chance: Random) -> None:
    """Place gangs, and release one of those in ``held`` for each gang once an eighth or less of the GPUs is free."""
    for _ in range(gangs):
        allocation = pool.take(chance.choice((1, 2, 3, 5, 8, 16, 24)))
        if allocation is not None:
            held.append(allocation)
        if pool.free <= pool.gpus // 8:
            place = chance.randrange(len(held))
            held[place], held[-1] = held[-1], held[place]
            pool.release(held.pop())


def operations_of_a_gang(nodes: int, monkeypatch: pytest.MonkeyPatch, gangs: int = 2000) -> float:
    """Return the mean number of operations to place and release a gang, in a pool that was used at random before."""
    pool, chance = Consolidated(8 * nodes, 8), Random(1)
    held: list[Allocation] = []
    use_at_random(pool, held, 5 * nodes, chance)
    with monkeypatch.context() as patches:
        counter = OperationCounter(patches)
        with counter.counting():
            use_at_random(pool, held, gangs, chance)
    return counter.operations / gangs


def test_gang_costs_the_logarithm_of_the_number_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (operations_of_a_gang(nodes, monkeypatch) for nodes in (100, 10_000))
    assert small > 10
    assert large <= small + 3 * math.log2(100), "a doubling of the nodes adds at most three operations"
