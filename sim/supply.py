"""Deliver GPUs to labs: on a schedule, by their success, and faster ones by research on hardware.

Each lab orders nodes so that its GPUs grow by a factor a year. Orders are placed in lots, and work after a delay. A
share of the orders can go to a common pot, which is divided by deployed software (revenue). New nodes are faster than
those of day 0 by a factor a year, and by research on hardware that AIs do. With the automated share f of that research
and its returns r, speed grows as A^(r f) with the number A of AI researchers that the lab runs. This is
``g_H = r_H f_H g_AI`` of Davidson, Halperin, Houlden and Korinek (NBER w35155, 2026), after a lag of fabrication.

The schedule of orders is a growth rate: no lab states single deliveries, so that none can lie in the past.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from simpy import Event

from agents.params import DAYS_PER_YEAR
from hardware.datacenter import SHARED
from hardware.uses import Use
from sim.clock import Clock
from sim.software import LEVEL_TOLERANCE

if TYPE_CHECKING:
    from sim.lab import Lab

_ROUNDING: Final = 1e-9
"""Part of a node that is rounding."""
_MOST_PLANNED: Final = 1e12
"""Number of GPUs beyond which the plan of a lab does not grow, far above what a lab can have."""


class LabSupply:
    """Orders and deliveries of one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        gpus = lab.compute.datacenter.gpus_by_use()
        self.planned = float(sum(gpus.values()))
        """GPUs that the lab has by its growth, what it gives to the pot included and what it gains there excluded."""
        self.shares = {Use(use): number / self.planned for use, number in gpus.items() if number > 0}
        """Share of each use in the GPUs of day 0, by which orders are divided."""
        self.ordered = 0.0
        """GPUs ordered since day 0."""
        self.in_transit = 0
        """GPUs that are ordered and not delivered yet."""
        self._placed = dict.fromkeys(self.shares, 0)
        """GPUs of whole nodes ordered for each use."""
        self._days = [lab.now]
        self._researchers = [self._present_researchers() or self._researchers_at_entry()]
        """Largest number of AIs that the lab has run up to each of these days."""

    def _present_researchers(self) -> float:
        return float(self.lab.workforce.active_researchers + self.lab.automation.ais)

    def _researchers_at_entry(self) -> float:
        """Return the number of AIs with which the lab begins its research."""
        lab = self.lab
        hosted = lab.settings.scenario.hosted_at_start * 2.0**lab.automation.hosted_doublings
        return max(1.0, float(math.floor(hosted * (1 + LEVEL_TOLERANCE))))

    def record_researchers(self, now: float) -> None:
        """Record the number of AIs that the lab runs, for the research on hardware, which is never lost."""
        self._days.append(now)
        self._researchers.append(max(self._present_researchers(), self._researchers[-1]))

    def speed(self, now: float) -> float:
        """Return the speed of nodes that are ordered now, relative to those of day 0."""
        params = self.lab.settings.supply
        place = max(0, bisect_right(self._days, now - params.fabrication_days) - 1)
        by_ais = math.log2(self._researchers[place] / self._researchers[0]) * params.returns * params.automated_share
        by_others = math.log2(params.speed_growth_per_year) * now / DAYS_PER_YEAR
        return float(2.0 ** min(by_ais + by_others, math.log2(params.most_speed)))

    def next_lot(self) -> float:
        """Return the GPUs by which the lab grows in one lot, and plan them."""
        params = self.lab.settings.supply
        lot = float(self.planned * (params.growth_per_year ** (params.lot_days / DAYS_PER_YEAR) - 1))
        self.planned = min(self.planned + lot, _MOST_PLANNED)
        return min(lot, _MOST_PLANNED)

    def order(self, gpus: float, now: float) -> dict[Use, int]:
        """Order GPUs; return the number of whole nodes for each use. Parts of nodes wait for the next order."""
        params, size = self.lab.settings.supply, self.lab.settings.cluster.gpus_per_node
        free = params.most_gpus - self.lab.compute.datacenter.capacity - self.in_transit
        self.ordered += gpus
        nodes = {}
        for use, share in self.shares.items():
            wanted = math.floor((self.ordered * share - self._placed[use]) / size + _ROUNDING)
            nodes[use] = max(0, min(wanted, free // size))
            self._placed[use] += nodes[use] * size
            free -= nodes[use] * size
        self.in_transit += sum(nodes.values()) * size
        return nodes


class Supply:
    """Order and deliver the GPUs of all labs.

    Arguments
    ---------
    clock
        Clock of the run.
    labs
        The labs by name.
    heir
        Function that returns the lab that has the GPUs of a lab now, None if that has closed.
    """

    def __init__(self, clock: Clock, labs: Mapping[str, Lab], heir: Callable[[str], Lab | None]) -> None:
        self._clock = clock
        self._labs = labs
        self._heir = heir
        self.labs: dict[str, LabSupply] = {}
        """Supply of each lab that orders GPUs."""
        self.apply_settings()

    def apply_settings(self) -> None:
        """Let labs order GPUs by their present parameters; a lab orders from its first growth on."""
        for name, lab in self._labs.items():
            if name not in self.labs and lab.settings.supply.delivers:
                self.labs[name] = LabSupply(lab)
                self._schedule_order(name)

    def _schedule_order(self, name: str) -> None:
        days = self.labs[name].lab.settings.supply.lot_days
        self._clock.after_in_background(days, partial(self._on_order, name))

    def _on_order(self, name: str, _: Event) -> None:
        """Order the growth of one lot, of which a share goes to the pot."""
        supply, now = self.labs[name], float(self._clock.now)
        if supply.lab.has_ended:
            return
        supply.record_researchers(now)
        lot = supply.next_lot()
        pot = supply.lab.settings.supply.success_share * lot
        self._place(supply, lot - pot, now)
        if pot > 0:
            for winner, share in self._shares_by_success(name).items():
                self._place(self.labs[winner], pot * share, now)
        self._schedule_order(name)

    def _shares_by_success(self, name: str) -> dict[str, float]:
        """Return the share of each lab in the pot: its deployed software, relative to that of all.

        Before any lab has entered, the lab that gives to the pot has it.
        """
        there = {
            other: each.lab.knowledge.software.deployed
            for other, each in self.labs.items()
            if each.lab.settings.supply.success_share > 0 and each.lab.has_entered and not each.lab.has_ended
        }
        if not there:
            return {name: 1.0}
        best = max(there.values())
        weights = {other: 2.0 ** (deployed - best) for other, deployed in there.items()}
        return {other: weight / sum(weights.values()) for other, weight in weights.items()}

    def _place(self, supply: LabSupply, gpus: float, now: float) -> None:
        nodes, speed = supply.order(gpus, now), supply.speed(now)
        if not any(nodes.values()):
            return
        delay = supply.lab.settings.supply.delay_days
        if delay > 0:
            self._clock.after_in_background(delay, partial(self._on_delivery, supply.lab.name, nodes, speed))
        else:
            self._deliver(supply, nodes, speed)

    def _on_delivery(self, name: str, nodes: Mapping[Use, int], speed: float, _: Event) -> None:
        self._deliver(self.labs[name], nodes, speed)

    def _deliver(self, supply: LabSupply, nodes: Mapping[Use, int], speed: float) -> None:
        """Deliver nodes to the lab that ordered them, or that has its GPUs now."""
        supply.in_transit -= sum(nodes.values()) * supply.lab.settings.cluster.gpus_per_node
        lab = self._heir(supply.lab.name)
        if lab is None:
            return
        shared = lab.settings.cluster.partitioning == "priority"
        for use, number in nodes.items():
            if number:
                lab.add_nodes(SHARED if shared and use != Use.INFERENCE else use, number, speed)
        lab.record_delivery({str(use): number for use, number in nodes.items() if number}, speed)
