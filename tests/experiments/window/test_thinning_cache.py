"""What is kept stays within its bytes, is dense near the end, and comes back as it was."""

import itertools
import os

from hypothesis import given
from hypothesis import strategies as st

from experiments.window.thinning_cache import ThinningCache, pack, unpack


def test_what_was_packed_comes_back_anew():
    thing = {"a": [1, 2.5], "b": ("x",)}
    assert unpack(pack(thing)) == thing
    assert unpack(pack(thing)) is not thing


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), max_size=120), st.integers(150, 2000))
def test_bytes_are_bounded_and_things_are_right(puts, most):
    shelf = ThinningCache(most)
    last: dict[int, int] = {}
    for number, size in puts:
        shelf.put(number, (number, os.urandom(size)))
        last[number] = size
        assert shelf.bytes <= most
        assert list(shelf.numbers) == sorted(set(shelf.numbers))
    for number in range(201):
        kept = shelf.get(number)
        assert (kept is not None) == (number in shelf.numbers)
        if kept is not None:
            assert (kept[0], len(kept[1])) == (number, last[number])
        at = shelf.at_or_before(number)
        assert at == max((each for each in shelf.numbers if each <= number), default=None)


def test_the_past_is_thinned_evenly_and_the_present_is_dense():
    shelf = ThinningCache(64 * 100)
    for number in range(5000):
        shelf.put(number, os.urandom(40))
    numbers = shelf.numbers
    assert numbers[-1] == 4999
    assert len(numbers) > 40
    assert numbers[-5:] == (4995, 4996, 4997, 4998, 4999)
    gaps = [after - before for before, after in itertools.pairwise(numbers)]
    age = [4999 - number for number in numbers[:-1]]
    assert all(gap <= max(1, 0.6 * old) for gap, old in zip(gaps, age, strict=True))


def test_what_is_too_large_is_not_kept():
    shelf = ThinningCache(50)
    shelf.put(1, os.urandom(100))
    assert shelf.numbers == ()
    assert shelf.bytes == 0
