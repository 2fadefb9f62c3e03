"""Declare `asara sweep` and `asara results`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.cli.options import AsJson, Goal, New, path_argument, write_new
from experiments.errors import InputError

DEFAULT_OUT = Path("out/sweeps")


def sweep(
    design: Annotated[
        str,
        typer.Argument(
            help="A design: quick, report, bottlenecks, retraining, road, race, governance, or a TOML file."
        ),
    ] = "quick",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter of the base scenario. May be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="The folder of the sweep; out/sweeps/NAME if left out."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Number of processes on this machine; one for each core if left out."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address of a Dask scheduler, such as tcp://HOST:8786.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="S", help="Stop a run after S seconds and record it as timed out.")
    ] = None,
    engine: Annotated[
        Literal["world", "fluid"] | None, typer.Option(help="Use this engine, not the one of the design.")
    ] = None,
    goal: Goal = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over: remove the runs that are in the folder.")] = False,
    new: New = None,
) -> None:
    """Run every run of a design and store one row a run; repeat the command to continue an interrupted sweep."""
    if new is not None:
        write_new("sweep", new, "" if design == "quick" else design)
    folder = out if out is not None else DEFAULT_OUT / Path(design).stem
    try:
        from experiments.sweep.actions import run_sweep

        run_sweep(design, settings or [], folder, workers, cluster, timeout, engine, fresh, goal)
    except KeyboardInterrupt:  # also while the libraries are loaded
        raise InputError(f"interrupted; {_describe_kept_runs(folder)}") from None


def _describe_kept_runs(folder: Path) -> str:
    """Return how many runs are stored in a folder, and how to continue."""
    next_step = f"in {folder}. Run the same command again to continue."
    if not any((folder / "runs").glob("part-*.parquet")):
        return f"no run is stored {next_step}"
    try:
        from experiments.sweep.storage import count_runs

        runs = count_runs(folder)
    except (Exception, KeyboardInterrupt):  # half-loaded libraries or a damaged part: the finished runs stay stored
        return f"finished runs are stored {next_step}"
    return f"{runs:,} finished {'run is' if runs == 1 else 'runs are'} stored {next_step}"


def results(
    folder: Annotated[Path, typer.Argument(parser=path_argument, metavar="DIR", help="The folder of a sweep.")],
    sql: Annotated[
        str | None,
        typer.Option(metavar="QUERY", help="Print the result of a DuckDB SQL query over the tables of --table."),
    ] = None,
    table: Annotated[
        Literal["runs", "series", "timings", "labs", "wide"] | None,
        typer.Option(
            help="Table to print; runs if left out. With several labs: labs has a row a run and lab, and wide a row a "
            "run with columns LAB.name."
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all columns as CSV and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a table of a sweep, or the result of an SQL query over its tables."""
    from experiments.sweep.query_table import show_results

    if as_csv and as_json:
        raise InputError("--csv and --json are both set; allowed: one of them. Leave one out.")
    show_results(folder, sql, as_csv, as_json, table)
