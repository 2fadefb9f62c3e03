"""Print sentences, tables and JSON on stdout, and find out whether a stream can show live progress."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, Protocol

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from experiments.storage.atomic import to_json

_JUPYTER_KERNEL: Final = "JPY_PARENT_PID"
"""Variable that Jupyter sets for its kernels.

Commands in a notebook cell inherit it, and their terminal does not follow control codes.
"""
_NORMAL_COLUMNS: Final = 80
"""Width of a terminal that tables are made for; on a narrower one, a table that does not fit becomes a list."""
_MIN_COLUMNS: Final = 20
"""Smallest width that is used, even if the terminal reports less."""
_MAX_COLUMNS: Final = 10_000
"""Width at which the natural width of a table is measured."""

Justify = Literal["left", "right"]
Column = tuple[str, Justify]
"""Title of a column of a table, and the side on which its cells are aligned."""


class Stream(Protocol):
    """An output stream."""

    def isatty(self) -> bool:
        """Return whether it is a terminal."""


def is_live(stream: Stream) -> bool:
    """Return whether a stream is a terminal that follows control codes; the output of a notebook cell is not."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and _JUPYTER_KERNEL not in os.environ


def console(width: int | None = None) -> Console:
    """Return a console for the current stdout, without colours and control codes unless it is a live terminal."""
    forced = None if is_live(sys.stdout) else False
    return Console(
        file=sys.stdout,
        width=width or _stated_width(),
        highlight=False,
        markup=False,
        emoji=False,
        force_terminal=forced,
    )


def live_console() -> Console:
    """Return a console for progress on stderr."""
    return Console(stderr=True, width=_stated_width())


def _stated_width() -> int | None:
    """Return the width that COLUMNS states; 0, which some shells state, stands for the normal width."""
    columns = os.environ.get("COLUMNS", "").strip()
    if not columns.isdecimal():
        return None
    return max(int(columns), _MIN_COLUMNS) if int(columns) else _NORMAL_COLUMNS


def print_text(text: str = "") -> None:
    """Print a line of plain text, wrapped to the terminal, without interpreting markup."""
    console().print(text, markup=False, highlight=False)


def make_table(*columns: Column, lines: bool = False, fixed: Collection[str] = ()) -> Table:
    """Return an empty table with these columns, in the style of all tables.

    ``lines``: whether a line separates the rows. ``fixed``: titles of columns whose cells are not wrapped.
    """
    table = Table(box=box.SIMPLE_HEAD, show_lines=lines, pad_edge=False)
    for title, justify in columns:
        table.add_column(title, justify=justify, no_wrap=title in fixed)
    return table


def make_value_table(indent: int = 0) -> Table:
    """Return an empty table of names and values, without a header, ``indent`` columns from the left edge."""
    return Table(show_header=False, box=None, padding=(0, 2, 0, indent))


def print_json(content: Mapping[str, Any]) -> None:
    """Print JSON; characters that stdout cannot encode become JSON escapes, so that no text is changed."""
    text = to_json(content)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(content, indent=2, allow_nan=False)
    print(text, flush=True)


def print_table(table: Table, at_least: int = 0) -> None:
    """Print a table without cutting any value.

    On a narrow terminal, a table that is too wide becomes a list of its rows. On any other, it keeps its lines, which
    the terminal may wrap.

    Args:
        table: Table whose cells are plain text.
        at_least: Smallest width of the table in columns, on terminals that are not narrow.
    """
    terminal = console()
    narrow = terminal.width < _NORMAL_COLUMNS
    if not narrow:
        terminal.width = max(terminal.width, at_least)
    if not _is_cut(table, terminal):
        terminal.print(table)
    elif narrow:
        _print_rows(table, terminal)
    else:
        widest = Measurement.get(terminal, terminal.options.update(width=_MAX_COLUMNS), table).maximum
        while terminal.width < widest and _is_cut(table, terminal):
            terminal.width += 10
        terminal.print(table)


def _is_cut(table: Table, terminal: Console) -> bool:
    with terminal.capture() as captured:
        terminal.print(table)
    own = sum(text.count("…") for text in _texts(table))
    return captured.get().count("…") > own


def _texts(table: Table) -> list[str]:
    return [str(cell) for column in table.columns for cell in (column.header, *column.cells)]


def _print_rows(table: Table, terminal: Console) -> None:
    """Print each row as lines of the form "title: value", with a blank line after it."""
    titles = [str(column.header) for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        cells = [str(cell) for cell in row]
        if any(titles):
            lines = [f"{title}: {cell}" for title, cell in zip(titles, cells, strict=True) if cell]
        else:  # a table of names and values
            lines = [": ".join(cell for cell in cells if cell)]
        for line in lines:
            terminal.print(line, overflow="fold")
        if any(titles):
            terminal.print()
