"""Define the notices that a worker sends besides its records; a module of its own, so that they can be pickled."""

from __future__ import annotations

from typing import NamedTuple


class Executed(NamedTuple):
    """A notice that a run of the World is over; its record follows with those of other runs."""

    run: int
    seconds: float
    """Wall time of the run [s]."""


class Completing(NamedTuple):
    """A notice that the records of all executed runs are completed and sent now."""
