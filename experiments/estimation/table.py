"""Print the results of `asara fit`: tables and sentences, from plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.table import Table

from experiments.cli.run_table import format_number as number
from experiments.cli.run_table import print_text
from experiments.cli.terminal import print_table

WIDE: Final = 120
_WRAPPED: Final = ("about", "of what")
"""Columns that may take several lines."""


def show(found: Mapping[str, Any]) -> None:
    """Print the study of a series."""
    when = f", {found['from']} to {found['to']}" if found["from"] else ""
    print_text(
        f"{found['file']}: {found['rows']} rows{when}; {number(found['effort'])} of {found['input']} made "
        f"{found['output']} {found['times_better']:.3g} times better."
    )
    print_text()
    print_text(found["sentence"])
    print_text()
    _print(_assumptions(found))
    _print(_sub_periods(found))
    _show_forecast(found)
    falling = found["falling"]
    print_text(
        f"Constant r against r that changes with log effort: {falling['change']:+.3f} for each doubling of effort, "
        f"p = {falling['p_value']:.3f}."
    )
    print_text()
    for warning in found["warnings"]:
        print_text(f"- {warning}")


def _show_forecast(found: Mapping[str, Any]) -> None:
    if not found["forecast"]:
        return
    table = _table(">cumulative effort", ">times better than the last row", ">80%")
    for each in found["forecast"]:
        table.add_row(f"{each['effort']:g} times", f"{each['times_better']:.2f}", _interval(each["interval"]))
    print_text("Forecast of the trend, if the law still holds; single rows scatter about it:")
    _print(table)


def show_next_steps(found: Mapping[str, Any], folder: str) -> None:
    """Print how to use what was written."""
    if found["refusal"] is not None:
        print_text(f"fit.toml has no prior. {found['refusal']}")
        return
    print_text(
        f"Next: put a design beside {folder}/fit.toml with growth__r = {{ from = 'fit.toml' }} under [uncertainties], "
        "and run asara sweep DESIGN.toml. For asara mc, copy the table into a file of priors as [inputs.r]."
    )


def _assumptions(found: Mapping[str, Any]) -> Table:
    table = _table("noise; effort before", ">r", ">80%", ">95%", ">P(r > 1)", ">before", ">p of before")
    for row in (found, *found["other_assumptions"]):
        intervals = (_interval(row["intervals"][share]) for share in ("0.8", "0.95"))
        table.add_row(
            row["assumptions"].replace(" noise; effort before:", ";") + (" (advised)" if row is found else ""),
            f"{row['r']:.2f}",
            *intervals,
            f"{row['above_one']:.0%}",
            number(float(f"{row['before']:.3g}")),
            "-" if row["p_before"] is None else f"{row['p_before']:.3f}",
        )
    return table


def _sub_periods(found: Mapping[str, Any]) -> Table:
    table = _table("lines", "dates", ">r", ">95%")
    for each in found["sub_periods"]:
        dates = f"{each['from']} to {each['to']}" if each["from"] else "-"
        lines = f"{each['first_line']} to {each['last_line']}"
        table.add_row(lines, dates, f"{each['r']:.2f}", _interval(each["interval"]))
    return table


def show_published(found: Mapping[str, Any]) -> None:
    """Print the report's tables, and on which side of 1 each r lies."""
    print_text(f"Efficiency doubling times: {found['doubling_times']['source']}.")
    table = _table("domain", "what", ">months", "of what")
    for row in found["doubling_times"]["rows"]:
        months = row["months"]
        table.add_row(row["domain"], row["what"], "no gains" if months is None else _range(months), row["who"])
    _print(table)
    print_text(f"Estimates of r: {found['returns']['source']}.")
    table = _table("domain", ">r", "range", "r as seen", "r halved", "about")
    for row in found["returns"]["rows"]:
        spread = f"{_range(row['range'])} ({row['share']:.0%})" if row["range"] else "-"
        table.add_row(
            row["domain"], _range(row["r"]), spread, _means(row["as_seen"]), _means(row["halved"]), row["about"]
        )
    _print(table)
    for note in found["returns"]["notes"]:
        print_text(f"- {note}")


def show_backtest(found: Mapping[str, Any]) -> None:
    """Print the scores of the forecasts."""
    print_text(
        f"{found['file']}: fitted on the first {found['fitted_rows']} of {found['rows']} rows (r = {found['r']:.2f} "
        f"{_interval(found['interval'])}), forecast the other {found['rows'] - found['fitted_rows']}."
    )
    print_text()
    table = _table("forecast", ">CRPS", ">mean error", *(f">in {share}" for share in ("50%", "80%", "90%")))
    for row in found["scores"]:
        shares = (f"{row['coverage'][share]:.0%}" for share in ("0.5", "0.8", "0.9"))
        table.add_row(row["forecast"], f"{row['crps']:.3f}", f"{row['bias']:+.3f}", *shares)
    _print(table)
    print_text(
        "CRPS and errors are in doublings of performance: smaller is better. 'in 80%': of the rows, those within."
    )
    print_text()
    print_text(found["sentence"])


def _means(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return "-"
    return f"r {told['side_of_one']}" if told["above_one"] is None else f"P(r > 1) = {told['above_one']:.0%}"


def _range(ends: Sequence[float]) -> str:
    return " to ".join(f"{each:g}" for each in ends)


def _interval(ends: Sequence[float]) -> str:
    return f"[{ends[0]:.2f}, {ends[1]:.2f}]"


def _table(*columns: str) -> Table:
    """A table; a title that begins with > is of figures."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in columns:
        right = title.startswith(">")
        table.add_column(title.removeprefix(">"), justify="right" if right else "left", no_wrap=title not in _WRAPPED)
    return table


def _print(table: Table) -> None:
    print_table(table, at_least=WIDE)  # a row of figures that is broken cannot be read
