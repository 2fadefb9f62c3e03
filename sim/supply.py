"""Deliver GPUs to labs: on a schedule, by their success, and faster ones by research on hardware.

Each lab orders nodes so that its GPUs grow by a factor a year. Orders are placed in lots, and work after a delay. A
share of the orders can go to a common pot, which is divided by deployed software (revenue). New nodes are faster than
those of day 0 by a factor a year, and by research on hardware that AIs do. With the automated share f of that research
and its returns r, speed grows as A^(r f) with the number A of AI researchers that the lab runs. This is
``g_H = r_H f_H g_AI`` of Davidson, Halperin, Houlden and Korinek (NBER w35155, 2026), after a lag of fabrication.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from simpy import Event

from agents.params import DAYS_PER_YEAR
from hardware.datacenter import SHARED
from hardware.uses import Use
from sim.clock import Clock

if TYPE_CHECKING:
    from sim.lab import Lab

_ROUNDING: Final = 1e-9
"""Part of a node that is rounding."""


class LabSupply:
    """Orders and deliveries of one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        datacenter = lab.compute.datacenter
        self.gpus_at_start = float(sum(datacenter.gpus_by_use().values()))
        self.shares = {
            Use(use): gpus / self.gpus_at_start for use, gpus in datacenter.gpus_by_use().items() if gpus > 0
        }
        """Share of each use in the GPUs of day 0, by which orders are divided."""
        self.ordered = 0.0
        """GPUs ordered since day 0."""
        self._placed = dict.fromkeys(self.shares, 0)
        """GPUs of whole nodes ordered for each use."""
        self._days: list[float] = [0.0]
        self._researchers: list[float] = []

    def record_researchers(self, now: float) -> None:
        """Record the number of AIs that the lab runs, for the research on hardware."""
        lab = self.lab
        if self._researchers:
            self._days.append(now)
        ais = lab.workforce.active_researchers + lab.automation.ais
        self._researchers.append(max(float(ais), self._researchers[0] if self._researchers else 1.0))

    def speed(self, now: float) -> float:
        """Return the speed of nodes that are ordered now, relative to those of day 0."""
        params = self.lab.settings.supply
        place = max(0, bisect_right(self._days, now - params.fabrication_days) - 1)
        growth = math.log2(self._researchers[place] / self._researchers[0]) * params.returns * params.automated_share
        return float(params.speed_growth_per_year ** (now / DAYS_PER_YEAR) * 2.0**growth)

    def order(self, gpus: float, now: float) -> dict[Use, int]:
        """Order GPUs; return the number of whole nodes for each use. Parts of nodes wait for the next order."""
        params, size = self.lab.settings.supply, self.lab.settings.cluster.gpus_per_node
        free = params.most_gpus - self.gpus_at_start - sum(self._placed.values())
        self.ordered += gpus
        nodes = {}
        for use, share in self.shares.items():
            wanted = math.floor((self.ordered * share - self._placed[use]) / size + _ROUNDING)
            nodes[use] = max(0, min(wanted, math.floor(free / size)))
            self._placed[use] += nodes[use] * size
            free -= nodes[use] * size
        return nodes


class Supply:
    """Order and deliver the GPUs of all labs.

    Arguments
    ---------
    clock
        Clock of the run.
    labs
        The labs by name.
    """

    def __init__(self, clock: Clock, labs: Mapping[str, Lab]) -> None:
        self._clock = clock
        self.labs = {name: LabSupply(lab) for name, lab in labs.items() if lab.settings.supply.delivers}
        """Supply of each lab that orders GPUs."""
        for name, each in self.labs.items():
            each.record_researchers(0.0)
            clock.after_in_background(each.lab.settings.supply.lot_days, partial(self._on_order, name))

    def _on_order(self, name: str, _: Event) -> None:
        """Order the growth of one lot, of which a share goes to the pot."""
        supply, now = self.labs[name], float(self._clock.now)
        params = supply.lab.settings.supply
        if supply.lab.has_ended:
            return
        supply.record_researchers(now)
        start, end = ((now - days) / DAYS_PER_YEAR for days in (params.lot_days, 0.0))
        lot = supply.gpus_at_start * (params.growth_per_year**end - params.growth_per_year**start)
        pot = params.success_share * lot
        self._place(supply, lot - pot, now)
        if pot > 0:
            for winner, share in self._shares_by_success().items():
                self._place(self.labs[winner], pot * share, now)
        self._clock.after_in_background(params.lot_days, partial(self._on_order, name))

    def _shares_by_success(self) -> dict[str, float]:
        """Return the share of each lab in the pot: its deployed software, relative to that of all."""
        there = {
            name: each.lab.knowledge.software.deployed
            for name, each in self.labs.items()
            if each.lab.settings.supply.success_share > 0 and not each.lab.has_ended
        }
        best = max(there.values())
        weights = {name: 2.0 ** (deployed - best) for name, deployed in there.items()}
        return {name: weight / sum(weights.values()) for name, weight in weights.items()}

    def _place(self, supply: LabSupply, gpus: float, now: float) -> None:
        nodes, speed = supply.order(gpus, now), supply.speed(now)
        if not any(nodes.values()):
            return
        delay = supply.lab.settings.supply.delay_days
        if delay > 0:
            self._clock.after_in_background(delay, partial(self._on_delivery, supply.lab.name, nodes, speed))
        else:
            self._deliver(supply.lab, nodes, speed)

    def _on_delivery(self, name: str, nodes: Mapping[Use, int], speed: float, _: Event) -> None:
        self._deliver(self.labs[name].lab, nodes, speed)

    @staticmethod
    def _deliver(lab: Lab, nodes: Mapping[Use, int], speed: float) -> None:
        shared = lab.settings.cluster.partitioning == "priority"
        for use, number in nodes.items():
            if number:
                lab.add_nodes(SHARED if shared and use != Use.INFERENCE else use, number, speed)
        lab.record_delivery({str(use): number for use, number in nodes.items() if number}, speed)
