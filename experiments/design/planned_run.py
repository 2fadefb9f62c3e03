"""Define one planned run of a design: its numbers, its seed and its changes of the base scenario."""

from __future__ import annotations

from typing import Any, NamedTuple


class PlannedRun(NamedTuple):
    """One run of a design."""

    run: int
    """Number of the run, from 0."""
    point: int
    """Number of the sample point."""
    lever: int
    """Number of the combination of levers."""
    replication: int
    seed: int
    changes: dict[str, Any]
    """Values of uncertainties and levers by flat name, which replace those of the base scenario."""
