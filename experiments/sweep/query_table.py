"""Carry out `asara results`: print the table of a sweep, or the result of a query over it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from experiments.cli.terminal import console, print_text
from experiments.errors import InputError
from experiments.sweep.query import count_missing_runs, manifest, query
from experiments.sweep.query import table as read_named
from experiments.sweep.records import THRESHOLDS
from experiments.text.number_format import format_number
from sim.scenario.labs import split_name

SHOWN_COLUMNS: Final = ("run", "status", "long_run", "pace", "day", "software_doublings", "limited_by")
"""Columns of the printed table. After the run come the varied parameters, and at the end the days to a gain."""
MAX_ROWS: Final = 40
"""Maximum number of rows of a printed table; --csv and --json have all rows."""


RACE_COLUMNS: Final = ("run", "status", "first_lab", "lead_days", "majority_lab", "herfindahl_software")
"""Columns of the printed table of runs for several labs; the varied parameters follow the run."""
LAB_COLUMNS: Final = ("place", "level_day", "software_share", "gpu_share")
"""Outcomes of a lab in the printed tables that have them."""


def show_results(folder: Path, sql: str | None, as_csv: bool, as_json: bool, name: str | None = None) -> None:
    """Print a table of a sweep, by default that of the runs, or the result of an SQL query over its tables.

    Raises InputError if the folder has no sweep, a part is damaged, the query is wrong, or there is no such table.
    """
    stored_manifest = manifest(folder)
    if sql is not None and name is not None:
        raise InputError("--sql and --table are both set; allowed: one of them. Leave one out.")
    table = read_named(folder, name or "runs") if sql is None else query(folder, sql)
    if as_csv:
        print(to_csv(table), end="", flush=True)
    elif as_json:
        print(json.dumps([_to_json_row(row) for row in table.to_pylist()], ensure_ascii=False, indent=1), flush=True)
    elif sql is not None:
        _print_table(table, table.column_names)
    else:
        varied = [*stored_manifest["uncertainties"], *stored_manifest["levers"]]
        left = count_missing_runs(folder)
        missing = "" if left == 0 else f", {left:,} are missing"
        asked = int(stored_manifest["runs"])
        print_text(f"{stored_manifest['name']}: {asked - left:,} of {asked:,} runs{missing}.")
        _print_table(table, list(_columns(table, varied, name or "runs", stored_manifest.get("labs", ()))))


def _columns(table: pa.Table, varied: Sequence[str], name: str, labs: Iterable[str]) -> Iterable[str]:
    """Return the columns of a printed table: of runs and labs the main ones, else all."""
    if name == "labs":
        own = dict.fromkeys(split_name(each)[1] for each in varied)
        return ("run", "lab", *own, *LAB_COLUMNS)
    if name == "wide":
        return ("run", *varied, *(f"{lab}.{each}" for each in LAB_COLUMNS for lab in labs))
    if name != "runs":
        return list(table.column_names)
    shown = RACE_COLUMNS if labs else SHOWN_COLUMNS
    return (shown[0], *varied, *shown[1:], *([] if labs else _largest_gain_column(table)))


def _largest_gain_column(table: pa.Table) -> list[str]:
    """Return the column of the largest multiple of the software of day 0 that any run reached."""
    columns = (f"days_to_{multiple}x" for multiple in reversed(THRESHOLDS))
    return [name for name in columns if table[name].null_count < len(table)][:1]


def to_csv(table: pa.Table) -> str:
    """Return a table as CSV: numbers in full, lists joined by spaces, and an empty cell for null."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([_format_csv_cell(value) for value in row.values()])
    return text.getvalue()


def _format_csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(_format_csv_cell(each) for each in value)
    return repr(value) if isinstance(value, float) else str(value)


def _to_json_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that JSON can hold: a query may return dates, decimals and numbers that are not finite."""
    return {name: _to_json_value(value) for name, value in row.items()}


def _to_json_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | list | dict | None) else str(value)


def _print_table(table: pa.Table, names: list[str]) -> None:
    from rich import box  # noqa: PLC0415 - slow to load
    from rich.table import Table  # noqa: PLC0415

    printed = Table(box=box.SIMPLE_HEAD)
    for name in names:
        printed.add_column(name, justify="right")
    for row in table.select(names).slice(0, MAX_ROWS).to_pylist():
        printed.add_row(*(_format_short(value) for value in row.values()))
    width = max(100, 3 + sum(3 + max(len(name), 10) for name in names))
    console(width).print(printed, soft_wrap=True)
    if len(table) > MAX_ROWS:
        print_text(f"{len(table) - MAX_ROWS:,} more rows are not shown. Use --csv or --json to print all rows.")


def _format_short(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return str(value) if isinstance(value, int) else format_number(value)
