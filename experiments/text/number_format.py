"""Format numbers and values for tables, sentences and scenario files."""

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
