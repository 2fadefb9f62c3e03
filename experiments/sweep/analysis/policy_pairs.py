"""Pair the runs of a sweep under a governance policy with those without a regulator. Pure functions of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from experiments.governance.paired_runs import change_at_base_end
from sim.governance.params import NO_POLICY, POLICY

SOFTWARE_CHANGE: Final = "software_change"
"""Column with the change of software by the policy, on the last day of the run without a regulator [doublings]."""


def pairs_with_none(runs: pa.Table, others: Sequence[str]) -> dict[int, int]:
    """Return the row of the run without a regulator for the row of each run that has one, if there is one.

    Both have the same point, replication and ``others``, the other levers, and therefore the same seed.
    """
    keys = list(zip(*(runs[name].to_pylist() for name in ("point", "replication", *others)), strict=True))
    policies = runs[POLICY].to_pylist()
    base = {key: row for row, (key, policy) in enumerate(zip(keys, policies, strict=True)) if policy == NO_POLICY}
    return {
        row: base[key]
        for row, (key, policy) in enumerate(zip(keys, policies, strict=True))
        if policy != NO_POLICY and key in base
    }


def software_changes(runs: pa.Table, series: pa.Table, others: Sequence[str]) -> pa.Array:
    """Return the change of software by the policy for each run, on the last day of the run without a regulator.

    It is null for runs without a pair. ``series``: samples of each run.
    """
    samples = _samples_by_run(series)
    numbers, rows = runs["run"].to_pylist(), runs.select(["day", "software_doublings", "doubling_days"]).to_pylist()
    found: list[float | None] = [None] * runs.num_rows
    for row, base in pairs_with_none(runs, others).items():
        days, software = _curve(rows[row], samples.get(numbers[row], ([], [])))
        found[row] = change_at_base_end(days, software, rows[base]["day"], rows[base]["software_doublings"])
    return pa.array(found, pa.float64())


def _samples_by_run(series: pa.Table) -> dict[int, tuple[list[float], list[float]]]:
    """Return the days and the discovered software of the samples of each run."""
    found: dict[int, tuple[list[float], list[float]]] = {}
    for row in series.select(["run", "day", "discovered"]).to_pylist():
        days, software = found.setdefault(row["run"], ([], []))
        days.append(row["day"])
        software.append(row["discovered"])
    return found


def _curve(row: dict[str, Any], samples: tuple[list[float], list[float]]) -> tuple[list[float], list[float]]:
    """Return days and software of a run: its samples, its doublings and its end, in order [days, doublings]."""
    marks = row["doubling_days"] or []
    days = np.array([*samples[0], *marks, row["day"]], dtype=float)
    software = np.array([*samples[1], *range(1, len(marks) + 1), row["software_doublings"]], dtype=float)
    order = np.lexsort((software, days))
    return days[order].tolist(), np.maximum.accumulate(software[order]).tolist()
