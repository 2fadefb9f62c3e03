"""Carry out `asara analyse`: read the folder of a sweep, and write a report with its figures and tables."""

from __future__ import annotations

from pathlib import Path

from experiments.cli.arguments import check_folder
from experiments.cli.progress import show_progress
from experiments.cli.terminal import print_json, print_text
from experiments.errors import InputError
from experiments.storage.atomic import write_files
from experiments.sweep.analysis.report import (
    MAX_LISTED_FAILURES,
    files,
    reading,
    stale_files,
    summary,
    summary_paragraph,
)
from experiments.sweep.analysis.sensitivity import check_outcome
from experiments.sweep.analysis.sweep_data import load


def analyse_sweep(folder: Path, out: Path | None, outcome: str | None, as_json: bool) -> None:
    """Write the report of a sweep into ``out`` and print its summary.

    With ``as_json``, only an explicit ``out`` is written. Raises InputError if the folder or the outcome is wrong.
    """
    chosen = None if outcome is None else check_outcome(outcome)
    sweep = load(folder)
    if sweep.labs and outcome is not None:
        raise InputError(
            f"--outcome = {outcome} is an outcome of one lab, and this sweep has {len(sweep.labs)} labs; allowed: no "
            "outcome. Leave --outcome out."
        )
    into = out or (None if as_json else folder / "analysis")
    if into is not None:
        check_folder(into)
        with show_progress() as on_progress:
            content = files(sweep, on_progress, chosen)
            before = stale_files(into, content)
            write_files(into, content)
            for path in before:
                path.unlink()
    if as_json:
        print_json(summary(sweep))
        return
    print_text(summary_paragraph(sweep))
    if meaning := reading(sweep):
        print_text(meaning)
    without = sweep.asked - sweep.n
    print_text(f"{sweep.n:,} of {sweep.asked:,} runs have a result" + (f", {without:,} have none." if without else "."))
    for failure in sweep.failures[:MAX_LISTED_FAILURES]:
        message = f": {failure.message}" if failure.message else ""
        print_text(f"  {failure.runs:,} {failure.status} (the first is run {failure.first}){message}")
    if rest := sum(failure.runs for failure in sweep.failures[MAX_LISTED_FAILURES:]):
        print_text(f"  and {rest:,} more")
    print_text(f"Written to {into}: report.html, and its figures and tables.")
