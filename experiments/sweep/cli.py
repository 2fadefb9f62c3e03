"""`asara sweep` and `asara results`: what may be typed. Each loads what it needs itself."""
# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.cli.options import AsJson, Goal, New, path_argument, write_new
from experiments.errors import InputError

DEFAULT_OUT = Path("out/sweeps")


def sweep(
    design: Annotated[str, typer.Argument(help="quick, report, bottlenecks, retraining, or a TOML file.")] = "quick",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter of the base scenario. May be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(parser=path_argument, metavar="DIR", help="The folder of the sweep: out/sweeps/NAME.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes on this machine: one a core if left out.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler: tcp://HOST:8786.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="S", help="Give a run up after so many seconds.")] = None,
    engine: Annotated[
        Literal["world", "fluid"] | None, typer.Option(help="Instead of the engine that the design names.")
    ] = None,
    goal: Goal = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over: remove the runs that the folder has.")] = False,
    new: New = None,
) -> None:
    """Run a design: every run a row, whatever becomes of it; the same command again goes on where it stopped."""
    if new is not None:
        write_new("sweep", new, "" if design == "quick" else design)
    folder = out if out is not None else DEFAULT_OUT / Path(design).stem
    try:
        from experiments.sweep.command import run_sweep

        run_sweep(design, settings or [], folder, workers, cluster, timeout, engine, fresh, goal)
    except KeyboardInterrupt:  # also while the libraries are loaded
        raise InputError(f"interrupted; {_kept(folder)}") from None


def _kept(folder: Path) -> str:
    """How many runs a folder has, and that the command continues."""
    goes_on = f"in {folder}; the same command continues there"
    if not any((folder / "runs").glob("part-*.parquet")):
        return f"no run had been written {goes_on}"
    try:
        from experiments.sweep.storage import count_runs

        runs = count_runs(folder)
    except (Exception, KeyboardInterrupt):  # half-loaded libraries, a damaged part: the runs are there all the same
        return f"the finished runs are kept {goes_on}"
    return f"{runs:,} finished {'run is' if runs == 1 else 'runs are'} kept {goes_on}"


def results(
    folder: Annotated[Path, typer.Argument(parser=path_argument, metavar="DIR", help="The folder of a sweep.")],
    sql: Annotated[
        str | None, typer.Option(metavar="QUERY", help="DuckDB's SQL over the tables runs, series and timings.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all columns as CSV and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the table of a sweep, or ask it something."""
    from experiments.sweep.query_command import show_results

    if as_csv and as_json:
        raise InputError("--csv and --json: one of them")
    show_results(folder, sql, as_csv, as_json)
