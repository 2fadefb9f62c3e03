"""A CSV file of what was put in and what came of it, as a series to fit. Whatever is wrong with it is one sentence."""

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
"""Instead of a column of effort: each row counts one."""


class SeriesColumns(NamedTuple):
    """Which columns are read, and how."""

    effort: str
    performance: str
    date: str | None = None
    lower_is_better: bool = False
    cumulative: bool = False


class Data(NamedTuple):
    """A file as it was read."""

    path: Path
    columns: SeriesColumns
    series: Series
    dates: list[date] | None
    lines: list[int]
    """The line of the file that each row stands on, from 1."""

    @property
    def file(self) -> str:
        """Name of the file, with a question mark for each byte that is not UTF-8."""
        return self.path.name.encode(errors="replace").decode()

    @property
    def days(self) -> Any:
        """Days since the first row, as an array; None without dates."""
        if self.dates is None:
            return None
        return np.array([(each - self.dates[0]).days for each in self.dates], dtype=float)


def read(path: Path, columns: SeriesColumns) -> Data:
    """Read a CSV file with a header. Raises InputError for whatever does not make a series, with its line."""
    header, rows = _table(path)
    for name in (columns.effort, columns.performance, columns.date):
        if name is not None and name not in header and name != ROWS:
            raise InputError(f"{path}: no column '{name}'; there are {', '.join(header)}{did_you_mean(name, header)}")
    if columns.effort == ROWS and ROWS not in header:
        effort = [1.0] * len(rows)
    else:
        effort = [_number(path, line, row, columns.effort) for line, row in rows]
    worth = [_number(path, line, row, columns.performance) for line, row in rows]
    lines = [line for line, _ in rows]
    dates = None if columns.date is None else [_date(path, line, row, columns.date) for line, row in rows]
    _require_ordered(path, columns, lines, dates)
    if columns.cumulative and columns.effort in header:
        effort = _parts(path, columns.effort, lines, effort)
    _require_usable(path, columns, lines, effort, worth)
    performance = worth[0] / np.array(worth) if columns.lower_is_better else np.array(worth)
    return Data(path, columns, Series(np.array(effort), performance), dates, lines)


def _table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the names of the columns, and each row with its line; rows without any text are passed over."""
    if path.is_dir():
        raise InputError(f"{path}: that is a folder, and a CSV file is needed")
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = Table(file)
            rows = []
            for line, cells in table:
                rows.append((line, table.row_of(cells)))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
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
        raise InputError(f"{path}, line {line}: {column} = {quote_cell(row[column])} is not a finite number")
    return value


def _date(path: Path, line: int, row: dict[str, str], column: str) -> date:
    try:
        return date.fromisoformat(row[column])
    except ValueError:
        raise InputError(
            f"{path}, line {line}: {column} = '{row[column]}' is not a date; write it as 2024-05-28"
        ) from None


def _require_ordered(path: Path, columns: SeriesColumns, lines: list[int], dates: list[date] | None) -> None:
    for place in range(1, len(dates or ())):
        if dates is not None and dates[place] < dates[place - 1]:
            raise InputError(
                f"{path}, line {lines[place]}: {columns.date} = {dates[place]} comes before {dates[place - 1]}, the "
                "one above; rows must be in the order of time"
            )


def _parts(path: Path, column: str, lines: list[int], totals: list[float]) -> list[float]:
    """What each row adds to a cumulative column."""
    parts = list(np.diff(totals, prepend=0.0))
    for place, part in enumerate(parts):
        if part < 0 and place > 0:
            raise InputError(
                f"{path}, line {lines[place]}: {column} = {totals[place]:g} is below {totals[place - 1]:g}, the one "
                "above, and with --cumulative it must not fall"
            )
    return [float(part) for part in parts]


def _require_usable(
    path: Path, columns: SeriesColumns, lines: list[int], effort: list[float], worth: list[float]
) -> None:
    if len(lines) < MIN_ROWS:
        raise InputError(f"{path}: {len(lines)} rows, and at least {MIN_ROWS} are needed")
    for line, spent, value in zip(lines, effort, worth, strict=True):
        if value <= 0:
            raise InputError(f"{path}, line {line}: {columns.performance} = {value:g} must be above 0")
        if spent < 0:
            raise InputError(f"{path}, line {line}: {columns.effort} = {spent:g} must be 0 or more")
    if not math.isfinite(sum(effort)) or not math.isfinite(max(worth) / min(worth)):
        raise InputError(f"{path}: the numbers are so large that their sum or ratio is beyond 1.8e308")
    if len(set(worth)) == 1:
        raise InputError(f"{path}: {columns.performance} is {worth[0]:g} in every row, so there is nothing to fit")
    if sum(spent > 0 for spent in effort[1:]) < MIN_ROWS - 1:
        raise InputError(f"{path}: {columns.effort} is above 0 in too few rows; at least {MIN_ROWS} are needed")
