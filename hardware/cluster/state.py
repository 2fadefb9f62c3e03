"""Hold the state of a cluster: GPUs, running jobs and waiting jobs."""

from collections.abc import Callable, Mapping

from simpy import Environment

from hardware.cluster.held_jobs import HeldJobs
from hardware.cluster.job_arrays import JobArray
from hardware.cluster.jobs import Job, JobAccounting, JobClass
from hardware.cluster.params import ClusterParams
from hardware.cluster.pending_arrays import PendingArrays
from hardware.cluster.pending_changes import PendingChanges
from hardware.cluster.placement import PLACEMENTS, NodeRun, fragmentation, largest_gang
from hardware.cluster.queues import QUEUES, BackfillQueue, QueueDiscipline


class ClusterState:
    """The GPUs, running jobs and waiting jobs of a pool; :class:`GpuCluster` changes them."""

    def __init__(
        self, env: Environment, accounting: JobAccounting, discipline: Callable[[], QueueDiscipline] | None = None
    ) -> None:
        self._discipline = discipline
        self._env = env
        self._accounting = accounting
        self.records = accounting.records
        """Records of all jobs that are over, in the order of their ends."""
        self._job_classes: dict[tuple[str, int], JobClass] = {}
        self._pending_arrays = PendingArrays()
        self._held: dict[str, HeldJobs] = {}
        """Jobs that wait before the queue, by use; only uses with a limit."""
        self._changes = PendingChanges()
        """Changes of nodes and limits, which take effect at the end of the instant."""

    def _set_up(self, params: ClusterParams, gpus: int) -> None:
        """Set up ``gpus`` GPUs of day 0 and the nodes that were added since, all of them free, and an empty queue."""
        self.params = params
        self._changes.initial_gpus = gpus
        self._new_queue()
        self._placement = PLACEMENTS[params.placement](gpus, params.gpus_per_node)
        self._changes.settled_nodes = {}
        self._set_capacity()

    def _set_capacity(self) -> None:
        """Compute the capacity from the changes of nodes."""
        self.capacity = capacity_after(self.params, self._changes.initial_gpus, self.node_changes)
        """Number of GPUs."""
        self.largest_gang = largest_gang(self.params.placement, self.capacity, self.params.gpus_per_node)
        """Maximum number of GPUs of one job."""

    @property
    def node_changes(self) -> dict[float, int]:
        """Number of nodes added since day 0, less those retired, by speed."""
        return self._changes.nodes

    def nodes_by_speed(self) -> dict[float, int]:
        """Return the number of whole nodes of each speed; a smaller last node is not counted."""
        found = {1.0: self._changes.initial_gpus // self.params.gpus_per_node}
        for speed, number in self.node_changes.items():
            found[speed] = found.get(speed, 0) + number
        return {speed: number for speed, number in found.items() if number}

    @property
    def node_runs(self) -> list[NodeRun]:
        """All nodes as runs of equal nodes, in the order of their numbers; one for each speed under flat placement."""
        return self._placement.node_runs

    @property
    def node_sizes(self) -> list[int]:
        """GPUs of each node, by its number; 0 for numbers of retired nodes."""
        sizes: list[int] = []
        for run in self.node_runs:
            sizes += [0] * (run.first - len(sizes)) + [run.gpus] * run.number
        return sizes

    @property
    def free_by_node(self) -> list[int]:
        """Free GPUs of each node, by its number; 0 for numbers of retired nodes. Flat placement has one node."""
        return list(self._placement.free_by_node)

    @property
    def free(self) -> int:
        """Number of free GPUs."""
        return self._placement.free

    def _new_queue(self) -> None:
        make = QUEUES[self.params.queue] if self._discipline is None else self._discipline
        self._queue = queue = make()
        self._backfill_queue = queue if isinstance(queue, BackfillQueue) else None

    def _new_job_class(self, use: str, priority: int) -> JobClass:
        job_class = JobClass(use, priority)
        self._job_classes[job_class.use, priority] = job_class
        self._accounting.job_classes.append(job_class)
        return job_class

    @property
    def queue(self) -> QueueDiscipline:
        """Queue of the waiting jobs, for reading only: `GpuCluster` adds and removes them."""
        return self._queue

    @property
    def in_use(self) -> int:
        """Number of GPUs in use."""
        return sum(job_class.gpus for job_class in self._job_classes.values())

    @property
    def waiting(self) -> int:
        """Number of waiting jobs, held ones included."""
        return sum(job.tasks for job in self._waiting_jobs()) + sum(array.count for array in self.pending_arrays)

    @property
    def pending_arrays(self) -> list[JobArray]:
        """Job arrays with waiting jobs whose sizes are not drawn yet, held ones included."""
        return [*self._pending_arrays, *(array for held in self._held.values() for array in held.arrays)]

    def _waiting_jobs(self) -> list[Job]:
        """Return the waiting jobs, held ones included, in no promised order."""
        return [*self._queue, *(job for held in self._held.values() for job in held.jobs)]

    @property
    def running(self) -> int:
        """Number of running jobs."""
        return sum(len(job_class.jobs) for job_class in self._job_classes.values())

    @property
    def fragmentation(self) -> float:
        """Share of the free GPUs on nodes that are not wholly free, which a gang of a whole node cannot use."""
        return fragmentation(self._placement.free_by_node, min(self.params.gpus_per_node, self.capacity))

    def jobs(self) -> list[Job]:
        """Return all waiting and running jobs, in order of submission."""
        running = [job for job_class in self._job_classes.values() for job in job_class.jobs]
        return sorted([*self._waiting_jobs(), *running], key=lambda job: job.number)

    def gpus_in_use(self, use: str) -> int:
        """Return the number of GPUs that a use holds now."""
        return sum(job_class.gpus for job_class in self._job_classes.values() if job_class.use == use)

    def jobs_waiting(self, use: str) -> int:
        """Return the number of waiting jobs of a use, held ones included; the cost is proportional to the queue."""
        number = sum(job.tasks for job in self._queue if job.job_class.use == use)
        number += self._pending_arrays.pending_tasks(use)
        held = self._held.get(use)
        return number if held is None else number + sum(job.tasks for job in held.jobs) + held.arrays.pending_tasks()

    def gpu_time(self, use: str) -> float:
        """Return the GPU-time that a use held up to now [GPUs × unit of the clock]."""
        return self._accounting.gpu_time(use, self._env.now)


def capacity_after(params: ClusterParams, gpus: int, node_changes: Mapping[float, int]) -> int:
    """Return the GPUs of a pool of ``gpus`` GPUs on day 0 after a change of the number of its nodes, by speed."""
    return gpus + params.gpus_per_node * sum(node_changes.values())
