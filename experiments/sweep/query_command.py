"""What `asara results` does: the table of a sweep, or what a query finds in it."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from experiments.cli.terminal import console, print_text
from experiments.sweep.query import manifest, missing, query, read
from experiments.sweep.records import THRESHOLDS
from experiments.text.number_format import format_number

SHOWN: Final = ("run", "status", "long_run", "pace", "day", "software_doublings", "limited_by")
"""Columns of the plain table: the run, what the design varies, the rest, and the days to a gain that runs reached."""
MAX_ROWS: Final = 40
"""Of a table for reading; --csv, --json and --sql have all."""


def show_results(folder: Path, sql: str | None, as_csv: bool, as_json: bool) -> None:
    """Print the runs of a sweep, or what an SQL query over runs, series and timings finds.

    Raises InputError where there is no sweep, a part is broken, or the query is wrong.
    """
    about = manifest(folder)
    table = read(folder) if sql is None else query(folder, sql)
    if as_csv:
        print(to_csv(table), end="", flush=True)
    elif as_json:
        print(json.dumps([_plain(row) for row in table.to_pylist()], ensure_ascii=False, indent=1), flush=True)
    elif sql is not None:
        _print(table, table.column_names)
    else:
        varied = [*about["uncertainties"], *about["levers"]]
        left = missing(folder)
        print_text(
            f"{about['name']}: {len(table):,} of {about['runs']:,} runs{'' if left == 0 else f', {left:,} to come'}."
        )
        _print(table, [SHOWN[0], *varied, *SHOWN[1:], *_gain(table)])


def _gain(table: pa.Table) -> list[str]:
    """The largest multiple of the software of day 0 that any run reached, by its column."""
    columns = (f"days_to_{multiple}x" for multiple in reversed(THRESHOLDS))
    return [name for name in columns if table[name].null_count < len(table)][:1]


def to_csv(table: pa.Table) -> str:
    """Return a table as CSV, numbers in full, lists joined by spaces, empty where there is nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([_cell(value) for value in row.values()])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(_cell(each) for each in value)
    return repr(value) if isinstance(value, float) else str(value)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row that JSON has words for: a query may bring dates, decimals and numbers that are none."""
    return {name: _said(value) for name, value in row.items()}


def _said(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | list | dict | None) else str(value)


def _print(table: pa.Table, names: list[str]) -> None:
    from rich import box  # noqa: PLC0415 - slow to load
    from rich.table import Table  # noqa: PLC0415

    found = Table(box=box.SIMPLE_HEAD)
    for name in names:
        found.add_column(name, justify="right")
    for row in table.select(names).slice(0, MAX_ROWS).to_pylist():
        found.add_row(*(_short(value) for value in row.values()))
    width = max(100, 3 + sum(3 + max(len(name), 10) for name in names))
    console(width).print(found, soft_wrap=True)
    if len(table) > MAX_ROWS:
        print_text(f"{len(table) - MAX_ROWS:,} rows more: --csv and --json have all of them.")


def _short(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return str(value) if isinstance(value, int) else format_number(value)
