"""Format numbers for the page, in the same way in every sentence, figure and legend."""

from __future__ import annotations

import math

from experiments.text.number_format import format_number

MAX_PLAIN_NUMBER = 1e7
"""Numbers from here on are written as a power of ten."""
_HEAD_ROUNDING = -math.log10(0.995)
"""Logarithm that is added so that 9.95 rounds up to 10."""
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_count(value: float) -> str:
    """Format a number for reading: 12.5, 8,192, 1.5×10⁹."""
    return format_number(value) if abs(value) < MAX_PLAIN_NUMBER else _format_power(math.log10(value))


def format_factor(doublings: float) -> str:
    """Format doublings as a factor: ×4.05, ×8,192, ×1.3×10⁹."""
    power = doublings * math.log10(2)
    if power >= math.log10(MAX_PLAIN_NUMBER):
        return f"×{_format_power(power)}"
    return f"×{2**doublings:,.3g}" if doublings < 10 else f"×{2**doublings:,.0f}"


def pluralize(number: float, one: str, more: str = "") -> str:
    """Return a number with its noun: 1 paper, 2 papers; ``more`` is the plural if it is not ``one`` with an s."""
    return f"{format_count(number)} {one if number == 1 else more or one + 's'}"


def _format_power(power: float) -> str:
    whole = math.floor(power + _HEAD_ROUNDING)
    head = f"{10 ** (power - whole):.1f}".removesuffix(".0")
    raised = f"10{str(whole).translate(_SUPERSCRIPTS)}"
    return raised if head == "1" else f"{head}×{raised}"
