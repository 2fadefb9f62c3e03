"""Fit the speed-up of attention over SDPA as a function of candidates tried, from a trace of searches.

The curve is ``log S(n) = L - B n^-b`` if that is above 0, and 0 otherwise, because SDPA remains available. It is fitted
to the best speed-up so far in repeated searches of one workload, by one proposer in the same families. The end of the
curve is scaled to the re-measured winners. Neither the curve nor its ceiling L is above the roofline. Interrupted
searches are left out. Workloads without measurements are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray
from scipy.special import stdtrit

from hardware.kernels.search_records import (
    MIN_SEARCHES,
    Numbers,
    RepeatedSearches,
    complete_workloads,
    count_incomplete,
    searches_of,
)
from hardware.kernels.trace import Line, read

BUNDLED_MEASUREMENTS_DIR: Final = Path(__file__).parent / "measurements"
EARLY_CANDIDATES: Final = 20
"""Number of candidates in the early part of a search."""
RESAMPLES: Final = 300
"""Bootstrap samples of the searches."""
CONFIDENCE: Final = 0.95
_EXPONENT_RANGE: Final = (0.05, 4.0)
_MIN_ONSET: Final = 1e-3
_GRID_SIZE: Final = (32, 64)
"""Grid points in b and in the onset."""
_REFINEMENTS: Final = 2


class MeasurementError(ValueError):
    """A measurement is missing or contradictory; the message gives the available ones.

    ``asked`` and ``there``: the wrong name, if there is one, and the available names.
    """

    def __init__(self, message: str, asked: str = "", there: tuple[str, ...] = ()) -> None:
        super().__init__(message, asked, there)
        self.asked, self.there = asked, there

    def __str__(self) -> str:
        return str(self.args[0])


class CurveInterval(NamedTuple):
    """A number with its 95% interval over repeated searches; None with too few searches."""

    value: float
    low: float | None
    high: float | None


def describe_searches(searches: int, proposer: str, families: str, broken_off: int = 0) -> str:
    """Describe the searches behind a curve: ``3 hill-climb searches of amx``."""
    text = f"{searches} {proposer} search{'es' if searches > 1 else ''} of {families}"
    return text + (f", without {broken_off} incomplete" if broken_off else "")


class FittedSpeedupCurve(NamedTuple):
    """Speed-up over SDPA by number of candidates: 1 before the first, increasing, constant from ``tried`` on.

    Beyond ``tried`` there are no measurements, so the curve keeps its last value.
    """

    workload: str
    ceiling: float
    """L: log of the limit of the speed-up for many candidates, at most that of the roofline."""
    exponent: float
    """b: exponent of the approach to the ceiling."""
    onset: float
    """Number of candidates at which the speed-up exceeds 1: ``B = L onset^b``."""
    tried: int
    """Median number of candidates of the searches."""
    cap: float
    """Speed-up at the roofline on the held-out shapes; inf without a roofline."""
    searches: int
    families: str = ""
    """Families of the candidates, joined by +."""
    proposer: str = ""
    broken_off: int = 0
    """Number of incomplete searches of the workload, which are left out."""

    @property
    def description(self) -> str:
        """Description of the searches behind the curve."""
        return describe_searches(self.searches, self.proposer, self.families, self.broken_off)

    @property
    def largest(self) -> float:
        """Speed-up after all candidates."""
        return self.speedup_after(self.tried)

    def speedup_after(self, candidates: float) -> float:
        """Return the speed-up after a number of candidates, at least 1."""
        return math.exp(self._log_speedup(candidates))

    def candidates_to_reach(self, speedup: float) -> float:
        """Return the number of candidates for a speed-up: 0 for 1 or less, inf above the largest."""
        if speedup <= 1:
            return 0.0
        if speedup > self.largest:
            return math.inf
        missing = 1 - math.log(speedup) / self.ceiling
        wanted = self.onset * missing ** (-1 / self.exponent) if missing > 0 else math.inf
        return min(max(1.0, wanted), float(self.tried))

    def _log_speedup(self, candidates: float) -> float:
        n = min(candidates, self.tried)
        if n < 1 or n <= self.onset:
            return 0.0
        return self.ceiling * (1 - math.pow(n / self.onset, -self.exponent))


class SpeedupEstimate(NamedTuple):
    """A curve, and the curves of resampled searches, which give its intervals."""

    curve: FittedSpeedupCurve
    resampled: tuple[FittedSpeedupCurve, ...]
    """Curves of searches resampled with replacement; empty with fewer than three searches."""

    def speedup_after(self, candidates: float) -> CurveInterval:
        """Return the speed-up with its interval, which is limited to 1 and the roofline."""
        log = _interval(self, lambda curve: curve._log_speedup(candidates))
        if log.low is None or log.high is None:
            return CurveInterval(math.exp(log.value), None, None)
        low, high = math.exp(max(0.0, log.low)), min(self.curve.cap, math.exp(log.high))
        return CurveInterval(math.exp(log.value), low, high)


# --- measurements ----------------------------------------------------------------------------------------


def shipped_measurements() -> list[str]:
    """Return the names of the bundled measurement files."""
    return sorted(path.stem for path in BUNDLED_MEASUREMENTS_DIR.glob("*.jsonl"))


def find_measurements(name: str) -> Path:
    """Return the measurement file of a bundled name, or of a path that ends in .jsonl.

    Raises MeasurementError for an unknown name.
    """
    if name in shipped_measurements():
        return BUNDLED_MEASUREMENTS_DIR / f"{name}.jsonl"
    if name.endswith(".jsonl"):
        return Path(name)
    there = tuple(shipped_measurements())
    raise MeasurementError(
        f"no measurements of this name; allowed: {', '.join([*there, 'any file that ends in .jsonl'])}",
        name,
        there,
    )


def read_measurements(path: Path) -> tuple[str, list[Line]]:
    """Return the SHA-256 of a file's bytes, and its lines.

    Raises OSError if the file cannot be read, and TraceError, with the line, if it is not a trace. Raises
    MeasurementError if it changes while it is read.
    """
    digest = digest_of(path)
    lines = read(path)
    if digest_of(path) != digest:
        raise MeasurementError(f"{path} is being written; wait until its search has ended")
    return digest, lines


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes. Raises OSError if it cannot be read."""
    return sha256(path.read_bytes()).hexdigest()


def measured_workloads(lines: Iterable[Line]) -> list[str]:
    """Return the full names of the workloads that have a curve: ``causal/bf16/both``."""
    return complete_workloads(lines)


def estimate(lines: Sequence[Line], workload: str) -> SpeedupEstimate:
    """Return the curve of a workload, with intervals from three searches on; all searches have equal weight.

    Raises MeasurementError, with the available workloads, if no search of the workload is complete. It is also raised
    for searches on several machines, and if SDPA is faster than the roofline and kernels are faster than SDPA. In this
    case the roofline is wrong.
    """
    searches = _find_searches(lines, workload)
    count = len(searches.best)
    curve = _best_fit(searches)
    if count < MIN_SEARCHES:
        return SpeedupEstimate(curve, ())
    drawn = Generator(PCG64(0)).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return SpeedupEstimate(curve, tuple(_fit_curves(searches, drawn.astype(float), _initial_grid(searches))))


def curve_of(lines: Sequence[Line], workload: str) -> FittedSpeedupCurve:
    """Return the curve of a workload without intervals, which is faster; raises the errors of :func:`estimate`."""
    return _best_fit(_find_searches(lines, workload))


def elasticities(found: SpeedupEstimate, early: int = EARLY_CANDIDATES) -> tuple[CurveInterval, CurveInterval | None]:
    """Return doublings of speed per doubling of candidates: from 1 to ``early``, and from there to the end.

    This is r of the feedback loop of kernel speed. The late one is None if no search tried more than ``early``.
    """
    tried = found.curve.tried
    first = _interval(found, lambda curve: _elasticity(curve, 1, min(early, tried)))
    late = _interval(found, lambda curve: _elasticity(curve, early, tried)) if tried > early else None
    return first, late


def _elasticity(curve: FittedSpeedupCurve, start: int, end: int) -> float:
    return (curve._log_speedup(end) - curve._log_speedup(start)) / math.log(end / start)


def _interval(found: SpeedupEstimate, what: Callable[[FittedSpeedupCurve], float]) -> CurveInterval:
    """Return a quantity of the curve with Student's interval, from the spread over resampled searches."""
    value, searches = what(found.curve), found.curve.searches
    if not found.resampled:
        return CurveInterval(value, None, None)
    spread = float(np.std([what(curve) for curve in found.resampled])) * math.sqrt(searches / (searches - 1))
    half = float(stdtrit(searches - 1, 0.5 + CONFIDENCE / 2)) * spread
    return CurveInterval(value, value - half, value + half)


def _find_searches(lines: Sequence[Line], workload: str) -> RepeatedSearches:
    found = searches_of(lines, workload)
    if found is None:
        there = tuple(measured_workloads(lines))
        listed = ", ".join(there) or "none"
        unfinished = count_incomplete(lines, workload)
        why = f" completely ({unfinished} incomplete: run asara kernels tune --resume)" if unfinished else ""
        raise MeasurementError(f"{workload} was not measured{why}; available: {listed}", workload, there)
    if len(found.machines) > 1:
        raise MeasurementError(
            f"{workload} was measured on {' and '.join(found.machines)}; use one file for each machine"
        )
    if found.log_cap <= 0 < np.mean(found.winners):
        raise MeasurementError(
            f"{workload}: the roofline is wrong: SDPA takes {math.exp(found.log_cap):.3g} of the roofline time, and "
            f"the winners are faster; measure the roofline again on an idle machine"
        )
    return found


# --- the fit ---------------------------------------------------------------------------------------------


def _best_fit(searches: RepeatedSearches) -> FittedSpeedupCurve:
    """Fit one curve to all searches, on grids that are refined around the best point."""
    grid = _initial_grid(searches)
    for _ in range(_REFINEMENTS):
        (curve,) = _fit_curves(searches, np.ones((1, len(searches.best))), grid)
        grid = (_refine(grid[0], curve.exponent), _refine(grid[1], curve.onset))
    return _fit_curves(searches, np.ones((1, len(searches.best))), grid)[0]


def _initial_grid(searches: RepeatedSearches) -> tuple[Numbers, Numbers]:
    return np.geomspace(*_EXPONENT_RANGE, _GRID_SIZE[0]), np.geomspace(
        _MIN_ONSET, _median_candidates(searches), _GRID_SIZE[1]
    )


def _refine(points: Numbers, best: float) -> Numbers:
    """Return as many points between the neighbours of the best one, including it."""
    at = int(np.argmin(np.abs(points - best)))
    low, high = points[max(0, at - 1)], points[min(len(points) - 1, at + 1)]
    return np.sort(np.append(np.geomspace(low, high, len(points) - 1), points[at]))


def _median_candidates(searches: RepeatedSearches) -> int:
    return int(np.median([len(best) for best in searches.best]))


def _fit_curves(searches: RepeatedSearches, counts: Numbers, grid: tuple[Numbers, Numbers]) -> list[FittedSpeedupCurve]:
    """Return one curve for each row of ``counts``, the weights of the searches.

    It is a least-squares fit over a grid of (b, onset), on which the curve is linear in L. Then the end of the curve is
    scaled to the re-measured winners, because the best of many quick timings is overestimated. Each doubling of
    candidates has the same weight, so candidate n has weight 1/n, because the curve is used from its start.
    """
    exponents, onsets = (axis.ravel() for axis in np.meshgrid(*grid))
    squares, products = _weighted_sums(searches.best, exponents, onsets)
    xx, xy = counts @ squares, counts @ products
    fresh = counts @ searches.winners / counts.sum(axis=1)
    ceilings = np.maximum(np.divide(xy, xx, out=np.zeros_like(xy), where=xx > 0), 0.0)
    loss = ceilings * (ceilings * xx - 2 * xy)
    tried, limit = _median_candidates(searches), max(0.0, searches.log_cap)
    reach = _unit_curve(np.array([tried], dtype=float), exponents, onsets)[:, 0]
    at = np.argmin(np.where(_exceeds_roofline(fresh, reach, limit), np.inf, loss), axis=1)
    ends = (ceilings[np.arange(len(counts)), at] * reach[at]).tolist()
    return [
        FittedSpeedupCurve(
            workload=searches.workload,
            ceiling=min(limit, float(log / reach[best])) if end > 0 else 0.0,
            exponent=float(exponents[best]),
            onset=float(onsets[best]),
            tried=tried,
            cap=math.exp(limit),
            searches=len(searches.best),
            families="+".join(searches.families),
            proposer=searches.proposer,
            broken_off=searches.broken_off,
        )
        for best, log, end in zip(at, fresh, ends, strict=True)
    ]


def _unit_curve(n: Numbers, exponents: Numbers, onsets: Numbers) -> Numbers:
    """Return the curve with L = 1, a row for each grid point."""
    return np.asarray(np.maximum(0.0, 1 - np.maximum(n / onsets[:, None], 1.0) ** -exponents[:, None]))


def _weighted_sums(bests: Sequence[Numbers], exponents: Numbers, onsets: Numbers) -> tuple[Numbers, Numbers]:
    """Return the weighted sums of x^2 and x y, a row for each search and a column for each grid point."""
    n = np.arange(1, max(map(len, bests)) + 1, dtype=float)
    x = _unit_curve(n, exponents, onsets)
    squares = np.cumsum(x**2 / n, axis=1)
    products = [x[:, : len(best)] @ (best / n[: len(best)]) for best in bests]
    return np.array([squares[:, len(best) - 1] for best in bests]), np.array(products)


def _exceeds_roofline(fresh: Numbers, reach: Numbers, limit: float) -> NDArray[np.bool_]:
    """Return where a curve through the re-measured winners has a ceiling above the roofline, unless all have."""
    if math.isinf(limit):
        return np.zeros((len(fresh), len(reach)), dtype=bool)
    above = np.asarray(fresh[:, None] > reach * limit)
    return above & ~above.all(axis=1, keepdims=True)
