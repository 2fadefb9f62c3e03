"""A trace of searches → the speed-up of attention over SDPA as a function of candidates tried.

The curve is ``log S(n) = L - B n^-b`` where that is above 0, and 0 before: one can always keep SDPA. It is fitted to
the best-so-far of the repeated searches of one workload, all by one proposer in the same families; its end is scaled
to what the winners gave when they were measured afresh, and neither it nor its ceiling L is above the roofline. A
search that was broken off is left out. What was not measured is refused.
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
    Searches,
    complete_workloads,
    count_incomplete,
    searches_of,
)
from hardware.kernels.trace import Line, read

BUNDLED_MEASUREMENTS_DIR: Final = Path(__file__).parent / "measurements"
EARLY_CANDIDATES: Final = 20
"""Candidates that count as the early part of a search."""
RESAMPLES: Final = 300
CONFIDENCE: Final = 0.95
_EXPONENTS: Final = (0.05, 4.0)
_MIN_ONSET: Final = 1e-3
_GRID: Final = (32, 64)
"""Points in b and in the onset."""
_REFINEMENTS: Final = 2


class MeasurementError(ValueError):
    """Something that was not measured; the message says what there is.

    ``asked`` and ``there``: the word that was wrong, if it was one, and those that there are.
    """

    def __init__(self, message: str, asked: str = "", there: tuple[str, ...] = ()) -> None:
        super().__init__(message, asked, there)
        self.asked, self.there = asked, there

    def __str__(self) -> str:
        return str(self.args[0])


class CurveInterval(NamedTuple):
    """A number with its 95% interval over repeated searches; None where they were too few."""

    value: float
    low: float | None
    high: float | None


def describe_searches(searches: int, proposer: str, families: str, broken_off: int = 0) -> str:
    """Return in words which searches a curve is made of: ``3 hill-climb searches of amx``."""
    said = f"{searches} {proposer} search{'es' if searches > 1 else ''} of {families}"
    return said + (f", {broken_off} broken off left out" if broken_off else "")


class FittedSpeedupCurve(NamedTuple):
    """Speed-up over SDPA after so many candidates: 1 before the first, rising, constant from ``tried`` on.

    Beyond the candidates that were tried nothing was measured, so the curve says no more than its last value.
    """

    workload: str
    ceiling: float
    """L: log of the speed-up that ever more candidates would come to, at most that of the roofline."""
    exponent: float
    """b."""
    onset: float
    """Candidates after which the first is better than SDPA: ``B = L onset^b``."""
    tried: int
    """Candidates of the search that is as long as the median one."""
    cap: float
    """Speed-up at the roofline, on the shapes held out; inf where it was not measured."""
    searches: int
    families: str = ""
    """Of the candidates tried, joined by +."""
    proposer: str = ""
    broken_off: int = 0
    """Searches of the workload that were left out: not over, or their winner not measured afresh."""

    @property
    def told(self) -> str:
        """Which searches it is made of, in words."""
        return describe_searches(self.searches, self.proposer, self.families, self.broken_off)

    @property
    def largest(self) -> float:
        """The speed-up after all candidates that were tried."""
        return self.speedup_after(self.tried)

    def speedup_after(self, candidates: float) -> float:
        """Return the speed-up, at least 1."""
        return math.exp(self._log_speedup(candidates))

    def candidates_to_reach(self, speedup: float) -> float:
        """Return how many candidates this speed-up takes: 0 for 1 or less, inf above the largest."""
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
    """A curve, and the curves of the searches drawn again with replacement, from which the intervals are."""

    curve: FittedSpeedupCurve
    resampled: tuple[FittedSpeedupCurve, ...]
    """Empty below three searches."""

    def speedup_after(self, candidates: float) -> CurveInterval:
        """Return the speed-up with its interval, which stays between 1 and the roofline."""
        log = _interval(self, lambda curve: curve._log_speedup(candidates))
        if log.low is None or log.high is None:
            return CurveInterval(math.exp(log.value), None, None)
        low, high = math.exp(max(0.0, log.low)), min(self.curve.cap, math.exp(log.high))
        return CurveInterval(math.exp(log.value), low, high)


# --- what there is ---------------------------------------------------------------------------------------


def shipped_measurements() -> list[str]:
    """Return the names of the files that come with asara."""
    return sorted(path.stem for path in BUNDLED_MEASUREMENTS_DIR.glob("*.jsonl"))


def find_measurements(name: str) -> Path:
    """Return the file of a shipped name, or the file that the name is itself, which ends in .jsonl.

    Raises MeasurementError for a name that there is not.
    """
    if name in shipped_measurements():
        return BUNDLED_MEASUREMENTS_DIR / f"{name}.jsonl"
    if name.endswith(".jsonl"):
        return Path(name)
    there = tuple(shipped_measurements())
    raise MeasurementError(
        f"no measurements of this name; there are: {', '.join([*there, 'any file that ends in .jsonl'])}",
        name,
        there,
    )


def read_measurements(path: Path) -> tuple[str, list[Line]]:
    """Return the SHA-256 of a file's bytes, and its lines.

    Raises OSError if it cannot be read, TraceError, with the line, if it is no trace, and MeasurementError if it is
    being written just now.
    """
    digest = digest_of(path)
    lines = read(path)
    if digest_of(path) != digest:
        raise MeasurementError(f"{path} is being written: wait until its search is over")
    return digest, lines


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes. Raises OSError if it cannot be read."""
    return sha256(path.read_bytes()).hexdigest()


def measured_workloads(lines: Iterable[Line]) -> list[str]:
    """Return the full names of the workloads for which there are curves: ``causal/bf16/both``."""
    return complete_workloads(lines)


def estimate(lines: Sequence[Line], workload: str) -> SpeedupEstimate:
    """Return the curve of a workload, with its intervals from three searches on; all searches of it count alike.

    Raises MeasurementError, with what there is, for a workload that was not searched to an end, or on several
    machines, or where SDPA beats the roofline though kernels beat SDPA: then the roofline is wrong.
    """
    searches = _searches(lines, workload)
    count = len(searches.best)
    curve = _best_fit(searches)
    if count < MIN_SEARCHES:
        return SpeedupEstimate(curve, ())
    drawn = Generator(PCG64(0)).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return SpeedupEstimate(curve, tuple(_fit(searches, drawn.astype(float), _whole_grid(searches))))


def curve_of(lines: Sequence[Line], workload: str) -> FittedSpeedupCurve:
    """Return the curve of a workload without its intervals, which is quicker; errors as of :func:`estimate`."""
    return _best_fit(_searches(lines, workload))


def elasticities(found: SpeedupEstimate, early: int = EARLY_CANDIDATES) -> tuple[CurveInterval, CurveInterval | None]:
    """Return doublings of speed per doubling of candidates: from 1 to ``early``, and from there to the end.

    This is r of the loop that makes kernels faster. The late one is None where no search went farther.
    """
    tried = found.curve.tried
    first = _interval(found, lambda curve: _slope(curve, 1, min(early, tried)))
    late = _interval(found, lambda curve: _slope(curve, early, tried)) if tried > early else None
    return first, late


def _slope(curve: FittedSpeedupCurve, start: int, end: int) -> float:
    return (curve._log_speedup(end) - curve._log_speedup(start)) / math.log(end / start)


def _interval(found: SpeedupEstimate, what: Callable[[FittedSpeedupCurve], float]) -> CurveInterval:
    """What a curve says, with Student's interval: searches are few, and the bootstrap's spread is of their mean."""
    value, searches = what(found.curve), found.curve.searches
    if not found.resampled:
        return CurveInterval(value, None, None)
    spread = float(np.std([what(curve) for curve in found.resampled])) * math.sqrt(searches / (searches - 1))
    half = float(stdtrit(searches - 1, 0.5 + CONFIDENCE / 2)) * spread
    return CurveInterval(value, value - half, value + half)


def _searches(lines: Sequence[Line], workload: str) -> Searches:
    found = searches_of(lines, workload)
    if found is None:
        there = tuple(measured_workloads(lines))
        listed = ", ".join(there) or "no searches at all"
        unfinished = count_incomplete(lines, workload)
        why = f" to an end ({unfinished} broken off: asara kernels tune --resume)" if unfinished else ""
        raise MeasurementError(f"{workload} was not measured{why}; there is: {listed}", workload, there)
    if len(found.machines) > 1:
        raise MeasurementError(f"{workload} was measured on {' and '.join(found.machines)}: one file a machine")
    if found.log_cap <= 0 < np.mean(found.winners):
        raise MeasurementError(
            f"{workload}: the roofline is contradicted: SDPA takes {math.exp(found.log_cap):.3g} of the least time "
            f"that it allows, and the winners are faster still; measure it again, it is no bound"
        )
    return found


# --- the fit ---------------------------------------------------------------------------------------------


def _best_fit(searches: Searches) -> FittedSpeedupCurve:
    """The curve of all searches, on ever finer grids around the best point."""
    grid = _whole_grid(searches)
    for _ in range(_REFINEMENTS):
        (curve,) = _fit(searches, np.ones((1, len(searches.best))), grid)
        grid = (_around(grid[0], curve.exponent), _around(grid[1], curve.onset))
    return _fit(searches, np.ones((1, len(searches.best))), grid)[0]


def _whole_grid(searches: Searches) -> tuple[Numbers, Numbers]:
    return np.geomspace(*_EXPONENTS, _GRID[0]), np.geomspace(_MIN_ONSET, _tried(searches), _GRID[1])


def _around(points: Numbers, best: float) -> Numbers:
    """As many points between the neighbours of the best one, itself not lost."""
    at = int(np.argmin(np.abs(points - best)))
    low, high = points[max(0, at - 1)], points[min(len(points) - 1, at + 1)]
    return np.sort(np.append(np.geomspace(low, high, len(points) - 1), points[at]))


def _tried(searches: Searches) -> int:
    return int(np.median([len(best) for best in searches.best]))


def _fit(searches: Searches, counts: Numbers, grid: tuple[Numbers, Numbers]) -> list[FittedSpeedupCurve]:
    """Return one curve for each row of ``counts``, which says how often each search counts.

    Least squares over a grid of (b, onset), in which the curve is linear in L; then its end is put where the winners
    measured afresh are, as the best of many is partly the luckiest. Each doubling of candidates weighs the same: a
    candidate weighs 1/n, as the curve is used from its start on.
    """
    exponents, onsets = (axis.ravel() for axis in np.meshgrid(*grid))
    squares, products = _sums(searches.best, exponents, onsets)
    xx, xy = counts @ squares, counts @ products
    fresh = counts @ searches.winners / counts.sum(axis=1)
    ceilings = np.maximum(np.divide(xy, xx, out=np.zeros_like(xy), where=xx > 0), 0.0)
    loss = ceilings * (ceilings * xx - 2 * xy)
    tried, limit = _tried(searches), max(0.0, searches.log_cap)
    reach = _shape(np.array([tried], dtype=float), exponents, onsets)[:, 0]
    at = np.argmin(np.where(_above(fresh, reach, limit), np.inf, loss), axis=1)
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


def _shape(n: Numbers, exponents: Numbers, onsets: Numbers) -> Numbers:
    """The curve with L = 1, a row for each point of the grid."""
    return np.asarray(np.maximum(0.0, 1 - np.maximum(n / onsets[:, None], 1.0) ** -exponents[:, None]))


def _sums(bests: Sequence[Numbers], exponents: Numbers, onsets: Numbers) -> tuple[Numbers, Numbers]:
    """The weighted sums of x^2 and x y, a row for each search and a column for each point of the grid."""
    n = np.arange(1, max(map(len, bests)) + 1, dtype=float)
    x = _shape(n, exponents, onsets)
    squares = np.cumsum(x**2 / n, axis=1)
    products = [x[:, : len(best)] @ (best / n[: len(best)]) for best in bests]
    return np.array([squares[:, len(best) - 1] for best in bests]), np.array(products)


def _above(fresh: Numbers, reach: Numbers, limit: float) -> NDArray[np.bool_]:
    """Where a curve that ends at the fresh winners would have its ceiling above the roofline, unless all have."""
    if math.isinf(limit):
        return np.zeros((len(fresh), len(reach)), dtype=bool)
    above = np.asarray(fresh[:, None] > reach * limit)
    return above & ~above.all(axis=1, keepdims=True)
