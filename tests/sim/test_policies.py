"""Test policies in a World: reviews, moves of GPUs, exact restoration, and neutrality of the fixed policy."""

import pytest

from agents.adaptive_policy import AdaptivePolicy
from agents.lab_policy import GpuSplit, LabPolicy
from agents.ports.measurements import LabMeasurements
from sim.events import GpusDivided, TrainingRequested
from sim.fluid import fluid
from sim.lab_factory import LabFactory
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

SMALL = Scenario(name="small").replace(
    researcher__initial=0,
    cluster__gpus=64,
    training__first_run_gpus=16,
    training__first_run_days=10.0,
    growth__first_doubling_days=10.0,
    growth__calibrated_for=0,
    run__horizon_days=60.0,
    run__max_doublings=30,
)
ADAPTIVE = SMALL.replace(policy__name="adaptive", policy__step_share=0.125)


class RecordingPolicy(LabPolicy):
    """Keep the measurements of all reviews."""

    review_days = 5.0

    def __init__(self, ports):
        super().__init__(ports)
        self.seen: list[LabMeasurements] = []

    def review(self, measured):
        self.seen.append(measured)


class GrowingTraining(LabPolicy):
    """Give more GPUs to training on day 12, and move the training run there."""

    review_days = 12.0
    split = GpuSplit(0.25, 0.25)

    def gpu_split(self):
        return self.split

    def review(self, measured):
        self.split = GpuSplit(0.25, 0.5)

    def continues_on_more_gpus(self, gpus, largest):
        return True


class GrowingTrainingInPlace(GrowingTraining):
    """Give more GPUs to training; a run stays on its GPUs."""

    def continues_on_more_gpus(self, gpus, largest):
        return False


class AllToTraining(LabPolicy):
    """Leave no GPUs for experiments, which the scenario needs."""

    review_days = 5.0
    split = GpuSplit(0.5, 0.25)

    def gpu_split(self):
        return self.split

    def review(self, measured):
        self.split = GpuSplit(0.5, 0.5)


def finished(world: World) -> World:
    while world.running:
        world.step()
    return world


def moves(world: World) -> list[GpusDivided]:
    return [event for event in world.ledger if isinstance(event, GpusDivided)]


def test_fixed_policy_divides_once_and_for_all():
    assert moves(finished(World(SMALL, 1))) == []


def test_policy_parameters_do_not_change_a_run_of_the_fixed_policy():
    changed = SMALL.replace(policy__review_days=1.0, policy__step_share=0.5, policy__hysteresis=0.0)
    assert finished(World(changed, 1)).digest() == finished(World(SMALL, 1)).digest()
    assert changed.digest() == SMALL.digest()
    assert changed.canonical().flat() == SMALL.flat()


def test_digest_of_a_scenario_contains_the_parameters_that_the_policy_reads():
    assert ADAPTIVE.digest() != SMALL.digest()
    assert ADAPTIVE.replace(policy__review_days=9.0).digest() != ADAPTIVE.digest()


def test_adaptive_policy_moves_gpus_in_whole_nodes_and_keeps_every_use_able_to_work():
    found = moves(finished(World(ADAPTIVE, 1)))
    assert len(found) > 3
    assert all(event.inference + event.experiment + event.training == 64 for event in found)
    assert all(min(event[1:4]) >= 8 and event.inference % 8 == event.training % 8 == 0 for event in found)


def test_adaptive_policy_same_scenario_and_seed_give_the_same_digest():
    assert finished(World(ADAPTIVE, 1)).digest() == finished(World(ADAPTIVE, 1)).digest()


@pytest.mark.parametrize("day", [3.0, 21.0, 40.0])
def test_adaptive_policy_restored_run_goes_on_alike(day):
    world = World(ADAPTIVE, 2)
    while world.now < day:
        world.step()
    assert finished(World.restore(world.snapshot())).digest() == finished(world).digest()


def test_adaptive_policy_event_by_event_gives_the_same_run():
    world = World(ADAPTIVE, 2)
    while world.running:
        world.step_events(7)
    assert world.digest() == finished(World(ADAPTIVE, 2)).digest()


def test_branch_and_back_goes_on_alike():
    world = World(ADAPTIVE, 2)
    for _ in range(20):
        world.step()
    there = world.branch(policy__hysteresis=5.0)
    back = there.branch(policy__hysteresis=ADAPTIVE.policy.hysteresis)
    assert finished(back).digest() == finished(world).digest()
    assert finished(there).digest() != world.digest()


def test_branch_with_other_shares_divides_by_them():
    world = World(ADAPTIVE, 2)
    for _ in range(20):
        world.step()
    there = world.branch(cluster__inference_share=0.25, cluster__training_share=0.5)
    assert there.lab.compute.datacenter.params.inference_share == 0.25
    assert there.lab.compute.datacenter.params.training_share == 0.5


def test_branch_cannot_change_the_policy():
    with pytest.raises(ScenarioError, match="policy__name cannot change"):
        World(SMALL).branch(policy__name="adaptive")


def test_factory_policy_replaces_that_of_the_scenario():
    world = World(ADAPTIVE, make=LabFactory(policy=LabPolicy))
    assert type(world.lab.policy) is LabPolicy
    assert type(World(ADAPTIVE).lab.policy) is AdaptivePolicy
    assert world.lab.make.is_standard
    assert not LabFactory(policy=RecordingPolicy).is_standard


def test_training_run_moves_to_more_gpus_if_its_policy_wants_that():
    scenario = SMALL.replace(cluster__inference_share=0.25, training__gain=1.01)
    requested = {
        policy: [
            event.gpus
            for event in finished(World(scenario, 1, make=LabFactory(policy=policy))).ledger
            if isinstance(event, TrainingRequested) and event.generation == 1
        ]
        for policy in (GrowingTraining, GrowingTrainingInPlace)
    }
    assert requested == {GrowingTraining: [16, 32], GrowingTrainingInPlace: [16]}


def test_impossible_division_names_the_job_and_the_limit():
    with pytest.raises(ScenarioError, match="experiment"):
        finished(World(SMALL, make=LabFactory(policy=AllToTraining)))


# --- measurements ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded() -> World:
    return finished(World(SMALL, 3, make=LabFactory(policy=RecordingPolicy)))


def test_reviews_come_at_their_interval(recorded):
    seen = recorded.lab.policy.seen
    assert [each.day for each in seen] == [5.0 * n for n in range(1, len(seen) + 1)]
    assert {each.days for each in seen} == {5.0}
    assert len(seen) == 12


def test_measured_means_add_up_to_the_totals_of_the_run(recorded):
    seen = recorded.lab.policy.seen
    last = seen[-1].day
    assert last == recorded.now
    for use, time in (("experiment", "experiment"), ("training", "training"), ("inference", "inference")):
        total = sum(each.gpus_held[use] * each.days for each in seen)
        assert total == pytest.approx(recorded.lab.compute.datacenter.gpu_time(time), rel=1e-9)
    assert sum(each.papers_per_day * each.days for each in seen) == pytest.approx(recorded.lab.knowledge.papers)
    waiting = sum(each.mean_waiting * each.days for each in seen)
    assert waiting == pytest.approx(recorded.lab.workforce.census.days("queue", last))


def test_measured_pools_and_smallest_pools(recorded):
    first = recorded.lab.policy.seen[0]
    assert first.gpus == {"inference": 32, "experiment": 16, "training": 16}
    assert first.fewest_gpus == {"inference": 8, "experiment": 8, "training": 8}
    assert first.gpu_unit == 8


def test_measured_shares_of_one_pool_add_up_to_the_cluster():
    world = World(
        SMALL.replace(cluster__partitioning="priority", cluster__gpus=60, run__horizon_days=6.0),
        make=LabFactory(policy=RecordingPolicy),
    )
    (first,) = finished(world).lab.policy.seen
    assert first.gpus == {"inference": 30, "experiment": 15, "training": 15}


# --- statements that need equations ------------------------------------------------------------------------


def test_fluid_engine_refuses_a_changing_division():
    with pytest.raises(ScenarioError, match="policy__name = 'adaptive'"):
        fluid([ADAPTIVE])


def test_margins_of_an_adaptive_run_are_undefined_with_the_reason():
    result = run(ADAPTIVE.replace(run__horizon_days=20.0), 1)
    assert result.limited_by == "undefined"
    assert "policy__name" in result.margins.reason


def test_population_check_counts_the_inference_gpus_that_the_policy_can_add():
    pooled = {"researcher__timing": "pooled", "run__max_doublings": 16, "cluster__inference_share": 0.25}
    World(SMALL.replace(**pooled)).close()
    with pytest.raises(ScenarioError, match="run__max_doublings"):
        World(ADAPTIVE.replace(**pooled))
