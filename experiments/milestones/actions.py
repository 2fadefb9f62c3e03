"""Carry out `asara milestones`: run the seeds, print the table, and write the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.cli.arguments import check_folder, load_scenario
from experiments.cli.interrupts import GracefulInterrupt
from experiments.cli.progress import show_progress
from experiments.cli.terminal import print_json, print_text
from experiments.errors import InputError
from experiments.milestones.figure import milestones_picture
from experiments.milestones.study import MilestoneStudy, study
from experiments.milestones.table import sentences, show
from experiments.storage.atomic import json_file, to_json_values, write_files


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
    with show_progress() as on_progress, GracefulInterrupt() as interrupt:
        found = study(chosen, range(seeds), coder_share, coder_year, on_progress, interrupt.should_stop)
    if found is None:
        raise InputError("interrupted before the first results were complete. There are no results; run it again.")
    content = json_content(found)
    if out is not None:
        write_files(out, {"milestones.json": json_file(content), "milestones.png": milestones_picture(found)})
    if as_json:
        print_json(content)
    else:
        show(found)
        if out is not None:
            print_text(f"Written to {out}: milestones.json, milestones.png.")
    if interrupt.happened:
        raise InputError(
            f"interrupted after {len(found.paths)} of {seeds} seeds. The results are of the completed seeds."
        )


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
