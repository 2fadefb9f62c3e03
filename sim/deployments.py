"""Put discovered software and faster kernels into use in one lab."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from simpy import Event

from agents.workforce import Workforce
from sim import events
from sim.clock import Clock
from sim.compute_account import ComputeAccount
from sim.knowledge import LabKnowledge
from sim.lab_settings import LabSettings
from sim.software import LEVEL_TOLERANCE

_ROUNDING: Final = 1e-9
"""Rounding error of a sum of days, within which software has waited long enough."""


class SoftwareRelease(NamedTuple):
    """A generation of software that is handed in."""

    generation: int
    doublings: float
    """Doublings by which it is better than the one before."""


class KernelRelease(NamedTuple):
    """Faster attention that is handed in."""

    candidates: float
    """Number of candidates after which it was found."""
    speedup: float
    """Speed-up relative to the library of day 0."""


class Deployments:
    """Deploy software to the researchers, and kernels to the cluster, at the end of an instant."""

    def __init__(
        self,
        clock: Clock,
        settings: LabSettings,
        knowledge: LabKnowledge,
        workforce: Workforce,
        compute: ComputeAccount,
        ledger: events.LabLedger,
        request_settlement: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._knowledge = knowledge
        self._workforce = workforce
        self._compute = compute
        self._ledger = ledger
        self._request_settlement = request_settlement
        self.inbox: deque[SoftwareRelease | KernelRelease] = deque()
        """What is handed in and not in use yet."""
        self.on_request: Callable[[int], None] | None = None
        """Function that is called with the GPUs of each training run that is submitted."""
        self.release_days = 0.0
        """Time from the end of a training run to its deployment, by order of a regulator [days]."""
        self._held: deque[tuple[float, SoftwareRelease]] = deque()
        """Software that waits for its deployment, and the day on which it was handed in."""

    @property
    def discovered(self) -> float:
        """Discovered software, at most `run__max_doublings` [doublings]."""
        return self._knowledge.discovered

    def record_request(self, generation: int, gpus: int, days: float) -> None:
        """Record that the training run of a generation was submitted."""
        run_days = days / self._compute.work_rate
        self._ledger.append(events.TrainingRequested(float(self._clock.now), generation, gpus, run_days))
        if self.on_request is not None:
            self.on_request(gpus)

    def deploy(self, generation: int, doublings: float) -> None:
        """Hand in a new generation, ``doublings`` better than the one before."""
        release = SoftwareRelease(generation, doublings)
        if self.release_days > 0 or self._held:
            self._hold(release)
        else:
            self.inbox.append(release)
            self._request_settlement()

    def change_release_days(self, days: float) -> None:
        """Deploy software this long after it is handed in, that which waits included [days]."""
        self.release_days = days
        if self._held:
            self._schedule_release(self._held[0][0])

    def _hold(self, release: SoftwareRelease) -> None:
        self._held.append((float(self._clock.now), release))
        self._schedule_release(float(self._clock.now))

    def _schedule_release(self, handed_in: float) -> None:
        days = max(0.0, handed_in + self.release_days - float(self._clock.now))
        self._clock.after(days, self._on_release_due)

    def _on_release_due(self, _: Event) -> None:
        """Hand in what has waited long enough, in order, and come back for the rest."""
        due = float(self._clock.now) - self.release_days + _ROUNDING
        while self._held and self._held[0][0] <= due:
            self.inbox.append(self._held.popleft()[1])
        if self._held:
            self._schedule_release(self._held[0][0])
        self._request_settlement()

    def deploy_kernels(self, candidates: float, speedup: float) -> None:
        """Hand in faster attention, found after this number of candidates."""
        self.inbox.append(KernelRelease(candidates, speedup))
        self._request_settlement()

    def put_into_use(self) -> None:
        """Put what is handed in into use.

        Raises ValueError if a generation is negative or more than what is discovered and not yet deployed.
        """
        while self.inbox:
            release = self.inbox.popleft()
            if isinstance(release, SoftwareRelease):
                self._deploy_software(*release)
            else:
                self._deploy_kernels(*release)

    def _deploy_software(self, generation: int, doublings: float) -> None:
        software = self._knowledge.software
        before = math.floor(software.deployed + LEVEL_TOLERANCE)
        software.deploy(doublings)
        self._ledger.append(events.Deployed(float(self._clock.now), generation, software.deployed))
        doubled = math.floor(software.deployed + LEVEL_TOLERANCE) > before
        if doubled and self._settings.researcher.timing == "whole":
            self._knowledge.drop_publications()  # papers of this instant that the doubling did not need
            self._workforce.start_over()

    def _deploy_kernels(self, candidates: float, speedup: float) -> None:
        """Deploy faster attention: later jobs take less time, and inference GPUs run more researchers."""
        self._compute.use_kernels(speedup)
        self._ledger.append(
            events.KernelsDeployed(float(self._clock.now), candidates, speedup, self._compute.work_rate)
        )
