"""Divide a fixed cluster between inference, experiments and training."""

import math
from typing import Any, Final

from simpy import Environment

from hardware.cluster.cluster import ClusterParams, DrainedJob, GpuCluster
from hardware.cluster.job_arrays import JobArray, TaskSupplier
from hardware.cluster.jobs import ClusterJobListener, Job, JobAccounting, JobRecord, SupportsStreams
from hardware.cluster.placement import node_sizes
from hardware.cluster.validation import check_jobs_fit, check_streams
from hardware.uses import BACKGROUND, Use

PRIORITIES: Final[dict[str, int]] = {Use.INFERENCE: 1, Use.EXPERIMENT: 0, Use.TRAINING: 2, BACKGROUND: 0}
"""Priority of each use of the cluster in a shared pool; higher ones go first."""
POOL_OF: Final[dict[str, str]] = {BACKGROUND: Use.EXPERIMENT}
"""Uses that have no pool of their own, and the use whose pool they share."""

SHARED: Final = "shared"
"""Name of the one pool for all uses."""


def pool_sizes(params: ClusterParams) -> dict[str, int]:
    """Return the pools and their GPUs, which add up to ``params.gpus``; empty pools are left out.

    Under consolidated placement the borders between the shares are rounded to whole nodes. A smaller last node goes to
    experiments, or to the last use that has GPUs.
    """
    if params.partitioning == "priority":
        return {SHARED: params.gpus}
    unit = params.gpus_per_node if params.placement == "consolidated" else 1
    inference = _round_to_node(params.inference_share, params.gpus, unit)
    training = _round_to_node(params.inference_share + params.training_share, params.gpus, unit)
    sizes: dict[str, int] = {
        Use.INFERENCE: inference,
        Use.TRAINING: training - inference,
        Use.EXPERIMENT: params.gpus - training,
    }
    return {str(use): gpus for use, gpus in sizes.items() if gpus}


def _round_to_node(share: float, gpus: int, unit: int) -> int:
    if share > 1 - 1e-9:  # 0.7 + 0.3 is everything in spite of rounding
        return gpus
    return min(gpus, math.floor(share * gpus / unit + 0.5) * unit)


def inference_gpus(params: ClusterParams) -> int:
    """Return the GPUs that inference holds at the start: its pool, or its share of the shared pool."""
    sizes = pool_sizes(params)
    share = math.floor(params.inference_share * params.gpus + 1e-9)
    return share if SHARED in sizes else sizes.get(Use.INFERENCE, 0)


def inference_node_sizes(params: ClusterParams) -> list[int]:
    """Return the GPUs of each node that inference holds, which add up to :func:`inference_gpus`."""
    return node_sizes(inference_gpus(params), params.gpus_per_node)


def _job_number(taken: DrainedJob) -> int:
    return taken[0].number


class Datacenter:
    """Run the uses of one fixed cluster on its pools.

    With ``partitioning`` = static each use has a pool of its own. With ``partitioning`` = priority all uses share one
    pool, where training goes before inference and inference before experiments. Arguments as for GpuCluster.
    """

    def __init__(
        self, env: Environment, params: ClusterParams, streams: SupportsStreams | None = None, hour: float = 1 / 24
    ) -> None:
        self._env = env
        self._streams = streams
        self._hour = hour
        self._accounting = JobAccounting()
        self._inference_jobs: list[Job] = []
        """Standing jobs by which inference holds its GPUs."""
        self._inference_started = False
        self._inference_watcher: ClusterJobListener | None = None
        self.params = params
        self.pools: dict[str, GpuCluster] = {}
        """Pools by use, or the one shared pool."""
        self._set_up(params)

    def _set_up(self, params: ClusterParams) -> None:
        """Create or change the pools, which must be empty, by ``params``."""
        pools = self.pools
        self.params, self.pools = params, {}
        for name, gpus in pool_sizes(params).items():
            pool = pools.get(name)
            if pool is None:
                pool = GpuCluster(self._env, params, self._streams, self._hour, gpus, self._accounting)
            pool.reconfigure(params, gpus)
            self.pools[name] = pool

    # Public interface

    def submit(
        self, use: str, gpus: int, length: float, *, owner: int = 0, watcher: ClusterJobListener | None = None
    ) -> Job:
        """Submit a job for a use; see ``GpuCluster.submit``.

        Raises ValueError for an unknown use, for a use without GPUs, and for a job that its pool can never run.
        """
        pool = self.pool(use)
        if pool is None:
            raise ValueError(self._no_gpus_message(use))
        return pool.submit(gpus, length, owner=owner, use=use, priority=PRIORITIES[use], watcher=watcher)

    def submit_array(
        self, use: str, number: int, source: TaskSupplier, payload: Any = None, *, owner: int = 0
    ) -> JobArray:
        """Submit a job array for a use; see ``GpuCluster.submit_array``.

        Raises ValueError for an unknown use and for a use without GPUs.
        """
        pool = self.pool(use)
        if pool is None:
            raise ValueError(self._no_gpus_message(use))
        return pool.submit_array(number, source, payload, owner=owner, use=use, priority=PRIORITIES[use])

    def _no_gpus_message(self, use: str) -> str:
        return f"there are no GPUs for {use}: its share of {self.params.gpus} comes to none"

    def cancel(self, job: Job) -> bool:
        """End a waiting or running job now; return False if it was over already."""
        pool = self.pool(job.use)
        return pool is not None and pool.cancel(job)

    def start_inference(self, watcher: ClusterJobListener | None = None) -> None:
        """Start inference on its share of the GPUs, by standing jobs of one node each.

        ``watcher`` is notified of each node that inference gets or loses. Failures are not simulated here: another
        copy of the model replaces a failed one within the hour.
        """
        self._inference_started = True
        self._inference_watcher = watcher
        self._start_inference_jobs(inference_node_sizes(self.params))

    def reconfigure(self, params: ClusterParams) -> None:
        """Change the parameters of the cluster now, as ``GpuCluster.reconfigure``; jobs move to their new pools.

        Inference keeps as many nodes as possible, and cancels or submits jobs for the rest. A call without a change has
        no effect. Raises ValueError, before it changes anything, if another job could never start again.
        """
        if params == self.params:
            return
        check_streams(params, self._streams)
        self._check_jobs_fit(params)
        missing = self._cancel_surplus(inference_node_sizes(params)) if self._inference_started else []
        taken = sorted((each for pool in self.pools.values() for each in pool.drain()), key=_job_number)
        self._set_up(params)
        for each, ran in taken:
            pool = self.pool(each.job_class.use)
            assert pool is not None, "checked above"
            pool.requeue_all([(each, ran)])
        self._start_inference_jobs(missing)

    def _check_jobs_fit(self, params: ClusterParams) -> None:
        """Raise ValueError if a job other than those of inference could never start again."""
        sizes = pool_sizes(params)
        standing = {job.number for job in self._inference_jobs}
        for use in [array.job_class.use for pool in self.pools.values() for array in pool.pending_arrays]:
            if not (SHARED in sizes or use in sizes):
                raise ValueError(f"jobs for {use} wait, and there would be no GPUs for them")
        for job in [job for pool in self.pools.values() for job in pool.jobs()]:
            if job.number not in standing:
                check_jobs_fit([job], params, sizes.get(SHARED) or sizes.get(POOL_OF.get(job.use, job.use), 0))

    def _start_inference_jobs(self, blocks: list[int]) -> None:
        for gpus in blocks:
            job = self.submit(Use.INFERENCE, gpus, math.inf, watcher=self._inference_watcher)
            self._inference_jobs.append(job)

    def _cancel_surplus(self, wanted: list[int]) -> list[int]:
        """Cancel standing jobs of unwanted node sizes; return the node sizes that are missing."""
        missing, kept = list(wanted), []
        for job in self._inference_jobs:
            if job.state != "over" and job.gpus in missing:
                missing.remove(job.gpus)
                kept.append(job)
            else:
                self.cancel(job)
        self._inference_jobs = kept
        return missing

    # State

    @property
    def records(self) -> list[JobRecord]:
        """Records of all jobs that are over, in the order of their ends."""
        return self._accounting.records

    @property
    def inference_gpus(self) -> int:
        """Number of GPUs on which inference runs now."""
        return self.gpus_in_use(Use.INFERENCE)

    @property
    def inference_gpus_wanted(self) -> int:
        """Number of GPUs that inference holds unless it is preempted."""
        return sum(job.gpus for job in self._inference_jobs)

    def pool(self, use: str) -> GpuCluster | None:
        """Return the pool of a use; None if it has no GPUs."""
        if use not in PRIORITIES:
            raise ValueError(f"no use {use!r} of the cluster: there are {', '.join(PRIORITIES)}")
        return self.pools.get(SHARED) or self.pools.get(POOL_OF.get(use, use))

    def largest_gang(self, use: str) -> int:
        """Return the maximum number of GPUs of one gang of a use; 0 if it has no pool."""
        pool = self.pool(use)
        return 0 if pool is None else pool.largest_gang

    def gpus_in_use(self, use: str) -> int:
        """Return the number of GPUs that a use holds now."""
        pool = self.pool(use)
        return 0 if pool is None else pool.gpus_in_use(use)

    def gpu_time(self, use: str) -> float:
        """Return the GPU-time that a use held up to now [GPUs × unit of the clock]."""
        return self._accounting.gpu_time(use, self._env.now)

    def jobs_waiting(self, use: str) -> int:
        """Return the number of waiting jobs of a use; in a shared pool the cost is proportional to the queue."""
        pool = self.pool(use)
        return 0 if pool is None else pool.jobs_waiting(use)
