"""What a cluster is at a moment: its GPUs, who holds them and who waits."""

from collections.abc import Callable

from simpy import Environment

from hardware.cluster.job_arrays import JobArray, PendingArrays
from hardware.cluster.jobs import Job, JobAccounting, JobClass
from hardware.cluster.params import ClusterParams
from hardware.cluster.placement import PLACEMENTS, fragmentation, largest_gang
from hardware.cluster.queues import QUEUES, BackfillQueue, QueueDiscipline


class ClusterState:
    """GPUs in their places, the jobs on them and the jobs that wait. What happens to them is :class:`GpuCluster`'s."""

    def __init__(
        self, env: Environment, book: JobAccounting, discipline: Callable[[], QueueDiscipline] | None = None
    ) -> None:
        self._discipline = discipline
        self._env = env
        self._book = book
        self.records = book.records
        """All jobs that are over, in the order in which they ended."""
        self._shares: dict[tuple[str, int], JobClass] = {}
        self._lots = PendingArrays()

    def _set_up(self, params: ClusterParams, gpus: int) -> None:
        """Have so many GPUs, all of them free, and nobody in the queue."""
        self.params = params
        self.capacity = gpus
        self._new_queue()
        self._placement = PLACEMENTS[params.placement](gpus, params.gpus_per_node)
        self.largest_gang = largest_gang(params.placement, gpus, params.gpus_per_node)
        """The most GPUs that one job can ever have."""

    def _new_queue(self) -> None:
        make = QUEUES[self.params.queue] if self._discipline is None else self._discipline
        self._queue = queue = make()
        self._backfill_queue = queue if isinstance(queue, BackfillQueue) else None

    def _new_share(self, use: str, priority: int) -> JobClass:
        share = self._shares[use, priority] = JobClass(use, priority)
        self._book.shares.append(share)
        return share

    @property
    def in_use(self) -> int:
        """GPUs in use now."""
        return self.capacity - self._placement.free

    @property
    def waiting(self) -> int:
        """Jobs that wait now."""
        return sum(job.tasks for job in self._queue) + self._lots.tasks()

    @property
    def lots(self) -> list[JobArray]:
        """What waits of the jobs whose sizes nobody knows yet."""
        return list(self._lots)

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return sum(len(share.jobs) for share in self._shares.values())

    @property
    def fragmentation(self) -> float:
        """Share of the free GPUs that no gang of a whole node could use now; under flat placement of none."""
        return fragmentation(self._placement.free_by_node, min(self.params.gpus_per_node, self.capacity))

    def jobs(self) -> list[Job]:
        """Return all jobs that wait or run, in order of submission."""
        running = [job for share in self._shares.values() for job in share.jobs]
        return sorted([*self._queue, *running], key=lambda job: job.number)

    def gpus_in_use(self, use: str) -> int:
        """Return the GPUs that a use holds now."""
        return sum(share.gpus for share in self._shares.values() if share.use == use)

    def jobs_waiting(self, use: str) -> int:
        """Return how many jobs of a use wait; costs the length of the queue."""
        return sum(job.tasks for job in self._queue if job.share.use == use) + self._lots.tasks(use)

    def gpus_waiting(self, use: str) -> int:
        """Return the GPUs that the waiting jobs of a use ask for, as far as their sizes are known yet."""
        return sum(job.gpus for job in self._queue if job.share.use == use)

    def gpu_time(self, use: str) -> float:
        """Return the GPU-time that a use has held up to now, in GPUs × the unit of the clock."""
        return self._book.gpu_time(use, self._env.now)
