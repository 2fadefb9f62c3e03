"""Margins: the limiting input is the one with the largest effect."""

import math
import threading

import pytest

from experiments.text.number_format import round_to_100_percent
from experiments.window.frame import frame_of
from experiments.window.measuring import MarginsWorker
from experiments.window.moment_margins import INPUTS, MomentMargins, moment_margins, raise_input
from experiments.window.player import RunPlayer
from experiments.window.session import WindowSession, view_state
from experiments.window.views import limiting_factor
from hardware.datacenter import Datacenter, inference_gpus, pool_sizes
from sim.clock import Clock
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.clusters import SeededStreams
from tests.support.window_runs import small_lab

CROWDED = small_lab(cluster__gpus=32, researcher__initial=60, run__max_doublings=9)
ALONE = small_lab(training__required=False, researcher__experiment_gpu_days=0.0, researcher__initial=60)


def world_after(scenario: Scenario, frames: int, seed: int = 1) -> World:
    world = World(scenario, seed)
    for _ in range(frames):
        world.step()
    return world


@pytest.mark.slow
def test_moment_margins_at_full_gpus_name_experiments() -> None:
    world = world_after(CROWDED, 20)
    before = world.digest()
    found = moment_margins(world.snapshot())
    values = dict(found.elasticities)
    assert found.limited_by == "experiments" == max(INPUTS, key=lambda name: values[name])
    assert values["experiments"] > 0.5 > values["researchers"]
    assert frame_of(world).limit.part == "queue"
    assert world.digest() == before
    assert found == moment_margins(world.snapshot())


def test_moment_margins_without_experiments_and_training_name_researchers() -> None:
    found = moment_margins(world_after(ALONE, 10).snapshot())
    values = dict(found.elasticities)
    assert found.limited_by == "researchers"
    assert values["experiments"] == values["training"] == 0.0
    assert values["researchers"] == pytest.approx(1.0, abs=0.35)


def test_moment_margins_of_an_ended_run_extend_its_horizon() -> None:
    world = world_after(small_lab(run__horizon_days=20.0, researcher__initial=60), 20)
    assert world.ending is not None
    assert moment_margins(world.snapshot()).gain > 0


@pytest.mark.parametrize("changes", [{}, {"cluster__gpus_per_node": 4}, {"cluster__placement": "flat"}])
@pytest.mark.parametrize("name", INPUTS)
def test_raise_input_keeps_the_gpus_of_other_uses(name: str, changes: dict[str, object]) -> None:
    cluster = small_lab(**changes).cluster
    changed, factor = raise_input(Datacenter(Clock(), cluster, SeededStreams(0)), name)
    more = small_lab(**(changes | changed)).cluster
    use = {"researchers": "inference", "experiments": "experiment"}.get(name, name)
    for each, gpus in pool_sizes(cluster).items():
        assert pool_sizes(more)[each] == pytest.approx(gpus * (factor if each == use else 1.0))
    assert 1.2 <= factor <= 2.0


@pytest.mark.parametrize("name", INPUTS)
def test_raise_input_in_a_shared_pool_keeps_the_gpus_of_inference(name: str) -> None:
    cluster = small_lab(cluster__partitioning="priority").cluster
    changed, factor = raise_input(Datacenter(Clock(), cluster, SeededStreams(0)), name)
    more = small_lab(cluster__partitioning="priority", **changed).cluster
    assert more.gpus > cluster.gpus
    there = inference_gpus(cluster) * (factor if name == "researchers" else 1.0)
    assert inference_gpus(more) == pytest.approx(there)


def test_raise_input_counts_added_nodes_by_their_speed() -> None:
    world = world_after(small_lab(), 2)
    center = world.lab.compute.datacenter
    gpus = center.gpus_by_use()["inference"]
    world.lab.add_nodes("inference", 3, speed=2.0)
    changes, factor = raise_input(center, "researchers")
    added = 3 * world.scenario.cluster.gpus_per_node
    with world.branch(**changes) as more:
        raised = more.lab.compute.datacenter.inference_work
    assert factor == pytest.approx(raised / (gpus + 2 * added))
    assert 1.1 <= factor <= 1.3


def measured_session(scenario: Scenario, frames: int) -> WindowSession:
    """Return a session at a frame with measured margins."""
    news = threading.Condition()

    def publish(_: int) -> None:
        with news:
            news.notify_all()

    player = RunPlayer(scenario, 1)
    player.step(frames)
    session = WindowSession(player, publish, MarginsWorker())
    with news:
        assert news.wait_for(lambda: session.view_state.margins is not None, timeout=60)
    return session


@pytest.mark.slow
def test_paused_session_shows_the_margins_of_its_frame() -> None:
    session = measured_session(CROWDED, 20)
    assert session.view_state.margins == moment_margins(world_after(CROWDED, 20).snapshot())
    assert not session.view_state.is_measuring
    drawn = limiting_factor.limit_props(session.view_state)
    assert drawn["part"] == "queue"
    assert drawn["measured"].startswith("1% more GPUs for experiments would bring the next software gain")
    assert "paired run with 25% more of each" in drawn["measured"]
    session.close()
    assert session.freed.wait(30)


def shown_with(margins: MomentMargins | None, is_measuring: bool = False):
    player = RunPlayer(CROWDED, 1)
    player.step(20)
    return view_state(player)._replace(margins=margins, is_measuring=is_measuring)


def test_headline_names_the_input_of_the_largest_elasticity() -> None:
    values = (("researchers", 0.9), ("experiments", 0.1), ("training", 0.0))
    found = MomentMargins(20.0, "researchers", values, 30.0, 0.5)
    drawn = limiting_factor.limit_props(shown_with(found))
    assert drawn["part"] == "researchers"
    assert drawn["sentence"].startswith("Researchers: ")
    assert "0.90% sooner (GPUs for experiments 0.10%, GPUs for training runs 0.00%)." in drawn["measured"]


def test_limit_panel_reports_a_running_measurement() -> None:
    assert limiting_factor.limit_props(shown_with(None, is_measuring=True))["measured"].startswith(
        "Elasticities are being measured"
    )


def test_limiting_factor_reports_waiting_researchers_and_idle_gpus() -> None:
    lab = small_lab(cluster__gpus=32, researcher__initial=60, training__gain=1000.0, run__max_doublings=9)
    limit = frame_of(world_after(lab, 25)).limit
    assert limit.part == "queue"
    assert "of the researchers wait for GPUs now (" in limit.waiting
    assert limit.waiting.endswith("while 8 GPUs for training are idle.")


@pytest.mark.parametrize(("weight", "says"), [(1.0, "they count in full here."), (0.5, "of the effort.")])
def test_limiting_factor_reports_duplicates(weight: float, says: str) -> None:
    lab = small_lab(researcher__initial=60, literature__duplicate_weight=weight, run__max_doublings=9)
    limit = frame_of(world_after(lab, 30)).limit
    assert "of the papers since day 0 are duplicates; " in limit.duplicates
    assert limit.duplicates.endswith(says)


@pytest.mark.parametrize(
    ("shares", "rounded"),
    [([0.733, 0.004, 0.003, 0.26], [73, 1, 0, 26]), ([1 / 3] * 3, [34, 33, 33]), ([1.0, 0.0], [100, 0]), ([0.0], [0])],
)
def test_round_to_100_percent_adds_up_to_100(shares: list[float], rounded: list[int]) -> None:
    assert round_to_100_percent(shares) == rounded
    assert sum(rounded) == (100 if math.fsum(shares) else 0)


def test_moment_margins_of_frozen_software_give_the_reason() -> None:
    found = moment_margins(World(CROWDED.replace(growth__law="frozen"), 1).snapshot())
    assert (found.limited_by, found.days) == ("", 0.0)
    assert found.reason == "software is frozen (growth__law = 'frozen')"


def test_moment_margins_of_a_policy_that_moves_gpus_give_the_reason() -> None:
    with World(CROWDED.replace(policy__name="adaptive"), 1) as world:
        found = moment_margins(world.snapshot())
    assert (found.limited_by, found.days) == ("", 0.0)
    assert found.reason == (
        "the policy moves GPUs from one input to another during the run (policy__name = 'adaptive')"
    )
