"""Combine the orders that apply to a lab: of several orders of one kind, the most restrictive one counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from agents.governance_policy import Order, OrderKind


class Restrictions(NamedTuple):
    """What restricts a lab now; the defaults restrict nothing."""

    effort_share: float = 1.0
    """Share of its AIs that can do research: 0 in a pause."""
    most_copies: float = math.inf
    """Largest number of AIs that can do research."""
    experiment_share: float = 1.0
    """Share of the GPUs of experiments that they can use."""
    is_training_paused: bool = False
    licence_gpus: float = math.inf
    """GPUs above which a training run needs a licence."""
    permit_days: float = 0.0
    """Time from the request of such a run to its licence [days]; ``inf`` if none is given."""
    release_days: float = 0.0
    """Time from the end of a training run to its deployment [days]."""
    rules: str = ""
    """Names of the rules, joined by commas."""


def combine(orders: Sequence[Order], lab: str) -> Restrictions:
    """Return the restrictions of a lab by the orders that apply to it.

    The order of the orders does not matter. Two licences count as one for the smaller size, with the longer time.
    """
    found = [order for order in orders if not order.labs or lab in order.labs]
    amounts = {kind: [order.amount for order in found if order.kind == kind] for kind in OrderKind}
    effort = 1.0 / max([1.0, *amounts[OrderKind.BRAKE]])
    if amounts[OrderKind.PAUSE_RESEARCH]:
        effort = 0.0
    licences = [order for order in found if order.kind == OrderKind.LICENCE]
    return Restrictions(
        effort_share=effort,
        most_copies=min(amounts[OrderKind.CAP_COPIES], default=math.inf),
        experiment_share=min(amounts[OrderKind.CAP_EXPERIMENTS], default=1.0),
        is_training_paused=bool(amounts[OrderKind.PAUSE_TRAINING]),
        licence_gpus=min(amounts[OrderKind.LICENCE], default=math.inf),
        permit_days=max((order.permit_days for order in licences), default=0.0),
        release_days=max(amounts[OrderKind.STAGED_RELEASE], default=0.0),
        rules=", ".join(sorted({order.rule for order in found if order.rule})),
    )
