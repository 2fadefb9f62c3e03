"""Load the cluster with jobs of other users, which are read from a job log and share the GPUs for experiments.

The log is repeated for as long as a run lasts. Its period is the time from its first to its last submission plus the
mean time between two submissions. Repeats therefore join without a gap.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from simpy import Event

from hardware.cluster.params import ClusterParams
from hardware.cluster.placement import largest_gang
from hardware.datacenter import SHARED, Datacenter, inference_gpus, pool_sizes
from hardware.job_logs.log import JobLogError
from hardware.job_logs.registry import guess_format, read_job_log
from hardware.kernels.speedup_curve import digest_of
from hardware.uses import BACKGROUND, Use
from sim.clock import Clock

NO_BACKGROUND: Final = "none"
OWNER: Final = -2
"""Owner of background jobs in the records of jobs."""
SECONDS_PER_DAY: Final = 86_400.0


class BackgroundError(ValueError):
    """Report a job log that cannot load this cluster."""


class BackgroundLoad(NamedTuple):
    """Background jobs of one period, in order of submission."""

    submit_days: NDArray[np.float64]
    """Times of submission, from 0 [days]."""
    run_days: NDArray[np.float64]
    """Run times, without failures [days]."""
    gpus: NDArray[np.int64]
    """GPUs of each job."""
    period_days: float
    """Time after which the log starts again [days]."""
    left_out: int
    """Number of jobs that need more GPUs than one job of this cluster can have, or no time."""
    digest: str
    """SHA-256 of the file."""

    @property
    def mean_gpus(self) -> float:
        """Mean number of GPUs that the jobs need, if none waits and nothing fails."""
        return float((self.gpus * self.run_days).sum()) / self.period_days


def digest_of_background(params: ClusterParams) -> str:
    """Return the SHA-256 of the log as it is now, empty if there is no background. Raises OSError."""
    return "" if params.background == NO_BACKGROUND else digest_of(Path(params.background))


def gpus_beside_inference(params: ClusterParams) -> int:
    """Return the largest number of GPUs that experiments and background jobs can have together on day 0."""
    sizes = pool_sizes(params)
    return sizes[SHARED] - inference_gpus(params) if SHARED in sizes else sizes.get(Use.EXPERIMENT, 0)


def background_load(params: ClusterParams) -> BackgroundLoad | None:
    """Return the background load of a cluster, or None without one; jobs must fit the GPUs of day 0.

    `background_gpus` above 0 scales the time between submissions by one factor, so that the jobs need that number of
    GPUs on average; run times are kept. Raises BackgroundError if the log is unusable or needs as many GPUs as
    experiments can have, and OSError if the file cannot be read.
    """
    digest = digest_of_background(params)
    if not digest:
        return None
    sizes = pool_sizes(params)
    pool = sizes.get(SHARED) or sizes.get(Use.EXPERIMENT, 0)
    found = _read_load(Path(params.background), digest, largest_gang(params.placement, pool, params.gpus_per_node))
    if params.background_gpus > 0:
        factor = found.mean_gpus / params.background_gpus
        found = found._replace(submit_days=found.submit_days * factor, period_days=found.period_days * factor)
    supply = gpus_beside_inference(params)
    if found.mean_gpus >= supply:
        raise BackgroundError(
            f"its jobs need {found.mean_gpus:,.4g} GPUs on average, and experiments and background have {supply:,} "
            f"together, so that experiments would wait ever longer; allowed: less. Set cluster__background_gpus to the "
            f"mean load that you want, below {supply:,}"
        )
    return found


@lru_cache(maxsize=8)
def _read_load(path: Path, digest: str, largest: int) -> BackgroundLoad:
    try:
        log = read_job_log(path, guess_format(path))
    except JobLogError as error:
        raise BackgroundError(str(error)) from None
    if digest_of(path) != digest:
        raise BackgroundError("the file changed while it was read; run the command again")
    jobs = sorted(log.jobs, key=lambda job: job.submit_s)
    kept = [job for job in jobs if job.run_s > 0 and job.gpus <= largest]
    span = kept[-1].submit_s - kept[0].submit_s if kept else 0.0
    if span <= 0:
        raise BackgroundError(
            f"it has {len(kept):,} jobs of at most {largest:,} GPUs, the limit of this cluster, and fewer than two "
            "submission times among them; allowed: at least two. Use a longer log, or a larger cluster"
        )
    first = kept[0].submit_s
    return BackgroundLoad(
        np.array([job.submit_s - first for job in kept]) / SECONDS_PER_DAY,
        np.array([job.run_s for job in kept]) / SECONDS_PER_DAY,
        np.array([job.gpus for job in kept], dtype=np.int64),
        span * len(kept) / (len(kept) - 1) / SECONDS_PER_DAY,
        len(jobs) - len(kept),
        digest,
    )


class BackgroundJobs:
    """Submit the jobs of a log to the lab's cluster, one after the other, for as long as the run lasts.

    Arrivals do not keep a run alive. Other users do not have the lab's kernels, so run times stay as in the log.
    Failures interrupt background jobs as they do experiments. A job that is larger than the present pool is not
    submitted: the pool can be smaller than on day 0.
    """

    def __init__(self, clock: Clock, datacenter: Datacenter, load: BackgroundLoad) -> None:
        self._clock = clock
        self._datacenter = datacenter
        self._load: BackgroundLoad | None = load
        self._start = clock.now
        self._params = datacenter.params
        self._next = 0
        self._repeats = 0
        self.submitted = 0
        """Number of jobs submitted so far."""
        self._schedule_next_arrival()

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the log from snapshots: it is read again, and refused if it has changed."""
        assert self._load is not None
        return self.__dict__ | {"_load": None, "_digest": self._load.digest}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state and read the log again."""
        digest = state.pop("_digest")
        self.__dict__.update(state)
        self._load = background_load(self._params)
        if self._load is None or self._load.digest != digest:
            raise BackgroundError(f"cluster__background = '{self._params.background}' has changed since the run began")

    @property
    def load(self) -> BackgroundLoad:
        """Background jobs of one period."""
        assert self._load is not None
        return self._load

    def _next_arrival_day(self) -> float:
        return self._start + self._repeats * self.load.period_days + float(self.load.submit_days[self._next])

    def _schedule_next_arrival(self) -> None:
        timer = self._clock.background(max(0.0, self._next_arrival_day() - self._clock.now))
        timer.callbacks.append(self._on_arrival)

    def _on_arrival(self, _: Event) -> None:
        load, now = self.load, self._clock.now
        while self._next_arrival_day() <= now or math.isclose(self._next_arrival_day(), now, rel_tol=1e-12):
            length = float(load.run_days[self._next])
            gpus = int(load.gpus[self._next])
            if gpus <= self._datacenter.largest_gang(BACKGROUND):
                self._datacenter.submit(BACKGROUND, gpus, length, owner=OWNER)
                self.submitted += 1
            self._next += 1
            if self._next == len(load.gpus):
                self._next, self._repeats = 0, self._repeats + 1
        self._schedule_next_arrival()
