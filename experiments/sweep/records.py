"""Define the record of one run of a sweep: a row of plain values, a downsampled series, and their table schemas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from experiments.design.planned_run import PlannedRun
from experiments.gains import RunEnding, day_of_gain, explain_unreached_gain
from experiments.governance.orders_in_force import Span, days_in, restricted_spans, rules_without_warnings
from hardware.uses import Use
from sim.governance.params import NO_POLICY
from sim.margins import INPUTS, Margins
from sim.scenario.model import Parameter, parameters

if TYPE_CHECKING:
    from agents.governance_policy import Alarm
    from sim.fluid.api import FluidTable
    from sim.governance.record import GovernanceRecord
    from sim.long_run import LongRun
    from sim.pace import Pace
    from sim.runner import RunResult
    from sim.scenario.model import Scenario

MAX_FRAMES: Final = 64
"""Maximum number of frames that are kept of a run's series, the first and the last among them."""
TIME_SHARES: Final = ("researchers", "experiments", "paused")
THRESHOLDS: Final = (10, 100, 1000, 1_000_000)
"""Multiples of the software of day 0; the first day of each is a column."""
OBSERVED: Final = (
    "day",
    "discovered",
    "deployed",
    "researchers",
    "papers",
    "duplicates",
    *(f"gpus_{use}" for use in Use),
    "experiments_waiting",
    "work_rate",
)
"""Columns of a series: the reporters of sim.reporters with these names."""
GOVERNANCE: Final = ("first_warning_day", "warnings", "days_under_orders")
"""Columns on the regulator of a run: day of the first warning, number of warnings, and days under orders."""
ADDED_COLUMNS: Final = ("asara_day", "share_automated", "elasticity_humans", *GOVERNANCE)
"""Columns of the table of runs that earlier files of the same format lack; there they are null."""

_PLAN: Final = {name: pa.int64() for name in ("run", "point", "lever", "replication", "seed")}
_STATE: Final = {"engine": pa.string(), "status": pa.string(), "message": pa.string()}
OUTCOMES: Final[Mapping[str, pa.DataType]] = {
    **dict.fromkeys(("ending", "long_run", "pace"), pa.string()),
    **dict.fromkeys(("long_run_ratio", "fastest_doubling"), pa.float64()),
    **dict.fromkeys(("ratio", "ratio_low", "ratio_high", "r_implied", "day", "software_doublings"), pa.float64()),
    **dict.fromkeys(("deployed_doublings", "researchers", "papers", "duplicate_share"), pa.float64()),
    "doubling_days": pa.list_(pa.float64()),
    **{f"days_to_{multiple}x": pa.float64() for multiple in THRESHOLDS},
    "why_empty": pa.string(),
    **{f"gpus_in_use_{use}": pa.float64() for use in Use},
    "mean_wait_days": pa.float64(),
    "limited_by": pa.string(),
    **{f"elasticity_{name}": pa.float64() for name in INPUTS},
    "day_by_equations": pa.float64(),
    "day_without_training": pa.float64(),
    **{f"share_{part}": pa.float64() for part in TIME_SHARES},
    **dict.fromkeys(ADDED_COLUMNS, pa.float64()),
}
"""Columns of the outcomes of one lab."""


class RunRecord(NamedTuple):
    """A finished run, with or without a result."""

    row: dict[str, Any]
    series: dict[str, list[float | None]]
    seconds: float
    """Wall time of the run in its worker [s]."""
    labs: Sequence[dict[str, Any]] = ()
    """A row for each lab, if the run has several."""


def run_schema() -> pa.Schema:
    """Return the columns of the table of runs: the plan, every parameter by its flat name, and the outcomes."""
    return pa.schema(_PLAN | parameter_fields() | _STATE | dict(OUTCOMES))


def parameter_fields() -> dict[str, pa.DataType]:
    """Return the type of each parameter by its flat name."""
    return {name: _arrow_type(parameter) for name, parameter in parameters().items()}


def series_schema() -> pa.Schema:
    """Return the columns of the table of series: a row a frame; null if the engine has no such number."""
    return pa.schema({"run": pa.int64()} | {name: pa.float64() for name in OBSERVED})


def timing_schema() -> pa.Schema:
    """Return the columns of the table of wall times, a separate table because they differ between machines."""
    return pa.schema({"run": pa.int64(), "seconds": pa.float64()})


def _arrow_type(parameter: Parameter) -> pa.DataType:
    if parameter.annotation is bool:
        return pa.bool_()
    return {int: pa.int64(), float: pa.float64()}.get(parameter.annotation, pa.string())


def planned_row(
    planned: PlannedRun, values: Mapping[str, Any], engine: str, status: str, message: str
) -> dict[str, Any]:
    """Return a row without outcomes. ``values``: every parameter by its flat name."""
    row: dict[str, Any] = dict.fromkeys(run_schema().names)
    row |= {name: getattr(planned, name) for name in _PLAN} | dict(values)
    return row | {"engine": engine, "status": status, "message": message}


def world_run(
    planned: PlannedRun, scenario: Scenario, result: RunResult, warnings: Sequence[Alarm] | None = None
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return the row and the downsampled series of a run of the World; :func:`add_margins` completes the row.

    ``warnings``: those of one of several labs; by default those of the run.
    """
    marks = [doubling.day for doubling in result.doublings]
    waited = result.cluster["experiment"]
    row = planned_row(planned, scenario.flat(), "world", "ok", "") | {
        "ending": result.ending,
        "day": result.day,
        "software_doublings": result.software_doublings,
        "deployed_doublings": result.deployed_doublings,
        "researchers": float(result.researchers),
        "papers": float(result.papers),
        "duplicate_share": result.duplicate_share,
        "mean_wait_days": waited.mean_wait_days,
        "doubling_days": marks,
    }
    row |= _dynamics_columns(result.pace, result.long_run) | _gain_columns(marks)
    row |= {f"gpus_in_use_{use}": result.cluster[use].utilisation for use in Use}
    row |= {f"share_{part}": result.time_shares[part] for part in TIME_SHARES}
    road = result.road  # None if AIs do all research from day 0 on
    row |= {"asara_day": 0.0 if road is None else road.asara_day}
    row |= {"share_automated": 1.0 if road is None else road.share_automated}
    if result.governance is not None:
        warned = warnings_of(scenario, result.governance) if warnings is None else warnings
        row |= governance_columns(warned, restricted_spans(result))
    return row, _downsample(result.series)


def warnings_of(scenario: Scenario, record: GovernanceRecord) -> list[Alarm]:
    """Return the warnings of a run: the alarms of rules with a condition."""
    policy = scenario.governance()
    without = rules_without_warnings(policy) if policy is not None else frozenset[str]()
    return [alarm for alarm in record.alarms if alarm.rule not in without]


def governance_columns(warnings: Sequence[Alarm], restricted: Iterable[Span]) -> dict[str, Any]:
    """Return the columns on the regulator. ``restricted``: times in which orders restricted a lab."""
    first = min((each.day for each in warnings), default=None)
    return dict(zip(GOVERNANCE, (first, float(len(warnings)), days_in(restricted)), strict=True))


def fluid_run(
    planned: PlannedRun, scenario: Scenario, table: FluidTable, at: int, binding: Margins
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return the row of a fluid run, and a series with the values at each doubling."""
    count = int(table.doublings[at])
    marks = table.doubling_day[at, :count].tolist()
    row = planned_row(planned, scenario.flat(), "fluid", "ok", "") | {
        "ending": table.ending[at],
        "doubling_days": marks,
    }
    numbers = ("day", "software_doublings", "deployed_doublings", "researchers", "papers", "duplicate_share")
    row |= {name: float(getattr(table, name)[at]) for name in (*numbers, "mean_wait_days")}
    row |= _dynamics_columns(table.pace[at], table.long_run[at]) | _gain_columns(marks)
    row |= {f"gpus_in_use_{use}": float(table.utilisation[use][at]) for use in Use}
    row |= {f"share_{part}": float(table.time_shares[part][at]) for part in TIME_SHARES}
    row |= {name: float(getattr(table, name)[at]) for name in ("asara_day", "share_automated")}
    series: dict[str, list[Any]] = {name: [None] * count for name in OBSERVED}
    series |= {"day": marks, "discovered": [float(n + 1) for n in range(count)]}
    series["researchers"] = table.doubling_researchers[at, :count].tolist()
    return add_margins(row, binding), _downsample(series)


def add_margins(row: Mapping[str, Any], found: Margins) -> dict[str, Any]:
    """Return a complete row: with what limits progress at the margin, and with the reasons for empty outcomes."""
    complete = {**row} | {f"elasticity_{name}": found.elasticities.get(name) for name in INPUTS}
    complete |= {"day_by_equations": found.day, "day_without_training": found.day_without_training}
    return _explain_empty(_replace_non_finite(complete | {"limited_by": found.limited_by}))


def _dynamics_columns(pace: Pace, long_run: LongRun) -> dict[str, Any]:
    """Return the columns on the growth over the last part of the run, and on its long run."""
    return {
        "pace": pace.name,
        "ratio": pace.ratio,
        "ratio_low": pace.low,
        "ratio_high": pace.high,
        "r_implied": pace.r_implied,
        "long_run": long_run.kind,
        "long_run_ratio": long_run.ratio,
        "fastest_doubling": long_run.fastest_doubling,
    }


def _gain_columns(marks: Sequence[float]) -> dict[str, float | None]:
    """Return the days on which software first reached each multiple of that of day 0."""
    return {f"days_to_{multiple}x": day_of_gain(multiple, marks) for multiple in THRESHOLDS}


def _explain_empty(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with the reason for each empty outcome in the column ``why_empty``."""
    reasons: dict[str, list[str]] = {}
    for multiple in THRESHOLDS:
        if row[f"days_to_{multiple}x"] is None:
            reason = explain_unreached_gain(multiple, RunEnding.of_row(row))
            reasons.setdefault(reason, []).append(f"days_to_{multiple}x")
    for name in OUTCOMES:
        if row[name] is None and not name.startswith("days_to_") and name != "why_empty":
            reasons.setdefault(_why_no_number(name, row), []).append(name)
    text = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
    return row | {"why_empty": text or None}


_REASONS: Final = {"fastest_doubling": "no growth limit", "long_run_ratio": "no constant ratio in the long run"}
"""Reason for an empty outcome that has only one."""


def _why_unused(name: str, row: Mapping[str, Any]) -> str:
    """Return why an input or a regulator is not used, and its outcome is therefore empty; empty if it is used."""
    if name in GOVERNANCE:
        return why_not_governed(row)
    if name == "day_without_training" and not row["training__required"]:
        return "no training runs"
    return "no humans" if name == "elasticity_humans" and not row["humans__initial"] else ""


def why_not_governed(row: Mapping[str, Any]) -> str:
    """Return why a column on the regulator is empty."""
    return "no regulator" if row["regulator__policy"] == NO_POLICY else "no warning"


def _why_no_number(name: str, row: Mapping[str, Any]) -> str:
    if name in _REASONS:
        return _REASONS[name]
    if name == "asara_day":
        return f"AIs can do {row['share_automated']:.0%} of the tasks at the end"
    if reason := _why_unused(name, row):
        return reason
    if name.startswith(("elasticity_", "day_")):
        return "not given by the equations"
    if name == "r_implied" and row["ratio"] is not None:
        return "no finite r gives this ratio"
    return f"no estimate from {len(row['doubling_days'] or ())} doublings"


def _downsample(series: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    length = len(series["day"])
    if length <= MAX_FRAMES:
        kept: Sequence[int] = range(length)
    else:
        kept = [round(i * (length - 1) / (MAX_FRAMES - 1)) for i in range(MAX_FRAMES)]
    return {name: [finite_or_none(series[name][at]) for at in kept] for name in OBSERVED}


def finite_or_none(value: Any) -> float | None:
    """Return a number, or None if it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def _replace_non_finite(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with null in place of numbers that are not finite."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
