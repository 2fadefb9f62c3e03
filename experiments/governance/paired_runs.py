"""Compare a run under a governance policy with the run without a regulator of the same seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = Sequence[float] | NDArray[np.float64]


def days_gained(day: float, last_day: float, base_day: float) -> float:
    """Return the delay of a level by a policy [days].

    ``day``: day of the level with the policy; ``inf`` if it is not reached, when the last day of the run counts and the
    delay is a lower bound. ``base_day``: day of the level without a regulator, which must be finite.
    """
    return min(day, last_day) - base_day


def change_at_base_end(days: Values, values: Values, base_last_day: float, base_value: float) -> float:
    """Return the change of a curve by a policy on the last day of the run without a regulator.

    ``days``, ``values``: the curve with the policy; a run that is over keeps its last value.
    """
    return float(np.interp(base_last_day, days, values)) - base_value
