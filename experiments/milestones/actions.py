"""Carry out `asara milestones`: run the seeds, print the table, and write the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.cli.arguments import check_folder, load_scenario
from experiments.cli.study_results import StudyResults, execute_study, interrupted_error, report_results
from experiments.errors import InputError
from experiments.milestones.figure import milestones_picture
from experiments.milestones.study import MilestoneStudy, study
from experiments.milestones.table import sentences, show
from experiments.storage.atomic import to_json_values


def date_milestones(
    scenario: str,
    settings: Sequence[str],
    seeds: int,
    coder_share: float,
    coder_year: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Date the milestones of a scenario, print them, and write them into ``out`` if it is given.

    Raises InputError if an argument is not allowed, or after an interruption. Before that, the results of completed
    seeds are printed.
    """
    chosen = load_scenario(scenario, settings, None)
    if not 0 < coder_share <= 1:
        raise InputError(
            f"--coder-share = {coder_share:g} is not a share of the tasks; allowed: above 0, up to 1. Write "
            "--coder-share 0.5."
        )
    if out is not None:
        check_folder(out)
    found, is_interrupted = execute_study(
        lambda on_progress, should_stop: study(chosen, range(seeds), coder_share, coder_year, on_progress, should_stop)
    )
    content = json_content(found)
    results = StudyResults("milestones", content, lambda: {"png": milestones_picture(found)}, lambda: show(found))
    report_results(results, out, as_json)
    if is_interrupted:
        raise interrupted_error(len(found.paths), seeds)


def json_content(found: MilestoneStudy) -> Any:
    """Return a study as plain values for JSON: None if a day is not reached."""
    rows = [
        row._asdict()
        | {"milestone": row.milestone.name, "title": row.milestone.title, "share": row.share}
        | {"days_after_coder_if_reached": since.p50_if_reached, "source": row.milestone.source}
        for row, since in zip(found.rows, found.rows_since_coder, strict=True)
    ]
    measured = [
        each._asdict() | {"level": each.level._asdict(), "bottlenecks": each.bottlenecks()} for each in found.measured
    ]
    paths = [
        {
            "seed": path.seed,
            "asara_day": path.asara_day,
            "days": path.days,
            "share_automated": path.shares,
            "multiplier": values,
        }
        for path, values in zip(found.paths, found.multiplier_of, strict=True)
    ]
    content = found._asdict() | {"rows": rows, "measured": measured, "paths": paths, "sentences": sentences(found)}
    del content["multiplier_of"], content["rows_since_coder"]
    content["asara"] = None if found.asara is None else found.asara._asdict()
    return to_json_values(content)
