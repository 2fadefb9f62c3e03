"""Find the days on which orders of a regulator restrict a lab, and the alarms that are warnings, in finished runs."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sim.events import RestrictionsChanged
from sim.governance.policy_files import PolicyFile
from sim.governance.restrictions import Restrictions
from sim.governance.triggers import AlwaysTrigger
from sim.runner import RunResult

Span = tuple[float, float]
"""First and last day of a time."""


def restricted_spans(result: RunResult) -> list[Span]:
    """Return the first and last day of each time in which orders restricted a lab."""
    spans: list[Span] = []
    start = math.nan
    for event in result.events:
        if not isinstance(event, RestrictionsChanged):
            continue
        # The event has the fields of the restrictions between its day and its lab; the names of rules restrict nothing.
        is_restricted = Restrictions(*event[1:-1])._replace(rules="") != Restrictions()
        if is_restricted and math.isnan(start):
            start = event.day
        elif not is_restricted and not math.isnan(start):
            spans.append((start, event.day))
            start = math.nan
    return spans if math.isnan(start) else [*spans, (start, result.day)]


def restricted_spans_of_any(results: Iterable[RunResult]) -> tuple[Span, ...]:
    """Return the times in which orders restricted any of the labs; they do not overlap."""
    found: list[Span] = []
    for start, end in sorted(span for result in results for span in restricted_spans(result)):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def days_in(spans: Iterable[Span]) -> float:
    """Return the total length of times that do not overlap [days]."""
    return math.fsum(end - start for start, end in spans)


def rules_without_warnings(policy: PolicyFile) -> frozenset[str]:
    """Return the rules whose alarms are not warnings, because they are raised whatever is measured."""
    return frozenset(rule.name for rule in policy.rules if isinstance(rule.trigger, AlwaysTrigger))
