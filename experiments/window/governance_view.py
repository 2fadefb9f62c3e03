"""Describe the regulator of a World at one time: its policy, the state of each rule, and the thresholds on the pace."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from agents.governance_policy import Order
from experiments.window.governance_text import describe_action, describe_end, describe_trigger
from experiments.window.shown_lab import ShownLab
from sim.governance.actions import BrakeAction
from sim.governance.published_rules import PUBLISHED_RULES
from sim.governance.rule_policy import Rule, RulePolicy
from sim.governance.triggers import PaceTrigger, PublishedTrigger

if TYPE_CHECKING:
    from agents.regulator import Regulator

Secrecy = Literal["complies", "works in secret", "found"]
RuleState = Literal["off", "quiet", "alarm", "ordered", "in force", "not followed"]
"""State of a rule. `off`: switched off. `alarm`: without an order. `ordered`: the order has not taken effect. `not
followed`: the lab does not follow the order."""


class PaceThreshold(NamedTuple):
    """A threshold on the pace of software, as a multiple of a reference."""

    rule: str
    """Name of the rule."""
    times: float
    """Multiple of the reference."""
    reference_per_day: float
    """Pace of the reference [doublings/day]; 0 for the mean pace before the window."""
    window_days: float
    """Length of the window [days]; 0 for the time between two readings."""
    is_target: bool
    """Whether a brake holds the pace at the threshold, which raises no alarm."""


class RuleView(NamedTuple):
    """A rule of the policy for the shown lab."""

    name: str
    trigger: str
    """What raises the alarm, in words."""
    action: str
    """What the rule orders, in words."""
    state: RuleState
    ends: str
    """When the order ends, in words; empty without an order in force."""


class GovernanceView(NamedTuple):
    """The regulator of a World at one time."""

    policy: str
    """Name of the policy; `none` if the regulator has none any more."""
    rules: tuple[RuleView, ...]
    thresholds: tuple[PaceThreshold, ...]
    """Thresholds on the pace that the rules have."""
    alarms: int
    """Number of alarms of the shown lab so far."""
    share_automated: float | None
    """Share of the tasks of research that AIs can do by the latest reading; None without a reading."""
    secrecy: Secrecy
    """Whether the shown lab follows orders, and whether its secret work is found."""


def governance_of(shown: ShownLab) -> GovernanceView | None:
    """Return the regulator of a World for a lab; None without one."""
    regulator = shown.world.regulator
    if regulator is None:
        return None
    policy = regulator.policy
    rules, followed = (policy.rules, policy.followed) if isinstance(policy, RulePolicy) else ((), ())
    readings = regulator.readings.get(shown.name, ())
    return GovernanceView(
        policy=shown.world.scenario.regulator.policy,
        rules=tuple(_rule_view(rule, regulator, shown) for rule in rules),
        thresholds=tuple(each for rule in followed for each in pace_thresholds(rule)),
        alarms=sum(alarm.lab == shown.name for alarm in regulator.alarms),
        share_automated=readings[-1].share_automated if readings else None,
        secrecy=_secrecy_of(shown),
    )


def _rule_view(rule: Rule, regulator: Regulator, shown: ShownLab) -> RuleView:
    in_force = _order_of(rule, regulator.in_force, shown.name)
    decided = _order_of(rule, regulator.decided, shown.name)
    state: RuleState = "quiet"
    if rule.name in shown.world.scenario.regulator.off:
        state = "off"
    elif in_force is not None:
        state = "not followed" if _secrecy_of(shown) == "works in secret" else "in force"
    elif decided is not None and decided.until > shown.now:
        state = "ordered"
    elif isinstance(regulator.policy, RulePolicy) and any(
        until > shown.now and name == rule.name and (lab == shown.name or rule.watches == "any")
        for (name, lab), until in regulator.policy.raised.items()
    ):
        state = "alarm"
    return RuleView(
        rule.name,
        describe_trigger(rule.trigger),
        describe_action(rule.action, rule.lasts_days),
        state,
        describe_end(in_force) if in_force is not None and state != "off" else "",
    )


def _order_of(rule: Rule, orders: tuple[Order, ...], lab: str) -> Order | None:
    """Return the order of a rule that applies to a lab and ends last; None if there is none."""
    own = [order for order in orders if order.rule == rule.name and (not order.labs or lab in order.labs)]
    return max(own, key=lambda order: order.until, default=None)


def pace_thresholds(rule: Rule) -> list[PaceThreshold]:
    """Return the thresholds on the pace that a rule has."""
    found = []
    trigger, action = rule.trigger, rule.action
    if isinstance(trigger, PaceTrigger):
        days = trigger.reference_doubling_days
        found.append(PaceThreshold(rule.name, trigger.times, 1 / days if days > 0 else 0.0, trigger.window_days, False))
    elif isinstance(trigger, PublishedTrigger):
        window = PUBLISHED_RULES[trigger.when](1 / trigger.reference_doubling_days)
        found.append(PaceThreshold(rule.name, window.threshold, window.reference_pace, window.window_days, False))
    if isinstance(action, BrakeAction):
        found.append(PaceThreshold(rule.name, 1.0, 1 / action.target_doubling_days, 0.0, True))
    return found


def _secrecy_of(shown: ShownLab) -> Secrecy:
    if shown.lab.settings.disclosure.complies:
        return "complies"
    found_on = shown.world.oversight.found_on.get(shown.name, math.inf)
    return "found" if found_on <= shown.now else "works in secret"
