"""Execute a study over seeds, print its results, and write its files, in the same way for each command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from experiments.cli.interrupts import GracefulInterrupt
from experiments.cli.progress import show_progress
from experiments.cli.terminal import print_json, print_text
from experiments.errors import InputError
from experiments.progress import OnProgress
from experiments.storage.atomic import json_file, write_files

if TYPE_CHECKING:
    from sim.world import World

S = TypeVar("S")


def execute_study(study: Callable[[OnProgress, Callable[[World | None], bool]], S | None]) -> tuple[S, bool]:
    """Execute a study with a line of progress; return its results, and whether it was interrupted.

    ``study`` is called with a callback for progress and with the function that decides whether to stop. It returns
    None if it was stopped before its first results. Raises InputError then.
    """
    with show_progress() as on_progress, GracefulInterrupt() as interrupt:
        found = study(on_progress, interrupt.should_stop)
    if found is None:
        raise InputError("interrupted before the first results were complete. There are no results; run it again.")
    return found, interrupt.happened


class StudyResults(NamedTuple):
    """Results of a study, ready to be printed and written."""

    name: str
    """Name of the files, without their extension."""
    content: Mapping[str, Any]
    """Results as plain values for JSON."""
    render: Callable[[], Mapping[str, bytes]]
    """Function that returns the other files by their extension: the picture, and the page if there is one."""
    show: Callable[[], None]
    """Function that prints the results as text."""


def report_results(results: StudyResults, out: Path | None, as_json: bool) -> None:
    """Write the results into ``out`` if it is given, and print them, as JSON or as text."""
    files = {}
    if out is not None:
        by_extension = {"json": json_file(results.content), **results.render()}
        files = {f"{results.name}.{extension}": content for extension, content in by_extension.items()}
        write_files(out, files)
    if as_json:
        print_json(results.content)
        return
    results.show()
    if files:
        print_text(f"Written to {out}: {', '.join(files)}.")


def interrupted_error(completed: int, seeds: int) -> InputError:
    """Return the error of a command that was interrupted after some of its seeds, whose results are reported."""
    return InputError(f"interrupted after {completed} of {seeds} seeds. The results are of the completed seeds.")
