"""Check the arguments of the closed forms, with one sentence per mistake."""

import math
import operator

import numpy as np
from numpy.typing import ArrayLike


def check_number(
    name: str, value: ArrayLike, lowest: float, highest: float, advice: str, *, above: bool = False
) -> None:
    """Raise ValueError if a number, or an element of an array, is outside of a range.

    The range is ``lowest`` to ``highest``, both included. With ``above`` the lowest value is excluded. ``inf`` is
    allowed only if ``highest`` is ``inf`` and the caller treats it. ``advice`` is the next step, as a sentence.
    """
    array = np.asarray(value, dtype=float)
    within = (array > lowest if above else array >= lowest) & (array <= highest)
    if not np.all(within):
        first = float(array[~within].flat[0])
        low = f"above {lowest:g}" if above else f"{lowest:g} or more"
        allowed = low if highest == math.inf else f"{low}, up to {highest:g}"
        raise ValueError(f"{name} = {first:g} is outside of its range; allowed: {allowed}. {advice}")


def check_count(name: str, value: int, lowest: int, highest: int, advice: str) -> int:
    """Return a whole number as an int. Raises ValueError if it is not whole or is outside of a range."""
    try:
        count = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} = {value} is not a whole number; allowed: {lowest} to {highest}. {advice}") from None
    check_number(name, count, lowest, highest, advice)
    return count
