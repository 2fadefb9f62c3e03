"""Summarize a Monte Carlo analysis as probabilities and quantiles, and write its files.

Neither Mesa nor matplotlib is imported, so that a million worlds take about a second.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.monte_carlo.priors import Priors
from experiments.monte_carlo.runner import Probability, SampledWorlds, estimate_probability, explodes, quantiles
from experiments.monte_carlo.spec import MonteCarloSpec, ProgressQuestion, Retraining
from experiments.storage.atomic import json_file, report_write_errors, write_files
from experiments.uncertainty.distributions import Array

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
SUMMARY, TABLE = "mc.json", "mc.csv"
PICTURES: Final = ("mc.png", "mc.svg", "mc.pdf")
LAWS: Final[Mapping[Retraining, str]] = {
    "none": "law without retraining",
    "damped": "law with the damping of retraining of the successor study",
    "share": "law of `asara run`, whose training runs take their share",
}
"""Name of the growth law, by its rule of retraining."""


def summarize(priors: Priors, n: int, seed: int, drawn: Mapping[str, Array], worlds: SampledWorlds) -> dict[str, Any]:
    """Summarize worlds as probabilities and quantiles, in plain values for JSON: None if there is no finite number.

    Each probability has the key ``of``, which names its event. ``explosion`` uses the law of the file;
    ``explosion_by_rule`` has one entry without retraining and one in which training runs take their share. Quantiles of
    an explosion are over the worlds that explode by the law of the file; a date beyond the horizon is None.
    """
    study = priors.study
    law = LAWS[study.retraining]
    return {
        "priors": priors.name,
        "digest": priors.digest,
        "description": study.description,
        "source": study.source,
        "n": n,
        "seed": seed,
        "retraining": study.retraining,
        "doublings_per_year": study.doublings_per_year,
        "horizon_months": study.horizon_months,
        "speed_share": study.speed_share,
        "explosion": {"published": study.explosion_published}
        | _probability(f"{_condition(study.retraining)}: {law}", worlds.explodes),
        "explosion_by_rule": [_by_rule(study, rule, drawn["r"]) for rule in ("none", "share")],
        "explosion_within_horizon": _probability(
            f"an explosion within {study.horizon_months:g} months: {law}", np.isfinite(worlds.explosion_months)
        ),
        "pairs": [_pair(pair, law, worlds) for pair in study.pairs],
        "explosion_months": _levels(worlds.explosion_months[worlds.explodes]),
        "explosion_years_of_progress": _levels(worlds.explosion_doublings[worlds.explodes] / study.doublings_per_year),
        "inputs": {name: _levels(values) for name, values in drawn.items()},
        "cut_at_most_doublings": _probability("left at most_doublings, while still getting faster", worlds.cut),
    }


def _condition(rule: Retraining) -> str:
    return "r(1 - phi) > 1" if rule == "share" else "r > 1"


def _by_rule(study: MonteCarloSpec, rule: Retraining, r: Array) -> dict[str, Any]:
    """Return P(r > 1) or P(r(1 - phi) > 1) over the same draws of r, and whether the law of the file has this rule."""
    own = study.retraining == rule or (study.retraining == "damped" and rule == "none")
    event = f"{_condition(rule)}: {_RULES[rule]}"
    return {"rule": rule, "own": own} | _probability(event, explodes(r, rule, study.speed_share))


_RULES: Final[Mapping[Retraining, str]] = {
    "none": "law without retraining (the damping of the successor study does not change it)",
    "share": "training runs take their share, rule of `asara run`",
}


def _pair(pair: ProgressQuestion, law: str, worlds: SampledWorlds) -> dict[str, Any]:
    event = f">= {pair.years:g} years of progress within some {pair.months:g} months: {law}"
    return pair._asdict() | _probability(event, worlds.shortest_months[pair.doublings] <= pair.months)


def _probability(event: str, happened: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the probability of an event with its interval, and a description of the event."""
    found: Probability = estimate_probability(happened)
    return {"of": event, **found._asdict()}


def _levels(values: Array) -> dict[str, float | None]:
    found = quantiles(values, LEVELS)
    return {f"{level:g}": value if math.isfinite(value) else None for level, value in zip(LEVELS, found, strict=True)}


def to_csv(found: Mapping[str, Any]) -> str:
    """Format the quantiles of a summary as CSV: one row for each quantity, an empty cell if not finite."""
    rows = {name: found[name] for name in ("explosion_months", "explosion_years_of_progress")} | found["inputs"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["quantity", *(f"{level:.0%}" for level in LEVELS)])
    for name, levels in rows.items():
        writer.writerow([name, *("" if value is None else repr(value) for value in levels.values())])
    return text.getvalue()


def write(folder: Path, found: Mapping[str, Any], picture: bytes, form: str = "png") -> list[str]:
    """Write a summary, its quantiles and its picture into a folder, `mc.json` last; return the names of the files.

    Pictures of an earlier summary are removed; other files in the folder are kept.
    """
    name = f"mc.{form}"
    files = {TABLE: to_csv(found).encode(), name: picture, SUMMARY: json_file(found)}
    with report_write_errors(folder):
        for old in {SUMMARY, *PICTURES} - {name}:  # remove the files of an earlier summary
            (folder / old).unlink(missing_ok=True)
    write_files(folder, files)
    return [SUMMARY, TABLE, name]
