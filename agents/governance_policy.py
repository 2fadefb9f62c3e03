"""Decide for a regulator which orders are in force, by what it has measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from numbers import Real
from typing import Any, Final, NamedTuple


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


class ReviewError(ValueError):
    """Report what a policy returned that cannot be carried out, and what is allowed."""


_BOUNDS: Final[dict[OrderKind, tuple[float, float]]] = {
    OrderKind.CAP_COPIES: (0.0, math.inf),
    OrderKind.CAP_EXPERIMENTS: (0.0, 1.0),
    OrderKind.LICENCE: (0.0, math.inf),
    OrderKind.STAGED_RELEASE: (0.0, math.inf),
    OrderKind.BRAKE: (1.0, math.inf),
}
"""Smallest and largest amount of each kind of order that takes one."""


def check_review(review: Any, labs: Sequence[str]) -> Review:
    """Return a review if it can be carried out in labs of these names; raise ReviewError if not.

    An order that has ended before the review is allowed: it restricts nothing.
    """
    if not isinstance(review, Review):
        raise ReviewError(f"review = {review!r} is not a Review; allowed: a Review. Return Review() for no orders.")
    for name, items, kind in (("orders", review.orders, Order), ("alarms", review.alarms, Alarm)):
        if not isinstance(items, tuple) or not all(isinstance(item, kind) for item in items):
            allowed = f"a tuple of {kind.__name__}"
            raise ReviewError(f"{name} = {items!r} is not {allowed}; allowed: {allowed}. Return () for none.")
    for order in review.orders:
        _check_order(order, labs)
    return review


def _check_order(order: Order, labs: Sequence[str]) -> None:
    if order.kind not in tuple(OrderKind):
        raise ReviewError(f"kind = {order.kind!r} is not a kind of order; allowed: {', '.join(OrderKind)}. Choose one.")
    lowest, highest = _BOUNDS.get(order.kind, (-math.inf, math.inf))
    _check_number(order, "amount", order.amount, lowest, highest)
    _check_number(order, "until", order.until, -math.inf, math.inf)
    _check_number(order, "permit_days", order.permit_days, 0.0, math.inf)
    if not isinstance(order.rule, str):
        raise ReviewError(f"rule = {order.rule!r} of an order is not a name; allowed: text. Write the rule's name.")
    if not isinstance(order.labs, tuple) or any(lab not in labs for lab in order.labs):
        allowed = ", ".join(filter(None, labs)) or "() only, because the scenario names no labs"
        raise ReviewError(
            f"labs = {order.labs!r} of an order is not a tuple of labs; allowed: {allowed}. Leave labs out for all."
        )


def _check_number(order: Order, name: str, value: Any, lowest: float, highest: float) -> None:
    if not isinstance(value, Real) or not lowest <= float(value) <= highest:
        allowed = "a number" if lowest == -math.inf else f"from {lowest:g} to {highest:g}"
        raise ReviewError(
            f"{name} = {value!r} of an order '{order.kind}' is out of bounds; allowed: {allowed}. Correct the policy."
        )


class GovernancePolicy:
    """Give no orders. A subclass for ``LabFactory(governance=...)`` gives them by what was measured.

    A policy is reviewed whenever readings arrive, in the order of time. It can keep a state, which must be possible to
    pickle. It sees the labs only by the readings.
    """

    def review(self, view: View) -> Review:
        """Return all orders that are in force from now on, and new alarms; :func:`check_review` holds the bounds."""
        return Review()
