"""Carry out `asara policies`: run the seeds under each policy, print the comparison, and write the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.cli.arguments import check_folder, load_scenario
from experiments.cli.study_results import StudyResults, execute_study, interrupted_error, report_results
from experiments.governance.figure import policies_picture
from experiments.governance.page import policies_page
from experiments.governance.policy_runs import PaceLimit
from experiments.governance.study import GovernanceStudy, check_levels, policy_curves, study
from experiments.governance.table import sentences, show
from experiments.storage.atomic import to_json_values
from experiments.sweep.actions import count_cores


def run_policies(
    scenario: str,
    policies: Sequence[str],
    settings: Sequence[str],
    seeds: int,
    levels: Sequence[float],
    pace: float,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run a scenario with some seeds under each policy, print the comparison, and write it into ``out`` if given.

    Raises InputError if an argument is not allowed, or after an interruption. Before that, the results of completed
    seeds are printed.
    """
    chosen = load_scenario(scenario, settings)
    check_levels(chosen, levels)
    if out is not None:
        check_folder(out)
    processes = count_cores() if workers is None else workers
    limit = PaceLimit(pace)
    found, is_interrupted = execute_study(
        lambda on_progress, should_stop: study(
            chosen, range(seeds), policies, levels, limit, processes, on_progress, should_stop
        )
    )

    def render() -> dict[str, bytes]:
        return {"html": policies_page(found).encode(), "png": policies_picture(found)}

    report_results(StudyResults("policies", json_content(found), render, lambda: show(found)), out, as_json)
    if is_interrupted:
        raise interrupted_error(len(found.seeds), seeds)


def json_content(found: GovernanceStudy) -> Any:
    """Return a study as plain values for JSON: None if a day is not reached or an interval has no ends."""
    content = found._asdict() | {"sentences": sentences(found), "over_time": policy_curves(found)}
    content["outcomes"] = {
        name: [
            {
                "seed": each.seed,
                "ending": each.ending,
                "day": each.day,
                "level_days": each.level_days,
                "warnings": each.warnings,
                "restricted": each.restricted,
                "fastest": each.fastest,
            }
            for each in outcomes
        ]
        for name, outcomes in found.outcomes.items()
    }
    return to_json_values(content)
