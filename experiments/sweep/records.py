"""What is kept of one run of a sweep: a row of plain values, a thinned series, and the tables that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from experiments.gains import EndedScenario, day_of_gain, why_not
from sim.margins import INPUTS, Margins
from sim.scenario.model import Parameter, parameters

if TYPE_CHECKING:
    from experiments.design.design import PlannedRun
    from sim.fluid.api import FluidTable
    from sim.long_run import LongRun
    from sim.runner import RunResult
    from sim.scenario.model import Scenario
    from sim.verdict import Pace

MAX_MOMENTS: Final = 64
"""Frames that are kept of a run's series, the first and the last among them."""
USES: Final = ("inference", "experiment", "training")
TIME_SHARES: Final = ("researchers", "experiments", "paused")
THRESHOLDS: Final = (10, 100, 1000, 1_000_000)
"""Multiples of the software of day 0 whose first day is a column."""
OBSERVED: Final = (
    "day",
    "discovered",
    "deployed",
    "researchers",
    "papers",
    "duplicates",
    *(f"gpus_{use}" for use in USES),
    "experiments_waiting",
    "work_rate",
)
"""Columns of a series: what sim.reporters reports under these names."""

_PLAN: Final = {name: pa.int64() for name in ("run", "point", "lever", "replication", "seed")}
_STATE: Final = {"engine": pa.string(), "status": pa.string(), "message": pa.string()}
_OUTCOME: Final = {
    **dict.fromkeys(("ending", "long_run", "pace"), pa.string()),
    **dict.fromkeys(("long_run_ratio", "fastest_doubling"), pa.float64()),
    **dict.fromkeys(("ratio", "ratio_low", "ratio_high", "r_implied", "day", "software_doublings"), pa.float64()),
    **dict.fromkeys(("deployed_doublings", "researchers", "papers", "duplicate_share"), pa.float64()),
    "doubling_days": pa.list_(pa.float64()),
    **{f"days_to_{multiple}x": pa.float64() for multiple in THRESHOLDS},
    "why_empty": pa.string(),
    **{f"gpus_in_use_{use}": pa.float64() for use in USES},
    "mean_wait_days": pa.float64(),
    "limited_by": pa.string(),
    **{f"elasticity_{name}": pa.float64() for name in INPUTS},
    "day_by_equations": pa.float64(),
    "day_without_training": pa.float64(),
    **{f"share_{part}": pa.float64() for part in TIME_SHARES},
}


class RunRecord(NamedTuple):
    """A run that is over, however it ended."""

    row: dict[str, Any]
    series: dict[str, list[float | None]]
    seconds: float
    """Of wall time, in its worker."""


def run_schema() -> pa.Schema:
    """Return the columns of the table of runs: the plan, every parameter by its flat name, what came of it."""
    columns = {name: _arrow(parameter) for name, parameter in parameters().items()}
    return pa.schema(_PLAN | columns | _STATE | _OUTCOME)


def series_schema() -> pa.Schema:
    """Return the columns of the table of series: a row a frame; null where the engine has no such number."""
    return pa.schema({"run": pa.int64()} | {name: pa.float64() for name in OBSERVED})


def timing_schema() -> pa.Schema:
    """Return the columns of the table of wall times, which stand apart because no two machines agree on them."""
    return pa.schema({"run": pa.int64(), "seconds": pa.float64()})


def _arrow(parameter: Parameter) -> pa.DataType:
    if parameter.annotation is bool:
        return pa.bool_()
    return {int: pa.int64(), float: pa.float64()}.get(parameter.annotation, pa.string())


def planned_row(
    planned: PlannedRun, values: Mapping[str, Any], engine: str, status: str, message: str
) -> dict[str, Any]:
    """Return a row of which nothing came yet. ``values``: every parameter by its flat name."""
    row: dict[str, Any] = dict.fromkeys(run_schema().names)
    row |= {name: getattr(planned, name) for name in _PLAN} | dict(values)
    return row | {"engine": engine, "status": status, "message": message}


def world_run(
    planned: PlannedRun, scenario: Scenario, result: RunResult
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return the row and the thinned series of a run of the World."""
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
    row |= _margin(result.margins)
    row |= _dynamics(result.pace, result.long_run) | _gains(marks)
    row |= {f"gpus_in_use_{use}": result.cluster[use].utilisation for use in USES}
    row |= {f"share_{part}": result.time_shares[part] for part in TIME_SHARES}
    return _explained(_finite(row)), _thinned(result.series)


def fluid_run(
    planned: PlannedRun, scenario: Scenario, table: FluidTable, at: int, binding: Margins
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return the row of a scenario of the fluid, and as its series what is known at each doubling."""
    count = int(table.doublings[at])
    marks = table.doubling_day[at, :count].tolist()
    row = planned_row(planned, scenario.flat(), "fluid", "ok", "") | {
        "ending": table.ending[at],
        "doubling_days": marks,
    }
    row |= _margin(binding)
    numbers = ("day", "software_doublings", "deployed_doublings", "researchers", "papers", "duplicate_share")
    row |= {name: float(getattr(table, name)[at]) for name in (*numbers, "mean_wait_days")}
    row |= _dynamics(table.pace[at], table.long_run[at]) | _gains(marks)
    row |= {f"gpus_in_use_{use}": float(table.utilisation[use][at]) for use in USES}
    row |= {f"share_{part}": float(table.time_shares[part][at]) for part in TIME_SHARES}
    seen: dict[str, list[Any]] = {name: [None] * count for name in OBSERVED}
    seen |= {"day": marks, "discovered": [float(n + 1) for n in range(count)]}
    seen["researchers"] = table.doubling_researchers[at, :count].tolist()
    return _explained(_finite(row)), _thinned(seen)


def _margin(found: Margins) -> dict[str, Any]:
    """The columns of what limits progress at the margin."""
    row: dict[str, Any] = {f"elasticity_{name}": found.elasticities.get(name) for name in INPUTS}
    days = {"day_by_equations": found.day, "day_without_training": found.day_without_training}
    return row | days | {"limited_by": found.limited_by}


def _dynamics(pace: Pace, long_run: LongRun) -> dict[str, Any]:
    """What the run did over its last part, and where it leads."""
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


def _gains(marks: Sequence[float]) -> dict[str, float | None]:
    """The days on which software first was so many times that of day 0."""
    return {f"days_to_{multiple}x": day_of_gain(multiple, marks) for multiple in THRESHOLDS}


def _explained(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the reason for each outcome that is empty, in the column ``why_empty``."""
    reasons: dict[str, list[str]] = {}
    for multiple in THRESHOLDS:
        if row[f"days_to_{multiple}x"] is None:
            reasons.setdefault(why_not(multiple, EndedScenario.of_row(row)), []).append(f"days_to_{multiple}x")
    for name in _OUTCOME:
        if row[name] is None and not name.startswith("days_to_") and name != "why_empty":
            reasons.setdefault(_why_no_number(name, row), []).append(name)
    said = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
    return row | {"why_empty": said or None}


def _why_no_number(name: str, row: Mapping[str, Any]) -> str:
    if name == "fastest_doubling":
        return "no growth limit"
    if name == "long_run_ratio":
        return "no constant ratio in the long run"
    if name == "day_without_training" and not row["training__required"]:
        return "no training runs"
    if name.startswith(("elasticity_", "day_")):
        return "not given by the equations"
    if name == "r_implied" and row["ratio"] is not None:
        return "no finite r gives this ratio"
    return f"no estimate from {len(row['doubling_days'] or ())} doublings"


def _thinned(series: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    length = len(series["day"])
    if length <= MAX_MOMENTS:
        kept: Sequence[int] = range(length)
    else:
        kept = [round(i * (length - 1) / (MAX_MOMENTS - 1)) for i in range(MAX_MOMENTS)]
    return {name: [_number(series[name][at]) for at in kept] for name in OBSERVED}


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """The row with null where there is no finite number."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
