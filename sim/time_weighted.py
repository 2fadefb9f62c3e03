"""Integrate a quantity that changes in steps exactly over time."""


class TimeWeighted:
    """Hold a piecewise constant value and its integral over time."""

    def __init__(self, now: float = 0.0) -> None:
        self.value = 0.0
        self._total = 0.0
        self._since = now

    def set(self, value: float, now: float) -> None:
        """Set the value from time ``now`` on."""
        self._total = self.total(now)
        self.value, self._since = value, now

    def total(self, now: float) -> float:
        """Return the integral up to time ``now``."""
        return self._total + self.value * (now - self._since)
