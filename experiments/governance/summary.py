"""Describe in a sentence what the regulator of a run did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.governance.orders_in_force import restricted_spans
from experiments.text.number_format import format_number, pluralize

if TYPE_CHECKING:
    from sim.runner import RunResult


def governance_sentence(result: RunResult) -> str:
    """Return a sentence on the alarms and orders of a run; empty without a regulator."""
    if result.governance is None:
        return ""
    alarms, spans = result.governance.alarms, restricted_spans(result)
    warned = "no alarm"
    if alarms:
        first = alarms[0]
        warned = f"{pluralize(len(alarms), 'alarm')}, the first on day {format_number(first.day)} by {first.rule}"
    ordered = "no orders"
    if spans:
        days = sum(end - start for start, end in spans)
        ordered = f"orders for {pluralize(round(days, 1), 'day')}, from day {format_number(spans[0][0])} on"
    return f"The regulator ({result.scenario.regulator.policy}): {warned}; {ordered}."


def governance_content(result: RunResult) -> dict[str, Any]:
    """Return the alarms of a run and the days under orders, for a file; empty without a regulator."""
    if result.governance is None:
        return {}
    return {
        "sentence": governance_sentence(result),
        "alarms": [alarm._asdict() for alarm in result.governance.alarms],
        "restricted": restricted_spans(result),
        "found_on": dict(result.governance.found_on),
    }
