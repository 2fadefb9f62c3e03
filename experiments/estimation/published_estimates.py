"""Read the published estimates: the report's tables of doubling times and of r, each r compared with 1."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scipy.special import ndtri

from experiments.estimation.report import HALVED, side_of_one
from experiments.uncertainty.distributions import LogNormal

BUNDLED_ESTIMATES_DIR: Final = Path(__file__).parents[1] / "published"


def content() -> dict[str, Any]:
    """Return both tables as plain values: `doubling_times` and `returns`, each with its source and rows.

    A row of `returns` has r (one figure, or the ends of a range), its range and the share that it holds, and what
    hardware did. ``as_seen`` compares r with 1 as it was seen, ``halved`` after halving it for fixed hardware, as the
    report's best guess does (1 to 4, then 0.5 to 2); None if that does not apply. Each has ``side_of_one`` and
    ``above_one``, which is P(r > 1), None without a range. Source: the report's Tables 1 and 4.
    """
    times, returns = _load("doubling-times"), _load("returns")
    times["rows"] = [{"months": None} | row for row in times["rows"]]
    return {"doubling_times": times, "returns": returns | {"rows": [_compare_with_one(row) for row in returns["rows"]]}}


def above_one(low: float, high: float, share: float) -> float:
    """Return P(r > 1) for a lognormal distribution with this share between low and high, and equal tails."""
    width = ndtri((1 + share) / 2) / ndtri(0.9)
    middle, reach = (low * high) ** 0.5, (high / low) ** (0.5 / width)
    return 1 - LogNormal.from_ci80(middle / reach, middle * reach).cdf(1.0)


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads((BUNDLED_ESTIMATES_DIR / f"{name}.toml").read_text(encoding="utf-8"))


def _compare_with_one(row: Mapping[str, Any]) -> dict[str, Any]:
    hardware = row.get("hardware", "grew")
    values = {name: row.get(name) for name in ("domain", "r", "range", "share", "about")} | {"hardware": hardware}
    of_software = hardware in ("grew", "fixed")
    return values | {
        "as_seen": _side_and_probability(row, 1.0) if of_software else None,
        "halved": _side_and_probability(row, HALVED) if hardware == "grew" else None,
    }


def _side_and_probability(row: Mapping[str, Any], factor: float) -> dict[str, Any]:
    ends = [factor * each for each in row.get("range", row["r"])]
    return {
        "side_of_one": side_of_one(ends[0], ends[-1]),
        "above_one": above_one(ends[0], ends[-1], row["share"]) if "range" in row else None,
    }
