"""Change the nodes and the gate of a running World: restored, branched and divided runs stay the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.cluster.jobs import nodes_of
from hardware.datacenter import SHARED
from hardware.uses import Use
from sim.events import GpusDivided, PaperPublished
from sim.scenario.model import Scenario, ScenarioError
from sim.testing.invariants import check_invariants
from sim.world import World
from tests.support.properties import examples

NODE = 4
SMALL: dict[str, Any] = {
    "cluster__gpus": 48,
    "cluster__gpus_per_node": NODE,
    "cluster__inference_share": 1 / 3,
    "cluster__training_share": 1 / 3,
    "cluster__gpu_hours_between_failures": 2000.0,
    "researcher__initial": 6,
    "researcher__papers_per_month": 6.0,
    "researcher__experiment_gpu_days": 4.0,
    "researcher__experiment_days": 2.0,
    "researcher__experiment_gpus": 4,
    "growth__first_doubling_days": 15.0,
    "growth__calibrated_for": 0.0,
    "training__first_run_days": 3.0,
    "training__first_run_gpus": 8,
    "training__gain": 1.2,
    "kernels__measurements": "none",
    "run__horizon_days": 30.0,
    "run__sample_days": 1.0,
    "run__max_doublings": 4,
}
USES = [str(use) for use in Use]


def small_lab(**changes: Any) -> Scenario:
    return Scenario.load("lab").replace(**(SMALL | changes))


class Frames(NamedTuple):
    """Run to the end of frames."""

    number: int
    chunk: int
    """Number of events of a call of step_events; 0 for step."""

    def apply(self, world: World) -> None:
        for _ in range(self.number):
            if self.chunk == 0:
                world.step()
                continue
            while not world.step_events(self.chunk):
                pass


class Events(NamedTuple):
    """Run some events of a frame."""

    number: int

    def apply(self, world: World) -> None:
        world.step_events(self.number)


class Nodes(NamedTuple):
    """Add or retire nodes; a retirement that is refused changes nothing."""

    call: str
    use: str
    number: int
    speed: float | None

    def apply(self, world: World) -> None:
        center = world.lab.compute.datacenter
        before = center.gpus_by_use(), center.capacity
        try:
            getattr(world.lab, self.call)(self.use, self.number, self.speed)
        except ValueError:
            assert (center.gpus_by_use(), center.capacity) == before
            return
        change = self.number * (NODE if self.call == "add_nodes" else -NODE)
        assert center.capacity == before[1] + change


class Order(NamedTuple):
    """Give an order to the gate."""

    call: str
    arguments: tuple[Any, ...]

    def apply(self, world: World) -> None:
        getattr(world.lab.compute.gate, self.call)(*self.arguments)


class Change(NamedTuple):
    """Continue with a branch; one that is refused leaves the world as it is."""

    changes: dict[str, Any]

    def branch(self, world: World) -> World:
        try:
            return world.branch(**self.changes)
        except ScenarioError:
            return world


Step = Frames | Events | Nodes | Order | Change

USE = st.sampled_from(USES)
ADDED_TO = st.sampled_from([*USES, SHARED])
RUNNING = st.sampled_from(["continue", "preempt"])
ADD = st.builds(Nodes, st.just("add_nodes"), ADDED_TO, st.integers(1, 3), st.sampled_from([1.0, 2.0, 0.5]))
RETIRE = st.builds(Nodes, st.just("retire_nodes"), ADDED_TO, st.integers(1, 2), st.sampled_from([None, 1.0, 2.0]))
ORDER = st.one_of(
    st.builds(Order, st.just("hold"), st.tuples(USE, RUNNING)),
    st.builds(Order, st.just("cap"), st.tuples(USE, st.integers(0, 16), RUNNING)),
    st.builds(Order, st.just("resume"), st.tuples(USE)),
)
CHANGE = st.builds(
    Change,
    st.sampled_from(
        [
            {"cluster__gpus": 64},
            {"cluster__gpus": 40},
            {"cluster__training_share": 0.25},
            {"researcher__papers_per_month": 9.0},
        ]
    ),
)
FRAMES = st.builds(Frames, st.integers(1, 4), st.integers(1, 60))
HARDWARE = (ADD, RETIRE, ORDER, CHANGE)
AT_FRAMES = st.lists(st.one_of(FRAMES, FRAMES, *HARDWARE), min_size=3, max_size=10)
ANYWHERE = st.lists(st.one_of(FRAMES, st.builds(Events, st.integers(1, 30)), *HARDWARE), min_size=3, max_size=10)
SCENARIOS = st.fixed_dictionaries(
    {
        "policy__name": st.sampled_from(["fixed", "adaptive"]),
        "cluster__partitioning": st.sampled_from(["static", "priority"]),
        "cluster__placement": st.sampled_from(["consolidated", "flat"]),
        "researcher__timing": st.sampled_from(["poisson", "whole", "pooled"]),
        "run__max_individuals": st.sampled_from([0, 100]),
    }
).map(
    lambda drawn: small_lab(
        **drawn,
        **({"policy__review_days": 2.0, "policy__hysteresis": 0.0} if drawn["policy__name"] == "adaptive" else {}),
    )
)


SEED = st.integers(0, 3)


class Account:
    """GPU-time of each use and of the cluster, summed event by event beside the accounting of the lab."""

    def __init__(self, world: World) -> None:
        self.times = dict.fromkeys([*USES, "all"], 0.0)
        self._since = world.now
        self._gpus = self._present(world)

    @staticmethod
    def _present(world: World) -> dict[str, int]:
        center = world.lab.compute.datacenter
        return {use: center.gpus_in_use(use) for use in USES} | {"all": center.capacity}

    def update(self, world: World) -> None:
        for use, gpus in self._gpus.items():
            self.times[use] += gpus * (world.now - self._since)
        self._since, self._gpus = world.now, self._present(world)

    def check(self, world: World) -> None:
        compute = world.lab.compute
        for use in USES:
            assert self.times[use] == pytest.approx(compute.datacenter.gpu_time(use), rel=1e-9, abs=1e-9)
        assert self.times["all"] == pytest.approx(compute.gpus.total(world.now), rel=1e-9)


def check_settled(world: World) -> None:
    """Check the invariants, unless changes of this instant have not taken effect yet."""
    if world.clock.peek() > world.now:
        check_invariants(world)


def play(world: World, steps: Iterable[Step], copies_at: int | None = None, copy: str = "restore") -> World:
    """Take the steps, resume all uses and run to the end.

    Before step ``copies_at``, continue with a restored snapshot or with a branch without changes.
    """
    for place, step in enumerate(steps):
        if place == copies_at:
            world = World.restore(world.snapshot()) if copy == "restore" else world.branch()
        if isinstance(step, Change):
            world = step.branch(world)
        elif world.running:
            step.apply(world)
        check_settled(world)
    for use in USES:
        world.lab.compute.gate.resume(use)
    while world.running:
        world.step()
    check_settled(world)
    return world


@examples(40)
@given(SCENARIOS, ANYWHERE, SEED, st.integers(0, 9), st.sampled_from(["restore", "branch"]))
def test_restored_world_and_branch_without_changes_continue_identically(
    scenario: Scenario, steps: list[Step], seed: int, place: int, copy: str
) -> None:
    once = play(World(scenario, seed), steps)
    again = play(World(scenario, seed), steps, place % len(steps), copy)
    assert again.digest() == once.digest()
    assert again.datacollector.model_vars == once.datacollector.model_vars


@examples(40)
@given(SCENARIOS, AT_FRAMES, SEED)
def test_frames_and_events_of_any_number_give_the_same_run(scenario: Scenario, steps: list[Step], seed: int) -> None:
    whole = [step._replace(chunk=0) if isinstance(step, Frames) else step for step in steps]
    assert play(World(scenario, seed), whole).digest() == play(World(scenario, seed), steps).digest()


@examples(40)
@given(SCENARIOS, AT_FRAMES, SEED)
def test_gpu_time_and_papers_are_conserved(scenario: Scenario, steps: list[Step], seed: int) -> None:
    world = World(scenario, seed)
    account = Account(world)
    for step in [*steps, *(Order("resume", (use,)) for use in USES), Frames(30, 1)]:
        if isinstance(step, Change):
            world = step.branch(world)
        elif isinstance(step, Frames):
            end = world.steps + step.number
            while world.running and world.steps < end:
                world.step_events(1)
                account.update(world)
        elif world.running:
            step.apply(world)
        account.update(world)
        account.check(world)
    check_settled(world)
    published = [event for event in world.ledger if isinstance(event, PaperPublished)]
    assert world.lab.knowledge.papers == pytest.approx(math.fsum(event.papers for event in published), rel=1e-9)


def after(days: int, **changes: Any) -> World:
    world = World(small_lab(**changes), 1)
    Frames(days, 0).apply(world)
    return world


@pytest.mark.parametrize("placement", ["consolidated", "flat"])
def test_researchers_follow_the_speed_of_the_inference_gpus(placement: str) -> None:
    world = after(2, cluster__placement=placement, training__first_run_days=20.0)
    center = world.lab.compute.datacenter
    assert (world.lab.workforce.active_researchers, center.inference_work) == (6, 16)
    world.lab.add_nodes("inference", 4, speed=2.0)
    world.step()
    assert (world.lab.workforce.active_researchers, center.inference_work, center.inference_gpus) == (18, 48, 32)
    world.lab.retire_nodes("inference", 3, speed=1.0)
    world.step()
    assert (world.lab.workforce.active_researchers, center.inference_work) == (13, 36)


def test_inference_of_a_shared_pool_works_at_the_speed_of_its_nodes() -> None:
    world = after(2, cluster__partitioning="priority", training__first_run_days=20.0, researcher__timing="pooled")
    world.lab.add_nodes("inference", 2, speed=3.0)
    world.step()
    pool = world.lab.compute.datacenter.pools[SHARED]
    speeds = [run.speed for run in pool.node_runs for _ in range(run.number)]
    held = [node for job in pool.jobs() if job.use == "inference" for node, _ in nodes_of(job.allocation)]
    assert world.lab.compute.datacenter.inference_work == sum(NODE * speeds[node] for node in held)


def test_branch_that_changes_the_gpus_of_day_0_keeps_the_nodes_added_and_retired() -> None:
    world = after(2)
    world.lab.add_nodes("experiment", 3, speed=2.0)
    world.lab.retire_nodes("training", 1)
    center = world.lab.compute.datacenter
    assert center.gpus_by_use() == {"inference": 16, "experiment": 28, "training": 12}
    with world.branch(cluster__gpus=96) as larger:
        center = larger.lab.compute.datacenter
        assert center.gpus_by_use() == {"inference": 32, "experiment": 44, "training": 28}
        assert center.capacity == larger.lab.compute.gpus_for["inference"].value + 44 + 28
        larger.step()
        check_invariants(larger)
    with world.branch(cluster__gpus=24) as smaller:
        assert smaller.lab.compute.datacenter.gpus_by_use() == {"inference": 8, "experiment": 20, "training": 4}


def test_branch_with_fewer_nodes_than_were_retired_is_refused() -> None:
    world = after(2)
    world.lab.retire_nodes("training", 3)
    message = r"pool training would have -1 nodes of speed 1, because 3 were retired; allowed: 0 or more"
    with pytest.raises(ScenarioError, match=message):
        world.branch(cluster__gpus=24)


def test_branch_with_other_nodes_is_refused_after_a_delivery() -> None:
    world = after(2)
    world.branch(cluster__gpus_per_node=8).close()
    world.lab.add_nodes("training", 1)
    with pytest.raises(
        ScenarioError, match=r"gpus_per_node = 8 cannot change after nodes were added or retired; allow"
    ):
        world.branch(cluster__gpus_per_node=8)


def test_refused_branch_after_a_retirement_reports_the_present_gpus() -> None:
    world = after(2, training__required=False)
    world.lab.retire_nodes("experiment", 3)
    with pytest.raises(ScenarioError, match=r"at most 4 of the 36 GPUs of now, after changes .* cluster__gpus = 48"):
        world.branch(researcher__experiment_gpus=8)


def run_of(world: World) -> Any:
    """Return the training run of a world, after it has begun."""
    while world.lab.training.run is None:
        assert world.running
        world.step_events(1)
    return world.lab.training.run


def test_training_run_moves_to_added_nodes_if_the_policy_wants_that() -> None:
    for policy, gpus in (("fixed", 16), ("adaptive", 24)):
        world = World(small_lab(policy__name=policy, training__first_run_days=20.0), 1)
        before = run_of(world)
        assert before.gpus == 16
        world.lab.add_nodes("training", 2)
        world.step()
        run = world.lab.training.run
        assert run is not None and run.gpus == gpus
        check_invariants(world)


def test_training_run_continues_on_fewer_gpus_when_its_nodes_are_retired() -> None:
    world = World(small_lab(training__first_run_days=20.0), 1)
    assert run_of(world).gpus == 16
    world.lab.retire_nodes("training", 2)
    world.step()
    run = world.lab.training.run
    assert run is not None and run.gpus == 8 and run.unfinished <= 1
    check_invariants(world)


def test_training_run_of_a_fixed_size_prevents_the_retirement_of_its_nodes() -> None:
    world = World(small_lab(training__first_run_days=20.0, training__gpus=16), 1)
    run = run_of(world)
    with pytest.raises(ValueError, match="asks for 16 GPUs at once"):
        world.lab.retire_nodes("training", 1)
    assert world.lab.training.run is run and world.lab.compute.datacenter.capacity == 48
    with pytest.raises(ScenarioError, match="asks for 16 GPUs at once"):
        world.branch(cluster__training_share=0.2)
    world.branch(cluster__training_share=0.2, training__gpus=8).close()


def test_lab_without_gpus_for_training_stalls_at_the_next_run() -> None:
    world = after(1, training__first_run_days=20.0)
    world.lab.retire_nodes("training", 4)
    while world.running:
        world.step()
    assert world.ending is not None and world.ending.ending == "stalled"
    assert "there are no GPUs for training" in world.ending.sentence


@pytest.mark.parametrize("max_individuals", [0, 100])
def test_lab_without_gpus_for_experiments_stalls(max_individuals: int) -> None:
    world = World(small_lab(run__max_individuals=max_individuals), 1)
    world.lab.retire_nodes("experiment", 4)
    while world.running:
        world.step()
    assert world.ending is not None and world.ending.ending == "stalled"
    assert "there are no GPUs for experiment" in world.ending.sentence


def test_added_gpus_that_would_fail_too_often_are_refused() -> None:
    world = after(2, cluster__gpu_hours_between_failures=30.0)
    with pytest.raises(ScenarioError, match=r"GPUs for experiments and training: up to .* failures a day; allowed"):
        world.lab.add_nodes("training", 1000)
    assert world.lab.compute.datacenter.capacity == 48


def test_adaptive_policy_divides_the_gpus_of_day_0_and_leaves_added_nodes() -> None:
    world = World(small_lab(policy__name="adaptive", policy__review_days=1.0, policy__hysteresis=0.0), 1)
    world.step()
    world.lab.add_nodes("experiment", 5, speed=2.0)
    world.lab.retire_nodes("inference", 2)
    while world.running:
        world.step()
        gpus = world.lab.compute.datacenter.gpus_by_use()
        assert sum(gpus.values()) == world.lab.compute.datacenter.capacity == 60
        assert gpus["experiment"] >= 20
    divided = [event for event in world.ledger if isinstance(event, GpusDivided) and event.day > 1]
    assert divided and {event.inference + event.experiment + event.training for event in divided} == {60}


def test_background_job_larger_than_the_present_pool_is_not_submitted(tmp_path: Path) -> None:
    log = tmp_path / "jobs.csv"
    log.write_text(
        "job,submit_s,run_s,gpus\n" + "".join(f"{hour},{3600 * hour},900,{4 + 4 * (hour % 2)}\n" for hour in range(9))
    )
    world = World(small_lab(cluster__background=str(log), researcher__experiment_gpu_days=0.0), 1)
    world.step()
    world.lab.retire_nodes("experiment", 3)
    before = {record.job for record in world.lab.compute.datacenter.records}
    Frames(2, 0).apply(world)
    later = [
        each for each in world.lab.compute.datacenter.records if each.use == "background" and each.job not in before
    ]
    assert later and {each.gpus for each in later} == {4}
