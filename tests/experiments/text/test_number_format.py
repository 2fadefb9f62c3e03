"""Numbers in sentences and on the page."""

import pytest

from experiments.text.number_format import format_count, format_factor, pluralize


@pytest.mark.parametrize(
    ("doublings", "text"), [(0, "×1"), (2.02, "×4.06"), (13, "×8,192"), (30, "×1.1×10⁹"), (300, "×2×10⁹⁰")]
)
def test_format_factor_is_readable(doublings: float, text: str) -> None:
    assert format_factor(doublings) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (12.5, "12.5"),
        (8192, "8,192"),
        (9_999_999, "9,999,999"),
        (1e7, "10⁷"),
        (1_548_139_829, "1.5×10⁹"),
        (9.96e9, "10¹⁰"),
    ],
)
def test_format_count_is_readable(number: float, text: str) -> None:
    assert format_count(number) == text


def test_pluralize_uses_the_singular_for_one() -> None:
    assert [pluralize(number, "paper") for number in (0, 1, 2, 1e9)] == [
        "0 papers",
        "1 paper",
        "2 papers",
        "10⁹ papers",
    ]
    assert pluralize(2, "search", "searches") == "2 searches"
    assert pluralize(2000, "run") == "2,000 runs"
