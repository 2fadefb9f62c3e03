"""Choose the number of runs in a batch for a worker from the times of earlier batches."""

from __future__ import annotations

from typing import Final, Protocol

from sim.engines import Engine

LOOKAHEAD_SECONDS: Final = 0.5
"""Target time of a batch of World runs [s]: hides the communication, and still divides the work evenly."""
BATCH_SECONDS: Final = 2.0
"""Target time of a batch of fluid runs [s], unless its fixed cost would exceed `FIXED_SHARE`."""
FIRST_BATCH: Final = 64
"""Number of fluid runs in the first batch, and minimum number when the last runs are divided among workers."""
FIXED_SHARE: Final = 0.2
"""Maximum share of a batch's time that its fixed cost may take."""
MAX_RUNS: Final = 256
"""Maximum number of World runs in a batch."""
MAX_FLUID_RUNS: Final = 1024
"""Maximum number of fluid runs in a batch."""
_NEW_WEIGHT: Final = 0.5
_MIN_RATIO: Final = 1.5
"""Minimum ratio of two batch sizes whose times are compared: smaller differences are noise."""
_MAX_GROWTH: Final = 4.0
_MAX_CUT: Final = 8.0


class BatchSizer(Protocol):
    """Chooses the number of runs in the next batch."""

    size: int

    @property
    def spare(self) -> int:
        """Return the number of unfinished runs at which a worker gets its next batch."""

    def record_batch(self, runs: int, seconds: float) -> None:
        """Update the size with the time of a finished batch."""

    def next_batch(self, waiting: int, workers: int) -> int:
        """Return the number of waiting runs to send to one of the workers now."""


def batch_sizer(engine: Engine, seconds: float = LOOKAHEAD_SECONDS, most: int = MAX_RUNS) -> BatchSizer:
    """Return the batch sizer of an engine. ``seconds`` and ``most``: target and maximum of a batch of World runs."""
    return FluidBatchSizer() if engine == "fluid" else WorldBatchSizer(seconds, most)


class WorldBatchSizer:
    """Batch sizes for runs that are executed one after the other: a batch takes as long as the sum of its runs."""

    def __init__(self, seconds: float = LOOKAHEAD_SECONDS, most: int = MAX_RUNS) -> None:
        self.size = 1
        self._target, self._most = seconds, most
        self._mean: float | None = None

    @property
    def spare(self) -> int:
        """Return half a batch, so that the worker does not wait for the next one."""
        return self.size // 2

    def record_batch(self, runs: int, seconds: float) -> None:
        """Update the size with the time of finished runs; recent runs have more weight."""
        each = seconds / runs
        self._mean = each if self._mean is None else 0.9 * self._mean + 0.1 * each
        self.size = max(1, min(self._most, int(self._target / max(self._mean, 1e-9))))

    def next_batch(self, waiting: int, workers: int) -> int:
        """Return the size of a batch, or less near the end, so that all workers end at about the same time."""
        return min(self.size, -(-waiting // (2 * workers)))


class FluidBatchSizer:
    """Batch sizes for runs that are stepped together: a batch has a fixed cost in addition to that of its runs.

    The cost of a batch of n runs is fitted as ``fixed + each * n`` to the two latest sizes. The next batch takes
    `BATCH_SECONDS`, or longer if the fixed cost would otherwise be more than `FIXED_SHARE` of it.
    """

    def __init__(self, first: int = FIRST_BATCH, most: int = MAX_FLUID_RUNS) -> None:
        self.size = first
        self._first, self._most = first, most
        self._known: list[tuple[int, float]] = []
        """Runs and time [s] of the latest two sizes, the latest last."""

    @property
    def spare(self) -> int:
        """Return half a batch: results arrive one by one while the worker could already compute the next batch."""
        return self.size // 2

    def record_batch(self, runs: int, seconds: float) -> None:
        """Update the cost estimate with a finished batch, and choose the size of the next one."""
        self._remember(runs, seconds)
        wanted = self._target_size()
        low, high = self.size / _MAX_CUT, self.size * _MAX_GROWTH
        self.size = max(1, min(self._most, int(min(max(wanted, low), high))))

    def next_batch(self, waiting: int, workers: int) -> int:
        """Return the size of a batch; smaller near the end, but not so small that the fixed cost dominates."""
        even = -(-waiting // (2 * workers)) if workers > 1 else waiting
        return min(self.size, waiting, max(even, self._first))

    def _remember(self, runs: int, seconds: float) -> None:
        known = self._known
        if known and known[-1][0] == runs:
            seconds = known[-1][1] + _NEW_WEIGHT * (seconds - known[-1][1])
        distinct = [each for each in known if not 1 / _MIN_RATIO < each[0] / runs < _MIN_RATIO]
        self._known = [*distinct[-1:], (runs, seconds)]

    def _target_size(self) -> float:
        """Return the best batch size by the latest two sizes and times."""
        runs, seconds = self._known[-1]
        if len(self._known) == 1:
            wanted = runs * BATCH_SECONDS / max(seconds, 1e-9)
            return wanted if not 1 / _MIN_RATIO < wanted / runs < _MIN_RATIO else 2 * runs
        other_runs, other_seconds = self._known[0]
        each = max((seconds - other_seconds) / (runs - other_runs), 1e-9)
        fixed = max(0.0, min(seconds - each * runs, other_seconds - each * other_runs))
        return max(BATCH_SECONDS - fixed, fixed * (1 / FIXED_SHARE - 1)) / each
