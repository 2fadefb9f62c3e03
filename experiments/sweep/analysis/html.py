"""Render the report of a sweep as one HTML page, from report.html.jinja and report.css."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from experiments.sweep.analysis.labels import format_value, percent

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ROWS: Final = 40
"""Maximum number of rows of a table in the page; the CSV file has all rows."""
_FOLDER: Final = Path(__file__).parent
_SHARE_COLUMNS: Final = (
    "probability",
    "p_long_run_singular",
    "p_speeding_up",
    "density",
    "coverage",
    "researchers",
    "experiments",
    "training",
)


class TableColumn(NamedTuple):
    """The head of a column."""

    title: str
    is_text: bool


class TableCell(NamedTuple):
    """The text of a cell and its CSS classes."""

    text: str
    style: str


class TableView(NamedTuple):
    """The part of a table in the page: its first rows, and the number of rows that are left out."""

    columns: list[TableColumn]
    rows: list[list[TableCell]]
    more: str


class ReportPicture(NamedTuple):
    """An SVG element and its caption."""

    drawing: Markup
    caption: str


def render_page(content: Mapping[str, Any]) -> str:
    """Return the complete page. ``content``: the variables of report.html.jinja, whose texts are escaped."""
    css = Markup((_FOLDER / "report.css").read_text(encoding="utf-8"))
    return _template().render(css=css, **content)


def report_picture(drawing: str, caption: str) -> ReportPicture:
    """Return an SVG element with its caption, which is also its label for screen readers."""
    named = drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(caption, quote=True)}" ', 1)
    return ReportPicture(Markup(named), caption)


def table_view(found: pa.Table) -> TableView:
    """Return the part of a table that is in the page."""
    names = found.column_names
    rows = found.slice(0, MAX_ROWS).to_pylist()
    columns = [
        TableColumn(name if "__" in name else name.replace("_", " "), any(_is_text(row[name]) for row in rows))
        for name in names
    ]
    more = found.num_rows - len(rows)
    return TableView(
        columns, [[_format_cell(name, row[name]) for name in names] for row in rows], f"{more:,}" if more else ""
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("report.html.jinja")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not value.replace(",", "").replace(".", "").isdigit()


def _format_cell(name: str, value: Any) -> TableCell:
    if _is_text(value):
        return TableCell(value, "text long" if len(value) > 24 else "text")
    return TableCell(_format_value(name, value), "")


def _format_value(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float) and not math.isfinite(value):
        return "not seen" if value > 0 else "–"
    if name in _SHARE_COLUMNS and isinstance(value, float):
        return percent(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else format_value(value)
