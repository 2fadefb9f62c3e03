"""Numbers as the window says them: the same one looks the same in every sentence, figure and legend."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experiments.text.number_format import format_number

LONGEST = 1e7
"""From here on a number is told as a power of ten."""
_HALF_A_DIGIT = -math.log10(0.995)
"""By so much a head of 9.95 is rounded up to ten."""
_ROUNDING = 1e-9
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_count(value: float) -> str:
    """Return a number for reading: 12.5, 8,192, 1.5×10⁹."""
    return format_number(value) if abs(value) < LONGEST else _power(math.log10(value))


def format_factor(doublings: float) -> str:
    """Return doublings as a factor for reading: ×4.05, ×8,192, ×1.3×10⁹."""
    power = doublings * math.log10(2)
    if power >= math.log10(LONGEST):
        return f"×{_power(power)}"
    return f"×{2**doublings:,.3g}" if doublings < 10 else f"×{2**doublings:,.0f}"


def pluralize(number: float, one: str, more: str = "") -> str:
    """Return so many things in words: 1 paper, 2 papers; ``more``: their name if it is not that of one with an s."""
    return f"{format_count(number)} {one if number == 1 else more or one + 's'}"


def percentages(shares: Sequence[float]) -> list[int]:
    """Return shares that add up to 1 as whole percentages that add up to 100, each rounded up or down."""
    floors = [math.floor(100 * share + _ROUNDING) for share in shares]
    missing = 100 - sum(floors) if sum(shares) > 0 else 0
    nearest = sorted(range(len(shares)), key=lambda at: floors[at] - 100 * shares[at])
    for at in nearest[:missing]:
        floors[at] += 1
    return floors


def _power(power: float) -> str:
    whole = math.floor(power + _HALF_A_DIGIT)
    head = f"{10 ** (power - whole):.1f}".removesuffix(".0")
    raised = f"10{str(whole).translate(_RAISED)}"
    return raised if head == "1" else f"{head}×{raised}"
