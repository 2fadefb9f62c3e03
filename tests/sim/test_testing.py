"""The batteries of sim.testing: what is right passes, and each plausible mistake is caught."""

import math
import subprocess
import sys
from heapq import heappush
from pathlib import Path

import pytest
from hypothesis import given, settings

from agents.trainer import Trainer
from hardware.cluster import ClusterParams, GpuCluster, Job
from hardware.queues import QUEUES, Easy, Fcfs, Queue
from sim.clock import Clock
from sim.growth import GrowthParams, Law, law_of
from sim.model import World
from sim.scenario import Scenario
from sim.testing import Ask, check_law, check_queue, check_world, served, workloads

ROOT = Path(__file__).parents[2]


class SmallestFirst(Queue):
    """Fewest GPUs first, then arrival."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[int, int, Job]] = []

    def push(self, job: Job) -> bool:
        heappush(self.waiting, (job.gpus, job.number, job))
        self.first = self.waiting[0][2]
        return self.first is job

    def remove(self, job: Job) -> None:
        self.waiting = sorted(each for each in self.waiting if each[2] is not job)
        self.first = self.waiting[0][2] if self.waiting else None

    def __len__(self) -> int:
        return len(self.waiting)

    def __iter__(self):
        return (job for _, _, job in self.waiting)


class Forgetful(SmallestFirst):
    """Whoever is cancelled behind the head stays."""

    def remove(self, job: Job) -> None:
        if job is self.first:
            super().remove(job)


class Silent(SmallestFirst):
    """A new head is not told of."""

    def push(self, job: Job) -> bool:
        return super().push(job) and len(self.waiting) == 1


class Miscounting(SmallestFirst):
    def __len__(self) -> int:
        return max(0, len(self.waiting) - 1)


class Headless(SmallestFirst):
    def remove(self, job: Job) -> None:
        super().remove(job)
        self.first = None


class Crashing(SmallestFirst):
    """Jobs cannot be compared, so equals of a heap without numbers cannot either."""

    def push(self, job: Job) -> bool:
        self.waiting.append((job.gpus, {}, job))  # type: ignore[arg-type]
        self.waiting.sort()
        return super().push(job)


class Moody(SmallestFirst):
    """The order hangs on something outside of the run."""

    runs = 0

    def __init__(self) -> None:
        super().__init__()
        Moody.runs += 1
        self.turned = Moody.runs % 2

    def push(self, job: Job) -> bool:
        self.waiting.append((job.gpus, job.number * (-1 if self.turned else 1), job))
        self.waiting.sort()
        self.first = self.waiting[0][2]
        return True


class Unordered(SmallestFirst):
    """The order is that of addresses in memory, as in a set of objects."""

    def push(self, job: Job) -> bool:
        self.waiting.append((id(job), job.number, job))
        self.waiting.sort()
        self.first = self.waiting[0][2]
        return True


class Greedy(Easy):
    """Backfill that lets anybody in who fits."""

    def beside(self, reservation):  # type: ignore[no-untyped-def]
        free = reservation._placement.free
        return self._earliest({gpus: math.inf if gpus <= free else -1.0 for _, gpus in self._lines})


@pytest.mark.parametrize("discipline", [*QUEUES.values(), SmallestFirst], ids=[*QUEUES, "smallest first"])
def test_disciplines_that_are_right_pass(discipline):
    check_queue(discipline)


@pytest.mark.parametrize(
    ("discipline", "said"),
    [(Forgetful, "wait, and the queue holds"), (Silent, "GPUs idle"), (Miscounting, "the queue counts"),
     (Headless, "the head is nobody"), (Crashing, "TypeError"), (Moody, "other records"),
     (Greedy, "others went before it")],
)  # fmt: skip
def test_each_mistake_of_a_discipline_is_caught_and_told_at_its_shortest(discipline, said):
    with pytest.raises(AssertionError, match=said) as caught:
        check_queue(discipline)
    history = str(caught.value).split("shows it:\n")[1].splitlines()
    assert 1 <= len(history) <= 6
    assert all(line.strip().startswith(("Submit(", "Advance(", "Cancel(")) for line in history)


def test_an_order_that_hangs_on_chance_is_told_without_the_words_of_hypothesis():
    with pytest.raises(AssertionError, match=r"other records|came out otherwise") as caught:
        check_queue(Unordered)
    assert "Flaky" not in str(caught.value)


def test_a_cluster_keeps_its_discipline_whatever_its_parameters_name():
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


@settings(deadline=None, derandomize=True, max_examples=50)
@given(workloads())
def test_what_is_served_is_served_in_the_order_of_the_workload(workload):
    records = served(Fcfs, workload)
    assert [(record.submitted, record.gpus, record.length) for record in records] == [ask[:3] for ask in workload]
    starts = [record.started for record in records]
    assert starts == sorted(starts)  # first come, first served


def test_a_workload_by_hand():
    records = served(SmallestFirst, [Ask(0, 8, 1.0), Ask(0.5, 8, 1.0), Ask(0.5, 2, 3.0)])
    assert [record.started for record in records] == [0, 4, 1]


# --- laws and worlds ------------------------------------------------------------------------------------------------

LAW = law_of(GrowthParams(), 256, 1 / 30)


@pytest.mark.parametrize(
    "params",
    [GrowthParams(), GrowthParams(r=0.3, parallel_penalty=0.2), GrowthParams(limit_doublings=8.0),
     GrowthParams(law="papers", difficulty_growth=1.5)],
)  # fmt: skip
def test_our_laws_pass(params):
    check_law(law_of(params, 256, 1 / 30))


class Shifted(Law):
    """Begins above nothing."""

    def software(self, effort: float) -> float:
        return super().software(effort) + 0.5


class Falling(Law):
    """Returns of less than nothing beyond six doublings."""

    def software(self, effort: float) -> float:
        level = super().software(effort)
        return level if level < 6 else 12 - level


class Cheap(Law):
    """Forgets that papers get harder on the way."""

    def papers_between(self, effort: float, doublings: float) -> float:
        return max(0.0, (doublings - self.software(effort)) * 2**self.log2_initial_effort)


@pytest.mark.parametrize(("law", "said"), [(Shifted, r"software\(0\)"), (Falling, "lead to"), (Cheap, "lead to")])
def test_each_mistake_of_a_law_is_caught(law, said):
    with pytest.raises(AssertionError, match=said):
        check_law(law(LAW.r, LAW.p, LAW.limit, LAW.log2_initial_effort))


class Generous(Trainer):
    """Deploys more than was discovered."""

    def consider(self) -> None:
        self.lab.frontier.deployed += 1.0  # type: ignore[attr-defined]
        super().consider()


class GenerousWorld(World):
    def __init__(self, scenario: Scenario, seed: int) -> None:
        super().__init__(scenario, seed)
        self.trainer = Generous(self, self)


def test_our_world_passes_and_an_agent_that_cheats_is_caught():
    check_world(examples=10)
    with pytest.raises(AssertionError, match="deployed before it was discovered"):
        check_world(GenerousWorld, examples=5, run__horizon_days=30.0, kernels__measurements="none")


def test_without_hypothesis_one_sentence_says_what_is_missing():
    code = "import sys; sys.modules['hypothesis'] = None; import sim.testing"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert found.returncode == 1
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: sim.testing needs the package hypothesis") and "pip install" in last
    assert "ModuleNotFoundError" not in found.stderr
