import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.cluster.jobs import Allocation
from hardware.cluster.placement import Consolidated, Flat, fragmentation, largest_gang, node_sizes
from tests.support.properties import examples


def test_node_sizes_of_an_uneven_pool_end_with_a_smaller_node() -> None:
    assert node_sizes(gpus=44, gpus_per_node=8) == [8, 8, 8, 8, 8, 4]
    assert node_sizes(gpus=16, gpus_per_node=8) == [8, 8]
    assert node_sizes(gpus=0, gpus_per_node=8) == []


def test_consolidated_small_gang_gets_the_fullest_node_that_fits() -> None:
    place = Consolidated(32, 8)
    assert place.take(3) == ((0, 3),)
    assert place.take(6) == ((1, 6),)
    assert place.take(2) == ((1, 2),)  # node 1 had 2 left, node 0 had 5
    assert place.take(5) == ((0, 5),)
    assert place.take(1) == ((2, 1),)
    assert list(place.free_by_node) == [0, 0, 7, 8] and place.free == 15
    assert place.take(8) == ((3, 8),)
    assert place.take(8) is None and place.free == 7
    place.release(((0, 5),))
    place.release(((3, 8),))
    place.release(((1, 6),))
    assert place.take(5) == ((0, 5),)
    assert place.take(6) == ((1, 6),)


def test_consolidated_gang_gets_the_lowest_of_equally_full_nodes() -> None:
    place = Consolidated(24, 8)
    for node in range(3):
        assert place.take(8) == ((node, 8),)
    for node in (2, 0, 1):
        place.release(((node, 8),))
    assert [place.take(8) for _ in range(3)] == [((node, 8),) for node in range(3)]


def test_consolidated_large_gang_gets_whole_free_nodes() -> None:
    place = Consolidated(32, 8)
    place.take(1)
    assert place.take(20) == ((1, 8), (2, 8), (3, 4))
    assert place.take(4) == ((3, 4),)  # the rest of its last node stays free
    assert place.take(9) is None
    assert place.take(7) == ((0, 7),) and place.free == 0


def test_smaller_last_node_accepts_only_small_gangs() -> None:
    place = Consolidated(20, 8)
    assert place.take(3) == ((2, 3),)  # the fullest: it has only 4
    assert place.take(16) == ((0, 8), (1, 8))
    assert place.take(2) is None


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


def brute_force(free: list[int], size: int, gpus: int) -> Allocation | None:
    """Return the allocation of a gang by a search of all nodes."""
    if gpus <= size:
        able = sorted((count, node) for node, count in enumerate(free) if count >= gpus)
        return ((able[0][1], gpus),) if able else None
    need = -(-gpus // size)
    whole = [node for node, count in enumerate(free) if count == size][:need]
    if len(whole) < need:
        return None
    return tuple((node, min(size, gpus - index * size)) for index, node in enumerate(whole))


@examples(300)
@given(
    gpus=st.integers(1, 40),
    size=st.integers(1, 9),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=60),
)
def test_consolidated_placement_equals_a_search_of_all_nodes(
    gpus: int, size: int, steps: list[tuple[bool, int]]
) -> None:
    place, flat = Consolidated(gpus, size), Flat(gpus, size)
    free = list(place.free_by_node)
    sitting: list[Allocation] = []
    for comes, number in steps:
        if comes:
            expected = brute_force(free, size, number)
            assert place.take(number) == expected
            if expected is not None:
                sitting.append(expected)
                assert flat.take(number) == ((0, number),)
                for node, count in expected:
                    free[node] -= count
        elif sitting:
            allocation = sitting.pop(number % len(sitting))
            place.release(allocation)
            flat.release(((0, sum(count for _, count in allocation)),))
            for node, count in allocation:
                free[node] += count
        assert list(place.free_by_node) == free
        assert place.free == sum(free) == flat.free
        for what_if in (place, flat):
            _check_vacancy(what_if, number, sitting if what_if is place else [])


def _check_vacancy(place: Consolidated | Flat, gpus: int, sitting: list[Allocation]) -> None:
    """The probe agrees with taking after each prefix of releases, and changes nothing."""
    allocation = place.take(gpus)
    if allocation is not None:
        place.release(allocation)
        return
    probe, free = place.fit_probe(gpus), list(place.free_by_node)
    for gone in sitting:
        probe.release(gone)
        for node, count in gone:
            free[node] += count
        fits = brute_force(free, place.gpus_per_node, gpus) is not None
        assert probe.fits == fits
    for gone in sitting:
        probe.occupy(gone)
    assert not probe.fits
