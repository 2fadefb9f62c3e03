"""Measure how often the recommended 95% interval of r covers the true r, with the defaults of `asara fit`.

Each cell has series of one length and one kind of noise, with r = 0.8 and 5 rows' effort before the first row. The fit
does not use the kind of noise. Exits with 1 if a cell with --series 300 or more covers less than 85.5%, which is 90% of
nominal.

    python -m benchmarks.coverage [--series N] [--before unknown|given|none]

``unknown`` is the default of `asara fit`; ``given`` states the true effort. ``none`` states 0, which is
wrong, so the recommendation depends on whether the series contradicts it (only the share of contradictions is printed).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from experiments.estimation.averaged_fit import recommend
from experiments.estimation.growth_fit import Series

Array = NDArray[np.float64]

R: Final = 0.8
BEFORE: Final = 5.0
ROWS: Final = (8, 15, 30, 60)
WANTED: Final = 0.9 * 0.95
SCATTER: Final = 0.1
"""Standard deviation of a row's error in doublings."""
_WIDTHS: Final = 60
"""Series of a cell whose width is computed."""


def row_noise(rng: Generator, x: Array) -> Array:
    """Return log2 of performance with independent errors."""
    return R * x + rng.normal(0, SCATTER, len(x))


def lasting_noise(rng: Generator, x: Array) -> Array:
    """Return log2 of performance whose slope has an independent error of half its size in each step."""
    return np.append(0.0, np.cumsum(np.diff(x) * (R + rng.normal(0, 0.5 * R, len(x) - 1))))


def walk_noise(rng: Generator, x: Array) -> Array:
    """Return log2 of performance with a random walk of equal steps."""
    return R * x + np.cumsum(rng.normal(0, SCATTER, len(x)))


def fading_noise(rng: Generator, x: Array) -> Array:
    """Return log2 of performance with errors that correlate 0.7 with those of the row before."""
    errors = rng.normal(0, SCATTER, len(x))
    for row in range(1, len(x)):
        errors[row] = 0.7 * errors[row - 1] + np.sqrt(1 - 0.7**2) * errors[row]
    return R * x + errors


def records(rng: Generator, x: Array) -> Array:
    """Return log2 of the best performance so far of tries with independent errors."""
    return np.maximum.accumulate(row_noise(rng, x))


def noisy_records(rng: Generator, x: Array) -> Array:
    """Return records of tries with three times the error."""
    return np.maximum.accumulate(R * x + rng.normal(0, 3 * SCATTER, len(x)))


NOISES: Final[dict[str, Callable[[Generator, Array], Array]]] = {
    "independent": row_noise,
    "lasting": lasting_noise,
    "random walk": walk_noise,
    "AR(1) 0.7": fading_noise,
    "records": records,
    "records, 3 x noise": noisy_records,
}


def series(noise: str, rows: int, seed: int) -> Series:
    """Return one synthetic series of a cell."""
    x = np.log2(BEFORE + np.arange(1.0, rows + 1))
    return Series(np.ones(rows), 2.0 ** NOISES[noise](np.random.default_rng([rows, seed]), x))


def covers(noise: str, rows: int, seed: int, before: float | None, *, width: bool = True) -> tuple[bool, bool, float]:
    """Return whether the interval covers r, whether the effort before is rejected, and the width; nan unless wanted."""
    recommendation = recommend(series(noise, rows, seed), before)
    low, high = recommendation.fit.interval(0.95) if width else (np.nan, np.nan)
    return 0.025 <= recommendation.fit.cdf(R) <= 0.975, recommendation.rejected, high - low


def main() -> int:
    """Print one line for each kind of noise; return 1 if coverage is too low."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=10_000, help="Prior weights were chosen on seeds 0 to 299.")
    parser.add_argument("--before", choices=("unknown", "given", "none"), default="unknown")
    chosen = parser.parse_args()
    before = {"unknown": None, "given": BEFORE, "none": 0.0}[chosen.before]
    worst = 1.0
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.series)
    print(f"{chosen.series} series a cell, effort before {chosen.before}: coverage, contradicted, median width")
    for noise in NOISES:
        cells = []
        for rows in ROWS:
            found = np.array(
                [covers(noise, rows, seed, before, width=seed < chosen.first_seed + _WIDTHS) for seed in seeds]
            )
            worst = min(worst, found[:, 0].mean())
            cells.append(f"{found[:, 0].mean():.3f} {found[:, 1].mean():.2f} {np.nanmedian(found[:, 2]):.2f}")
        print(f"{noise:20}", *cells, sep=" | ", flush=True)
    return int(chosen.before != "none" and chosen.series >= 300 and worst < WANTED)


if __name__ == "__main__":
    sys.exit(main())
