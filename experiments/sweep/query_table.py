"""Carry out `asara results`: print the table of a sweep, or the result of a query over it."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from experiments.cli.terminal import console, print_text
from experiments.sweep.query import count_missing_runs, manifest, query, read
from experiments.sweep.records import THRESHOLDS
from experiments.text.number_format import format_number

SHOWN_COLUMNS: Final = ("run", "status", "long_run", "pace", "day", "software_doublings", "limited_by")
"""Columns of the printed table. After the run come the varied parameters, and at the end the days to a gain."""
MAX_ROWS: Final = 40
"""Maximum number of rows of a printed table; --csv and --json have all rows."""


def show_results(folder: Path, sql: str | None, as_csv: bool, as_json: bool) -> None:
    """Print the runs of a sweep, or the result of an SQL query over runs, series and timings.

    Raises InputError if the folder has no sweep, a part is damaged, or the query is wrong.
    """
    stored_manifest = manifest(folder)
    table = read(folder) if sql is None else query(folder, sql)
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
        print_text(f"{stored_manifest['name']}: {len(table):,} of {stored_manifest['runs']:,} runs{missing}.")
        _print_table(table, [SHOWN_COLUMNS[0], *varied, *SHOWN_COLUMNS[1:], *_largest_gain_column(table)])


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
