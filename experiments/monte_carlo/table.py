"""Print a Monte Carlo analysis: probabilities, quantiles of the explosion, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table

from experiments.cli.terminal import Column, make_table, print_table, print_text
from experiments.monte_carlo.summary import LAWS


def show_outcome(found: Mapping[str, Any]) -> None:
    """Print the probability of each event with its interval, and the quantiles of the explosion."""
    print_text(f"{found['priors']} ({found['n']:,} worlds, seed {found['seed']}): {found['description']}")
    print_text(f"Law: {LAWS[found['retraining']]}{_phi(found)}.")
    print_text()
    print_table(_explosion_table(found))
    print_table(_probability_table(found))
    print_table(_quantile_table(found))
    print_text(_describe_assumptions(found))


def _explosion_table(found: Mapping[str, Any]) -> Table:
    """Compare both rules of retraining over the same draws of r."""
    table = make_table(("probability of", "left"), *_SHARE_COLUMNS)
    for row in found["explosion_by_rule"]:
        published = found["explosion"]["published"] if row["own"] else ""
        table.add_row(_EXPLOSIONS[row["rule"]], *_cells(row), published)
    return table


def _probability_table(found: Mapping[str, Any]) -> Table:
    table = make_table(("probability by the law of this file", "left"), ("doublings", "right"), *_SHARE_COLUMNS)
    within = found["explosion_within_horizon"]
    table.add_row(f"an explosion within {found['horizon_months']:g} months", "", *_cells(within), "")
    for pair in found["pairs"]:
        question = f"≥ {pair['years']:g} years in {pair['months']:g} months"
        table.add_row(question, str(pair["doublings"]), *_cells(pair), pair["published"])
    return table


_SHARE_COLUMNS: Final[tuple[Column, ...]] = (("asara", "right"), ("95% interval", "right"), ("published", "left"))
_EXPLOSIONS: Final[Mapping[str, str]] = {
    "none": "explosion: P(r > 1), law without retraining (the damping of the successor study does not change it)",
    "share": "explosion when training runs take their share, P(r(1 − phi) > 1), rule of `asara run`",
}


def _phi(found: Mapping[str, Any]) -> str:
    return f", phi = {found['speed_share']:g}" if found["retraining"] == "share" else ""


def _cells(share: Mapping[str, float]) -> tuple[str, str]:
    return f"{share['probability']:.2%}", f"[{share['low']:.2%}, {share['high']:.2%}]"


def _quantile_table(found: Mapping[str, Any]) -> Table:
    months, years = found["explosion_months"], found["explosion_years_of_progress"]
    table = make_table(
        ("worlds that explode by this law", "left"), *((f"{float(level):.0%}", "right") for level in months)
    )
    beyond = f"> {found['horizon_months']:g}"
    any_explodes = found["explosion"]["worlds"] > 0
    table.add_row(
        "months to the explosion", *(_format_quantile(each, beyond, any_explodes) for each in months.values())
    )
    table.add_row(
        "years of progress by then", *(_format_quantile(each, "no end", any_explodes) for each in years.values())
    )
    return table


def _format_quantile(value: float | None, not_finite: str, any_explodes: bool) -> str:
    return f"{value:.3g}" if value is not None else not_finite if any_explodes else "-"


def _describe_assumptions(found: Mapping[str, Any]) -> str:
    text = (
        f"A year of progress is {found['doublings_per_year']:g} doublings of software; the period may begin at any "
        "time. "
        f"{_DEFINITION[found['retraining'] == 'share']} phi = {found['speed_share']:g} is the share of each "
        "doubling that is spent on shorter training runs. A lab whose experiments share fixed GPUs also needs "
        "r(1 − s) > 1; no row includes that condition (docs/reference/monte-carlo.md)."
    )
    cut = found["cut_at_most_doublings"]["worlds"]
    return f"{text} {cut:,} worlds ended at most_doublings while they still got faster." if cut else text


_DEFINITION: Final = (
    "A world explodes if its doublings get faster, r > 1. The explosion ends when r has fallen to 1; without a "
    "limit, when infinitely many doublings are complete.",
    "A world explodes if its doublings get faster, r(1 − phi) > 1. The explosion ends when r(1 − phi) has fallen "
    "to 1; without a limit, when infinitely many doublings are complete.",
)
"""Definitions without and with the share that training runs take."""
