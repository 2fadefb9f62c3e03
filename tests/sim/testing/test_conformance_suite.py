"""Test the conformance suite for queues: correct disciplines pass, and each plausible mistake is found."""

import subprocess
import sys
from heapq import heappush
from pathlib import Path

import pytest
from hypothesis import given

from hardware.cluster.cluster import ClusterParams, GpuCluster, Job
from hardware.cluster.placement import Placement
from hardware.cluster.queues import (
    QUEUES,
    BackfillQueue,
    EasyBackfill,
    FirstComeFirstServed,
    QueueDiscipline,
    Reservation,
)
from sim.clock import Clock
from sim.testing.invariants import JobRequest, check_queue, run_workload, workloads
from tests.support.properties import examples

ROOT = Path(__file__).parents[3]


class SmallestFirst(QueueDiscipline):
    """Fewest GPUs first, then arrival."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[int, int, Job]] = []

    def push(self, job: Job) -> bool:
        heappush(self.waiting, (job.gpus, job.number, job))
        self.head = self.waiting[0][2]
        return self.head is job

    def remove(self, job: Job) -> None:
        self.waiting = sorted(each for each in self.waiting if each[2] is not job)
        self.head = self.waiting[0][2] if self.waiting else None

    def __len__(self) -> int:
        return len(self.waiting)

    def __iter__(self):
        return (job for _, _, job in self.waiting)


class KeepsCancelledJobs(SmallestFirst):
    """Keeps jobs that are cancelled behind the head."""

    def remove(self, job: Job) -> None:
        if job is self.head:
            super().remove(job)


class HidesNewHead(SmallestFirst):
    """Does not report a new head."""

    def push(self, job: Job) -> bool:
        return super().push(job) and len(self.waiting) == 1


class MiscountsJobs(SmallestFirst):
    def __len__(self) -> int:
        return max(0, len(self.waiting) - 1)


class LosesHead(SmallestFirst):
    def remove(self, job: Job) -> None:
        super().remove(job)
        self.head = None


class RaisesOnTies(SmallestFirst):
    """Jobs cannot be compared, so equals of a heap without numbers cannot either."""

    def push(self, job: Job) -> bool:
        self.waiting.append((job.gpus, {}, job))  # type: ignore[arg-type]
        self.waiting.sort()
        return super().push(job)


class OrdersByGlobalState(SmallestFirst):
    """Orders jobs by a fact outside of the run."""

    runs = 0

    def __init__(self) -> None:
        super().__init__()
        OrdersByGlobalState.runs += 1
        self.turned = OrdersByGlobalState.runs % 2

    def push(self, job: Job) -> bool:
        self.waiting.append((job.gpus, job.number * (-1 if self.turned else 1), job))
        self.waiting.sort()
        self.head = self.waiting[0][2]
        return True


class OrdersByAddress(SmallestFirst):
    """Orders jobs by their addresses in memory, as a set of objects does."""

    def push(self, job: Job) -> bool:
        self.waiting.append((id(job), job.number, job))
        self.waiting.sort()
        self.head = self.waiting[0][2]
        return True


class DelaysHead(EasyBackfill):
    """Backfill that starts every job that fits, whether it delays the head or not."""

    def reserve(self, now: float, placement: Placement) -> Reservation | None:
        self.placement = placement
        return super().reserve(now, placement)

    def next_backfill(self, reservation: Reservation) -> Job | None:
        behind = sorted((job for job in self if job is not self.head), key=lambda job: job.number)
        return next((job for job in behind if job.gpus <= self.placement.free), None)


class RefusesReturningJobs(SmallestFirst):
    """Refuses jobs that return."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()

    def push(self, job: Job) -> bool:
        if job.number in self.seen:
            return False
        self.seen.add(job.number)
        return super().push(job)


class NeverPutsReturningJobFirst(SmallestFirst):
    """Never puts a returning job at the head."""

    def push(self, job: Job) -> bool:
        before = self.head
        answer = super().push(job)
        self.head = self.head if job.past is None else before
        return answer


class ForgetsPreemption(EasyBackfill):
    """Reports that a job that does not fit cannot start, although it may preempt others."""

    held = 0

    def push(self, job: Job) -> bool:
        return super().push(job) and self.held + job.gpus <= 8

    def on_start(self, job: Job, ends: float) -> None:
        super().on_start(job, ends)
        self.held += job.gpus

    def on_end(self, job: Job) -> None:
        super().on_end(job)
        self.held -= job.gpus


class SharesJobsOnClass(SmallestFirst):
    """Keeps its jobs on the class."""

    all_jobs: list[tuple[int, int, Job]] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.waiting = SharesJobsOnClass.all_jobs

    def remove(self, job: Job) -> None:
        self.waiting[:] = sorted(each for each in self.waiting if each[2] is not job)
        self.head = self.waiting[0][2] if self.waiting else None


class ChoosesBeforeArrivals(SmallestFirst, BackfillQueue):
    """Chooses the next job when GPUs come back, so that a smaller one that arrives at that instant does not count."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen: Job | None = None

    def push(self, job: Job) -> bool:
        super().push(job)
        return self._choose(self.chosen if job.past is None else None)

    def remove(self, job: Job) -> None:
        super().remove(job)
        self._choose(None)

    def _choose(self, chosen: Job | None) -> bool:
        self.chosen = chosen
        self.head = chosen or self.head
        return True

    def on_start(self, job: Job, ends: float) -> None:
        """Keep no book."""

    def on_end(self, job: Job) -> None:
        self.chosen = self.head

    def reserve(self, now, placement):  # type: ignore[no-untyped-def]
        return None

    def next_backfill(self, reservation):  # type: ignore[no-untyped-def]
        return None


@pytest.mark.parametrize("discipline", [*QUEUES.values(), SmallestFirst], ids=[*QUEUES, "smallest first"])
def test_check_queue_accepts_correct_disciplines(discipline):
    """200 examples: each mistake in the tests below is found with 40 or fewer."""
    check_queue(discipline, examples=200)


@pytest.mark.parametrize(
    ("discipline", "message"),
    [
        (KeepsCancelledJobs, "wait, and the queue contains"),
        (HidesNewHead, "GPUs are idle"),
        (MiscountsJobs, "the queue counts"),
        (LosesHead, "the head is missing"),
        (RaisesOnTies, "TypeError"),
        (OrdersByGlobalState, "other records"),
        (DelaysHead, "other jobs were started before it"),
        (RefusesReturningJobs, "wait, and the queue contains"),
        (NeverPutsReturningJobFirst, "the head is missing"),
        (ForgetsPreemption, "GPUs are idle or held by jobs of lower priority"),
        (SharesJobsOnClass, "the queue contains jobs of another cluster"),
    ],
)
def test_check_queue_reports_each_mistake_with_its_shortest_history(discipline, message):
    with pytest.raises(AssertionError, match=message) as caught:
        check_queue(discipline)
    history = str(caught.value).split("shows it:\n")[1].splitlines()
    assert 1 <= len(history) <= 6
    assert all(line.strip().startswith(("Submit(", "Advance(", "Cancel(", "Fail(", "Preempt(")) for line in history)


def test_check_queue_finds_a_discipline_that_chooses_before_all_arrivals():
    with pytest.raises(AssertionError, match="the discipline must choose after all arrivals") as caught:
        check_queue(ChoosesBeforeArrivals)
    workload = str(caught.value).split("shows it:\n")[1].splitlines()
    assert 3 <= len(workload) <= 6
    assert all(line.strip().startswith("JobRequest(") for line in workload)


def test_check_queue_reports_a_random_order_without_the_notes_of_hypothesis():
    with pytest.raises(AssertionError, match=r"other records|gave another result") as caught:
        check_queue(OrdersByAddress)
    assert "Flaky" not in str(caught.value)


def test_cluster_with_an_explicit_discipline_keeps_it_after_reconfigure():
    clock = Clock()
    params = ClusterParams(gpus=4, placement="flat", preemption=False, gpu_hours_between_failures=0.0)
    cluster = GpuCluster(clock, params, hour=1, discipline=SmallestFirst)
    for gpus in (4, 3, 1):
        cluster.submit(gpus, 1.0)
    cluster.reconfigure(params.model_copy(update={"queue": "sjf", "gpus": 5}))
    clock.advance(10)
    assert [record.started for record in sorted(cluster.records)] == [1, 0, 0]
    with pytest.raises(ValueError, match="queue"):
        params.model_validate(params.model_dump() | {"queue": "smallest"})


@examples(50)
@given(workloads())
def test_run_workload_returns_records_in_order_of_submission(workload):
    records = run_workload(FirstComeFirstServed, workload)
    assert [(record.submitted, record.gpus, record.length) for record in records] == [ask[:3] for ask in workload]
    starts = [record.started for record in records]
    assert starts == sorted(starts)  # first come, first served


def test_run_workload_equals_an_example_by_hand():
    records = run_workload(SmallestFirst, [JobRequest(0, 8, 1.0), JobRequest(0.5, 8, 1.0), JobRequest(0.5, 2, 3.0)])
    assert [record.started for record in records] == [0, 4, 1]


def test_run_workload_dispatches_after_all_arrivals_of_an_instant():
    records = run_workload(SmallestFirst, [JobRequest(0, 8, 1.0), JobRequest(0.5, 8, 1.0), JobRequest(1.0, 2, 3.0)])
    assert [record.started for record in records] == [0, 4, 1]


def test_check_queue_of_an_instance_raises_one_sentence():
    params = ClusterParams(gpus=4, gpu_hours_between_failures=0.0)
    for refuse in (check_queue, lambda queue: GpuCluster(Clock(), params, discipline=queue)):
        with pytest.raises(TypeError, match=r"give the class itself, not SmallestFirst\(\)"):
            refuse(SmallestFirst())  # type: ignore[arg-type]


def test_check_queue_without_hypothesis_names_the_missing_package():
    code = "import sys; sys.modules['hypothesis'] = None; import sim.testing.invariants"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert found.returncode == 1
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: sim.testing.invariants needs the package hypothesis") and "pip install" in last
    assert "ModuleNotFoundError" not in found.stderr
