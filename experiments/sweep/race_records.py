"""Define the record of one run of several labs in a sweep: a row of the race, a row for each lab, and a series."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from experiments.design.planned_run import PlannedRun
from experiments.governance.orders_in_force import restricted_spans_of_any
from experiments.race.levels import is_shared, lowest_level
from experiments.race.seed_runs import (
    TIE_DAYS,
    RaceOutcome,
    first_labs,
    is_cut_short,
    lead_days,
    majority_lab,
    race_outcome,
    software_shares,
    sum_to_one,
)
from experiments.sweep.records import (
    GOVERNANCE,
    OUTCOMES,
    add_margins,
    finite_or_none,
    governance_columns,
    parameter_fields,
    planned_row,
    run_schema,
    series_schema,
    warnings_of,
    why_not_governed,
    world_run,
)
from sim.margins import cached_margins
from sim.race import RaceResult, concentration, gpus_over_time
from sim.scenario.labs import split_name
from sim.scenario.model import ScenarioError, parameters

if TYPE_CHECKING:
    from sim.scenario.model import Scenario

RACE: Final = {
    "level": pa.float64(),
    "decided_day": pa.float64(),
    "first_lab": pa.string(),
    "lead_days": pa.float64(),
    "majority_lab": pa.string(),
    "herfindahl_software": pa.float64(),
    "herfindahl_gpus": pa.float64(),
    "ended_early": pa.bool_(),
}
"""Columns that the table of runs has for several labs, besides those of one lab."""
LAB_RESULTS: Final = {
    "place": pa.int64(),
    "level_day": pa.float64(),
    "software_at_decision": pa.float64(),
    "software_share": pa.float64(),
    "gpus_at_decision": pa.float64(),
    "gpu_share": pa.float64(),
    "gpus_at_end": pa.float64(),
    "ended_day": pa.float64(),
}
"""Columns that the table of labs has of the race, besides the outcomes of a lab."""
LAB_OUTCOMES: Final = (*LAB_RESULTS, *OUTCOMES)
"""Columns of the table of labs that are not the run, the lab or a parameter."""


def race_run_schema(own: Iterable[str]) -> pa.Schema:
    """Return the columns of the table of runs for several labs. ``own``: parameters of one lab, as ``LAB.name``."""
    fields = parameter_fields()
    return pa.schema([*run_schema(), *({name: fields[split_name(name)[1]] for name in own} | RACE).items()])


def lab_schema() -> pa.Schema:
    """Return the columns of the table of labs, a row a run and lab: the lab, its parameters, and its outcomes."""
    return pa.schema({"run": pa.int64(), "lab": pa.string()} | parameter_fields() | LAB_RESULTS | dict(OUTCOMES))


def race_series_schema() -> pa.Schema:
    """Return the columns of the table of series for several labs: a row a lab and frame."""
    return pa.schema([*series_schema(), ("lab", pa.string())])


def check_start(scenario: Scenario, level: float) -> None:
    """Refuse a run in which a lab begins at the level that decides. Raises ScenarioError."""
    if (lowest := lowest_level(scenario)) >= level:
        raise ScenarioError(
            f"entry__software_doublings = {lowest:g} is not below the level of the race; allowed: below {level:g}. "
            "Lower it, or raise level in the design"
        )


def race_run(
    planned: PlannedRun, scenario: Scenario, result: RaceResult, level: float
) -> tuple[dict[str, Any], dict[str, list[Any]], list[dict[str, Any]]]:
    """Return the row of a run of several labs, the downsampled series of the labs, and their rows."""
    outcome = race_outcome(result, (level,))
    warned = [] if result.governance is None else warnings_of(scenario, result.governance)
    found = {
        lab: world_run(planned, each.scenario, each, [alarm for alarm in warned if alarm.lab == lab])
        for lab, each in result.labs.items()
    }
    of_labs = result.labs.values()
    limits = cached_margins([each.scenario for each in of_labs], [len(each.doublings) for each in of_labs])
    complete = {lab: add_margins(found[lab][0], limit) for lab, limit in zip(found, limits, strict=True)}
    software, gpus = software_shares(outcome), sum_to_one(outcome.gpus)
    row = planned_row(planned, values_of_labs(scenario), "world", "ok", "") | {
        "ending": result.ending,
        "day": result.day,
        "level": level,
        "decided_day": outcome.decided,
        "ended_early": is_shared(scenario) and is_cut_short(outcome),
        "majority_lab": majority_lab(software),
        "herfindahl_software": float(concentration(list(software.values()))),
        "herfindahl_gpus": float(concentration(list(gpus.values()))),
    }
    first, lead = first_labs(outcome, -1), lead_days(outcome, -1)
    row |= {"first_lab": first[0] if len(first) == 1 else None, "lead_days": finite_or_none(lead)}
    if result.governance is not None:
        row |= governance_columns(warned, restricted_spans_of_any(result.labs.values()))
    row["why_empty"] = _explain_empty(row, first, lead)
    series: dict[str, list[Any]] = {}
    for lab, (_, columns) in found.items():
        for name, values in (columns | {"lab": [lab] * len(columns["day"])}).items():
            series.setdefault(name, []).extend(values)
    own = dict(scenario.overrides)
    rows = [
        {name: own.get(f"{lab}.{name}", of_lab[name]) for name in ("run", *parameters(), *OUTCOMES)}
        | {"lab": lab, "software_share": software[lab], "gpu_share": gpus[lab]}
        | _results_of_lab(lab, outcome, result)
        for lab, of_lab in complete.items()
    ]
    return row, series, rows


def values_of_labs(scenario: Scenario) -> dict[str, Any]:
    """Return the parameters by flat name; of several labs also those of each lab as ``LAB.name``."""
    values = scenario.flat()
    if len(scenario.labs) > 1:
        for lab in scenario.labs:
            values |= {f"{lab}.{name}": value for name, value in scenario.lab_scenario(lab).flat().items()}
        values |= dict(scenario.overrides)
    return values


def _results_of_lab(lab: str, outcome: RaceOutcome, result: RaceResult) -> dict[str, Any]:
    days = {name: each[-1] for name, each in outcome.level_days.items()}
    place = 1 + sum(day < days[lab] - TIE_DAYS for day in days.values())
    return {
        "place": place if math.isfinite(days[lab]) else None,
        "level_day": finite_or_none(days[lab]),
        "software_at_decision": outcome.software[lab],
        "gpus_at_decision": outcome.gpus[lab],
        "gpus_at_end": float(gpus_over_time(result.labs[lab])[-1]),
        "ended_day": finite_or_none(outcome.ended[lab]),
    }


def _explain_empty(row: Mapping[str, Any], first: list[str], lead: float) -> str:
    """Return the reason for each empty outcome of a race."""
    reasons = {"all other outcomes": "they are of one lab, and are in the table labs"}
    if not first:
        reasons["first_lab, lead_days"] = "no lab reaches the level"
    elif len(first) > 1:
        reasons["first_lab"] = f"{' and '.join(first)} reach the level together"
    if lead == math.inf:
        reasons["lead_days"] = "no second lab reaches the level"
    if row["majority_lab"] is None:
        reasons["majority_lab"] = "no lab has more than half of the software"
    if ungoverned := [name for name in GOVERNANCE if row[name] is None]:
        reasons[", ".join(ungoverned)] = why_not_governed(row)
    return "; ".join(f"{names}: {reason}" for names, reason in reversed(reasons.items()))
