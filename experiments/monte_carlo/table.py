"""Show a Monte Carlo on a terminal: a bar while worlds are run, then probabilities and quantiles."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from rich import box
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from experiments.cli.terminal import console, is_live, live_console, print_table
from experiments.monte_carlo.loading import LAWS
from experiments.monte_carlo.runner import Tell


@contextmanager
def progress(n: int) -> Iterator[Tell]:
    """Show how many worlds are over, on stderr, and only where that is a terminal."""
    if not is_live(sys.stderr):
        yield lambda done: None
        return
    columns = (BarColumn(bar_width=30), TextColumn("{task.completed:,} of {task.total:,} worlds"))
    with Progress(*columns, console=live_console(), transient=True) as bar:
        task = bar.add_task("", total=n)
        yield lambda done: bar.update(task, completed=done)


def show_outcome(found: Mapping[str, Any]) -> None:
    """Print the probability of each event with its interval, and when the worlds that explode do so."""
    print_text(f"{found['priors']} ({found['n']:,} worlds, seed {found['seed']}): {found['description']}")
    print_text(f"This file has the {LAWS[found['retraining']]}{_phi(found)}.")
    print_text()
    print_table(_explosions(found))
    print_table(_probabilities(found))
    print_table(_quantiles(found))
    print_text(_notes(found))


def print_text(text: str = "") -> None:
    """Print a line of plain text, wrapped to the terminal."""
    console().print(text, markup=False, highlight=False)


def _explosions(found: Mapping[str, Any]) -> Table:
    """Return both rules of retraining side by side, under the same draws of r."""
    table = _table(("probability of", "left"), *_SHARE_COLUMNS)
    for row in found["explosion_by_rule"]:
        published = found["explosion"]["published"] if row["own"] else ""
        table.add_row(_EXPLOSIONS[row["rule"]], *_cells(row), published)
    return table


def _probabilities(found: Mapping[str, Any]) -> Table:
    table = _table(("by the law of this file, probability of", "left"), ("doublings", "right"), *_SHARE_COLUMNS)
    within = found["explosion_within_horizon"]
    table.add_row(f"an explosion within {found['horizon_months']:g} months", "", *_cells(within), "")
    for pair in found["pairs"]:
        asked = f"≥ {pair['years']:g} years in {pair['months']:g} months"
        table.add_row(asked, str(pair["doublings"]), *_cells(pair), pair["published"])
    return table


_SHARE_COLUMNS: Final = (("asara", "right"), ("95% interval", "right"), ("published", "left"))
_EXPLOSIONS: Final[Mapping[str, str]] = {
    "none": "explosion: P(r > 1), law without retraining (and with the study's damping, which cannot change it)",
    "share": "explosion when training runs take their share, P(r(1 − phi) > 1), rule of `asara run`",
}


def _phi(found: Mapping[str, Any]) -> str:
    return f", phi = {found['speed_share']:g}" if found["retraining"] == "share" else ""


def _cells(share: Mapping[str, float]) -> tuple[str, str]:
    return f"{share['probability']:.2%}", f"[{share['low']:.2%}, {share['high']:.2%}]"


def _quantiles(found: Mapping[str, Any]) -> Table:
    months, years = found["explosion_months"], found["explosion_years_of_progress"]
    table = _table(
        ("of the worlds that explode by this law", "left"), *((f"{float(level):.0%}", "right") for level in months)
    )
    beyond = f"> {found['horizon_months']:g}"
    exploding = found["explosion"]["worlds"] > 0
    table.add_row("months to the explosion", *(_figure(each, beyond, exploding) for each in months.values()))
    table.add_row("years of progress by then", *(_figure(each, "no end", exploding) for each in years.values()))
    return table


def _figure(value: float | None, instead: str, exploding: bool) -> str:
    return f"{value:.3g}" if value is not None else instead if exploding else "-"


def _notes(found: Mapping[str, Any]) -> str:
    text = (
        f"A year of progress is {found['doublings_per_year']:g} doublings of software; any stretch of the months named "
        f"counts. {_DEFINITION[found['retraining'] == 'share']} phi = {found['speed_share']:g} is the share of each "
        "doubling that is spent on shorter training runs. A lab whose experiments share fixed GPUs also needs "
        "r(1 − s) > 1; no row asks for that (docs/reference/monte-carlo.md)."
    )
    cut = found["cut_at_most_doublings"]["worlds"]
    return f"{text} Left at most_doublings, while still getting faster: {cut:,} worlds." if cut else text


_DEFINITION: Final = (
    "A world explodes if its doublings get faster, r > 1. The explosion is over when r has fallen to 1; without a "
    "limit, when infinitely many doublings are done.",
    "A world explodes if its doublings get faster, r(1 − phi) > 1. The explosion is over when r(1 − phi) has fallen "
    "to 1; without a limit, when infinitely many doublings are done.",
)
"""Without and with the share that training runs take."""


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, justify in columns:
        table.add_column(title, justify=justify)  # type: ignore[arg-type]  # rich spells the four words out
    return table
