"""Tests of the trainer and of the policy with fakes for their ports."""

import mesa
import pytest

from agents.identity import AgentId
from agents.lab_policy import GpuSplit, LabPolicy
from agents.params import TrainingParams
from agents.ports.bundles import PolicyPorts, TrainerPorts
from agents.trainer import Trainer
from hardware.cluster.cluster import ClusterParams, GpuCluster
from sim.clock import Clock
from tests.support.fake_ports import FakeClusterStatus, FakeCompute, FakeDeployment, FakePolicy, FakeSettings

PARAMS = {"gpus": 8, "queue": "fcfs", "placement": "flat", "gpu_hours_between_failures": 0.0, "preemption": False}


class TrainerBench:
    """A trainer and the fakes of its ports."""

    def __init__(self, discovered: float, **training: object) -> None:
        self.clock = Clock()
        self.cluster = GpuCluster(self.clock, ClusterParams(**PARAMS))
        self.deployment = FakeDeployment(discovered)
        self.settings = FakeSettings(
            training=TrainingParams(**{"first_run_days": 10.0, "first_run_gpus": 4, "scaling": 1.0} | training)
        )
        ports = TrainerPorts(FakeCompute(self.cluster), self.deployment, FakePolicy(), self.settings)
        self.trainer = Trainer(mesa.Model(), AgentId("", "trainer", 0), ports)


def test_trainer_deploys_the_planned_gain_at_the_end_of_its_run():
    bench = TrainerBench(discovered=1.5)
    bench.trainer.start_due_generations()
    assert bench.deployment.requests == [(1, 4, 10.0)]
    assert (bench.trainer.pending_gain, bench.trainer.consumed_doublings) == (0.75, 1.5)
    bench.clock.advance(9.9)
    assert bench.deployment.deployed == []
    bench.clock.advance(10.0)
    assert bench.deployment.deployed == [(1, 0.75)]
    assert bench.trainer.pending_gain == 0


def test_trainer_begins_no_generation_that_the_policy_refuses():
    bench = TrainerBench(discovered=0.99)
    bench.trainer.start_due_generations()
    assert (bench.trainer.run, bench.deployment.requests) == (None, [])


def test_trainer_interrupted_run_continues_with_the_work_that_is_left():
    bench = TrainerBench(discovered=1.0)
    bench.trainer.start_due_generations()
    bench.clock.advance(4.0)
    bench.cluster.reconfigure(ClusterParams(**PARAMS | {"queue": "sjf"}))  # a checkpoint: work so far is known
    bench.trainer.interrupt()
    assert (bench.trainer.run, bench.deployment.deployed) == (None, [])
    bench.trainer.resume()
    assert bench.deployment.requests[-1] == (1, 4, pytest.approx(6.0))
    bench.clock.advance(10.0)
    assert bench.deployment.deployed == [(1, 0.5)]


def test_trainer_without_training_runs_deploys_each_gain_at_once():
    bench = TrainerBench(discovered=3.2, required=False)
    bench.trainer.start_due_generations()
    assert bench.deployment.deployed == [(1, 1.0), (2, 1.0), (3, 1.0)]
    assert bench.cluster.in_use == 0


def policy_of(**training: object) -> LabPolicy:
    return LabPolicy(PolicyPorts(FakeClusterStatus(fastest=6), FakeSettings(training=TrainingParams(**training))))


def test_policy_begins_a_generation_when_a_gain_waits():
    policy = policy_of(gain=4.0)
    assert policy.next_generation_at(1.5) == 3.5
    assert not policy.begins_generation(3.4, 1.5)
    assert policy.begins_generation(3.5 - 1e-10, 1.5), "within rounding"


@pytest.mark.parametrize(("takes_up", "taken"), [("all", 3.0), ("one gain", 1.0)])
def test_policy_takes_up_all_or_one_gain(takes_up, taken):
    plan = policy_of(takes_up=takes_up, speedup_exponent=0.25).plan_generation(3.0, 10.0)
    assert plan == pytest.approx((taken, 0.75 * taken, 0.25 * taken))


def test_policy_uses_the_fastest_gang_and_the_shares_of_the_scenario():
    policy = policy_of()
    assert policy.gpus_of_run(100.0) == 6
    assert policy.gpu_split() == GpuSplit(0.5, 0.25)
