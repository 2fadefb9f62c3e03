"""The fixed cluster divided between inference, experiments and training."""

import math
from typing import Any, Final

from simpy import Environment

from hardware.cluster.cluster import ClusterParams, GpuCluster, Withdrawn
from hardware.cluster.job_arrays import JobArray, TaskSupplier
from hardware.cluster.jobs import Job, JobAccounting, JobListener, JobRecord, SupportsStreams
from hardware.cluster.placement import node_sizes
from hardware.cluster.validation import check_jobs_fit, check_streams

PRIORITIES: Final = {"inference": 1, "experiment": 0, "training": 2, "background": 0}
"""Every use of the cluster, and which goes before which where they share one pool."""
POOL_OF: Final = {"background": "experiment"}
"""Uses that have no pool of their own, and the use whose pool they share."""

SHARED: Final = "shared"
"""Name of the one pool for all uses."""


def pool_sizes(params: ClusterParams) -> dict[str, int]:
    """Return the pools and their GPUs, which add up to ``params.gpus``; nobody has a pool of none.

    Under consolidated placement the borders between the shares are rounded to whole nodes, and a smaller last
    node goes to the last use: experiments, or training or inference where these have all.
    """
    if params.sharing == "priority":
        return {SHARED: params.gpus}
    unit = params.gpus_per_node if params.placement == "consolidated" else 1
    inference = _round_to_node(params.inference_share, params.gpus, unit)
    training = _round_to_node(params.inference_share + params.training_share, params.gpus, unit)
    sizes = {"inference": inference, "training": training - inference, "experiment": params.gpus - training}
    return {use: gpus for use, gpus in sizes.items() if gpus}


def _round_to_node(share: float, gpus: int, unit: int) -> int:
    if share > 1 - 1e-9:  # 0.7 + 0.3 and its kind are all there is, rounding or not
        return gpus
    return min(gpus, math.floor(share * gpus / unit + 0.5) * unit)


def inference_gpus(params: ClusterParams) -> int:
    """Return the GPUs that inference holds at the start: its whole pool, or its share of the one for all."""
    sizes = pool_sizes(params)
    share = math.floor(params.inference_share * params.gpus + 1e-9)
    return share if SHARED in sizes else sizes.get("inference", 0)


def inference_node_sizes(params: ClusterParams) -> list[int]:
    """Return the GPUs of each node that inference holds, which add up to :func:`inference_gpus`."""
    return node_sizes(inference_gpus(params), params.gpus_per_node)


def _number(taken: Withdrawn) -> int:
    return taken[0].number


class Datacenter:
    """One fixed cluster, its pools and who may use which.

    With ``sharing`` = shares each use has a pool of its own; with priority all are in one, where training goes
    before inference and inference before experiments. Arguments as for GpuCluster.
    """

    def __init__(
        self, env: Environment, params: ClusterParams, streams: SupportsStreams | None = None, hour: float = 1 / 24
    ) -> None:
        self._env = env
        self._streams = streams
        self._hour = hour
        self._book = JobAccounting()
        self._standing: list[Job] = []
        """The jobs by which inference holds its GPUs."""
        self._housed = False
        self._inference_watcher: JobListener | None = None
        self.params = params
        self.pools: dict[str, GpuCluster] = {}
        """By use, or the one shared pool."""
        self._set_up(params)

    def _set_up(self, params: ClusterParams) -> None:
        """Make the pools, all of them empty, what ``params`` says."""
        pools = self.pools
        self.params, self.pools = params, {}
        for name, gpus in pool_sizes(params).items():
            pool = pools.get(name)
            if pool is None:
                pool = GpuCluster(self._env, params, self._streams, self._hour, gpus, self._book)
            pool.reconfigure(params, gpus)
            self.pools[name] = pool

    # What others ask of it

    def submit(self, use: str, gpus: int, length: float, *, owner: int = 0, watcher: JobListener | None = None) -> Job:
        """Ask for a gang of GPUs for a use; see ``GpuCluster.submit``.

        Raises ValueError for an unknown use, for one whose share comes to no GPU, and for a job that its pool
        can never run.
        """
        pool = self.pool(use)
        if pool is None:
            raise ValueError(self._nothing_for(use))
        return pool.submit(gpus, length, owner=owner, use=use, priority=PRIORITIES[use], watcher=watcher)

    def submit_array(
        self, use: str, number: int, source: TaskSupplier, payload: Any = None, *, owner: int = 0
    ) -> JobArray:
        """Ask for so many jobs of a use at once; see ``GpuCluster.submit_many``.

        Raises ValueError for an unknown use and for one whose share comes to no GPU.
        """
        pool = self.pool(use)
        if pool is None:
            raise ValueError(self._nothing_for(use))
        return pool.submit_array(number, source, payload, owner=owner, use=use, priority=PRIORITIES[use])

    def _nothing_for(self, use: str) -> str:
        return f"there are no GPUs for {use}: its share of {self.params.gpus} comes to none"

    def cancel(self, job: Job) -> bool:
        """End a job that waits or runs, now; return False if it was over already."""
        pool = self.pool(job.use)
        return pool is not None and pool.cancel(job)

    def start_inference(self, watcher: JobListener | None = None) -> None:
        """Have inference hold its share of the GPUs from now on, by standing jobs of one node each.

        ``watcher`` is told of each node that inference gets or loses. Failures are not simulated here: another
        copy of the model takes the place of one that failed within the hour.
        """
        self._housed = True
        self._inference_watcher = watcher
        self._house(inference_node_sizes(self.params))

    def reconfigure(self, params: ClusterParams) -> None:
        """Change anything about the cluster, now, as ``GpuCluster.reconfigure`` does; jobs move to their new pools.

        Inference keeps the nodes it can, gives up or asks for the rest. Nothing happens if nothing changes.
        Raises ValueError, before it changes anything, if another job could never start again.
        """
        if params == self.params:
            return
        check_streams(params, self._streams)
        self._check_room(params)
        missing = self._give_up(inference_node_sizes(params)) if self._housed else []
        taken = sorted((each for pool in self.pools.values() for each in pool.withdraw()), key=_number)
        self._set_up(params)
        for each, ran in taken:
            pool = self.pool(each.share.use)
            assert pool is not None, "checked above"
            pool.adopt([(each, ran)])
        self._house(missing)

    def _check_room(self, params: ClusterParams) -> None:
        """Raise ValueError if a job other than inference's own could never start again."""
        sizes = pool_sizes(params)
        standing = {job.number for job in self._standing}
        for use in [lot.share.use for pool in self.pools.values() for lot in pool.lots]:
            if not (SHARED in sizes or use in sizes):
                raise ValueError(f"jobs for {use} wait, and there would be no GPUs for them")
        for job in [job for pool in self.pools.values() for job in pool.jobs()]:
            if job.number not in standing:
                check_jobs_fit([job], params, sizes.get(SHARED) or sizes.get(POOL_OF.get(job.use, job.use), 0))

    def _house(self, blocks: list[int]) -> None:
        for gpus in blocks:
            job = self.submit("inference", gpus, math.inf, watcher=self._inference_watcher)
            self._standing.append(job)

    def _give_up(self, wanted: list[int]) -> list[int]:
        """Cancel the standing jobs that are wanted no more; return the blocks that are missing."""
        missing, kept = list(wanted), []
        for job in self._standing:
            if job.state != "over" and job.gpus in missing:
                missing.remove(job.gpus)
                kept.append(job)
            else:
                self.cancel(job)
        self._standing = kept
        return missing

    # What there is to see

    @property
    def records(self) -> list[JobRecord]:
        """All jobs that are over, in the order in which they ended."""
        return self._book.records

    @property
    def inference_gpus(self) -> int:
        """GPUs on which inference runs now."""
        return self.gpus_in_use("inference")

    @property
    def inference_gpus_wanted(self) -> int:
        """GPUs that inference holds when nothing takes them away."""
        return sum(job.gpus for job in self._standing)

    def pool(self, use: str) -> GpuCluster | None:
        """Return the pool in which a use runs, None if its share comes to no GPU."""
        if use not in PRIORITIES:
            raise ValueError(f"no use {use!r} of the cluster: there are {', '.join(PRIORITIES)}")
        return self.pools.get(SHARED) or self.pools.get(POOL_OF.get(use, use))

    def capacity(self, use: str) -> int:
        """Return the most GPUs that one gang of a use may have, 0 if it has no pool."""
        pool = self.pool(use)
        return 0 if pool is None else pool.largest_gang

    def gpus_in_use(self, use: str) -> int:
        """Return the GPUs that a use holds now."""
        pool = self.pool(use)
        return 0 if pool is None else pool.gpus_in_use(use)

    def gpu_time(self, use: str) -> float:
        """Return the GPU-time that a use has held up to now, in GPUs × the unit of the clock."""
        return self._book.gpu_time(use, self._env.now)

    def waiting(self, use: str) -> int:
        """Return how many jobs of a use wait; costs the length of the queue where the uses share one."""
        pool = self.pool(use)
        return 0 if pool is None else pool.jobs_waiting(use)
