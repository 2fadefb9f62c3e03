"""Put discovered software and faster kernels into use in one lab."""

from __future__ import annotations

import math
from collections.abc import Callable

from agents.workforce import Workforce
from sim import events
from sim.clock import Clock
from sim.compute_account import ComputeAccount
from sim.knowledge import LabKnowledge
from sim.lab_settings import LabSettings
from sim.software import LEVEL_TOLERANCE


class Deployments:
    """Deploy software to the researchers, and kernels to the cluster.

    ``on_capacity_changed`` is called after each deployment, because the inference GPUs then run more researchers.
    """

    def __init__(
        self,
        clock: Clock,
        settings: LabSettings,
        knowledge: LabKnowledge,
        workforce: Workforce,
        compute: ComputeAccount,
        ledger: list[events.Event],
        on_capacity_changed: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._knowledge = knowledge
        self._workforce = workforce
        self._compute = compute
        self._ledger = ledger
        self._on_capacity_changed = on_capacity_changed

    @property
    def discovered(self) -> float:
        """Discovered software, at most `run__max_doublings` [doublings]."""
        return self._knowledge.discovered

    def record_request(self, generation: int, gpus: int, days: float) -> None:
        """Record that the training run of a generation was submitted."""
        run_days = days / self._compute.work_rate
        self._ledger.append(events.TrainingRequested(float(self._clock.now), generation, gpus, run_days))

    def deploy(self, generation: int, doublings: float) -> None:
        """Deploy a new generation, ``doublings`` better than the one before.

        Raises ValueError if that is negative or more than what is discovered and not yet deployed.
        """
        self._workforce.publish_pooled_work()
        if self._clock.halted:
            return  # the pooled work ended the run
        software = self._knowledge.software
        before = math.floor(software.deployed + LEVEL_TOLERANCE)
        software.deploy(doublings)
        self._ledger.append(events.Deployed(float(self._clock.now), generation, software.deployed))
        doubled = math.floor(software.deployed + LEVEL_TOLERANCE) > before
        if doubled and self._settings.researcher.timing == "whole":
            self._workforce.start_over()
        self._on_capacity_changed()

    def deploy_kernels(self, candidates: float, speedup: float) -> None:
        """Deploy faster attention: later jobs take less time, and inference GPUs run more researchers."""
        self._compute.use_kernels(speedup)
        self._ledger.append(
            events.KernelsDeployed(float(self._clock.now), candidates, speedup, self._compute.work_rate)
        )
        self._workforce.publish_pooled_work()
        if not self._clock.halted:
            self._on_capacity_changed()
