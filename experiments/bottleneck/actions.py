"""Carry out `asara bottleneck`: measure, print, and write the files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from experiments.bottleneck.figure import bottleneck_picture
from experiments.bottleneck.study import study
from experiments.bottleneck.table import PUBLISHED, conclusion, sentence, show
from experiments.cli.arguments import check_folder, load_scenario
from experiments.cli.study_results import StudyResults, execute_study, interrupted_error, report_results
from experiments.errors import InputError
from experiments.storage.atomic import to_json_values


def measure(
    scenario: str, settings: Sequence[str], doublings: str, seeds: int, out: Path | None, as_json: bool
) -> None:
    """Measure a scenario, print the results, and write them into ``out`` if it is given.

    Raises InputError if an argument is not allowed, or after an interruption. Before that, the results of completed
    seeds are printed.
    """
    chosen, path = load_scenario(scenario, settings, None), parse_doublings(doublings)
    if out is not None:
        check_folder(out)
    found, is_interrupted = execute_study(
        lambda on_progress, should_stop: study(chosen, path, range(seeds), on_progress, should_stop)
    )
    sentences = {"sentences": [sentence(case) for case in found.cases], "conclusion": conclusion(found)}
    published = [{"what": each.what, "sigma": each.sigma, "rho": each.rho, "source": each.source} for each in PUBLISHED]
    content = to_json_values(found._asdict() | {"published": published} | sentences)
    results = StudyResults("bottleneck", content, lambda: {"png": bottleneck_picture(found)}, lambda: show(found))
    report_results(results, out, as_json)
    if is_interrupted:
        raise interrupted_error(len(found.seeds), seeds)


def parse_doublings(text: str) -> list[float]:
    """Return the doublings in `N,N,...`, each larger than the one before.

    Raises InputError if one is not a number, is below 0, or is not larger than the one before.
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    valid = found and all(math.isfinite(each) and each >= 0 for each in found)
    if not valid or any(later <= earlier for earlier, later in pairwise(found)):
        raise InputError(
            f"--doublings = {text} is not an increasing list; allowed: numbers from 0, each larger than the one "
            "before. Write --doublings 0,2,4."
        )
    return found
