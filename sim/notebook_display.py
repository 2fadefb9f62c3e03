"""Display a run in a notebook: as one line, as HTML, and as data frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

import pandas as pd

if TYPE_CHECKING:
    from sim.reporters import Doubling
    from sim.runner import RunResult

MAX_ROWS: Final = 20
"""Largest number of doublings in the table; of more, the first and the last are shown."""
MAX_POINTS: Final = 200
"""Approximate largest number of points of the chart."""
WIDTH, HEIGHT, MARGIN = 420, 130, 20
"""Size of the chart and of its margins [pixels]."""
COLUMNS: Final = ("doubling", "day", "took days", "papers", "researchers")


def summary_line(result: RunResult) -> str:
    """Return a run as one line: scenario, seed, doublings, reason to stop, pace and long-run growth."""
    return (
        f"<RunResult {result.scenario.name}, {_describe_source(result)}: {len(result.doublings)} doublings by day "
        f"{result.day:.4g}; stopped by: {result.ending}; pace: {result.pace.name}; long run: {result.long_run.kind}>"
    )


def summary_html(result: RunResult) -> str:
    """Return a run as HTML: reason to stop, pace, long-run growth, a chart of software and a table of doublings."""
    statements = {
        "Scenario": f"{result.scenario.name}, {_describe_source(result)}",
        "Why it stopped": result.sentence,
        "What this run did": result.pace.sentence,
        "Where it leads": result.long_run.sentence,
        "At the end": f"day {_format_number(result.day)}: software {factor(result.software_doublings)} discovered, "
        f"{factor(result.deployed_doublings)} deployed; {_format_number(result.researchers)} researchers, "
        f"{_format_number(result.papers)} papers",
    }
    rows = (
        f"<tr><th {_LEFT}>{escape(name)}</th><td {_LEFT}>{escape(text)}</td></tr>" for name, text in statements.items()
    )
    return f"<div><table>{''.join(rows)}</table>{_software_chart(result)}{_doublings_table(result.doublings)}</div>"


def series_frame(result: RunResult) -> pd.DataFrame:
    """Return the series of a run as a data frame: one row per frame, columns as in sim.reporters.REPORTERS."""
    return pd.DataFrame(result.series)


def doublings_frame(result: RunResult) -> pd.DataFrame:
    """Return the doublings of a run as a data frame: n, day, duration_days, papers, researchers."""
    columns = ["n", "day", "duration_days", "papers", "researchers"]
    return pd.DataFrame([doubling._asdict() for doubling in result.doublings], columns=columns)


def factor(doublings: float) -> str:
    """Return doublings as a factor: ×8 for 3, or a power of two if the number would be long."""
    return f"×{2.0**doublings:,.3g}" if doublings < 10 else f"×2^{doublings:.4g}"


_LEFT: Final = 'style="text-align: left"'


def _describe_source(result: RunResult) -> str:
    return "engine fluid, no randomness" if result.engine == "fluid" else f"seed {result.seed}"


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def _doublings_table(doublings: Sequence[Doubling]) -> str:
    if not doublings:
        return "<p>Software did not double.</p>"
    half = MAX_ROWS // 2
    cut = len(doublings) > MAX_ROWS
    shown = [*doublings[:half], *doublings[-half:]] if cut else doublings
    rows = [_table_row([_format_number(float(value)) for value in doubling]) for doubling in shown]
    if cut:
        rows.insert(half, _table_row(["…"] * len(COLUMNS)))
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _table_row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _software_chart(result: RunResult) -> str:
    """Return a chart of discovered software against days as SVG; empty for a run of a single frame."""
    days, software = result.series["day"], result.series["discovered"]
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
        f'<text x="{end}" y="{HEIGHT - 5}" text-anchor="end">day {_format_number(last)}</text></g></svg>'
    )
