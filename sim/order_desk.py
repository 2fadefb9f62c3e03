"""Follow the orders of a regulator in one lab: fewer AIs, fewer GPUs, training runs and releases that wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from simpy import Event

from hardware.compute_gate import HOLD, ComputeGate
from hardware.datacenter import Datacenter
from hardware.uses import Use
from sim import events
from sim.clock import Clock
from sim.deployments import Deployments
from sim.governance.restrictions import Restrictions
from sim.software import LEVEL_TOLERANCE


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
        self._runs_requested = self._run_without_licence = 0
        """Number of training runs requested so far; number of the one that waits for a licence, 0 if none does."""
        deployments.on_request = self._on_training_requested

    def restrict(self, new: Restrictions) -> bool:
        """Follow these restrictions from now on; return whether anything changed."""
        if new == self.restrictions:
            return False
        self.restrictions = new
        if new.licence_gpus == math.inf:
            self._run_without_licence = 0
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
        is_held = self.restrictions.is_training_paused or self._run_without_licence > 0
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
        self._runs_requested += 1
        self._run_without_licence = self._runs_requested if gpus > self.restrictions.licence_gpus else 0
        self.limit_gpus()
        if self._run_without_licence and self.restrictions.permit_days < math.inf:
            self._clock.after(self.restrictions.permit_days, partial(self._on_licence, self._runs_requested))

    def _on_licence(self, run: int, _: Event) -> None:
        if run == self._run_without_licence:
            self._run_without_licence = 0
            self.limit_gpus()
