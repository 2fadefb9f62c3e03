"""Compute what a regulator reads of a lab: hidden software, a benchmark that saturates, noise and lag.

The functions are pure. A caller draws the error of a reading and passes it on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.governance.params import DisclosureParams, RegulatorParams


@dataclass(frozen=True, slots=True)
class Meter:
    """Turn the software of a lab into the readings of a regulator."""

    regulator: RegulatorParams
    disclosure: DisclosureParams

    @property
    def is_own_report(self) -> bool:
        """Whether the lab reports its software itself."""
        return self.regulator.reported_by == "labs"

    @property
    def days_to_arrival(self) -> float:
        """Time from a reading to the day on which the regulator has it [days]."""
        return self.regulator.lag_days + (self.disclosure.delay_days if self.is_own_report else 0.0)

    def read(self, doublings: float, standard_error: float = 0.0) -> float:
        """Return the reading of a level of software [doublings].

        Own reports leave out the hidden share of software since day 0. Software of before day 0 is negative; it is
        neither hidden nor saturated. ``standard_error``: error of the reading in standard deviations.
        """
        if doublings > 0:
            shown = doublings * (1 - self.disclosure.hidden_share) if self.is_own_report else doublings
            doublings = saturate(shown, self.regulator.saturation_doublings)
        return doublings + self.regulator.noise_doublings * standard_error


def saturate(doublings: float, most: float) -> float:
    """Return the reading of a benchmark whose highest value is ``most``; 0 for one that does not saturate."""
    return doublings if most == 0 else -most * math.expm1(-doublings / most)
