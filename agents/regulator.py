"""Measure labs at intervals, let a policy review the readings, and put its orders into force after a delay."""

from __future__ import annotations

import math
from functools import partial
from itertools import groupby
from typing import Final

import mesa
from simpy import Event

from agents.governance_policy import Alarm, GovernancePolicy, Order, Reading, Review, View, check_review
from agents.identity import AgentId
from agents.lab_agent import LabAgent
from agents.ports.bundles import RegulatorPorts

REGULATOR_NUMBER: Final = 0
"""Number of the only regulator."""
_ROUNDING: Final = 1e-9
"""Rounding error of a sum of days, within which an order has ended."""


class Regulator(LabAgent):
    """Read all labs at intervals and give orders by a policy.

    Readings and alarms change nothing in the run. Orders do, and they keep the run alive while they are in force.

    Arguments
    ---------
    model
        Model in which Mesa registers the regulator.
    ports
        The clock, and what the regulator can do to labs.
    policy
        Decides which orders are in force.
    """

    def __init__(self, model: mesa.Model, ports: RegulatorPorts, policy: GovernancePolicy) -> None:
        super().__init__(model, AgentId("", "regulator", REGULATOR_NUMBER))
        self.time, self.oversight = ports
        self.policy = policy
        self.readings: dict[str, list[Reading]] = {}
        """Readings that have arrived, by lab, in the order of their days.

        A reading is passed over if one of a later day has arrived before, as after a change to a shorter lag.
        """
        self.alarms: list[Alarm] = []
        """Warnings so far."""
        self.decided: tuple[Order, ...] = ()
        """Orders by the latest review, whether they are in force yet or not."""
        self.in_force: tuple[Order, ...] = ()
        """Orders that restrict labs now."""
        self.orders_given: list[tuple[float, tuple[Order, ...]]] = []
        """Days on which the orders in force changed, and the orders from then on."""
        self._is_reading_due = False
        self._next_reading = 0.0
        """Day of the next reading."""
        self._arrived: list[tuple[str, Reading]] = []
        """Readings that arrive in this instant."""
        self._decisions = 0
        """Number of decisions so far."""
        self._latest_effect = 0
        """Number of the latest decision that has taken effect."""
        self._taking_effect: tuple[Order, ...] | None = None
        """Orders that are in force from this instant on, by the latest decision that takes effect; None: as before."""
        self._has_order_ended = False
        """Whether an order has ended in this instant."""
        self._schedule_reading()

    @property
    def _today(self) -> float:
        return float(self.time.now)

    def change_policy(self, policy: GovernancePolicy) -> None:
        """Follow another policy from now on; it reviews all earlier readings first, and its alarms of then are its own.

        Its orders take effect as after any review.
        """
        self.policy = policy
        self.alarms, self.decided = [], ()
        known: dict[str, list[Reading]] = {}
        arrivals = [(reading.known_on, lab, reading) for lab, each in self.readings.items() for reading in each]
        arrivals.sort(key=lambda arrival: arrival[0])
        for day, together in groupby(arrivals, key=lambda arrival: arrival[0]):
            for _, lab, reading in together:
                known.setdefault(lab, []).append(reading)
            review = self._reviewed(View(day, known))
            self.alarms += review.alarms
            self.decided = review.orders
        self._decide(self.decided)

    # --- Timers ------------------------------------------------------------------------------------------

    def _schedule_reading(self) -> None:
        after = self.time.after if self.in_force or self.decided else self.time.after_in_background
        self._next_reading = self._today + self.oversight.settings.reading_days
        after(self.oversight.settings.reading_days, self._on_reading_due)

    def _on_reading_due(self, _: Event) -> None:
        self._is_reading_due = True
        self.oversight.request_settlement()

    def _keep_alive(self, orders: tuple[Order, ...]) -> None:
        """Keep the run alive up to the next reading, which may not do so if it was scheduled before these orders."""
        if orders and self._next_reading > self._today:
            self.time.after(self._next_reading - self._today, self._on_day_of_reading)

    def _on_day_of_reading(self, _: Event) -> None:
        """Do nothing: the event itself has kept the run alive."""

    def _on_arrival(self, lab: str, reading: Reading, _: Event) -> None:
        self._arrived.append((lab, reading))
        self.oversight.request_settlement()

    def _on_effect(self, number: int, orders: tuple[Order, ...], _: Event) -> None:
        """Let a decision take effect, unless a later one has, as after a change to a shorter delay of orders."""
        if number > self._latest_effect:
            self._latest_effect, self._taking_effect = number, orders
            self.oversight.request_settlement()

    def _on_end_of_order(self, _: Event) -> None:
        self._has_order_ended = True
        self.oversight.request_settlement()

    # --- End of an instant -------------------------------------------------------------------------------

    def settle(self) -> bool:
        """Read the labs if that is due, review what has arrived, and put orders into force.

        The World calls it when the labs have settled an instant. Returns whether a restriction of a lab changed.
        """
        if self._is_reading_due:
            self._is_reading_due = False
            self._read()
        if self._arrived:
            self._review()
        if self._taking_effect is None and not self._has_order_ended:
            return False
        orders = self.in_force if self._taking_effect is None else self._taking_effect
        self._taking_effect, self._has_order_ended = None, False
        return self._put_into_force(orders)

    def _read(self) -> None:
        for lab, reading in self.oversight.measure().items():
            days = reading.known_on - self._today
            if days > 0:
                self.time.after_in_background(days, partial(self._on_arrival, lab, reading))
            else:
                self._arrived.append((lab, reading))
        self._schedule_reading()

    def _review(self) -> None:
        for lab, reading in self._arrived:
            known = self.readings.setdefault(lab, [])
            if not known or reading.day > known[-1].day:
                known.append(reading)
        self._arrived.clear()
        review = self._reviewed(View(self._today, self.readings))
        self.alarms += review.alarms
        if review.orders != self.decided:
            self._decide(review.orders)

    def _reviewed(self, view: View) -> Review:
        return check_review(self.policy.review(view), self.oversight.labs)

    def _decide(self, orders: tuple[Order, ...]) -> None:
        self.decided = orders
        self._decisions += 1
        days = self.oversight.settings.order_days
        if days > 0:
            self.time.after(days, partial(self._on_effect, self._decisions, orders))
        else:
            self._latest_effect, self._taking_effect = self._decisions, orders

    def _put_into_force(self, orders: tuple[Order, ...]) -> bool:
        orders = tuple(order for order in orders if order.until > self._today + _ROUNDING)
        if orders != self.in_force:
            self.orders_given.append((self._today, orders))
            for until in {order.until for order in orders} - {order.until for order in self.in_force}:
                if until < math.inf:
                    self.time.after(until - self._today, self._on_end_of_order)
            self._keep_alive(orders)
        self.in_force = orders
        return self.oversight.carry_out(orders)
