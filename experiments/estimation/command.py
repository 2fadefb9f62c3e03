"""Declare `asara fit`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.cli.options import AsJson, path_argument
from experiments.errors import InputError

Before = Annotated[
    str,
    typer.Option(metavar="EFFORT|unknown", help="Effort before the first row; `unknown`: r is averaged over it."),
]
Hardware = Annotated[
    Literal["unknown", "fixed", "grew"],
    typer.Option(help="Hardware used by the research; `grew`: r is halved to give r on fixed hardware."),
]
HardwareInput = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Hardware used in each row; effort is then sqrt(input x hardware)."),
]
DeprecatedLuck = Annotated[
    Literal["row", "lasting"] | None, typer.Option(hidden=True, help="Deprecated: all noise models are averaged.")
]


def fit(
    file: Annotated[
        Path | None,
        typer.Argument(parser=path_argument, metavar="[FILE]", help="A CSV file with a header, oldest row first."),
    ] = None,
    effort: Annotated[
        str, typer.Option("--input", metavar="COLUMN", help="Effort of each row; `rows`: each row counts one.")
    ] = "rows",
    performance: Annotated[
        str | None, typer.Option("--output", metavar="COLUMN", help="Performance, such as speed or minutes.")
    ] = None,
    date: Annotated[str | None, typer.Option(metavar="COLUMN", help="Dates, written as 2024-05-28.")] = None,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Lower output is better, as for times and costs.")
    ] = False,
    cumulative: Annotated[
        bool, typer.Option("--cumulative", help="The input column is cumulative, not the effort of each row.")
    ] = False,
    before: Before = "unknown",
    hardware: Hardware = "unknown",
    hardware_input: HardwareInput = None,
    luck: DeprecatedLuck = None,
    sub_periods: Annotated[int, typer.Option(min=1, max=100, help="Number of sub-periods to estimate r in.")] = 3,
    draws: Annotated[int, typer.Option(min=100, max=100_000, help="Draws of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the bootstrap and of forecasts.")] = 0,
    published: Annotated[bool, typer.Option("--published", help="Show Tables 1 and 4 of the report instead.")] = False,
    backtest: Annotated[
        bool,
        typer.Option("--backtest", help="Fit the first part of the rows, forecast the rest, and score the forecast."),
    ] = False,
    share: Annotated[float, typer.Option(min=0.1, max=0.95, help="Share of the rows to fit, with --backtest.")] = 0.6,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument,
            metavar="DIR",
            help="Write fit.json, fit.toml and fit.png (or backtest.json) into this folder.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate r, the returns to effort, from a real series.

    The command fits the growth law, and prints r with its interval and a prior for designs.
    """
    if published:
        if file is not None or out is not None or backtest:
            raise InputError(
                "--published reads and writes no file; allowed: without FILE, --out and --backtest. Leave them out."
            )
        from experiments.estimation.actions import print_published

        return print_published(as_json)
    if file is None or performance is None:
        raise InputError(
            "FILE or --output is missing; allowed: a CSV file with --output COLUMN, or --published. Add them."
        )
    from experiments.cli.arguments import check_folder
    from experiments.estimation.actions import backtest_series, fit_series
    from experiments.estimation.report import Options
    from experiments.estimation.series import SeriesColumns, read

    if out is not None:
        check_folder(out)
    if luck is not None:
        typer.echo("`--luck` is deprecated and has no effect: r is averaged over all noise models.", err=True)
    if hardware_input is not None and hardware == "fixed":
        raise InputError(
            "--hardware = fixed is contradicted by --hardware-input; allowed: unknown, grew. Leave out one of the two."
        )
    options = Options(_parse_before(before), sub_periods, draws, seed, hardware, hardware_input)
    data = read(file, SeriesColumns(effort, performance, date, lower_is_better, cumulative))
    if backtest:
        return backtest_series(data, options, share, out, as_json)
    return fit_series(data, options, out, as_json)


def _parse_before(text: str) -> float | None:
    """Return the effort before the first row; None for `unknown` and its deprecated alias `found`."""
    if text in ("unknown", "found"):
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"--before = {text} is not an effort; allowed: a number from 0 on, or `unknown`. Give one.")
    return value
