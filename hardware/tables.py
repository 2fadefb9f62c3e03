"""Read tables of text strictly: every row has as many cells as the header, and every number has one meaning.

Job logs and data for `asara fit` are read by these functions, so that both refuse the same files with the same words.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from difflib import get_close_matches
from itertools import chain
from typing import Final, TextIO

Exact = int | Decimal
"""A number as it was written, without rounding."""

MAX_WHOLE: Final = 10**9
"""Largest count that is read."""
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_MAX_SHOWN: Final = 40
"""Characters of a cell that a sentence shows."""


class TableError(ValueError):
    """A table that cannot be read: the number of the line (0: the table as a whole) and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


class Table:
    """A table with named columns, read row by row from a stream that was opened with ``newline=""``.

    ``separator`` is a comma for CSV; tables with another separator have no quotes. ``header`` returns the names of the
    columns from the first row if that row is data.

    Raises TableError if the header cannot be read, names a column twice, or has another separator.
    """

    def __init__(
        self,
        file: TextIO,
        separator: str = ",",
        header: Callable[[list[str]], list[str] | None] = lambda _: None,
    ) -> None:
        self._separator = separator
        self._cells = self._read(file)
        line, first = next(self._cells, (1, []))
        if not first:
            raise TableError(0, "the table is empty; needed: a header and rows")
        assumed = header(first)
        if assumed is not None:
            self._cells = chain([(line, first)], self._cells)
        elif wrong := _wrong_separator(separator, first):
            raise TableError(line, wrong)
        names = first if assumed is None else assumed
        self.columns = [name for name in names if name]
        """Names of the columns. A column without a name must be empty."""
        self._names = names
        twice = [name for name in dict.fromkeys(self.columns) if self.columns.count(name) > 1]
        if twice:
            raise TableError(
                line, f"two columns are called {quote_cell(twice[0])}; allowed: each name once. Rename one of them"
            )

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Iterate over the rows with their lines; rows without any text are passed over."""
        return self._cells

    def row_of(self, cells: list[str]) -> dict[str, str]:
        """Return the cells of a row by column. Raises ValueError if there are too many or too few."""
        names = self._names
        if len(cells) != len(names):
            hint = ""
            if len(cells) > len(names) and self._separator == ",":
                hint = "; decimal commas split cells in two. Write 1.5 for 1,5"
            raise ValueError(f"{len(cells)} cells, and the header has {len(names)}{hint}")
        row = dict(zip(names, cells, strict=True))
        if len(self.columns) < len(names):
            if any(cell for name, cell in zip(names, cells, strict=True) if not name):
                raise ValueError("a cell stands in a column without a name; allowed: empty. Name the column")
            row.pop("", None)
        return row

    def require(self, columns: Sequence[str]) -> None:
        """Raise TableError if a column is missing."""
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise TableError(
                1, f"no column {', '.join(missing)} (needed: {', '.join(columns)}){_similar(missing, self.columns)}"
            )

    def _read(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        for line, row in _quoted(file) if self._separator == "," else _unquoted(file, self._separator):
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield line, cells


def _quoted(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, strict=True)
    try:
        for row in reader:
            for cell in row:
                if "\n" in cell or "\r" in cell:
                    raise TableError(reader.line_num, "a cell contains a line break: a quote is missing or too many")
                if "\0" in cell:
                    raise TableError(0, "not a text file in UTF-8: it contains zero bytes")
            yield reader.line_num, row
    except csv.Error as error:
        raise TableError(reader.line_num, f"not a CSV file ({error})") from None
    except UnicodeDecodeError:
        raise TableError(0, "not a text file in UTF-8") from None


def _unquoted(file: TextIO, separator: str) -> Iterator[tuple[int, list[str]]]:
    try:
        for line, text in enumerate(file, 1):
            if "\0" in text:
                raise TableError(0, "not a text file in UTF-8: it contains zero bytes")
            yield line, text.split(separator)
    except UnicodeDecodeError:
        raise TableError(0, "not a text file in UTF-8") from None


def _wrong_separator(separator: str, header: list[str]) -> str | None:
    """Return what is wrong with a header of one cell that contains another separator."""
    if len(header) > 1:
        return None
    for other, name in _SEPARATORS.items():
        if other != separator and other in header[0]:
            return f"the header's columns are separated by {name}; allowed: commas. Export the table as CSV with commas"
    return None


def _similar(missing: list[str], columns: list[str]) -> str:
    lower = {name.lower(): name for name in columns}
    for name in missing:
        close = get_close_matches(name, lower, 1, 0.75)
        if close:
            return f"; did you mean {name} by {quote_cell(lower[close[0]])}?"
    return ""


def quote_cell(text: str) -> str:
    """Return a cell in quotes, cut if it is long."""
    return repr(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…")


def parse_exact(text: str) -> Exact:
    """Return a number as it was written. Raises ValueError for everything that is not one finite number."""
    if text.isdigit() and text.isascii() and len(text) < _MAX_SHOWN:
        return int(text)
    if "_" in text:
        raise ValueError(
            f"{quote_cell(text)} has an underscore; allowed: digits with a decimal point. Write 1000 for 1_000"
        )
    if "," in text:
        raise ValueError(f"{quote_cell(text)} has a comma; allowed: digits with a decimal point. Write 1.5 for 1,5")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{quote_cell(text)} is not a number; allowed: digits with a decimal point, such as 12 or 1.5")
    return Decimal(text)


def parse_whole(text: str, least: int = 0, most: int = MAX_WHOLE) -> int:
    """Return a whole number, which may be written as 2 or 2.0.

    Raises ValueError for everything else, and below ``least`` or above ``most``.
    """
    value = parse_exact(text)
    if not is_whole(value):
        raise ValueError(f"{quote_cell(text)} is not a whole number; allowed: {least} to {most:,}")
    if not least <= value <= most:
        raise ValueError(f"{quote_cell(text)} is out of range; allowed: {least} to {most:,}")
    return int(value)


def is_whole(value: Exact) -> bool:
    """Return whether a number is whole."""
    return isinstance(value, int) or value == value.to_integral_value()
