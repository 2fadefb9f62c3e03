"""Tests of start labels: they are taken in proportion, in order, and without drift."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cohort.start_index import StartIndexSampler


class Places:
    """A random stream that returns these numbers."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)


def test_start_index_one_label_draws_nothing() -> None:
    begun = StartIndexSampler()
    begun.add(10, 7)
    assert [begun.take(3, Places()), begun.take(7, Places())] == [7, 7]
    assert begun.count == 0
    begun.add(1, 9)
    assert begun.take(1, Places()) == 9, "taken labels are removed"


def test_start_index_take_returns_a_present_label() -> None:
    begun = StartIndexSampler()
    begun.add(30, 1)
    begun.add(10, 2)
    assert begun.take(20, Places(0.749)) == 1
    begun.add(20, 3)  # 15 of the first, 5 of the second and 20 of the third are left
    assert [begun.take(0, Places(u)) for u in (0.374, 0.376, 0.499, 0.501, 0.999)] == [1, 2, 2, 3, 3]


def test_start_index_takes_labels_in_proportion() -> None:
    stream, taken = np.random.default_rng(5), np.zeros(4)
    for _ in range(20_000):
        begun = StartIndexSampler()
        for label, count in enumerate((5, 20, 25)):
            begun.add(count, label)
        begun.take(25, stream)
        begun.add(25, 3)
        taken[begun.take(1, stream)] += 1
    expected = np.array([0.05, 0.2, 0.25, 0.5]) * 20_000
    assert np.all(np.abs(taken - expected) < 4 * np.sqrt(expected))


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=300), st.integers(0, 9))
def test_start_index_merging_halves_labels_and_keeps_the_count(steps: list[tuple[int, bool]], seed: int) -> None:
    stream, begun = np.random.default_rng(seed), StartIndexSampler()
    begun.MAX_LABELS = 8  # type: ignore[misc]  # so that few are many
    there, latest = 0, 0
    for count, leave in steps:
        if leave and there:
            leaving = min(count, there)
            assert 0 < begun.take(leaving, stream) <= latest
            there -= leaving
        else:
            latest += 1
            begun.add(count, latest)
            there += count
        assert begun.count == there
        labels, counts = [label for label, _ in begun.by_label], [each for _, each in begun.by_label]
        assert not leave or len(labels) <= 8
        assert labels == sorted(labels)
        assert all(each >= 0 for each in counts)
        assert sum(counts) == pytest.approx(there, rel=1e-9), "every label counts what is left"


def test_start_index_merging_draws_labels_by_weight() -> None:
    stream, seen = np.random.default_rng(3), np.zeros(2)
    for _ in range(2000):
        begun = StartIndexSampler()
        begun.MAX_LABELS = 3  # type: ignore[misc]  # so that four are many
        for label, count in enumerate((1, 3, 5, 5, 6)):
            begun.add(count, label)
        begun.take(1, stream)
        labels, counts = zip(*begun.by_label, strict=True)
        assert counts == pytest.approx((4 * 0.95, 10 * 0.95, 6 * 0.95)), "19 of 20 are left"
        assert labels[2] == 4, "a label without a partner stays as it is"
        seen += [labels[0] == 0, labels[1] == 2]
    assert np.all(np.abs(seen - [500, 1000]) < 4 * np.sqrt([375, 500]))


@pytest.mark.slow
def test_start_index_count_is_exact_after_a_million_turns() -> None:
    """Add as many labels as are taken, in batches of any size; the weights shrink by 10^100 hundreds of times."""
    stream, begun = np.random.default_rng(1), StartIndexSampler()
    begun.add(1000, 0)
    sizes = stream.integers(1, 1000, size=500_000).tolist()
    late = 0
    for turn, size in enumerate(sizes, start=1):
        label = begun.take(size, stream)
        late += label > turn - 20
        begun.add(size, turn)
    assert begun.count == 1000
    counts = [each for _, each in begun.by_label]
    assert sum(counts) == pytest.approx(1000, rel=1e-6)
    assert all(math.isfinite(each) for each in counts)
    assert late > 0.99 * len(sizes), "half leave at a time, so hardly any stays for 20 turns"
