"""Carry out `asara fit`: fit a series or back-test it, print the results, and write the files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments.cli.interrupts import GracefulInterrupt
from experiments.cli.progress import show_progress
from experiments.cli.terminal import print_json, print_text
from experiments.estimation import backtest, published_estimates
from experiments.estimation.report import Options, analyse_series, content, toml
from experiments.estimation.series import Data
from experiments.estimation.table import show, show_backtest, show_next_steps, show_published
from experiments.storage.atomic import json_file, to_json_values, write_files


def print_published(as_json: bool) -> None:
    """Print the published estimates of r."""
    found = published_estimates.content()
    if as_json:
        print_json(found)
    else:
        show_published(found)


def fit_series(data: Data, options: Options, out: Path | None, as_json: bool) -> None:
    """Fit the law of returns to a series, print the result, and write it into ``out`` if it is given."""
    found = analyse_series(data, options)
    result = to_json_values(content(found))
    files: dict[str, bytes] = {}
    if out is not None:
        from experiments.estimation.figure import fit_picture  # noqa: PLC0415 - matplotlib is slow to load

        files = {"fit.toml": toml(found).encode(), "fit.png": fit_picture(found), "fit.json": json_file(result)}
        write_files(out, files)
    if as_json:
        print_json(result)
        return
    show(content(found))
    if out is not None:
        _print_written(out, files)
        show_next_steps(content(found), str(out))


def backtest_series(data: Data, options: Options, share: float, out: Path | None, as_json: bool) -> None:
    """Fit the first ``share`` of the rows, forecast the rest, print the scores, and write them into ``out``."""
    with show_progress("none") as on_progress, GracefulInterrupt() as interrupt:
        found = backtest.backtest(data, options, share, on_progress, lambda: interrupt.happened)
    result: dict[str, Any] = to_json_values(backtest.content(found))
    files = {"backtest.json": json_file(result)}
    if out is not None:
        write_files(out, files)
    if as_json:
        print_json(result)
        return
    show_backtest(result)
    if out is not None:
        _print_written(out, files)


def _print_written(out: Path, files: Iterable[str]) -> None:
    print_text(f"Written to {out}: {', '.join(sorted(files))}.")
