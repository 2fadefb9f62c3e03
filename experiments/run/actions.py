"""Carry out `asara run`: run a scenario, print the results, and write the files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from experiments.cli.arguments import check_folder, load_scenario, refuse_stored_run, require_out
from experiments.cli.interrupts import GracefulInterrupt
from experiments.cli.progress import run_progress, show_progress
from experiments.cli.run_table import show_result
from experiments.cli.terminal import print_json, print_text
from experiments.errors import InputError
from experiments.gains import day_of_gain, goal_sentence, parse_goal
from experiments.run.expected_length import note_on_length, refuse_out_of_reach
from experiments.storage.atomic import report_write_errors
from experiments.storage.run_store import ended, summary, write_run
from experiments.text.scenario_changes import Change, changes_of
from experiments.workbook import require_openpyxl
from sim.engines import Engine
from sim.runner import RunResult, require_one_lab, run
from sim.scenario.model import Scenario
from sim.world import World


class RunFiles(NamedTuple):
    """The files that `asara run` writes."""

    out: Path | None
    picture: Literal["png", "svg", "pdf"] | None
    shape: Literal["page", "wide"] | None
    as_csv: bool
    as_xlsx: bool
    fresh: bool
    """Whether a run that the folder already contains is replaced."""

    def check(self) -> None:
        """Refuse a folder that is not writable or contains a run, and options that need a folder."""
        if self.as_xlsx:
            require_openpyxl()
        if self.out is None:
            require_out(
                {
                    "--format": self.picture,
                    "--shape": self.shape,
                    "--csv": self.as_csv,
                    "--xlsx": self.as_xlsx,
                    "--fresh": self.fresh,
                }
            )
            return
        check_folder(self.out)
        if not self.fresh:
            refuse_stored_run(self.out)


class _Report(NamedTuple):
    """How a run is reported."""

    files: RunFiles
    as_json: bool
    goal: float | None
    """Multiple of the software level of day 0 [1]; None if there is no goal."""
    changes: list[Change]
    """Parameters that differ from the named scenario."""


def run_scenario(
    scenario: str,
    settings: Sequence[str],
    seed: int,
    until: float | None,
    stop_at_researchers: float | None,
    goal: str | None,
    engine: Engine,
    files: RunFiles,
    as_json: bool,
) -> None:
    """Run a scenario, print its results, and write its files.

    Raises InputError if an argument is not allowed, the run cannot reach its aim, or it is interrupted. Before the
    last, the run so far is reported.
    """
    multiple = None if goal is None else parse_goal(goal)
    chosen = load_scenario(scenario, settings, until, stop_at_researchers, multiple)
    require_one_lab(chosen)
    files.check()
    base = load_scenario(scenario, [])
    report = _Report(files, as_json, multiple, changes_of(chosen, base))
    if not as_json and (note := chosen.recalibration_since(base)):
        print_text(note)
    if engine == "fluid":
        from sim.fluid.api import run_fluid  # noqa: PLC0415 - slow to load

        _report_result(run_fluid(chosen), report)
        return
    refuse_out_of_reach(chosen)
    if note := note_on_length(chosen):
        print(f"asara: {note}", file=sys.stderr, flush=True)
    _run_world(chosen, seed, report)


def _run_world(chosen: Scenario, seed: int, report: _Report) -> None:
    """Run a scenario with agents, show its progress, and report it. Raises InputError if it was interrupted."""
    with GracefulInterrupt() as interrupt:
        with show_progress("intervals") as on_progress:

            def on_frame(world: World) -> bool:
                on_progress(run_progress(world))
                return interrupt.should_stop(world)

            result = run(chosen, seed, on_frame)
        _report_result(result, report)
    if result.ending == "interrupted":
        out = report.files.out
        kept = f"the run so far is in {out}" if out else "nothing was written without --out"
        raise InputError(f"interrupted at day {result.day:g}; {kept}")


def _report_result(result: RunResult, report: _Report) -> None:
    """Write a run if a folder is named, then print it; files are complete even if printing fails."""
    days, files = [doubling.day for doubling in result.doublings], report.files
    goal_text = "" if report.goal is None else goal_sentence(report.goal, days, ended(result))
    names: list[str] = []
    if files.out is not None:
        from experiments.plotting.run_figure import run_picture  # noqa: PLC0415 - matplotlib is slow to load

        form = files.picture or "png"
        picture = run_picture(result, form, files.shape or "page", report.changes)
        with report_write_errors(files.out):
            names = write_run(files.out, result, picture, form, files.as_csv, files.as_xlsx)
    if report.as_json:
        goal = report.goal and {
            "multiple": report.goal,
            "day": day_of_gain(report.goal, days),
            "sentence": goal_text,
        }
        print_json(summary(result) | ({"goal": goal} if goal else {}))
        return
    show_result(result, report.changes)
    if goal_text:
        print_text(goal_text)
    if files.out is not None:
        print_text(f"Written to {files.out}: {', '.join(names)}.")
