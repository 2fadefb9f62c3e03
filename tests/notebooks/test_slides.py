"""Test that pictures of notebooks are readable and their shares add up to 100%."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.plotting import slides
from experiments.plotting.slides import darken_for_contrast, round_to_100_percent

PALETTE = [slides.BLACK, slides.BLUE, slides.GREEN, slides.ORANGE, slides.PINK, slides.RED, slides.SKY, slides.SOFT]


def contrast(colour: str) -> float:
    """Return the contrast with white, by the definition of WCAG 2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_contrast_equals_examples_of_the_standard():
    assert contrast("#000000") == pytest.approx(21)
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)
    assert contrast(slides.SKY) < 3


@pytest.mark.parametrize("colour", PALETTE)
def test_darken_for_contrast_gives_readable_text(colour):
    found = darken_for_contrast(colour)
    assert contrast(found) > 4.45  # colours are kept in 256 steps
    if contrast(colour) > 4.5:
        assert found.lower() == colour.lower()


@pytest.mark.parametrize("colour", PALETTE)
def test_darken_for_contrast_keeps_the_hue(colour):
    before, after = ([int(each[at : at + 2], 16) for at in (1, 3, 5)] for each in (colour, darken_for_contrast(colour)))
    factor = max(after) / max(before)
    assert after == pytest.approx([factor * part for part in before], abs=1.5)


def test_round_to_100_percent_of_examples_adds_up():
    assert round_to_100_percent([0.366, 0.329, 0.305]) == [37, 33, 30]
    assert round_to_100_percent([1.0, 0.0]) == [100, 0]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any))
def test_round_to_100_percent_of_any_shares_adds_up_and_is_near(parts):
    shares = [part / sum(parts) for part in parts]
    found = round_to_100_percent(shares)
    assert sum(found) == 100
    assert all(abs(whole - 100 * share) < 1 for whole, share in zip(found, shares, strict=True))
