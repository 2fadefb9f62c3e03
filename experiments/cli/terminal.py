"""Where output goes: whether a stream can show live progress, and what prints sentences, tables and JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, Protocol

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from experiments.storage.atomic import to_json

_JUPYTER_KERNEL: Final = "JPY_PARENT_PID"
"""Set by Jupyter for its kernels. Commands typed in a cell inherit it, with a terminal that does not follow codes."""
_USUAL: Final = 80
"""Columns of a terminal that tables are made for; on a narrower one, a table that does not fit becomes a list."""
_NARROWEST: Final = 20
"""Columns below which nothing can be read; a terminal that claims fewer is given so many."""


class Stream(Protocol):
    """An output stream."""

    def isatty(self) -> bool:
        """Return whether it is a terminal."""


def is_live(stream: Stream) -> bool:
    """Return whether a stream is a terminal that follows control codes, which the output of a notebook cell is not."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and _JUPYTER_KERNEL not in os.environ


def console(width: int | None = None) -> Console:
    """Return a console for what stdout is now: without control codes, colours too, unless it is a live terminal."""
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
    """The width that COLUMNS states. Shells that do not know their width state 0, which means none."""
    columns = os.environ.get("COLUMNS", "").strip()
    if not columns.isdecimal():
        return None
    return max(int(columns), _NARROWEST) if int(columns) else _USUAL


def print_json(content: Mapping[str, Any]) -> None:
    """Print JSON. Characters that stdout cannot encode become JSON's own escapes, so that no text is changed."""
    text = to_json(content)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(content, indent=2, allow_nan=False)
    print(text, flush=True)


def print_table(table: Table, at_least: int = 0) -> None:
    """Print a table without cutting any value.

    A table that is too wide for a narrow terminal becomes a list of its rows. On any other it keeps its lines, which
    the terminal may wrap.

    Args:
        table: Its cells are plain text.
        at_least: Width of the table in columns, on terminals that are not narrow.
    """
    terminal = console()
    narrow = terminal.width < _USUAL
    if not narrow:
        terminal.width = max(terminal.width, at_least)
    if not _is_cut(table, terminal):
        terminal.print(table)
    elif narrow:
        _print_rows(table, terminal)
    else:
        widest = Measurement.get(terminal, terminal.options.update(width=10_000), table).maximum
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
