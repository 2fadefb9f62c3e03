"""Carry out `asara policies`: run the seeds under each policy, print the comparison, and write the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.arguments import check_folder, load_scenario
from experiments.cli.interrupts import GracefulInterrupt
from experiments.cli.progress import show_progress
from experiments.cli.terminal import print_json, print_text
from experiments.errors import InputError
from experiments.governance.figure import policies_picture
from experiments.governance.page import policies_page
from experiments.governance.policy_runs import PaceLimit
from experiments.governance.study import GovernanceStudy, check_levels, policy_curves, study
from experiments.governance.table import sentences, show
from experiments.storage.atomic import json_file, to_json_values, write_files
from experiments.sweep.actions import count_cores

if TYPE_CHECKING:
    from sim.world import World


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
    with show_progress() as on_progress, GracefulInterrupt() as interrupt:

        def should_stop(world: World | None) -> bool:
            return interrupt.happened if world is None else interrupt.should_stop(world)

        processes = count_cores() if workers is None else workers
        limit = PaceLimit(pace)
        found = study(chosen, range(seeds), policies, levels, limit, processes, on_progress, should_stop)
    if found is None:
        raise InputError("interrupted before the first seed was complete. There are no results; run it again.")
    content = json_content(found)
    if out is not None:
        page = policies_page(found).encode()
        files = {"policies.json": json_file(content), "policies.html": page, "policies.png": policies_picture(found)}
        write_files(out, files)
    if as_json:
        print_json(content)
    else:
        show(found)
        if out is not None:
            print_text(f"Written to {out}: policies.json, policies.html, policies.png.")
    if interrupt.happened:
        raise InputError(
            f"interrupted after {len(found.seeds)} of {seeds} seeds. The results are of the completed seeds."
        )


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
