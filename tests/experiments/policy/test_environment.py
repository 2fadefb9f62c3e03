"""Test the Gymnasium environment of a lab: Gymnasium's own checker, exactness, actions, rewards and endings."""

import subprocess
import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from agents.lab_policy import GpuSplit
from experiments.errors import InputError
from experiments.policy import LabEnvironment, balance_outputs, keep_division, run_episode
from experiments.policy.observation import QUANTITIES
from experiments.policy.steered_policy import divide_gpus
from sim.events import GpusDivided, TrainingRequested
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.fake_ports import measured

SMALL = Scenario(name="small").replace(
    cluster__gpus=64,
    training__first_run_gpus=16,
    training__first_run_days=10.0,
    growth__first_doubling_days=10.0,
    growth__calibrated_for=0,
    run__horizon_days=40.0,
    run__max_doublings=30,
)
KEEP = np.array([0, 0, 0, 1], dtype=np.float32)
INDEX = {quantity.name: place for place, quantity in enumerate(QUANTITIES)}
EPISODE = """
import hashlib, numpy as np
from experiments.policy import LabEnvironment
from sim.scenario.model import Scenario
environment = LabEnvironment(Scenario().replace(cluster__gpus=64, run__horizon_days=20.0))
total = hashlib.sha256(environment.reset(seed=5)[0].tobytes())
actions = np.random.default_rng(0).random((4, 4)).astype(np.float32)
for action in actions:
    observation, reward, *_ = environment.step(action)
    total.update(observation.tobytes() + np.float64(reward).tobytes())
print(total.hexdigest(), environment.world.digest())
"""


@pytest.fixture
def environment():
    made = LabEnvironment(SMALL)
    yield made
    made.close()


@pytest.mark.parametrize("reward", ["discovered", "deployed"])
def test_environment_passes_the_checker_of_gymnasium(reward):
    check_env(LabEnvironment(SMALL, 2.0, reward), skip_render_check=True)  # warnings are errors here


def test_episode_same_seed_and_actions_give_the_same_bytes_in_other_processes():
    printed = {
        subprocess.run([sys.executable, "-c", EPISODE], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(printed) == 1
    assert len(printed.pop().split()) == 2


def test_reset_without_a_seed_draws_another_run(environment):
    environment.reset(seed=3)
    first = environment.reset()[0]
    environment.step(KEEP)
    digest = environment.world.digest()
    environment.reset()
    environment.step(KEEP)
    assert environment.world.digest() != digest
    assert first in environment.observation_space


def test_kept_division_is_the_run_of_the_scenario(environment):
    total = run_episode(environment, keep_division, seed=4)
    with World(SMALL, 4) as world:
        while world.running:
            world.step()
        assert environment.world.digest() == world.digest()
        assert total == pytest.approx(world.lab.knowledge.software.discovered)


def test_rewards_add_up_to_the_software_at_the_end():
    environment = LabEnvironment(SMALL, reward="deployed")
    total = run_episode(environment, keep_division, seed=4)
    assert total == pytest.approx(environment.world.lab.knowledge.software.deployed)
    assert 0 < total < environment.world.lab.knowledge.software.discovered


def test_action_divides_the_gpus_in_whole_nodes(environment):
    environment.reset(seed=1)
    observation, *_, info = environment.step(np.array([1, 0.5, 0.5, 1], dtype=np.float32))
    assert info["gpus"] == {"inference": 32, "experiment": 16, "training": 16}
    observation, *_, info = environment.step(np.array([0.5, 1, 0.5, 1], dtype=np.float32))
    assert info["gpus"] == {"inference": 16, "experiment": 32, "training": 16}
    assert observation[INDEX["experiment_share"]] == 0.5
    assert [tuple(event[1:4]) for event in environment.world.ledger if isinstance(event, GpusDivided)] == [(16, 32, 16)]


def test_any_action_leaves_every_use_able_to_work(environment):
    for corner in np.eye(3, dtype=np.float32):
        environment.reset(seed=1)
        *_, info = environment.step(np.array([*corner, 1], dtype=np.float32))
        assert min(info["gpus"].values()) >= 8


def test_training_waits_for_permission(environment):
    def requests(may_train: float) -> int:
        run_episode(environment, lambda _: np.array([0, 0, 0, may_train], dtype=np.float32), seed=2)
        return sum(isinstance(event, TrainingRequested) for event in environment.world.ledger)

    assert requests(0.4) == 0
    assert requests(0.5) > 0


def test_permission_to_train_starts_a_run_at_once(environment):
    environment.reset(seed=2)
    for _ in range(7):
        environment.step(np.array([0, 0, 0, 0], dtype=np.float32))
    day = environment.world.now
    environment.step(KEEP)
    started = [event.day for event in environment.world.ledger if isinstance(event, TrainingRequested)]
    assert started[0] == day


def test_episode_is_truncated_at_the_horizon_and_terminated_at_its_doublings(environment):
    def last(**options):
        environment.reset(seed=2, options=options)
        while True:
            *_, terminated, truncated, info = environment.step(KEEP)
            if terminated or truncated:
                return terminated, truncated, info["ending"]

    assert last()[:2] == (False, True)
    terminated, truncated, ending = last(run__max_doublings=1)
    assert (terminated, truncated) == (True, False)
    assert "1 doublings" in ending


def test_observation_reports_what_the_lab_measures(environment):
    observation, _ = environment.reset(seed=1)
    assert observation[INDEX["log2_researchers"]] == pytest.approx(np.log2(1 + 16))
    assert observation[INDEX["inference_share"]] == 0.5
    observation, *_ = environment.step(KEEP)
    world = environment.world
    assert observation[INDEX["day_share"]] == pytest.approx(5 / 40)
    assert observation[INDEX["discovered"]] == pytest.approx(world.lab.knowledge.software.discovered)
    held = world.lab.compute.datacenter.gpu_time("experiment") / (5 * 16)
    assert observation[INDEX["experiment_utilisation"]] == pytest.approx(held, rel=1e-6)
    assert observation[INDEX["log2_papers_per_day"]] == pytest.approx(np.log2(1 + world.lab.knowledge.papers / 5))


# --- division ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1, 1, 2], (0.25, 0.5)),
        ([1, 0, 0], (0.91, 0.01)),  # experiments keep 8 and training 1
        ([0, 1, 0], (0.01, 0.01)),
        ([0, 0, 0], (0.5, 0.25)),
        ([0.3, 0.01, 0.3], (0.46, 0.46)),
    ],
)
def test_divide_gpus_follows_the_weights_and_keeps_the_fewest(weights, expected):
    assert divide_gpus(weights, measured()) == GpuSplit(*expected)


def test_divide_gpus_gives_whole_nodes_and_the_last_to_the_largest_remainder():
    nodes = measured(
        gpus={"inference": 24, "experiment": 24, "training": 16},
        fewest_gpus={"inference": 8, "experiment": 8, "training": 8},
        gpu_unit=8,
    )
    assert divide_gpus([0.5, 0.3, 0.2], nodes) == GpuSplit(32 / 64, 16 / 64)


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "problem"),
    [(np.zeros(3), "4 numbers"), (np.array([np.nan, 0, 0, 1]), "4 numbers"), ("all to training", "could not convert")],
)
def test_action_of_another_form_is_refused(environment, action, problem):
    environment.reset(seed=1)
    with pytest.raises((InputError, ValueError), match=problem):
        environment.step(action)


def test_step_before_reset_and_after_the_end_is_refused(environment):
    with pytest.raises(InputError, match=r"Call reset\(\) first"):
        environment.step(KEEP)
    run_episode(environment, keep_division, seed=1)
    with pytest.raises(InputError, match="episode is over"):
        environment.step(KEEP)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: LabEnvironment(SMALL, decision_days=0.0), "decision_days = 0 is not allowed"),
        (lambda: LabEnvironment(SMALL, reward="papers"), "allowed: discovered, deployed"),
        (lambda: LabEnvironment(SMALL).reset(options={"cluster__gpu": 3}), "cluster__gpus"),
        (lambda: LabEnvironment(SMALL).reset(options={"cluster__gpus": 3}), "can have at most"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(make, problem):
    with pytest.raises(InputError, match=problem):
        make()


def test_without_gymnasium_the_import_names_the_extra():
    code = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "from experiments.errors import InputError\n"
        "import experiments.policy\n"
        "try:\n    experiments.policy.LabEnvironment\n"
        "except InputError as error:\n    print(error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == ("experiments.policy needs Gymnasium, which is not installed. Run pip install 'asara[policy]'.\n")


# --- the example controller --------------------------------------------------------------------------------


@pytest.mark.slow
def test_example_controller_beats_the_fixed_policy_on_the_lab():
    """180 days of `lab`, 4 paired seeds: every pair gains at least half a doubling (5 sd of the differences)."""
    lab = Scenario.load("lab").replace(run__horizon_days=180.0, run__max_doublings=30)
    environment = LabEnvironment(lab, decision_days=5.0)
    gains = [
        run_episode(environment, balance_outputs, s) - run_episode(environment, keep_division, s) for s in range(4)
    ]
    assert min(gains) > 0.5
