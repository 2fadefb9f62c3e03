"""Hold what a regulator measured and ordered in a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from agents.governance_policy import Alarm, Order, Reading


class GovernanceRecord(NamedTuple):
    """Readings, alarms and orders of a run."""

    readings: Mapping[str, tuple[Reading, ...]]
    """Readings of each lab that the regulator has, in the order of their arrival."""
    alarms: tuple[Alarm, ...]
    orders: tuple[tuple[float, tuple[Order, ...]], ...]
    """Days on which the orders in force changed, and all orders from then on."""
    found_on: Mapping[str, float]
    """Day on which the secret work of each lab that does not comply is found; ``inf`` if it never is."""

    def first_alarm(self, rule: str = "") -> Alarm | None:
        """Return the first alarm of a rule, or of any; None if there was none."""
        return next((alarm for alarm in self.alarms if not rule or alarm.rule == rule), None)
