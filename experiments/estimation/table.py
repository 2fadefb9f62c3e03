"""Print the results of `asara fit` as tables and sentences, from plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table

from experiments.cli.terminal import Column, make_table, print_table, print_text
from experiments.text.number_format import format_interval, format_number

MIN_TABLE_COLUMNS: Final = 120
"""Width of tables on terminals that are not narrow."""
_WRAPPED: Final = ("about", "of what")
"""Columns whose cells may take several lines."""


def show(found: Mapping[str, Any]) -> None:
    """Print the analysis of a series."""
    when = f", {found['from']} to {found['to']}" if found["from"] else ""
    print_text(
        f"{found['file']}: {found['rows']} rows{when}; with {format_number(found['effort'])} of {found['input']}, "
        f"{found['output']} improved by a factor of {found['times_better']:.3g}."
    )
    print_text()
    print_text(found["sentence"])
    print_text()
    _print(_assumption_table(found))
    _print(_sub_period_table(found))
    _print_forecast(found)
    falling = found["falling"]
    print_text(
        f"Test of constant r: r changes by {falling['change']:+.3f} with each doubling of effort, "
        f"p = {falling['p_value']:.3f}."
    )
    print_text()
    for warning in found["warnings"]:
        print_text(f"- {warning}")


def _print_forecast(found: Mapping[str, Any]) -> None:
    if not found["forecast"]:
        return
    table = _table(">cumulative effort", ">times better than the last row", ">80%")
    for each in found["forecast"]:
        table.add_row(f"{each['effort']:g} times", f"{each['times_better']:.2f}", format_interval(*each["interval"]))
    print_text("Forecast of the trend, if the law continues to hold; single rows scatter about the trend:")
    _print(table)


def show_next_steps(found: Mapping[str, Any], folder: str) -> None:
    """Print how to use the written files."""
    if found["refusal"] is not None:
        print_text(f"fit.toml has no prior. {found['refusal']}")
        return
    print_text(
        f"Next: write a design in the folder {folder} with growth__r = {{ from = 'fit.toml' }} under [uncertainties], "
        "and run asara sweep DESIGN.toml. For asara mc, copy the table of fit.toml into a file of priors as [inputs.r]."
    )


def _assumption_table(found: Mapping[str, Any]) -> Table:
    table = _table("noise model; effort before", ">r", ">80%", ">95%", ">P(r > 1)", ">before", ">p of before")
    for row in (found, *found["other_assumptions"]):
        intervals = (format_interval(*row["intervals"][share]) for share in ("0.8", "0.95"))
        table.add_row(
            row["assumptions"].replace(" noise; effort before:", ";") + (" (recommended)" if row is found else ""),
            f"{row['r']:.2f}",
            *intervals,
            f"{row['above_one']:.0%}",
            format_number(float(f"{row['before']:.3g}")),
            "-" if row["p_before"] is None else f"{row['p_before']:.3f}",
        )
    return table


def _sub_period_table(found: Mapping[str, Any]) -> Table:
    table = _table("lines", "dates", ">r", ">95%")
    for each in found["sub_periods"]:
        dates = f"{each['from']} to {each['to']}" if each["from"] else "-"
        lines = f"{each['first_line']} to {each['last_line']}"
        table.add_row(lines, dates, f"{each['r']:.2f}", format_interval(*each["interval"]))
    return table


def show_published(found: Mapping[str, Any]) -> None:
    """Print the tables of the report, and whether each r lies above or below 1."""
    print_text(f"Efficiency doubling times: {found['doubling_times']['source']}.")
    table = _table("domain", "what", ">months", "of what")
    for row in found["doubling_times"]["rows"]:
        months = row["months"]
        table.add_row(row["domain"], row["what"], "no gains" if months is None else _format_range(months), row["who"])
    _print(table)
    print_text(f"Estimates of r: {found['returns']['source']}.")
    table = _table("domain", ">r", "range", "r as estimated", "r halved", "about")
    for row in found["returns"]["rows"]:
        spread = f"{_format_range(row['range'])} ({row['share']:.0%})" if row["range"] else "-"
        table.add_row(
            row["domain"],
            _format_range(row["r"]),
            spread,
            _describe_side(row["as_seen"]),
            _describe_side(row["halved"]),
            row["about"],
        )
    _print(table)
    for note in found["returns"]["notes"]:
        print_text(f"- {note}")


def show_backtest(found: Mapping[str, Any]) -> None:
    """Print the scores of the forecasts."""
    print_text(
        f"{found['file']}: fitted to the first {found['fitted_rows']} of {found['rows']} rows (r = {found['r']:.2f} "
        f"{format_interval(*found['interval'])}), forecasts the other {found['rows'] - found['fitted_rows']}."
    )
    print_text()
    table = _table("forecast", ">CRPS", ">mean error", *(f">{share}" for share in ("50%", "80%", "90%")))
    for row in found["scores"]:
        shares = (f"{row['coverage'][share]:.0%}" for share in ("0.5", "0.8", "0.9"))
        table.add_row(row["forecast"], f"{row['crps']:.3f}", f"{row['bias']:+.3f}", *shares)
    _print(table)
    print_text(
        "CRPS and mean error are in doublings of performance; smaller is better. The column 80% has the share of rows "
        "within the 80% interval."
    )
    print_text()
    print_text(found["sentence"])


def _describe_side(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return "-"
    return f"r {side['side_of_one']}" if side["above_one"] is None else f"P(r > 1) = {side['above_one']:.0%}"


def _format_range(ends: Sequence[float]) -> str:
    return " to ".join(f"{each:g}" for each in ends)


def _table(*titles: str) -> Table:
    """Return an empty table; a title that begins with ">" is of a column of numbers, which is aligned to the right."""
    columns: list[Column] = [
        (title.removeprefix(">"), "right" if title.startswith(">") else "left") for title in titles
    ]
    return make_table(*columns, fixed={title for title, _ in columns} - set(_WRAPPED))


def _print(table: Table) -> None:
    print_table(table, at_least=MIN_TABLE_COLUMNS)  # a wrapped row of numbers is hard to read
