"""Display a run in a notebook as HTML: statements, a chart of software and a table of doublings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sim.run_statistics import Doubling

MAX_ROWS: Final = 20
"""Largest number of doublings in the table; of more, the first and the last are shown."""
MAX_POINTS: Final = 200
"""Approximate largest number of points of the chart."""
WIDTH, HEIGHT, MARGIN = 420, 130, 20
"""Size of the chart and of its margins [pixels]."""
_LEFT: Final = 'style="text-align: left"'
COLUMNS: Final = ("doubling", "day", "took days", "papers", "researchers")


def summary_html(
    statements: Mapping[str, str], days: Sequence[float], software: Sequence[float], doublings: Sequence[Doubling]
) -> str:
    """Return a run as HTML: a table of statements, a chart of software and a table of doublings.

    ``statements``: sentences by their headings. ``days`` and ``software``: the series of the chart, software in
    doublings.
    """
    rows = (
        f"<tr><th {_LEFT}>{escape(name)}</th><td {_LEFT}>{escape(text)}</td></tr>" for name, text in statements.items()
    )
    return f"<div><table>{''.join(rows)}</table>{_software_chart(days, software)}{_doublings_table(doublings)}</div>"


def factor(doublings: float) -> str:
    """Return doublings as a factor: ×8 for 3, or a power of two if the number would be long."""
    return f"×{2.0**doublings:,.3g}" if doublings < 10 else f"×2^{doublings:.4g}"


def format_number(value: float) -> str:
    """Return a number of at least 1000, or a whole one, without decimals; any other with four digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def _doublings_table(doublings: Sequence[Doubling]) -> str:
    if not doublings:
        return "<p>Software did not double.</p>"
    half = MAX_ROWS // 2
    cut = len(doublings) > MAX_ROWS
    shown = [*doublings[:half], *doublings[-half:]] if cut else doublings
    rows = [_table_row([format_number(float(value)) for value in doubling]) for doubling in shown]
    if cut:
        rows.insert(half, _table_row(["…"] * len(COLUMNS)))
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _table_row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _software_chart(days: Sequence[float], software: Sequence[float]) -> str:
    """Return a chart of discovered software against days as SVG; empty for a run of a single frame."""
    last, top = max(days, default=0.0), max(software, default=0.0)
    if len(days) < 2 or not last > 0 or not top > 0:
        return ""
    step = max(1, len(days) // MAX_POINTS)
    chosen = [*range(0, len(days) - 1, step), len(days) - 1]
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    points = " ".join(
        f"{MARGIN + wide * days[at] / last:.1f},{MARGIN + high * (1 - software[at] / top):.1f}" for at in chosen
    )
    base, end = HEIGHT - MARGIN, WIDTH - MARGIN
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="Software against days">'
        f'<line x1="{MARGIN}" y1="{base}" x2="{end}" y2="{base}" stroke="currentColor" stroke-opacity="0.4"/>'
        f'<polyline points="{points}" fill="none" stroke="#0072B2" stroke-width="2"/>'
        '<g fill="currentColor" font-size="11">'
        f'<text x="{MARGIN}" y="{MARGIN - 6}">software {factor(top)} (log scale)</text>'
        f'<text x="{end}" y="{HEIGHT - 5}" text-anchor="end">day {format_number(last)}</text></g></svg>'
    )
