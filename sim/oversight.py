"""Measure labs for a regulator, and put its orders into force in the labs that comply or whose secret work is found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from simpy import Event

from agents.governance_policy import Order, Reading
from agents.params import DAYS_PER_YEAR
from hardware.uses import Use
from sim.clock import Clock
from sim.governance.covert_work import time_to_discovery
from sim.governance.measurement import Meter
from sim.governance.params import RegulatorParams
from sim.governance.restrictions import Restrictions, combine
from sim.random_streams import RandomStreams

if TYPE_CHECKING:
    from sim.lab import Lab

READING_STREAM: Final = "reading"
"""Decision by which the errors of the readings of each lab are drawn."""


class LabOversight:
    """Implement :class:`agents.ports.oversight.Oversight` for the labs of a World.

    Arguments
    ---------
    clock
        Clock of the run.
    labs
        The labs by name.
    streams
        Random numbers of the run. The regulator draws from streams of its own.
    settings
        Parameters of the regulator; :meth:`change_settings` replaces them.
    """

    def __init__(
        self, clock: Clock, labs: Mapping[str, Lab], streams: RandomStreams, settings: RegulatorParams
    ) -> None:
        self._clock = clock
        self._labs = labs
        self._streams = streams
        self.settings = settings
        self._orders: tuple[Order, ...] = ()
        """Orders that are in force."""
        self.found_on: dict[str, float] = {}
        """Day on which the secret work of each lab is found, whether it is past or not; ``inf`` if it never is."""

    @property
    def labs(self) -> tuple[str, ...]:
        """Names of all labs; of the only lab the empty name."""
        return tuple(self._labs)

    def change_settings(self, settings: RegulatorParams) -> None:
        """Measure and order by other parameters from now on. What is under way arrives as before."""
        self.settings = settings

    def request_settlement(self) -> None:
        """Let the World settle this instant, and the regulator with it."""
        self._clock.request_settlement()

    # --- Measurement -------------------------------------------------------------------------------------

    def measure(self) -> dict[str, Reading]:
        """Return a reading of each lab that has begun and not ended."""
        there = {name: lab for name, lab in self._labs.items() if lab.has_entered and not lab.has_ended}
        return {name: self._measure_lab(name, lab) for name, lab in there.items()}

    def _measure_lab(self, name: str, lab: Lab) -> Reading:
        day, params = float(self._clock.now), self.settings
        meter = Meter(params, lab.settings.disclosure)
        error = float(self._streams.get(READING_STREAM, name).normal()) if params.noise_doublings > 0 else 0.0
        return Reading(
            day,
            day + meter.days_to_arrival,
            meter.read(measured_software(lab, params.measured), error),
            lab.automation.share_automated,
            float(lab.workforce.active_researchers + lab.automation.ais),
            {str(use): lab.compute.datacenter.gpus_in_use(use) for use in Use},
        )

    # --- Orders ------------------------------------------------------------------------------------------

    def carry_out(self, orders: Sequence[Order]) -> bool:
        """Put exactly these orders into force; return whether a restriction of a lab changed."""
        self._orders = tuple(orders)
        changed = [self._restrict(name, lab) for name, lab in self._labs.items()]
        return any(changed)

    def _restrict(self, name: str, lab: Lab) -> bool:
        wanted = combine(self._orders, name)
        if wanted != Restrictions() and not lab.settings.disclosure.complies and not self._is_found(name, lab):
            wanted = Restrictions()
        return not lab.has_ended and lab.orders.restrict(wanted)

    def _is_found(self, name: str, lab: Lab) -> bool:
        """Return whether the secret work of a lab is found; it begins with the first order."""
        now = float(self._clock.now)
        if name not in self.found_on:
            workers = lab.settings.disclosure.covert_workers
            days = self._draw_days_to_discovery(name, workers) if workers else math.inf
            self.found_on[name] = now + days
            if days < math.inf:
                self._clock.after_in_background(days, partial(self._on_found, name))
        return now >= self.found_on[name]

    def _draw_days_to_discovery(self, name: str, workers: float) -> float:
        share = min(float(self._streams.get("discovery", name).random()), 1 - 1e-12)
        return time_to_discovery(max(2.0, workers)).years_at(share) * DAYS_PER_YEAR

    def _on_found(self, name: str, _: Event) -> None:
        self.found_on[name] = float(self._clock.now)
        self._restrict(name, self._labs[name])


def measured_software(lab: Lab, measured: str) -> float:
    """Return the software of a lab that a regulator measures [doublings]: published, deployed or discovered."""
    if measured == "published":
        return float(lab.published_software)
    software = lab.knowledge.software
    return float(software.deployed if measured == "deployed" else software.discovered)
