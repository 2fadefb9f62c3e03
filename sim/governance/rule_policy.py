"""Follow the named rules of a governance policy: triggers raise alarms, and actions give orders while they last."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from agents.governance_policy import Alarm, GovernancePolicy, Order, OrderKind, Reading, Review, View
from sim.governance.actions import ActionParams, BrakeAction
from sim.governance.pace_brakes import PaceBrake
from sim.governance.triggers import DoublingTrigger, PaceTrigger, TriggerParams, Watch, pace


class Rule(NamedTuple):
    """A named rule of a governance policy."""

    name: str
    trigger: TriggerParams
    action: ActionParams
    lasts_days: float = 0.0
    """Time for which an order stays in force after an alarm [days]; 0: as long as the alarm is raised."""
    labs: tuple[str, ...] = ()
    """Labs to which its orders apply; empty for all."""
    watches: str = "any"
    """Labs whose readings raise the alarm: `any` of them, for all; or `each` for itself."""

    @property
    def days_of_readings(self) -> dict[str, float]:
        """Times that readings must cover before the rule can act [days], by the key that states them."""
        found = {}
        if isinstance(self.trigger, DoublingTrigger):
            found["window_days"] = self.trigger.window_days
        if isinstance(self.trigger, PaceTrigger) and self.trigger.reference_doubling_days == 0:
            found["window_days"] = self.trigger.window_days
        if isinstance(self.action, BrakeAction):
            found["pace_days"] = self.action.pace_days
        return found


class _Standing(NamedTuple):
    """An alarm that is raised, or an order that lasts."""

    order: Order | None
    until: float
    """Day on which the order ends; ``inf``: with the alarm."""


class RulePolicy(GovernancePolicy):
    """Give the orders of all rules whose alarm is raised.

    Arguments
    ---------
    rules
        The rules; their order does not matter, because the most restrictive order of a kind counts.
    times
        Pace that replaces that of each pace rule; 0: their own.
    off
        Names of rules that are switched off.
    """

    def __init__(self, rules: Sequence[Rule], times: float = 0.0, off: Collection[str] = ()) -> None:
        self.rules = tuple(_with_times(rule, times) for rule in rules)
        """All rules, with the pace that they are followed with."""
        self.followed = tuple(rule for rule in self.rules if rule.name not in off)
        """The rules that are not switched off."""
        self._standing: dict[tuple[str, str], _Standing] = {}
        """Alarms by rule and lab."""
        self._watches: dict[tuple[str, str], Watch] = {}
        """Triggers at work, by rule and lab."""
        self._brakes: dict[tuple[str, str], PaceBrake] = {}
        """Controllers of the rules that brake, by rule and lab."""
        self._seen: dict[str, int] = {}
        """Number of readings of each lab that were reviewed."""

    @property
    def raised(self) -> dict[tuple[str, str], float]:
        """Day on which each raised alarm ends, by rule and lab; ``inf``: when the readings end it."""
        return {key: each.until for key, each in self._standing.items()}

    def review(self, view: View) -> Review:
        """Return the orders of all rules whose alarm is raised, and new alarms."""
        alarms: list[Alarm] = []
        for lab, readings in view.readings.items():
            for number in range(self._seen.get(lab, 0) + 1, len(readings) + 1):
                known = readings if number == len(readings) else readings[:number]  # a copy costs time in long runs
                for rule in self.followed:
                    alarms += self._watch(rule, lab, known)
            self._seen[lab] = len(readings)
        orders = {each.order: None for each in self._standing.values() if each.order and each.until > view.day}
        orders = {order: None for order in orders if order.kind != OrderKind.BRAKE or order.amount > 1}
        return Review(tuple(orders), tuple(alarms))

    def _watch(self, rule: Rule, lab: str, readings: Sequence[Reading]) -> list[Alarm]:
        """Update the alarm of a rule by the latest reading of a lab; return it if it is new."""
        key, latest = (rule.name, lab), readings[-1]
        if key not in self._watches:
            self._watches[key] = rule.trigger.watch()
        is_raised = self._watches[key](readings)
        before = self._standing.get(key)
        if before is not None and rule.lasts_days > 0 and latest.known_on < before.until:
            return []
        if not is_raised:
            self._standing.pop(key, None)
            return []
        if before is not None and rule.lasts_days == 0:
            self._standing[key] = _Standing(self._adjusted(rule, lab, before.order, readings), before.until)
            return []
        order = rule.action.give(rule.name, latest)
        until = latest.known_on + rule.lasts_days if rule.lasts_days > 0 else math.inf
        if order is not None:
            restricted = (lab,) if rule.watches == "each" else rule.labs
            order = order._replace(labs=restricted, until=until)
        self._standing[key] = _Standing(order, until)
        return [Alarm(latest.known_on, rule.name, lab, _sentence(rule, latest))]

    def _adjusted(self, rule: Rule, lab: str, order: Order | None, readings: Sequence[Reading]) -> Order | None:
        """Return an order that stands, with the barrier by the latest reading of a lab if the rule brakes."""
        if order is None or not isinstance(rule.action, BrakeAction):
            return order
        brake = self._brakes.setdefault((rule.name, lab), rule.action.brake())
        latest, rate = readings[-1], _pace_for(rule.action, readings)
        return order if math.isnan(rate) else order._replace(amount=brake.update(latest.day, rate))


def _pace_for(action: BrakeAction, readings: Sequence[Reading]) -> float:
    """Return the pace to which a brake reacts [doublings per day]; ``nan`` if readings do not cover its time."""
    if action.pace_days > 0:
        return pace(readings, action.pace_days)
    before, latest = readings[-2:]
    days = latest.day - before.day
    return (latest.doublings - before.doublings) / days if days > 0 else math.nan


def _with_times(rule: Rule, times: float) -> Rule:
    if times == 0 or not isinstance(rule.trigger, PaceTrigger):
        return rule
    return rule._replace(trigger=rule.trigger.model_copy(update={"times": times}))


def _sentence(rule: Rule, latest: Reading) -> str:
    """Describe an alarm."""
    text = f"{rule.name}: software of day {latest.day:,.6g} is at {latest.doublings:.3g} doublings"
    return f"{text}; order: {rule.action.order}." if rule.action.order != "warn" else f"{text}; warning only."
