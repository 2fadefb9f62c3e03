"""Carry out `asara race`: run the seeds, print who leads, and write the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.cli.arguments import check_folder, load_scenario
from experiments.cli.study_results import StudyResults, execute_study, interrupted_error, report_results
from experiments.race.figure import race_picture
from experiments.race.levels import check_level
from experiments.race.study import RaceStudy, race_curves, study
from experiments.race.table import sentences, show
from experiments.storage.atomic import to_json_values
from experiments.sweep.actions import count_cores
from sim.race import require_labs


def run_seeds(
    scenario: str,
    settings: Sequence[str],
    seeds: int,
    level: float | None,
    compare: bool,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run a race with some seeds, print who leads, and write the results into ``out`` if it is given.

    Raises InputError if an argument is not allowed, or after an interruption. Before that, the results of completed
    seeds are printed.
    """
    chosen = load_scenario(scenario, settings)
    require_labs(chosen)
    check_level(chosen, level)
    if out is not None:
        check_folder(out)
    processes = count_cores() if workers is None else workers
    found, is_interrupted = execute_study(
        lambda on_progress, should_stop: study(
            chosen, range(seeds), level, processes, on_progress, should_stop, compare
        )
    )
    results = StudyResults("race", json_content(found), lambda: {"png": race_picture(found)}, lambda: show(found))
    report_results(results, out, as_json)
    if is_interrupted:
        raise interrupted_error(len(found.outcomes), seeds)


def json_content(found: RaceStudy) -> Any:
    """Return a study as plain values for JSON: None if a day is not reached."""
    content = found._asdict() | {"sentences": sentences(found)}
    content["over_time"] = race_curves(found)
    content["seeds"] = [
        {
            "seed": each.seed,
            "ending": each.ending,
            "day": each.day,
            "level_days": each.level_days,
            "decided": each.decided,
            "ended": each.ended,
            "software": each.software,
            "gpus": each.gpus,
            "repeated": each.repeated,
            "safety": each.safety,
        }
        for each in found.outcomes
    ]
    content["one_lab"] = [{"seed": each.seed, "level_days": each.level_days} for each in found.one_lab]
    del content["outcomes"]
    content["earlier"] = None if found.earlier is None else found.earlier._asdict()
    content["safety"] = None if found.safety is None else found.safety._asdict()
    return to_json_values(content)
