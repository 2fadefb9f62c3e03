"""Format numbers and values for tables, sentences, pages and scenario files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

_THOUSAND: Final = 1000
"""Size from which a number is written without decimals and with commas between thousands."""
_MAX_DECIMAL: Final = 1e9
"""Size from which a number is written as a power of ten."""
_MIN_DECIMAL: Final = 1e-3
"""Size below which a number is written as a power of ten."""
_FLOAT_TOLERANCE: Final = 1e-9
_MAX_COUNT_DIGITS: Final = 1e7
"""Size from which a count or factor is written as a power of ten."""
_HEAD_ROUNDING: Final = -math.log10(0.995)
"""Logarithm that is added so that 9.95 rounds up to 10."""
_SUPERSCRIPTS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_number(value: float | None) -> str:
    """Format a number for reading: four digits, commas between thousands, powers of ten only if very large or small.

    None, a missing number, becomes "-".
    """
    if value is None:
        return "-"
    size = abs(value)
    if size >= _MAX_DECIMAL or 0 < size < _MIN_DECIMAL:
        return f"{value:.3g}"
    return f"{value:,.0f}" if size >= _THOUSAND or value == int(value) else f"{value:.4g}"


def format_count(value: float) -> str:
    """Format a count or quantity in a sentence, with a raised power of ten if it is large: 12.5, 8,192, 1.5×10⁹."""
    return format_number(value) if abs(value) < _MAX_COUNT_DIGITS else _format_power(math.log10(value))


def format_factor(doublings: float) -> str:
    """Format doublings as a factor: ×4.05, ×8,192, ×1.3×10⁹."""
    power = doublings * math.log10(2)
    if power >= math.log10(_MAX_COUNT_DIGITS):
        return f"×{_format_power(power)}"
    return f"×{2**doublings:,.3g}" if 2**doublings < _THOUSAND - 0.5 else f"×{2**doublings:,.0f}"


def pluralize(number: float, one: str, more: str = "") -> str:
    """Return a number with its noun: 1 paper, 2 papers; ``more`` is the plural if it is not ``one`` with an s."""
    return f"{format_count(number)} {one if number == 1 else more or one + 's'}"


def _format_power(power: float) -> str:
    whole = math.floor(power + _HEAD_ROUNDING)
    head = f"{10 ** (power - whole):.1f}".removesuffix(".0")
    raised = f"10{str(whole).translate(_SUPERSCRIPTS)}"
    return raised if head == "1" else f"{head}×{raised}"


def format_interval(low: float, high: float) -> str:
    """Format an interval with two decimals: [0.65, 1.20]."""
    return f"[{low:.2f}, {high:.2f}]"


def round_to_100_percent(shares: Sequence[float]) -> list[int]:
    """Round shares that add up to 1 to whole percentages that add up to 100."""
    floors = [math.floor(100 * share + _FLOAT_TOLERANCE) for share in shares]
    missing = 100 - sum(floors) if sum(shares) > 0 else 0
    nearest = sorted(range(len(shares)), key=lambda at: floors[at] - 100 * shares[at])
    for at in nearest[:missing]:
        floors[at] += 1
    return floors


def toml_value(value: Any) -> str:
    """Format a value as a scenario file states it, with all digits."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value!r}"


def short_toml_value(value: Any) -> str:
    """Format a value as a scenario file states it, a number with six digits at most."""
    return f"{value:.6g}" if isinstance(value, float) else toml_value(value)


def plain_value(value: Any) -> str:
    """Format a value as it is typed after ``--set NAME=``: text has no quotes."""
    return value if isinstance(value, str) else toml_value(value)
