"""Describe the rules of a governance policy in words: what raises an alarm, and what an order restricts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from agents.governance_policy import Order, OrderKind
from experiments.text.number_format import format_count, format_number, pluralize
from sim.governance.actions import (
    ActionParams,
    BrakeAction,
    CopiesAction,
    ExperimentsAction,
    LicenceAction,
    ReleaseAction,
)
from sim.governance.triggers import (
    AlwaysTrigger,
    AutomationTrigger,
    ChangePointTrigger,
    ComputeTrigger,
    DoublingTrigger,
    LevelTrigger,
    PaceTrigger,
    PublishedTrigger,
    SprtTrigger,
    SumTrigger,
    TriggerParams,
)

_DETECTOR_NAMES = {
    "cusum": "CUSUM",
    "sprt": "SPRT",
    "shiryaev-roberts": "Shiryaev-Roberts",
    "change-point": "Bayesian change point",
}
_PUBLISHED = {
    "openai-critical": "OpenAI, Critical: 5 times the reference over 4 weeks, for 3 months",
    "anthropic-two-years-in-one": "Anthropic: 2 times the reference over a year",
    "davidson-three-years-in-eighteen-months": "Davidson: 2 times the reference over 18 months",
    "davidson-one-year-in-six-months": "Davidson: 2 times the reference over 6 months",
}
_ORDER_NAMES = {
    OrderKind.PAUSE_RESEARCH: "no research by AIs",
    OrderKind.PAUSE_TRAINING: "no training runs",
}


def describe_trigger(trigger: TriggerParams) -> str:
    """Describe what raises the alarm of a rule."""
    return _TRIGGER_TEXTS[type(trigger)](trigger)


def _describe_pace(trigger: PaceTrigger) -> str:
    pace = f"pace over {_days(trigger.window_days)} at least {format_number(trigger.times)} times"
    return f"{pace} {_describe_reference(trigger.reference_doubling_days)}"


def _describe_detector(trigger: SumTrigger | SprtTrigger | ChangePointTrigger) -> str:
    reference = _describe_reference(trigger.reference_doubling_days)
    return f"{_DETECTOR_NAMES[trigger.when]} detects {format_number(trigger.times)} times {reference}"


_TRIGGER_TEXTS: Mapping[type, Callable[[Any], str]] = {
    AlwaysTrigger: lambda one: f"always from day {one.from_day:,.6g} on" if one.from_day else "always",
    PaceTrigger: _describe_pace,
    LevelTrigger: lambda one: f"measured software at least {pluralize(one.doublings, 'doubling')}",
    AutomationTrigger: lambda one: f"AIs can do at least {one.share:.0%} of the tasks",
    DoublingTrigger: lambda one: f"doubling time over {_days(one.window_days)} at most {_days(one.doubling_days)}",
    ComputeTrigger: lambda one: f"{one.use} has at least {one.gpu_share:.0%} of the GPUs in use",
    SumTrigger: _describe_detector,
    SprtTrigger: _describe_detector,
    ChangePointTrigger: _describe_detector,
    PublishedTrigger: lambda one: (
        f"{_PUBLISHED[one.when]}; reference: {_describe_reference(one.reference_doubling_days)}"
    ),
}


def _describe_reference(doubling_days: float) -> str:
    if doubling_days == 0:
        return "the mean pace before"
    return f"one doubling in {_days(doubling_days)}"


def _days(days: float) -> str:
    return f"{format_count(round(days, 1))} days"


def describe_action(action: ActionParams, lasts_days: float) -> str:
    """Describe what a rule orders while its alarm is raised."""
    if action.order == "warn":
        return "warning only"
    ends = f", for {_days(lasts_days)}" if lasts_days else ""
    return f"{_describe_restriction(action)}{ends}"


def _describe_restriction(action: ActionParams) -> str:
    if isinstance(action, CopiesAction):
        return (
            f"at most {pluralize(action.copies, 'AI does', 'AIs do')} research"
            if action.copies
            else f"at most {format_number(action.copies_of_alarm)} times the AIs at the alarm"
        )
    if isinstance(action, ExperimentsAction):
        return f"experiments use at most {action.experiment_share:.0%} of their GPUs"
    if isinstance(action, LicenceAction):
        return (
            f"training on more than {format_count(action.above_gpus)} GPUs waits {_days(action.permit_days)} "
            "for a licence"
        )
    if isinstance(action, ReleaseAction):
        return f"new software waits {_days(action.release_days)}"
    if isinstance(action, BrakeAction):
        return f"fewer AIs, towards one doubling in {_days(action.target_doubling_days)}"
    return _ORDER_NAMES[OrderKind(action.order)]


def describe_end(order: Order) -> str:
    """Describe when an order in force ends, and the amount of one that is adjusted."""
    amount = f"AIs divided by {order.amount:.3g}, " if order.kind == OrderKind.BRAKE else ""
    return f"{amount}until day {order.until:,.6g}" if order.until < math.inf else f"{amount}while the alarm is raised"
