"""Carry out `asara detect`: run the seeds, print how detectors do, and write the files."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from experiments.cli.arguments import check_folder, load_scenario
from experiments.cli.study_results import StudyResults, execute_study, interrupted_error, report_results
from experiments.detection.detectors import MIN_NOISE, DetectorSettings, named_detectors
from experiments.detection.figure import detection_picture
from experiments.detection.runs import Truths
from experiments.detection.study import DetectionStudy, check_scenarios, study
from experiments.detection.table import sentences, show, truth_sentence
from experiments.errors import InputError
from experiments.storage.atomic import to_json_values
from experiments.sweep.actions import count_cores

_TIMES: Final = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*[x×]")
_MAX_DOUBLINGS: Final = 300.0


def judge_detectors(
    scenarios: Sequence[str],
    settings: Sequence[str],
    seeds: int,
    detectors: Sequence[str],
    pace: tuple[float, float, float],
    noise: float | None,
    level: str,
    years_before: float,
    base_rate: float,
    singular_probability: float,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Judge detectors on scenarios, print the result, and write it into ``out`` if it is given.

    ``pace``: times, window and doubling time of the reference, as in `DetectorSettings`. ``noise``: that of
    `DetectorSettings`, by default that of the increments of the readings.

    Raises InputError if an argument is not allowed, or after an interruption. Before that, the results of completed
    seeds are printed.
    """
    chosen = [load_scenario(name, settings) for name in dict.fromkeys(scenarios)]
    error = max(each.regulator.noise_doublings for each in chosen)
    detector_settings = DetectorSettings(*pace, max(MIN_NOISE, math.sqrt(2) * error) if noise is None else noise)
    check_numbers(detector_settings, years_before, base_rate, singular_probability)
    _refuse_equal_names([each.name for each in chosen])
    named = named_detectors(detectors, detector_settings)
    truths = Truths(
        detector_settings.times, detector_settings.reference_doubling_days, parse_level(level), years_before * 365.0
    )
    check_scenarios(chosen, truths, named)
    if out is not None:
        check_folder(out)
    processes, rates = count_cores() if workers is None else workers, (base_rate, singular_probability)
    found, is_interrupted = execute_study(
        lambda on_progress, should_stop: study(
            chosen, range(seeds), named, truths, *rates, processes, on_progress, should_stop
        )
    )
    results = StudyResults(
        "detect", json_content(found), lambda: {"png": detection_picture(found)}, lambda: show(found)
    )
    report_results(results, out, as_json)
    if is_interrupted:
        raise interrupted_error(len(found.seeds), seeds)


def check_numbers(
    settings: DetectorSettings, years_before: float, base_rate: float, singular_probability: float
) -> None:
    """Check the numbers of the command line. Raises InputError with the first one that is not allowed."""
    limits = (
        ("--times", settings.times, 1.001, 1000.0, 5),
        ("--window-days", settings.window_days, 1e-3, 36_500.0, 182.5),
        ("--reference-doubling-days", settings.reference_doubling_days, 1e-3, 36_500.0, 182.5),
        ("--detector-noise", settings.noise_doublings, 1e-6, 100.0, 0.5),
        ("--years-before", years_before, 0.0, 100.0, 2),
        ("--base-rate", base_rate, 0.0, 1000.0, 0.1),
        ("--singular-probability", singular_probability, 0.0, 1.0, 0.5),
    )
    for name, value, low, high, example in limits:
        if not low <= value <= high:
            raise InputError(
                f"{name} = {value:g} is out of bounds; allowed: {low:g} to {high:g}. Write {name} {example:g}."
            )


def parse_level(text: str) -> float:
    """Return a level in doublings from doublings, such as 10, or a multiple, such as 1000x.

    Raises InputError if it is not above 0 and at most 300 doublings.
    """
    times = _TIMES.fullmatch(text.strip())
    try:
        level = math.log2(float(times[1])) if times else float(text)
    except ValueError:
        level = math.nan
    if not 0 < level <= _MAX_DOUBLINGS:
        raise InputError(
            f"--level = {text} is not a level of software; allowed: above 0, up to 300 doublings, or a multiple such "
            "as 1000x. Write --level 10."
        )
    return level


def _refuse_equal_names(names: Sequence[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"two scenarios are named '{twice[0]}'; allowed: different names. Rename one of the files.")


def json_content(found: DetectionStudy) -> Any:
    """Return a study as plain values for JSON: None if a day is not reached or a number is not known."""
    scores = []
    for each in found.scores:
        plain = {
            name: value._asdict() if hasattr(value, "_asdict") else value for name, value in each._asdict().items()
        }
        if each.roc is not None:
            plain["roc"] = each.roc._asdict() | {"area": each.roc.area._asdict()}
        scores.append(plain)
    content = {
        "scenarios": [{"scenario": each.name, "digest": each.digest()} for each in found.scenarios],
        "seeds": found.seeds,
        "truths": found.truths._asdict(),
        "base_rate": found.base_rate,
        "singular_probability": found.singular_probability,
        "detectors": [
            {"detector": each.name, "kind": each.kind, "threshold": each.threshold} | each.settings._asdict()
            for each in found.detectors
        ],
        "by_scenario": [
            row._asdict() | {"alarm": row.alarm._asdict(), "fast_on_day_0": row.fast_on_day_0._asdict()}
            for row in found.rows
        ],
        "in_hindsight": [row._asdict() | {"fast": row.fast._asdict()} for row in found.hindsight],
        "scores": scores,
        "runs": [
            {
                "scenario": run.scenario,
                "seed": run.seed,
                "fast_from": run.fast_from,
                "is_singular": run.is_singular,
                "level_day": run.level_day,
                "end": run.end,
                "alarms": {
                    name: [each.known_on for each in followed[at].alarms] for name, followed in found.followed.items()
                },
            }
            for at, run in enumerate(found.runs)
        ],
        "sentences": [*(truth_sentence(found, truth) for truth in ("pace", "singular")), *sentences(found)],
    }
    return to_json_values(content)
