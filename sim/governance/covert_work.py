"""STUB until merge."""

from numpy.random import Generator


def discovery_days(workers: int, rng: Generator) -> float:
    """Draw."""
    return float(rng.exponential(365.0))
