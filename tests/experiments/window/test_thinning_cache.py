"""Thinning cache: bounded, dense near the latest number, and exact."""

import itertools
import os

from hypothesis import given
from hypothesis import strategies as st

from experiments.window.thinning_cache import ThinningCache, pack, unpack


def test_unpack_returns_an_equal_copy():
    thing = {"a": [1, 2.5], "b": ("x",)}
    assert unpack(pack(thing)) == thing
    assert unpack(pack(thing)) is not thing


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), max_size=120), st.integers(150, 2000))
def test_thinning_cache_stays_within_its_bytes(puts, most):
    cache = ThinningCache(most)
    last: dict[int, int] = {}
    for number, size in puts:
        cache.put(number, (number, os.urandom(size)))
        last[number] = size
        assert cache.stored_bytes <= most
        assert list(cache.numbers) == sorted(set(cache.numbers))
    for number in range(201):
        kept = cache.get(number)
        assert (kept is not None) == (number in cache.numbers)
        if kept is not None:
            assert (kept[0], len(kept[1])) == (number, last[number])
        at = cache.at_or_before(number)
        assert at == max((each for each in cache.numbers if each <= number), default=None)


def test_thinning_cache_is_dense_near_the_latest_number():
    cache = ThinningCache(64 * 100)
    for number in range(5000):
        cache.put(number, os.urandom(40))
    numbers = cache.numbers
    assert numbers[-1] == 4999
    assert len(numbers) > 40
    assert numbers[-5:] == (4995, 4996, 4997, 4998, 4999)
    gaps = [after - before for before, after in itertools.pairwise(numbers)]
    age = [4999 - number for number in numbers[:-1]]
    assert all(gap <= max(1, 0.6 * old) for gap, old in zip(gaps, age, strict=True))


def test_thinning_cache_drops_values_that_are_too_large():
    cache = ThinningCache(50)
    cache.put(1, os.urandom(100))
    assert cache.numbers == ()
    assert cache.stored_bytes == 0
