"""Follow the orders of a regulator in one lab: fewer AIs, fewer GPUs, training runs and releases that wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from simpy import Event

from hardware.compute_gate import HOLD, ComputeGate
from hardware.datacenter import Datacenter
from hardware.uses import Use
from sim import events
from sim.clock import Clock
from sim.deployments import Deployments
from sim.governance.restrictions import Restrictions
from sim.software import LEVEL_TOLERANCE

_ROUNDING: Final = 1e-9
"""Rounding error of a sum of days, within which a training run has waited long enough."""


class _TrainingRequest(NamedTuple):
    """A training run that was requested."""

    day: float
    gpus: int


class OrderDesk:
    """Keep the restrictions of a lab, and apply them to its GPUs and its deployments.

    Arguments
    ---------
    clock
        Clock of the run.
    datacenter
        Cluster of the lab.
    deployments
        Software on its way into use.
    ledger
        Events of the lab.
    on_change
        Function that is called when the number of AIs that may do research may have changed.
    """

    def __init__(
        self,
        clock: Clock,
        datacenter: Datacenter,
        deployments: Deployments,
        ledger: events.LabLedger,
        on_change: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._datacenter = datacenter
        self._gate = ComputeGate(datacenter)
        self._deployments = deployments
        self._ledger = ledger
        self._on_change = on_change
        self.restrictions = Restrictions()
        """What orders restrict now."""
        self._run_without_licence: _TrainingRequest | None = None
        """Training run that waits for a licence."""
        deployments.on_request = self._on_training_requested

    def restrict(self, new: Restrictions) -> bool:
        """Follow these restrictions from now on; return whether anything changed."""
        if new == self.restrictions:
            return False
        self.restrictions = new
        if self._run_without_licence is not None:
            self._await_licence(self._run_without_licence)
        self.limit_gpus()
        self._deployments.change_release_days(new.release_days)
        self._ledger.append(events.RestrictionsChanged(float(self._clock.now), *new))
        self._on_change()
        return True

    def allowed_copies(self, hosted: int) -> int:
        """Return how many of the AIs that the GPUs can run may do research."""
        share, most = self.restrictions.effort_share, self.restrictions.most_copies
        return hosted if share == 1 and hosted <= most else int(min(hosted * share * (1 + LEVEL_TOLERANCE), most))

    def limit_gpus(self) -> None:
        """Limit the GPUs of experiments and training by the present orders and the present number of GPUs."""
        experiments = None
        if self.restrictions.experiment_share < 1:
            experiments = int(self.restrictions.experiment_share * self._datacenter.gpus_by_use()[Use.EXPERIMENT])
        is_held = self.restrictions.is_training_paused or self._run_without_licence is not None
        self._limit(Use.EXPERIMENT, experiments)
        self._limit(Use.TRAINING, HOLD if is_held else None)

    def _limit(self, use: Use, gpus: int | None) -> None:
        if gpus == self._gate.limit(use):
            return
        if gpus is None:
            self._gate.resume(use)
        else:
            self._gate.cap(use, gpus, "preempt")

    def _on_training_requested(self, gpus: int) -> None:
        """Hold a training run that needs a licence until it has one; a later request replaces it."""
        self._await_licence(_TrainingRequest(float(self._clock.now), gpus))
        self.limit_gpus()

    def _await_licence(self, run: _TrainingRequest) -> None:
        """Let a training run wait for a licence if it needs one by the present orders."""
        self._run_without_licence = run if run.gpus > self.restrictions.licence_gpus else None
        if self._run_without_licence is not None and self.restrictions.permit_days < math.inf:
            days = max(0.0, run.day + self.restrictions.permit_days - float(self._clock.now))
            self._clock.after(days, partial(self._on_licence, run))

    def _on_licence(self, run: _TrainingRequest, _: Event) -> None:
        """Give a training run its licence, unless another order has made the wait longer."""
        licensed_on = run.day + self.restrictions.permit_days
        if run == self._run_without_licence and float(self._clock.now) >= licensed_on - _ROUNDING:
            self._run_without_licence = None
            self.limit_gpus()
