"""Decide for a regulator which orders are in force, by what it has measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple


class OrderKind(StrEnum):
    """What an order restricts. Of several orders of one kind the most restrictive one counts."""

    PAUSE_RESEARCH = "pause-research"
    """AIs do no research."""
    PAUSE_TRAINING = "pause-training"
    """No training run starts, and those under way stop at a checkpoint."""
    CAP_COPIES = "cap-copies"
    """At most ``amount`` AIs do research."""
    CAP_EXPERIMENTS = "cap-experiments"
    """Experiments use at most the share ``amount`` of the GPUs that they have."""
    LICENCE = "licence"
    """A training run on more than ``amount`` GPUs starts ``permit_days`` after its request."""
    STAGED_RELEASE = "staged-release"
    """New software comes into use ``amount`` days after its training."""
    BRAKE = "brake"
    """The number of AIs that do research is divided by ``amount``, which is at least 1."""


class Reading(NamedTuple):
    """What the regulator measured of one lab."""

    day: float
    """Day to which it refers."""
    known_on: float
    """Day on which the regulator learned it."""
    doublings: float
    """Measured software [doublings since day 0], with its error."""
    share_automated: float
    """Share of the tasks of research that AIs can do."""
    copies: float
    """Number of AIs that do research."""
    gpus: Mapping[str, int]
    """GPUs in use, by use."""


class Order(NamedTuple):
    """A restriction of labs."""

    kind: OrderKind
    amount: float = 0.0
    """Number that the kind takes; 0 if it takes none."""
    rule: str = ""
    """Name of the rule that gives the order."""
    labs: tuple[str, ...] = ()
    """Labs to which it applies; empty for all."""
    until: float = math.inf
    """Day on which it ends, unless it is given again; ``inf`` if a later review ends it."""
    permit_days: float = math.inf
    """Time from the request of a training run to its licence [days]; ``inf`` if none is given."""


class Alarm(NamedTuple):
    """A warning that a rule gave."""

    day: float
    """Day on which the regulator had the reading."""
    rule: str
    """Name of the rule."""
    lab: str
    """Lab whose reading caused it; empty for the only lab."""
    sentence: str


class View(NamedTuple):
    """What a policy knows at a review."""

    day: float
    readings: Mapping[str, Sequence[Reading]]
    """Readings that the regulator has of each lab, in the order of their arrival."""


class Review(NamedTuple):
    """What a policy decides at a review."""

    orders: tuple[Order, ...] = ()
    """All orders that are in force from now on; those of before that are not among them end."""
    alarms: tuple[Alarm, ...] = ()
    """New warnings."""


class GovernancePolicy:
    """Give no orders. A subclass for ``LabFactory(governance=...)`` gives them by what was measured.

    A policy is reviewed whenever readings arrive, in the order of time. It can keep a state, which must be possible to
    pickle. It sees the labs only by the readings.
    """

    def review(self, view: View) -> Review:
        """Return all orders that are in force from now on, and new alarms."""
        return Review()
