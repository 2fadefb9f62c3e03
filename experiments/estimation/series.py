"""Read a CSV file of effort and performance as a series to fit, and report an error as one sentence."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from experiments.errors import InputError
from experiments.estimation.growth_fit import MIN_ROWS, Series
from hardware.tables import Table, TableError, parse_exact, quote_cell
from sim.scenario.messages import did_you_mean

ROWS: Final = "rows"
"""Name that stands for an effort of 1 in each row, instead of a column."""


class SeriesColumns(NamedTuple):
    """Columns to read, and their meaning."""

    effort: str
    performance: str
    date: str | None = None
    lower_is_better: bool = False
    cumulative: bool = False


class Data(NamedTuple):
    """Content of a file."""

    path: Path
    columns: SeriesColumns
    series: Series
    dates: list[date] | None
    lines: list[int]
    """Line number of each row in the file, from 1."""

    @property
    def file(self) -> str:
        """Name of the file, with a question mark for each byte that is not UTF-8."""
        return self.path.name.encode(errors="replace").decode()

    @property
    def days(self) -> Any:
        """Time since the first row [days]; None without dates."""
        if self.dates is None:
            return None
        return np.array([(each - self.dates[0]).days for each in self.dates], dtype=float)


def read(path: Path, columns: SeriesColumns) -> Data:
    """Read a CSV file with a header. Raises InputError with the line of an invalid entry."""
    header, rows = _table(path)
    for name in (columns.effort, columns.performance, columns.date):
        if name is not None and name not in header and name != ROWS:
            raise InputError(
                f"{path}: column '{name}' is missing; allowed: {', '.join(header)}{did_you_mean(name, header)}"
            )
    if columns.effort == ROWS and ROWS not in header:
        effort = [1.0] * len(rows)
    else:
        effort = [_number(path, line, row, columns.effort) for line, row in rows]
    performances = [_number(path, line, row, columns.performance) for line, row in rows]
    lines = [line for line, _ in rows]
    dates = None if columns.date is None else [_date(path, line, row, columns.date) for line, row in rows]
    _require_ordered(path, columns, lines, dates)
    if columns.cumulative and columns.effort in header:
        effort = _increments(path, columns.effort, lines, effort)
    _require_usable(path, columns, lines, effort, performances)
    performance = performances[0] / np.array(performances) if columns.lower_is_better else np.array(performances)
    return Data(path, columns, Series(np.array(effort), performance), dates, lines)


def _table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the names of the columns, and each row with its line number; empty rows are skipped."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; allowed: a CSV file. Name a file.")
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = Table(file)
            rows = []
            for line, cells in table:
                rows.append((line, table.row_of(cells)))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; allowed: a CSV file. Name another file.") from None
    except TableError as error:
        raise InputError(f"{path}, {error}" if error.line else f"{path}: {error}") from None
    except ValueError as error:
        raise InputError(f"{path}, line {line}: {error}") from None
    return table.columns, rows


def _number(path: Path, line: int, row: dict[str, str], column: str) -> float:
    try:
        value = float(parse_exact(row[column]))
    except ValueError as error:
        raise InputError(f"{path}, line {line}: {column} = {error}") from None
    if not math.isfinite(value):
        raise InputError(
            f"{path}, line {line}: {column} = {quote_cell(row[column])} is not a finite number; "
            "allowed: finite numbers. "
            "Correct it."
        )
    return value


def _date(path: Path, line: int, row: dict[str, str], column: str) -> date:
    try:
        return date.fromisoformat(row[column])
    except ValueError:
        raise InputError(
            f"{path}, line {line}: {column} = '{row[column]}' is not a date; allowed: dates. Write it as 2024-05-28."
        ) from None


def _require_ordered(path: Path, columns: SeriesColumns, lines: list[int], dates: list[date] | None) -> None:
    for place in range(1, len(dates or ())):
        if dates is not None and dates[place] < dates[place - 1]:
            raise InputError(
                f"{path}, line {lines[place]}: {columns.date} = {dates[place]} is before {dates[place - 1]} in the "
                "row above; allowed: rows in order of time. Sort them."
            )


def _increments(path: Path, column: str, lines: list[int], totals: list[float]) -> list[float]:
    """Return the increment of each row of a cumulative column."""
    parts = list(np.diff(totals, prepend=0.0))
    for place, part in enumerate(parts):
        if part < 0 and place > 0:
            raise InputError(
                f"{path}, line {lines[place]}: {column} = {totals[place]:g} is below {totals[place - 1]:g} in the "
                "row above; allowed with --cumulative: no decrease. Correct it."
            )
    return [float(part) for part in parts]


def _require_usable(
    path: Path, columns: SeriesColumns, lines: list[int], effort: list[float], performances: list[float]
) -> None:
    if len(lines) < MIN_ROWS:
        raise InputError(f"{path}: {len(lines)} rows are too few; allowed: at least {MIN_ROWS}. Add rows.")
    for line, spent, value in zip(lines, effort, performances, strict=True):
        if value <= 0:
            raise InputError(
                f"{path}, line {line}: {columns.performance} = {value:g} is out of bounds; allowed: above 0. Correct "
                "it."
            )
        if spent < 0:
            raise InputError(
                f"{path}, line {line}: {columns.effort} = {spent:g} is out of bounds; allowed: 0 or more. Correct it."
            )
    if not math.isfinite(sum(effort)) or not math.isfinite(max(performances) / min(performances)):
        raise InputError(
            f"{path}: the sum or ratio of the numbers is too large; allowed: up to 1.8e308. Use a larger unit."
        )
    if len(set(performances)) == 1:
        raise InputError(
            f"{path}: {columns.performance} is {performances[0]:g} in every row; allowed: values that change. Name "
            "another column."
        )
    if sum(spent > 0 for spent in effort[1:]) < MIN_ROWS - 1:
        raise InputError(
            f"{path}: {columns.effort} is above 0 in too few rows; allowed: at least {MIN_ROWS} rows. Add rows."
        )
