"""Test the figure of the policies: its numbers against the accounting of the World, and its panels."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from experiments.policy.figure import POLICIES, PolicyRun, measure_run, policy_figure, policy_picture
from sim.scenario.model import Scenario
from sim.world import World

SMALL = Scenario(name="small").replace(
    researcher__initial=0,
    cluster__gpus=64,
    training__first_run_gpus=16,
    training__first_run_days=10.0,
    growth__first_doubling_days=10.0,
    growth__calibrated_for=0,
    run__horizon_days=30.0,
    run__max_doublings=30,
)


@pytest.fixture(scope="module")
def runs() -> dict[str, PolicyRun]:
    return {policy: measure_run(SMALL.replace(policy__name=policy), 1) for policy in POLICIES}


def test_measured_run_has_the_gpu_time_and_software_of_the_world(runs):
    with World(SMALL, 1) as world:
        while world.running:
            world.step()
        found = runs["fixed"]
        assert found.digest == world.digest()
        assert found.software[-1] == world.lab.knowledge.discovered
        for use in ("inference", "experiment", "training"):
            assert found.held[use].sum() == pytest.approx(world.lab.compute.datacenter.gpu_time(use))
            assert (found.held[use] <= found.gpus[use]).all()


def test_measured_run_divides_all_gpus_at_each_frame(runs):
    for run in runs.values():
        assert set(sum(run.gpus.values())) == {64.0}
    assert len(set(runs["fixed"].gpus["inference"])) == 1
    assert len(set(runs["adaptive"].gpus["inference"])) > 1


def test_idle_share_is_the_gpu_time_that_no_job_held():
    half = np.array([10.0, 10.0])
    run = PolicyRun(np.array([1.0, 2.0]), {"inference": half}, {"inference": np.array([10.0, 5.0])}, half, "")
    assert run.idle_share == pytest.approx(0.25)


def test_figure_shows_both_policies_and_their_software(runs):
    figure = policy_figure(runs)
    FigureCanvasAgg(figure).draw()
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == [f"{policy}: {run.software[-1]:.1f}" for policy, run in runs.items()]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == [
        f"{policy}: {run.idle_share:.0%} of GPU time idle" for policy, run in runs.items()
    ]


def test_picture_has_the_same_bytes_for_the_same_scenario_and_seed():
    short = SMALL.replace(run__horizon_days=5.0)
    first = policy_picture(short, 1)
    assert first.startswith(b"\x89PNG")
    assert policy_picture(short, 1) == first
