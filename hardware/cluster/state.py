"""Hold the state of a cluster: GPUs, running jobs and waiting jobs."""

from collections.abc import Callable

from simpy import Environment

from hardware.cluster.job_arrays import JobArray
from hardware.cluster.jobs import Job, JobAccounting, JobClass
from hardware.cluster.params import ClusterParams
from hardware.cluster.pending_arrays import PendingArrays
from hardware.cluster.placement import PLACEMENTS, fragmentation, largest_gang
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

    def _set_up(self, params: ClusterParams, gpus: int) -> None:
        """Set up ``gpus`` free GPUs and an empty queue."""
        self.params = params
        self.capacity = gpus
        self._new_queue()
        self._placement = PLACEMENTS[params.placement](gpus, params.gpus_per_node)
        self.largest_gang = largest_gang(params.placement, gpus, params.gpus_per_node)
        """Maximum number of GPUs of one job."""

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
        return self.capacity - self._placement.free

    @property
    def waiting(self) -> int:
        """Number of waiting jobs."""
        return sum(job.tasks for job in self._queue) + self._pending_arrays.pending_tasks()

    @property
    def pending_arrays(self) -> list[JobArray]:
        """Job arrays with waiting jobs whose sizes are not drawn yet."""
        return list(self._pending_arrays)

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
        return sorted([*self._queue, *running], key=lambda job: job.number)

    def gpus_in_use(self, use: str) -> int:
        """Return the number of GPUs that a use holds now."""
        return sum(job_class.gpus for job_class in self._job_classes.values() if job_class.use == use)

    def jobs_waiting(self, use: str) -> int:
        """Return the number of waiting jobs of a use; the cost is proportional to the queue."""
        return sum(job.tasks for job in self._queue if job.job_class.use == use) + self._pending_arrays.pending_tasks(
            use
        )

    def gpu_time(self, use: str) -> float:
        """Return the GPU-time that a use held up to now [GPUs × unit of the clock]."""
        return self._accounting.gpu_time(use, self._env.now)
