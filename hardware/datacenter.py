"""Divide a cluster between inference, experiments and training."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from simpy import Environment

from hardware.cluster.cluster import ClusterParams, DrainedJob, GpuCluster
from hardware.cluster.job_arrays import JobArray, TaskSupplier
from hardware.cluster.jobs import ClusterJobListener, Job, JobAccounting, JobRecord, SupportsStreams
from hardware.cluster.placement import largest_gang, node_sizes
from hardware.cluster.state import capacity_after
from hardware.cluster.validation import check_arrays_fit, check_jobs_fit, check_node_count, check_streams
from hardware.uses import BACKGROUND, Use

PRIORITIES: Final[dict[str, int]] = {Use.INFERENCE: 1, Use.EXPERIMENT: 0, Use.TRAINING: 2, BACKGROUND: 0}
"""Priority of each use of the cluster in a shared pool; higher ones go first."""
POOL_OF: Final[dict[str, str]] = {BACKGROUND: Use.EXPERIMENT}
"""Uses that have no pool of their own, and the use whose pool they share."""

SHARED: Final = "shared"
"""Name of the one pool for all uses."""


def pool_sizes(params: ClusterParams) -> dict[str, int]:
    """Return the pools and their GPUs on day 0, which add up to ``params.gpus``; empty pools are left out.

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


def gpus_by_use(params: ClusterParams) -> dict[str, int]:
    """Return the GPUs of each use on day 0: its pool, or its share of the shared pool; experiments have the rest."""
    sizes = pool_sizes(params)
    if SHARED not in sizes:
        return {str(use): sizes.get(use, 0) for use in Use}
    inference = inference_gpus(params)
    training = math.floor(params.training_share * params.gpus + 1e-9)
    return {
        str(Use.INFERENCE): inference,
        str(Use.EXPERIMENT): params.gpus - inference - training,
        str(Use.TRAINING): training,
    }


def inference_node_sizes(params: ClusterParams) -> list[int]:
    """Return the GPUs of each node that inference holds, which add up to :func:`inference_gpus`."""
    return node_sizes(inference_gpus(params), params.gpus_per_node)


def _job_number(taken: DrainedJob) -> int:
    return taken[0].number


def _number_of(job: Job) -> int:
    return job.number


def _standing_order(job: Job) -> tuple[bool, float, int]:
    """Return the sort key of standing jobs that are kept first: running, on fast nodes, submitted early."""
    return job.state != "running", -job.speed, job.number


_POOL_ORDER: Final = (SHARED, *map(str, (Use.INFERENCE, Use.TRAINING, Use.EXPERIMENT)))
"""Names of pools, as plain text, in the order of `Datacenter.pools`."""


def _pool_name(use: str, params: ClusterParams) -> str:
    """Return the name of the pool of a use; what is shared by all uses belongs to experiments in a divided cluster."""
    if params.partitioning == "priority":
        return SHARED
    return str(Use.EXPERIMENT if use == SHARED else POOL_OF.get(use, use))


class Datacenter:
    """Run the uses of one cluster on its pools.

    With ``partitioning`` = static each use has a pool of its own. With ``partitioning`` = priority all uses share one
    pool, where training goes before inference and inference before experiments. Arguments as for GpuCluster.

    ``params.gpus`` is the number of GPUs on day 0, and the shares divide these GPUs. Nodes that are added or retired
    later change the capacity of one use. They stay so when :meth:`reconfigure` changes the GPUs of day 0.
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
        self._settled_inference_change = 0
        """Number of nodes added for inference since day 0, less those retired, that the standing jobs follow."""
        self._node_changes: dict[str, dict[float, int]] = {}
        """Number of nodes added since day 0, less those retired, by use (or shared) and speed."""
        self._limits: dict[str, int] = {}
        """Limits of uses [GPUs]; only uses that have one."""
        self._on_nodes_changed: Callable[[], None] | None = None
        self.params = params
        self.pools: dict[str, GpuCluster] = {}
        """Pools by use, or the one shared pool."""
        self._set_up(params)

    def _set_up(self, params: ClusterParams) -> None:
        """Create or change the pools, which must be free of jobs, by ``params``."""
        pools = self.pools
        self.params, self.pools = params, {}
        self._pool_names = {use: _pool_name(use, params) for use in PRIORITIES}
        """Name of the pool of each use."""
        sizes, changes = pool_sizes(params), self._changes_by_pool(params)
        for name in _POOL_ORDER:
            if name in sizes or any(changes.get(name, {}).values()):
                pool = pools.get(name) or self._new_pool(name, sizes.get(name, 0))
                pool.reconfigure(params, sizes.get(name, 0), changes.get(name, {}))
                pool.set_limits(self._limits)
                self.pools[name] = pool

    def _new_pool(self, name: str, gpus: int) -> GpuCluster:
        pool = GpuCluster(self._env, self.params, self._streams, self._hour, gpus, self._accounting)
        if name in (SHARED, Use.INFERENCE):
            pool.call_before_settlement(self._settle_inference)
        return pool

    def _changes_by_pool(self, params: ClusterParams) -> dict[str, dict[float, int]]:
        """Return the changes of the number of nodes since day 0 by pool and speed.

        When a shared pool is divided, the nodes that were added for all uses go to experiments.
        """
        found: dict[str, dict[float, int]] = {}
        for use, changes in self._node_changes.items():
            name = _pool_name(use, params)
            pool = found.setdefault(name, {})
            for speed, number in changes.items():
                pool[speed] = pool.get(speed, 0) + number
        return found

    # Public interface

    def submit(
        self, use: str, gpus: int, length: float, *, owner: int = 0, watcher: ClusterJobListener | None = None
    ) -> Job:
        """Submit a job for a use; see ``GpuCluster.submit``.

        Raises ValueError for an unknown use, for a use without GPUs, and for a job that its pool can never run.
        """
        pool = self.pool(use)
        if pool is None or not pool.capacity:
            raise ValueError(self._no_gpus_message(use))
        return pool.submit(gpus, length, owner=owner, use=use, priority=PRIORITIES[use], watcher=watcher)

    def submit_array(
        self, use: str, number: int, source: TaskSupplier, payload: Any = None, *, owner: int = 0
    ) -> JobArray:
        """Submit a job array for a use; see ``GpuCluster.submit_array``.

        Raises ValueError for an unknown use and for a use without GPUs.
        """
        pool = self.pool(use)
        if pool is None or not pool.capacity:
            raise ValueError(self._no_gpus_message(use))
        return pool.submit_array(number, source, payload, owner=owner, use=use, priority=PRIORITIES[use])

    def _no_gpus_message(self, use: str) -> str:
        return f"there are no GPUs for {use}: its share of {self.capacity} comes to none"

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
        self._settled_inference_change = self._inference_change
        self._start_inference_jobs(self._inference_sizes(self.params))

    def reconfigure(self, params: ClusterParams) -> None:
        """Change the parameters of the cluster now, as ``GpuCluster.reconfigure``; jobs move to their new pools.

        Inference keeps as many nodes as possible, and cancels or submits jobs for the rest. A call without a change has
        no effect. Nodes that were added or retired since day 0 stay so: only the GPUs of day 0 change.

        Raises ValueError, before it changes anything, if another job could never start again, or if a pool would have
        fewer nodes than were retired. Raises it also for another ``gpus_per_node`` after nodes were added or retired.
        """
        if params == self.params:
            return
        check_streams(params, self._streams)
        self._check_node_size(params)
        self._check_jobs_fit(params)
        missing = self._cancel_surplus(self._inference_sizes(params)) if self._inference_started else []
        self._settled_inference_change = self._inference_change
        taken = sorted((each for pool in self.pools.values() for each in pool.drain()), key=_job_number)
        self._set_up(params)
        for each, ran in taken:
            pool = self.pool(each.job_class.use)
            assert pool is not None, "checked above"
            pool.requeue_all([(each, ran)])
        self._start_inference_jobs(missing)

    def _check_node_size(self, params: ClusterParams) -> None:
        there = self.params.gpus_per_node
        if params.gpus_per_node != there and any(any(each.values()) for each in self._node_changes.values()):
            raise ValueError(
                f"gpus_per_node = {params.gpus_per_node} cannot change after nodes were added or retired; "
                f"allowed: {there}. Start a new run with it"
            )

    def _check_jobs_fit(self, params: ClusterParams) -> None:
        """Raise ValueError if a job other than those of inference could never start again, or if nodes are missing."""
        sizes, changes = pool_sizes(params), self._changes_by_pool(params)
        for name, by_speed in changes.items():
            for speed, number in by_speed.items():
                there = sizes.get(name, 0) // params.gpus_per_node if speed == 1 else 0
                if there + number < 0:
                    raise ValueError(
                        f"the pool {name} would have {there + number} nodes of speed {speed:g}, because "
                        f"{-number} were retired; allowed: 0 or more. Give it a larger share of the GPUs of day 0"
                    )
        capacity = self._capacities_under(params)
        standing = {job.number for job in self._inference_jobs}
        for array in [array for pool in self.pools.values() for array in pool.pending_arrays]:
            check_arrays_fit([array], capacity.get(_pool_name(array.job_class.use, params), 0))
        for job in [job for pool in self.pools.values() for job in pool.jobs()]:
            if job.number not in standing:
                check_jobs_fit([job], params, capacity.get(_pool_name(job.use, params), 0))

    def _capacities_under(self, params: ClusterParams) -> dict[str, int]:
        """Return the GPUs of each pool under other parameters, with the nodes added and retired since day 0."""
        sizes, changes = pool_sizes(params), self._changes_by_pool(params)
        return {name: capacity_after(params, sizes.get(name, 0), changes.get(name, {})) for name in (*sizes, *changes)}

    # Nodes

    def call_on_nodes_changed(self, function: Callable[[], None]) -> None:
        """Call a function after each call of :meth:`add_nodes` and :meth:`retire_nodes`, in its event."""
        self._on_nodes_changed = function

    def add_nodes(self, use: str, number: int, speed: float = 1.0) -> None:
        """Add nodes of ``gpus_per_node`` GPUs to the pool of a use, which are used from this instant on.

        ``use`` may be `SHARED` if all uses share one pool. Nodes that are added for inference get a standing job each,
        in a shared pool, too. No job moves. ``speed`` is relative to the nodes of day 0.

        Calls take effect together at the end of the instant: those that cancel out have no effect. Raises ValueError
        for an unknown use, a number below 1, and a speed that is not above 0.
        """
        name = self._pool_of_nodes(use)
        pool = self.pools.get(name)
        if pool is None:
            pool = self._new_pool(name, 0)
            pool.set_limits(self._limits)
            pool.add_nodes(number, speed)
            pools = {**self.pools, name: pool}
            self.pools = {each: pools[each] for each in _POOL_ORDER if each in pools}
        else:
            pool.add_nodes(number, speed)
        self._record_nodes(use, pool, {float(speed): int(number)})

    def retire_nodes(
        self,
        use: str,
        number: int,
        speed: float | None = None,
        leaving: Collection[int] = (),
        may_strand: bool = False,
    ) -> None:
        """Retire nodes of the pool of a use in this instant: those of a speed, or the slowest.

        Jobs on retired nodes return to their places in the queue, without loss or restart; see
        ``GpuCluster.retire_nodes``. Nodes that are retired for inference end a standing job each. Its listener is
        notified that the job stopped. ``leaving``: numbers of jobs that the caller cancels in this instant.
        ``may_strand``: whether jobs may wait without end afterwards.

        Raises ValueError, before it changes anything, for an unknown use, a number below 1 and more nodes than there
        are. Raises it also if a job other than those of inference could never start again.
        """
        name = self._pool_of_nodes(use)
        pool = self.pools.get(name)
        if pool is None:
            raise ValueError(self._no_gpus_message(use))
        if use == Use.INFERENCE:
            there = self._inference_sizes(self.params).count(self.params.gpus_per_node)
            if check_node_count(number) > there:
                raise ValueError(
                    f"number = {number} is more than inference has; allowed: at most {there} whole nodes. "
                    "Retire fewer nodes"
                )
        before = dict(pool.node_changes)
        pool.retire_nodes(number, speed, {*leaving, *(job.number for job in self._inference_jobs)}, may_strand)
        changes = {each: count - before.get(each, 0) for each, count in pool.node_changes.items()}
        self._record_nodes(use, pool, changes)

    def _pool_of_nodes(self, use: str) -> str:
        """Return the name of the pool of a use, or of the shared one. Raises ValueError if there is no such use."""
        if use != SHARED or self.params.partitioning != "priority":
            self.pool(use)
        return _pool_name(use, self.params)

    def _record_nodes(self, use: str, pool: GpuCluster, changes: Mapping[float, int]) -> None:
        recorded = self._node_changes.setdefault(str(use), {})
        for speed, number in changes.items():
            recorded[speed] = recorded.get(speed, 0) + number
        if use == Use.INFERENCE and self._inference_started:
            pool.update_settlement(other_changes=self._inference_change != self._settled_inference_change)
        if self._on_nodes_changed is not None:
            self._on_nodes_changed()

    def _inference_sizes(self, params: ClusterParams) -> list[int]:
        """Return the GPUs of each node that inference holds, with the nodes added and retired since day 0."""
        sizes = inference_node_sizes(params)
        change, size = self._inference_change, params.gpus_per_node
        whole = max(0, sizes.count(size) + change)
        return [*[size] * whole, *(gpus for gpus in sizes if gpus != size)]

    @property
    def _inference_change(self) -> int:
        """Number of nodes added for inference since day 0, less those retired."""
        return sum(self._node_changes.get(Use.INFERENCE, {}).values())

    def _settle_inference(self) -> None:
        """Let the standing jobs follow the nodes that were added or retired for inference in this instant.

        Jobs that wait are cancelled first, then those on slow nodes, then the latest. So their nodes are free when
        nodes are retired.
        """
        if not self._inference_started or self._inference_change == self._settled_inference_change:
            return
        self._settled_inference_change = self._inference_change
        running = [job for job in self._inference_jobs if job.state == "running"]
        self._inference_jobs.sort(key=_standing_order)
        missing = self._cancel_surplus(self._inference_sizes(self.params))
        self._inference_jobs.sort(key=_number_of)
        self._start_inference_jobs(missing)
        for job in running:
            if job.triggered and job.watcher is not None:
                job.watcher.job_stopped(job)

    def _start_inference_jobs(self, blocks: list[int]) -> None:
        for gpus in blocks:
            job = self.submit(Use.INFERENCE, gpus, math.inf, watcher=self._inference_watcher)
            self._inference_jobs.append(job)

    def _cancel_surplus(self, wanted: list[int]) -> list[int]:
        """Cancel standing jobs of unwanted node sizes; return the node sizes that are missing."""
        missing, kept = Counter(wanted), []
        for job in self._inference_jobs:
            if job.state != "over" and missing[job.gpus]:
                missing[job.gpus] -= 1
                kept.append(job)
            else:
                self.cancel(job)
        self._inference_jobs = kept
        return list(missing.elements())

    # Limits

    def limit_use(self, use: str, gpus: int | None, preempt: bool = False) -> None:
        """Limit a use to ``gpus`` GPUs, None for no limit; see ``GpuCluster.limit_use`` and :class:`ComputeGate`.

        Raises ValueError for an unknown use.
        """
        pool = self.pool(use)
        self._limits.pop(use, None)
        if gpus is not None:
            self._limits[str(use)] = gpus
        if pool is not None:
            pool.limit_use(str(use), gpus, preempt)

    def limit_of(self, use: str) -> int | None:
        """Return the limit of a use [GPUs]; None if it has none. Raises ValueError for an unknown use."""
        self.pool(use)
        return self._limits.get(use)

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
    def inference_work(self) -> float:
        """Work per day of the GPUs on which inference runs: the sum of their speeds [GPUs of day 0]."""
        if self.speed_range == (1.0, 1.0):
            return self.inference_gpus
        return math.fsum(job.gpus * job.speed for job in self._inference_jobs if job.state == "running")

    def inference_work_under(self, params: ClusterParams) -> float:
        """Return the largest work per day of inference under other parameters [GPUs of day 0].

        In a shared pool its nodes may be any, and are assumed to have the highest speed.
        """
        if params.partitioning == "priority":
            return sum(self._inference_sizes(params)) * self.speed_range[1]
        return inference_gpus(params) + self.work_added(Use.INFERENCE)

    @property
    def inference_gpus_wanted(self) -> int:
        """Number of GPUs that inference holds unless it is preempted."""
        return sum(job.gpus for job in self._inference_jobs)

    def pool(self, use: str) -> GpuCluster | None:
        """Return the pool of a use; None if it has no GPUs."""
        name = self._pool_names.get(use)
        if name is None:
            raise ValueError(f"no use {use!r} of the cluster: there are {', '.join(PRIORITIES)}")
        return self.pools.get(name)

    @property
    def capacity(self) -> int:
        """Number of GPUs of all pools now; ``params.gpus`` is their number on day 0."""
        return sum(pool.capacity for pool in self.pools.values())

    def capacity_of(self, use: str) -> int:
        """Return the number of GPUs of the pool of a use now; 0 if it has no pool."""
        pool = self.pool(use)
        return 0 if pool is None else pool.capacity

    def gpus_by_use(self) -> dict[str, int]:
        """Return the GPUs that each use has now.

        In a shared pool it has its share of the GPUs of day 0, and the nodes added for it since, less those retired.
        Experiments have the rest.
        """
        if self.params.partitioning != "priority":
            return {str(use): self.capacity_of(use) for use in Use}
        capacity = self.capacity
        inference = min(capacity, sum(self._inference_sizes(self.params)))
        training = gpus_by_use(self.params)[Use.TRAINING] + self.gpus_added(Use.TRAINING)
        training = min(max(0, training), capacity - inference)
        return {
            str(Use.INFERENCE): inference,
            str(Use.EXPERIMENT): capacity - inference - training,
            str(Use.TRAINING): training,
        }

    def gpus_added(self, use: str) -> int:
        """Return the number of GPUs that were added for a use since day 0, less those retired; may be negative."""
        return self.params.gpus_per_node * sum(self._node_changes.get(use, {}).values())

    def work_added(self, use: str) -> float:
        """Return the work per day of the GPUs that were added for a use, less those retired [GPUs of day 0]."""
        changes = self._node_changes.get(use, {})
        return self.params.gpus_per_node * math.fsum(speed * number for speed, number in changes.items())

    def divisible_gpus(self, use: str) -> int:
        """Return how many GPUs of a use another division of the GPUs of day 0 can give to other uses.

        Nodes that were added stay with their use. So do as many GPUs of day 0 as were retired.
        """
        changes = self._node_changes.get(use, {})
        change = sum(changes.values()) if self.params.partitioning == "priority" else changes.get(1.0, 0)
        return max(0, gpus_by_use(self.params)[use] + self.params.gpus_per_node * min(0, change))

    def largest_gang_under(self, use: str, params: ClusterParams) -> int:
        """Return the maximum number of GPUs of one gang of a use under other parameters; 0 if it has no pool."""
        capacity = self._capacities_under(params).get(_pool_name(use, params), 0)
        return largest_gang(params.placement, capacity, params.gpus_per_node)

    @property
    def speed_range(self) -> tuple[float, float]:
        """The lowest and the highest speed of any nodes since day 0."""
        speeds = [1.0, *(speed for changes in self._node_changes.values() for speed in changes)]
        return min(speeds), max(speeds)

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
        """Return the number of waiting jobs of a use, held ones included; costs the queue in a shared pool."""
        pool = self.pool(use)
        return 0 if pool is None else pool.jobs_waiting(use)
