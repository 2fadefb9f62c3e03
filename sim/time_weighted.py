"""The exact integral over time of a quantity that changes in steps."""


class TimeWeighted:
    """A piecewise constant value and its integral from the start."""

    def __init__(self, now: float = 0.0) -> None:
        self.value = 0.0
        self._total = 0.0
        self._since = now

    def set(self, value: float, now: float) -> None:
        """Let the value hold from now on."""
        self._total = self.total(now)
        self.value, self._since = value, now

    def total(self, now: float) -> float:
        """Return the integral up to now."""
        return self._total + self.value * (now - self._since)
