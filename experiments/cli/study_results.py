"""Print the results of a study over seeds, and write its files, in the same way for each command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments.cli.terminal import print_json, print_text
from experiments.errors import InputError
from experiments.storage.atomic import json_file, write_files


class StudyResults(NamedTuple):
    """Results of a study, ready to be printed and written."""

    name: str
    """Name of the files, without their extension."""
    content: Mapping[str, Any]
    """Results as plain values for JSON."""
    draw: Callable[[], bytes]
    """Function that returns the picture, as PNG."""
    show: Callable[[], None]
    """Function that prints the results as text."""


def report_results(results: StudyResults, out: Path | None, as_json: bool) -> None:
    """Write the results into ``out`` if it is given, and print them, as JSON or as text."""
    if out is not None:
        picture = results.draw()
        write_files(out, {f"{results.name}.json": json_file(results.content), f"{results.name}.png": picture})
    if as_json:
        print_json(results.content)
        return
    results.show()
    if out is not None:
        print_text(f"Written to {out}: {results.name}.json, {results.name}.png.")


def interrupted_error(completed: int, seeds: int) -> InputError:
    """Return the error of a command that was interrupted after some of its seeds, whose results are reported."""
    return InputError(f"interrupted after {completed} of {seeds} seeds. The results are of the completed seeds.")
