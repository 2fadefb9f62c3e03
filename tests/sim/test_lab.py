"""Tests of labs: their own classes, independent random numbers, division of the GPUs, and the end of their use."""

import gc
import weakref
from functools import partial
from hashlib import sha256

import mesa
import pytest

from agents.identity import AgentId
from agents.lab_policy import GpuSplit, LabPolicy
from agents.researcher import Researcher
from agents.trainer import Trainer
from hardware.cluster.jobs import JobRecord
from sim import events
from sim.clock import Clock
from sim.growth import Law
from sim.lab import Lab, RunParts
from sim.lab_factory import LabFactory
from sim.random_streams import RandomStreams
from sim.runner import run
from sim.scenario.model import Scenario
from sim.settle import settle
from sim.testing.invariants import check_invariants
from sim.world import World

SMALL = Scenario().replace(
    researcher__initial=4,
    growth__calibrated_for=0,
    cluster__gpus=32,
    training__first_run_gpus=8,
    training__first_run_days=10.0,
    run__horizon_days=60.0,
    run__max_doublings=3,
)


def finish(world: World) -> World:
    while world.running:
        world.step()
    return world


class Recorder(Researcher):
    """A researcher that counts its papers."""

    thought_out = 0

    def on_thought_out(self) -> None:
        self.thought_out += 1
        super().on_thought_out()


class EagerPolicy(LabPolicy):
    """Train on one GPU, after a quarter of the gain."""

    def next_generation_at(self, consumed: float) -> float:
        return consumed + self.settings.training.gain_doublings / 4

    def gpus_of_run(self, one_gpu_days: float) -> int:
        return 1


class InferenceFirst(LabPolicy):
    """Move GPUs from experiments to inference after the first deployment."""

    def gpu_split(self) -> GpuSplit:
        return GpuSplit(0.625, 0.25)


class TooMuch(LabPolicy):
    def gpu_split(self) -> GpuSplit:
        return GpuSplit(0.9, 0.9)


def halved(law: Law) -> Law:
    return Law(law.r / 2, law.p, law.limit, law.log2_initial_effort)


# --- classes of a user -------------------------------------------------------------------------------------


def test_factory_researcher_is_in_place_before_the_first_paper():
    world = World(SMALL, make=LabFactory(researcher=Recorder))
    assert {type(each) for each in world.lab.workforce.researchers} == {Recorder}
    finish(world)
    papers = [event for event in world.ledger if isinstance(event, events.PaperPublished)]
    assert sum(each.thought_out for each in world.lab.workforce.researchers) >= len(papers) > 0


def test_factory_policy_decides_on_training_runs():
    world = finish(World(SMALL, make=LabFactory(policy=EagerPolicy), training__takes_up="one gain"))
    requests = [event for event in world.ledger if isinstance(event, events.TrainingRequested)]
    usual = [event for event in finish(World(SMALL)).ledger if isinstance(event, events.TrainingRequested)]
    assert requests[0].day < usual[0].day
    assert {event.gpus for event in requests} == {1} != {event.gpus for event in usual}
    check_invariants(world)


def test_factory_law_is_the_law_of_day_0_and_of_a_branch():
    world = World(SMALL, make=LabFactory(law=halved))
    assert world.lab.knowledge.software.law.r == SMALL.growth.r / 2
    assert world.branch(growth__r=3.0).lab.knowledge.software.law.r == 1.5


def test_factory_survives_a_snapshot():
    world = World(SMALL, make=LabFactory(researcher=Recorder, policy=EagerPolicy))
    restored = World.restore(world.snapshot())
    assert isinstance(restored.lab.policy, EagerPolicy)
    assert finish(restored).digest() == finish(world).digest()


def test_factory_of_asaras_classes_changes_no_run():
    assert run(SMALL, 1, make=LabFactory()).digest == run(SMALL, 1).digest


@pytest.mark.parametrize(
    "make", [LabFactory(researcher=Recorder), LabFactory(policy=EagerPolicy), LabFactory(law=halved)]
)
def test_factory_with_other_classes_is_not_standard(make):
    assert not make.is_standard
    assert LabFactory().is_standard


# --- division of the GPUs ----------------------------------------------------------------------------------


def test_policy_divides_the_gpus_after_a_deployment():
    changes = {"researcher__experiment_gpus": 4, "cluster__placement": "flat", "kernels__measurements": "none"}
    world = finish(World(SMALL, make=LabFactory(policy=InferenceFirst), **changes))
    deployed = next(event.day for event in world.ledger if isinstance(event, events.Deployed))
    pools = world.lab.compute.datacenter.pools
    assert {name: pool.capacity for name, pool in pools.items()} == {"inference": 20, "training": 8, "experiment": 4}
    possible = world.lab.compute.gpus_for["inference"].total(world.now)
    assert possible == pytest.approx(16 * deployed + 20 * (world.now - deployed))
    check_invariants(world)


@pytest.mark.parametrize(("policy", "problem"), [(TooMuch, "inference_share"), (InferenceFirst, "for experiment")])
def test_policy_with_an_impossible_division_is_refused(policy, problem):
    with pytest.raises(ValueError, match=problem):
        finish(World(SMALL, make=LabFactory(policy=policy)))


# --- identity and random numbers ---------------------------------------------------------------------------


def labs_of(*names: str) -> tuple[Clock, list[events.Event], list[Lab]]:
    """Return labs with the same scenario on one clock, with the same seed."""
    clock, ledger = Clock(), []
    parts = RunParts(mesa.Model(seed=0), clock, RandomStreams(7), ledger, lambda name, sentence: None)
    failing = SMALL.replace(cluster__gpu_hours_between_failures=100.0, researcher__papers_per_month=5.0)
    labs = [Lab(name, failing, failing.calibration(), LabFactory(), parts) for name in names]
    clock.on_instant_end = partial(settle, labs)
    return clock, ledger, labs


def job_records(lab: Lab) -> list[JobRecord]:
    return [record for record in lab.compute.datacenter.records if record.owner > 0]


def test_labs_with_the_same_scenario_draw_independent_numbers():
    clock, _, (north, south) = labs_of("north", "south")
    clock.advance(50.0)
    first, second = job_records(north), job_records(south)
    assert len(first) > 3 and len(second) > 3
    assert not {job.length for job in first} & {job.length for job in second}


def test_named_lab_draws_the_same_numbers_beside_another_lab():
    clock, _, (north, _) = labs_of("north", "south")
    other, _, (alone,) = labs_of("north")
    clock.advance(50.0)
    other.advance(50.0)
    assert job_records(north) == job_records(alone)
    assert sum(job.failures for job in job_records(north)) > 0


def test_events_name_their_lab():
    clock, ledger, _ = labs_of("north", "south")
    clock.advance(30.0)
    papers = [event.lab for event in ledger if isinstance(event, events.PaperPublished)]
    assert {event.lab for event in ledger} == {"north", "south"} == set(papers)
    assert {event.lab for event in finish(World(SMALL)).ledger[:-1]} == {""}


def test_digest_of_events_leaves_an_unnamed_lab_out():
    event = events.ActiveResearchersChanged(1.0, 4)
    line = "ActiveResearchersChanged(day=1.0, researchers=4)\n"
    assert events.digest([event]) == sha256(line.encode()).hexdigest()
    assert events.digest([event._replace(lab="north")]) != events.digest([event])


def test_unnamed_lab_names_streams_by_the_bare_number():
    assert AgentId("", "researcher", 7).stream_key == 7
    assert AgentId("north", "researcher", 7).stream_key == "north/researcher/7"


# --- Mesa, and the end of use ------------------------------------------------------------------------------


def test_world_registers_its_agents_with_unique_ids_of_mesa():
    world = finish(World(SMALL))
    lab = world.lab
    assert set(world.agents) == {*lab.workforce.researchers, lab.training, lab.kernels}
    assert [each.number for each in lab.workforce.researchers] == list(range(1, lab.workforce.size + 1))
    restored = World.restore(world.snapshot()).branch(run__horizon_days=90.0, cluster__gpus=96)
    ids = [agent.unique_id for agent in finish(restored).agents]
    assert len(ids) == len(set(ids)) > len(world.agents)


@pytest.mark.parametrize("close", [True, False])
def test_world_is_collected_after_its_use(close):
    world = World(SMALL)
    world.step()
    copy = World.restore(world.snapshot())
    watched = [weakref.ref(world), weakref.ref(copy), weakref.ref(world.lab.training)]
    if close:
        world.close()
    del world, copy
    gc.collect()
    assert [each() for each in watched] == [None, None, None]


def test_closed_world_keeps_its_results_and_refuses_to_go_on():
    with World(SMALL) as world:
        world.step()
        digest = world.digest()
    assert (world.digest(), world.running, len(world.agents)) == (digest, False, 0)
    for go_on in (world.step, world.step_events, world.snapshot, world.branch):
        with pytest.raises(RuntimeError, match="is closed; allowed: an open one"):
            go_on()


def test_world_with_several_labs_has_no_only_lab():
    world = World(SMALL)
    world.labs["other"] = world.lab
    with pytest.raises(ValueError, match="There are 2 labs; allowed: one"):
        _ = world.lab


def test_trainer_of_a_user_receives_its_ports():
    seen = []

    class Watcher(Trainer):
        def start_due_generations(self) -> None:
            seen.append(self.deployment.discovered)
            super().start_due_generations()

    finish(World(SMALL, make=LabFactory(trainer=Watcher)))
    assert seen == sorted(seen) and seen
