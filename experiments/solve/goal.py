"""Parse goals of `asara solve`: a level of software and the day on which it is to be reached."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from experiments.errors import InputError
from sim.scenario.model import parameters

_FACTOR = re.compile(r"([^x=@]+)x=([^x=@]+)")
_DOUBLINGS = re.compile(r"doublings=([^x=@]+)@([^x=@]+)")


class Goal(NamedTuple):
    """A level of software, in doublings above that of day 0, and the day on which it is to be reached."""

    text: str
    doublings: float
    day: float

    @property
    def software(self) -> str:
        """Description of the level of software."""
        factor = _FACTOR.fullmatch(self.text)
        return f"{factor.group(1)}x" if factor else f"doubling {self.doublings:g}"


def parse_goal(text: str) -> Goal:
    """Parse a goal such as ``1000x=365`` or ``doublings=9@400``.

    Raises InputError for another text, software that is not above that of day 0, and days outside the bounds of a run.
    """
    found = _FACTOR.fullmatch(text.strip()) or _DOUBLINGS.fullmatch(text.strip())
    try:
        amount, day = (float(part) for part in found.groups()) if found else (math.nan, math.nan)
    except ValueError:
        amount = math.nan
    if found is None or not math.isfinite(amount) or not math.isfinite(day):
        raise InputError(
            f"until = {text!r} is not a goal; allowed: FACTORx=DAY or doublings=N@DAY. "
            "For 1000 times the software on day 365, write 1000x=365."
        )
    doublings = math.log2(amount) if found.re is _FACTOR and amount > 0 else amount
    most, last = parameters()["run__max_doublings"].high, parameters()["run__horizon_days"].high
    assert most is not None and last is not None, "both are bounded"
    if not 0 < doublings <= most:
        raise InputError(
            f"until = {text!r} is out of bounds ({doublings:.4g} doublings); allowed: above 0, up to {most:g}. "
            "Name more software than there is on day 0."
        )
    if not 0 < day <= last:
        raise InputError(
            f"until = {text!r} is out of bounds (day {day:g}); allowed: above 0, up to {last:,.0f}. Name another day."
        )
    return Goal(text.strip(), doublings, day)
