"""Choose how many runs a worker is given at once, from the seconds that earlier batches took."""

from __future__ import annotations

from typing import Final, Protocol

from sim.runner import Engine

AHEAD_SECONDS: Final = 0.5
"""Target length of a batch of World runs [s]: hides the way there and back, and still shares the work out evenly."""
BATCH_SECONDS: Final = 2.0
"""Target length of a batch of fluid runs [s], unless that leaves too much of it to the fixed cost of a batch."""
FIRST_BATCH: Final = 64
"""Fluid runs in the first batch, and the fewest that the even sharing of the last runs leaves."""
FIXED_SHARE: Final = 0.2
"""Largest share of a batch's time that its fixed cost may take."""
MAX_RUNS: Final = 256
MAX_FLUID_RUNS: Final = 1024
_NEW_WEIGHT: Final = 0.5
_MIN_RATIO: Final = 1.5
"""Two sizes are compared only if one is this many times the other: smaller differences are noise."""
_MAX_GROWTH: Final = 4.0
_MAX_CUT: Final = 8.0


class Pace(Protocol):
    """The number of runs in the next batch."""

    size: int

    @property
    def spare(self) -> int:
        """Return the number of unfinished runs at which a worker gets its next batch."""

    def note(self, runs: int, seconds: float) -> None:
        """Take into account a batch that is over."""

    def share(self, waiting: int, workers: int) -> int:
        """Return how many of the waiting runs to give to one of the workers now."""


def pace_of(engine: Engine, seconds: float = AHEAD_SECONDS, most: int = MAX_RUNS) -> Pace:
    """Return the pace for an engine. ``seconds`` and ``most`` are those of a batch of World runs."""
    return FluidPace() if engine == "fluid" else WorldPace(seconds, most)


class WorldPace:
    """The pace of runs that are done one after the other, so that a batch takes as long as its runs together."""

    def __init__(self, seconds: float = AHEAD_SECONDS, most: int = MAX_RUNS) -> None:
        self.size = 1
        self._target, self._most = seconds, most
        self._mean: float | None = None

    @property
    def spare(self) -> int:
        """Return half a batch: the worker must not wait for the next one."""
        return self.size // 2

    def note(self, runs: int, seconds: float) -> None:
        """Take into account runs that are over; later ones count more."""
        each = seconds / runs
        self._mean = each if self._mean is None else 0.9 * self._mean + 0.1 * each
        self.size = max(1, min(self._most, int(self._target / max(self._mean, 1e-9))))

    def share(self, waiting: int, workers: int) -> int:
        """Return a batch, or less near the end, so that all workers end at about the same time."""
        return min(self.size, -(-waiting // (2 * workers)))


class FluidPace:
    """The pace of runs that are stepped together, so that a batch has a fixed cost beside that of its runs.

    The cost of a batch of n runs is fitted as ``fixed + each * n`` to the two latest sizes. The next batch takes
    `BATCH_SECONDS`, or longer if the fixed cost would otherwise be more than `FIXED_SHARE` of it.
    """

    def __init__(self, first: int = FIRST_BATCH, most: int = MAX_FLUID_RUNS) -> None:
        self.size = first
        self._first, self._most = first, most
        self._known: list[tuple[int, float]] = []
        """Runs and seconds of the latest two sizes, the latest last."""

    @property
    def spare(self) -> int:
        """Return half a batch: the results of a batch come one by one while the worker could go on."""
        return self.size // 2

    def note(self, runs: int, seconds: float) -> None:
        """Take into account a batch that is over, and choose the size of the next one."""
        self._remember(runs, seconds)
        wanted = self._wanted()
        low, high = self.size / _MAX_CUT, self.size * _MAX_GROWTH
        self.size = max(1, min(self._most, int(min(max(wanted, low), high))))

    def share(self, waiting: int, workers: int) -> int:
        """Return a batch; near the end less, but no batch so small that its fixed cost is most of it."""
        even = -(-waiting // (2 * workers)) if workers > 1 else waiting
        return min(self.size, waiting, max(even, self._first))

    def _remember(self, runs: int, seconds: float) -> None:
        known = self._known
        if known and known[-1][0] == runs:
            seconds = known[-1][1] + _NEW_WEIGHT * (seconds - known[-1][1])
        distinct = [each for each in known if not 1 / _MIN_RATIO < each[0] / runs < _MIN_RATIO]
        self._known = [*distinct[-1:], (runs, seconds)]

    def _wanted(self) -> float:
        """Return the runs of the best batch by what is known."""
        runs, seconds = self._known[-1]
        if len(self._known) == 1:
            wanted = runs * BATCH_SECONDS / max(seconds, 1e-9)
            return wanted if not 1 / _MIN_RATIO < wanted / runs < _MIN_RATIO else 2 * runs
        other_runs, other_seconds = self._known[0]
        each = max((seconds - other_seconds) / (runs - other_runs), 1e-9)
        fixed = max(0.0, min(seconds - each * runs, other_seconds - each * other_runs))
        return max(BATCH_SECONDS - fixed, fixed * (1 / FIXED_SHARE - 1)) / each
