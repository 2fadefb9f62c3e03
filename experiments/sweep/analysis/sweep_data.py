"""Load a sweep for its analysis: the runs with a result, and the numbers and reasons of the others."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import fill
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.errors import InputError
from experiments.gains import RunEnding, day_of_gain, explain_unreached_gain
from experiments.sweep import query
from experiments.sweep.analysis.policy_pairs import SOFTWARE_CHANGE, software_changes
from sim.governance.params import NO_POLICY, POLICY
from sim.long_run import EXPLOSION_MEANING, SINGULAR
from sim.scenario.messages import did_you_mean
from sim.scenario.model import parameters

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

OK: Final = "ok"
NEEDED: Final = (
    "run",
    "point",
    "lever",
    "replication",
    "seed",
    "status",
    "message",
    "ending",
    "long_run",
    "pace",
    "day",
    "software_doublings",
    "doubling_days",
    "days_to_10x",
    "days_to_100x",
    "days_to_1000x",
    "limited_by",
)
"""Columns that the table of a sweep must have."""
NO_EVENT: Final = ("limit reached", "stalled")
"""Endings after which software cannot grow any more."""
ONE_BY_ONE: Final = "one-at-a-time"
SYSTEMATIC: Final = ("grid", ONE_BY_ONE)
"""Samplings with fixed points: shares of their runs are not probabilities."""
FACTORS: Final = {"days_to_1000x": 1000, "days_to_100x": 100, "days_to_10x": 10}
ASARA: Final = "asara_day"
"""Column of the day on which AIs can do all tasks of research."""


class RunOutcome(NamedTuple):
    """An outcome that a run has or does not have, with its texts."""

    name: str
    """Name in columns and files."""
    meaning: str
    """Text after "probability that"."""
    runs: str
    """Text after "share of"."""
    plural: str
    """Short text for runs with the outcome."""


EXPLOSIVE: Final = RunOutcome(
    "explosion", EXPLOSION_MEANING, "runs whose doubling times shrink without limit (long_run = singular)", "explosions"
)
SPEEDING_UP: Final = RunOutcome(
    "speeding_up",
    "the run was speeding up over its last part (pace = speeding up)",
    "runs that were speeding up over their last part (pace = speeding up)",
    "runs that were speeding up",
)


class Failure(NamedTuple):
    """Runs that failed for the same reason: with the same status, and messages that differ in numbers only."""

    status: str
    message: str
    """Message of the first run."""
    runs: int
    """Number of runs."""
    first: int
    """Number of the first run."""


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep that have a result, in the order of the design, and the statuses of the others."""

    manifest: Mapping[str, Any]
    runs: pa.Table
    """Table of the runs with status "ok"."""
    statuses: Mapping[str, int]
    """Status → number of runs, including "ok"."""
    failures: tuple[Failure, ...]

    @property
    def n(self) -> int:
        """Number of runs with a result."""
        return int(self.runs.num_rows)

    @property
    def asked(self) -> int:
        """Number of runs of the design."""
        return int(self.manifest.get("runs", sum(self.statuses.values())))

    @property
    def missing(self) -> int:
        """Number of runs of the design that are not in the folder yet."""
        return max(0, self.asked - sum(self.statuses.values()))

    @property
    def sampling(self) -> str:
        """Sampling method of the design."""
        return str(self.manifest.get("sampling", "unknown"))

    @property
    def labs(self) -> tuple[str, ...]:
        """Names of the labs, in the order of the scenario; empty for runs of one lab."""
        return tuple(self.manifest.get("labs", ()))

    @property
    def systematic(self) -> bool:
        """Whether points are fixed and not random."""
        return self.sampling in SYSTEMATIC

    @property
    def points(self) -> Ints:
        """Number of the point of each run."""
        return np.asarray(self.runs["point"].to_numpy(), dtype=np.int64)

    @property
    def explosive(self) -> Flags:
        """Whether doubling times shrink without limit in the long run of each run."""
        return np.array([kind == SINGULAR for kind in self.texts("long_run")], dtype=bool)

    @property
    def speeding_up(self) -> Flags:
        """Whether doublings got faster over the last part of each run."""
        return np.array([name == "speeding up" for name in self.texts("pace")], dtype=bool)

    @cached_property
    def outcome(self) -> RunOutcome:
        """Outcome in maps and regions: explosions, or runs that were speeding up if no run is explosive.

        A part of a sweep has the outcome of the whole sweep, so that a report shows one outcome.
        """
        return EXPLOSIVE if self.explosive.any() else SPEEDING_UP

    def happened(self, outcome: RunOutcome | None = None) -> Flags:
        """Return which runs have an outcome, by default :attr:`outcome`."""
        return self.explosive if (outcome or self.outcome) == EXPLOSIVE else self.speeding_up

    @property
    def coupled(self) -> dict[str, tuple[str, ...]]:
        """Levers that change several parameters together: name → parameters."""
        return _coupled_levers(self.manifest)

    def value_text(self, name: str, value: Any) -> str:
        """Return a value of a column as text; for a coupled lever, the values of its parameters."""
        from experiments.sweep.analysis.labels import format_value  # noqa: PLC0415 - it loads every parameter

        moved = self.coupled.get(name)
        if moved is None:
            return format_value(value)
        row = self.runs[name].to_pylist().index(int(value))
        return " / ".join(format_value(self.runs[each][row].as_py()) for each in moved)

    def label(self, name: str, width: int = 40) -> str:
        """Return the label of a parameter with its unit; for a coupled lever, its name and those of its parameters."""
        from experiments.sweep.analysis.labels import axis_label  # noqa: PLC0415 - it loads every parameter

        moved = self.coupled.get(name)
        return axis_label(name, width, self.reading) if moved is None else fill(f"{name} ({' / '.join(moved)})", width)

    @cached_property
    def reading(self) -> str:
        """What r is the returns to, ``inputs`` or ``effort``; empty if runs differ, or if p = 1 and both agree."""
        found = self.readings
        return next(iter(found)) if len(found) == 1 else ""

    @property
    def readings(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest p of the runs with p below 1, for each reading of r."""
        if not {"growth__returns_to", "growth__parallel_penalty"} <= set(self.runs.column_names):
            return {}
        penalties, names = self.numbers("growth__parallel_penalty"), np.array(self.texts("growth__returns_to"))
        found = {str(name): penalties[(names == name) & (penalties < 1)] for name in sorted(set(names))}
        return {name: (float(each.min()), float(each.max())) for name, each in found.items() if each.size}

    @property
    def levers(self) -> list[str]:
        """Parameters that are levers and take more than one value."""
        coupled = self.coupled
        moved = {each for names in coupled.values() for each in names}
        listed = sorted([*(name for name in self.manifest.get("levers", []) if name not in moved), *coupled])
        named = [name for name in listed if name in self.runs.column_names]
        return [name for name in named if len(set(self.runs[name].to_pylist())) > 1]

    @property
    def other_levers(self) -> list[str]:
        """Levers besides the governance policy."""
        return [name for name in self.levers if name != POLICY]

    @property
    def uncertainties(self) -> list[str]:
        """Parameters that are uncertain and take more than one value."""
        named = [name for name in self.manifest.get("uncertainties", {}) if name in self.runs.column_names]
        return [name for name in named if name not in self.levers and len(set(self.runs[name].to_pylist())) > 1]

    @property
    def varied(self) -> list[str]:
        """Uncertainties, then levers."""
        return [*self.uncertainties, *self.levers]

    def numbers(self, name: str) -> Floats:
        """Return a column as floats: NaN for null, 1 for true. Raises InputError for text."""
        column = self.runs[_check_column(name, self.runs)].combine_chunks()
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise InputError(f"{name} is text in this sweep; allowed: columns of numbers or truth values")
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=float)

    def texts(self, name: str) -> list[str]:
        """Return a column as text."""
        return [str(value) for value in self.runs[_check_column(name, self.runs)].to_pylist()]

    def is_number(self, name: str) -> bool:
        """Return whether a column has numbers, not texts or truth values."""
        kind = self.runs[_check_column(name, self.runs)].type
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

    def has_order(self, name: str) -> bool:
        """Return whether a column has numbers or truth values."""
        return self.is_number(name) or bool(pa.types.is_boolean(self.runs[name].type))

    def only(self, chosen: Flags) -> Sweep:
        """Return the sweep with the chosen runs only."""
        found = Sweep(self.manifest, self.runs.filter(pa.array(chosen)), self.statuses, self.failures)
        vars(found).update(positions=np.flatnonzero(chosen), outcome=self.outcome)
        return found

    def with_column(self, name: str, values: pa.Array) -> Sweep:
        """Return the sweep with an additional or replaced column."""
        kept = self.runs.drop_columns([name]) if name in self.runs.column_names else self.runs
        found = Sweep(self.manifest, kept.append_column(name, values), self.statuses, self.failures)
        vars(found)["outcome"] = self.outcome
        return found

    @cached_property
    def positions(self) -> Ints:
        """Row of each run in the sweep from which this one was taken with `only`."""
        return np.arange(self.n)


def load(folder: Path) -> Sweep:
    """Read the folder of a sweep.

    Raises InputError if there is no sweep, it cannot be read, has another format, or has no run with a result.
    """
    sweep = sweep_of(query.read(folder), query.manifest(folder), str(folder))
    if not compares_policies(sweep):
        return sweep
    return sweep.with_column(SOFTWARE_CHANGE, software_changes(sweep.runs, query.series(folder), sweep.other_levers))


def sweep_of(table: pa.Table, manifest: Mapping[str, Any], where: str = "the table") -> Sweep:
    """Return a sweep from the table of its runs, in any order, and its manifest.

    Raises InputError for a table without the columns of a sweep, with a duplicate run, or without any result.
    """
    lacking = [name for name in NEEDED if name not in table.column_names]
    if lacking:
        raise InputError(f"{where} is not the table of a sweep: it has no column {', '.join(lacking)}")
    table = table.sort_by("run")
    if len(set(table["run"].to_pylist())) < table.num_rows:
        raise InputError(f"{where} has some runs twice; allowed: each run once")
    status = np.array(table["status"].to_pylist())
    statuses = {str(name): int(count) for name, count in zip(*np.unique(status, return_counts=True), strict=True)}
    if not statuses.get(OK):
        raise InputError(_no_results_message(statuses, table, where))
    runs = _add_coupled_levers(table.filter(pa.array(status == OK)), _coupled_levers(manifest))
    return Sweep(manifest, runs, statuses, _group_failures(table))


def compares_policies(sweep: Sweep) -> bool:
    """Return whether a sweep of one lab compares governance policies with runs without a regulator."""
    return not sweep.labs and POLICY in sweep.levers and NO_POLICY in sweep.texts(POLICY)


def is_day(column: str) -> bool:
    """Return whether a column has the day of a target, which a run may not reach."""
    return column == ASARA or column.startswith("days_to_")


def has_road(sweep: Sweep) -> bool:
    """Return whether some runs start before full automation, so that they have a day of ASARA to reach.

    False for a table of an earlier version, which has no such day.
    """
    if not {ASARA, "share_automated"} <= set(sweep.runs.column_names):
        return False
    is_known = np.isfinite(sweep.numbers("share_automated"))
    return bool((is_known & (sweep.numbers(ASARA) != 0)).any())


def unreached_reasons(sweep: Sweep, column: str) -> list[str | None]:
    """Return the reason why each run has no day of a target, a gain or ASARA; None if it has one."""
    if column != ASARA:
        return unreached_gain_reasons(sweep, FACTORS[column])
    rows = sweep.runs.select([ASARA, "ending", "day"]).to_pylist()
    return [None if row[ASARA] is not None else f"{row['ending']} on day {row['day']:,.6g}" for row in rows]


def unreached_gain_reasons(sweep: Sweep, multiple: float) -> list[str | None]:
    """Return the reason why each run did not reach a multiple of the software of day 0; None if it did."""
    names = ("ending", "day", "doubling_days", "run__max_doublings", "researchers", "run__stop_at_researchers")
    reasons: list[str | None] = []
    for row in sweep.runs.select(names).to_pylist():
        reached = day_of_gain(multiple, row["doubling_days"] or []) is not None
        reasons.append(None if reached else explain_unreached_gain(multiple, RunEnding.of_row(row)))
    return reasons


def _coupled_levers(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    design = manifest.get("design")
    levers = design.get("levers", {}) if isinstance(design, Mapping) else {}
    zipped = {name: values["zip"] for name, values in levers.items() if isinstance(values, Mapping) and "zip" in values}
    return {name: tuple(sorted(lists)) for name, lists in zipped.items()}


def _add_coupled_levers(runs: pa.Table, coupled: Mapping[str, tuple[str, ...]]) -> pa.Table:
    """Return the runs with a column for each coupled lever: the rank of its values from low to high."""
    for name, moved in coupled.items():
        if set(moved) <= set(runs.column_names):
            rows = list(zip(*(runs[each].to_pylist() for each in moved), strict=True))
            place = {values: at for at, values in enumerate(sorted(set(rows)))}
            runs = runs.append_column(name, pa.array([place[values] for values in rows], pa.int64()))
    return runs


def final_level(sweep: Sweep) -> Floats:
    """Return the doublings of discovered software at the end of each run."""
    return sweep.numbers("software_doublings")


def ended_for_good(sweep: Sweep) -> Flags:
    """Return which runs cannot grow any more: at the hardware limit, or stalled."""
    return np.array([ending in NO_EVENT for ending in sweep.texts("ending")], dtype=bool)


def stopped_early(sweep: Sweep) -> Flags:
    """Return which runs were stopped at a target: not by the horizon, and not because growth had ended."""
    return np.array([ending not in (*NO_EVENT, "horizon") for ending in sweep.texts("ending")], dtype=bool)


def doublings_a_year(sweep: Sweep) -> Floats:
    """Return log2 of the mean doublings a year over each run; at least that of 0.01 a year."""
    years = np.maximum(sweep.numbers("day"), 1e-9) / 365
    return np.log2(np.maximum(final_level(sweep) / years, 0.01))


def reported_gain(sweep: Sweep) -> tuple[str, str]:
    """Return the largest gain up to 1,000-fold before which no run was stopped, and the reason if it is not 1,000."""
    early = final_level(sweep)[stopped_early(sweep)]
    lowest = float(early.min()) if early.size else math.inf
    reachable = {column: factor for column, factor in FACTORS.items() if lowest >= math.log2(factor) - 1e-6}
    column, factor = next(iter(reachable.items()), ("days_to_10x", 10))
    if factor == 1000:
        return column, ""
    beyond = float(np.mean(early < math.log2(1000)))
    why = f"{beyond:.0%} of the runs that stopped at a target (run__max_doublings, run__stop_at_researchers)"
    return column, f"{why} had not gained 1,000-fold, so that a {factor}-fold gain is shown."


def _no_results_message(statuses: Mapping[str, int], table: pa.Table, where: str) -> str:
    if not statuses:
        return f"{where}: no run of this sweep has finished yet. Run `asara sweep` first."
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    first = next((message for message in table["message"].to_pylist() if message), "")
    reason = f" (the first: {' '.join(first.split())[:200]})" if first else ""
    return f"{where}: no run has a result: {counts}{reason}"


def _group_failures(table: pa.Table) -> tuple[Failure, ...]:
    found: dict[tuple[str, str], list[int]] = {}
    first: dict[tuple[str, str], str] = {}
    for run, status, message in zip(*(table[name].to_pylist() for name in ("run", "status", "message")), strict=True):
        if status != OK:
            text = " ".join((message or "").split())
            kind = (status, _NUMBER.sub("#", text))
            found.setdefault(kind, []).append(run)
            first.setdefault(kind, text)
    rows = (Failure(kind[0], first[kind], len(runs), runs[0]) for kind, runs in found.items())
    return tuple(sorted(rows, key=lambda failure: (-failure.runs, failure.first)))


_NUMBER: Final = re.compile(r"(?<![A-Za-z_\d])[+-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
"""Pattern of a number in a message, which differs between runs that fail for the same reason; not digits of a name."""


def _check_column(name: str, table: pa.Table) -> str:
    if name not in table.column_names:
        near = did_you_mean(name, [*parameters(), *table.column_names])
        raise InputError(f"the sweep has no column '{name}'; `asara results --csv` prints all columns{near}")
    return name
