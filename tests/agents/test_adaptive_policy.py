"""Test the rule of the adaptive policy: marginal outputs, moves and their limits."""

import math

import pytest

from agents.adaptive_policy import AdaptivePolicy, GpuMove, choose_move, output_elasticities
from agents.lab_policy import GpuSplit, LabPolicy
from agents.params import AdaptivePolicyParams, TrainingParams
from agents.ports.bundles import PolicyPorts
from tests.support.fake_ports import FakeClusterStatus, FakeSettings, FakeShares, measured


def adaptive(settings: FakeSettings | None = None, **params) -> AdaptivePolicy:
    settings = settings or FakeSettings(policy=AdaptivePolicyParams(**params))
    return AdaptivePolicy(PolicyPorts(FakeClusterStatus(), settings))


# --- output_elasticities ---------------------------------------------------------------------------------


def test_elasticities_no_waiting_no_training_gives_all_to_inference():
    assert output_elasticities(measured(), 0.9) == {"inference": 1.0, "experiment": 0.0, "training": 0.0}


def test_elasticities_rise_tenfold_with_the_share_that_waits():
    found = output_elasticities(measured(mean_waiting=0.6), 0.9)
    assert found["experiment"] == pytest.approx(0.3)
    assert found["inference"] == pytest.approx(0.7)


def test_elasticities_saturated_queue_leaves_nothing_to_inference_and_training():
    found = output_elasticities(measured(mean_waiting=5.0, deployment_gap=1.0, is_training=True), 0.9)
    assert found == {"inference": 0.0, "experiment": 1.0, "training": 0.0}


def test_elasticities_training_follows_the_deployment_gap():
    found = output_elasticities(measured(deployment_gap=1.5, is_training=True), 0.9)
    assert found["training"] == pytest.approx(0.9 * 1.5 * math.log(2))
    assert output_elasticities(measured(deployment_gap=1.5), 0.9)["training"] == 0.0


def test_elasticities_bound_the_gap_that_waits_for_later_runs():
    waiting = measured(deployment_gap=9.0, is_training=True)
    assert output_elasticities(waiting, 0.9, 1.5)["training"] == pytest.approx(0.9 * 1.5 * math.log(2))
    assert output_elasticities(waiting, 0.9, 10.0)["training"] == pytest.approx(0.9 * 9 * math.log(2))


def test_elasticities_without_active_researchers_are_defined():
    assert output_elasticities(measured(mean_researchers=0.0), 0.9)["experiment"] == 0.0


@pytest.mark.parametrize("length", [20.0, 40.0])
def test_training_elasticity_equals_the_derivative_of_the_papers_of_a_lab_with_a_gap(length):
    """Papers follow 2^-gap, and the gap is proportional to G^-s: the elasticity is the derivative at G = 1."""
    scaling, rate = 0.93, 0.02

    def log_papers(gpus: float) -> float:
        return -math.log(2) * rate * length * gpus**-scaling

    slope = (log_papers(1 + 1e-6) - log_papers(1 - 1e-6)) / 2e-6
    found = output_elasticities(measured(deployment_gap=rate * length, is_training=True), scaling)
    assert found["training"] == pytest.approx(slope, rel=1e-6)


# --- choose_move -----------------------------------------------------------------------------------------


def test_move_goes_from_the_lowest_to_the_highest_marginal_output():
    elasticities = {"inference": 100.0, "experiment": 25.0, "training": 12.5}  # marginal outputs 2, 1 and 0.5
    assert choose_move(elasticities, measured(), 3, 0.25) == GpuMove("training", "inference", 3)


@pytest.mark.parametrize(("hysteresis", "moves"), [(0.0, True), (0.2, True), (0.25, False), (1.0, False)])
def test_move_needs_a_gain_that_exceeds_the_loss_by_the_hysteresis(hysteresis, moves):
    """The marginal outputs 1.25 and 1, and a small move: the gain is 1.25 times the loss, less the curvature."""
    elasticities = {"inference": 1250.0, "experiment": 1000.0, "training": 1000.0}
    large = measured(gpus={"inference": 1000, "experiment": 1000, "training": 1000})
    assert (choose_move(elasticities, large, 3, hysteresis) is not None) is moves


def test_move_of_a_whole_node_that_lowers_the_output_is_not_made():
    """Elasticities 2.2 and 1 on 5 and 3 GPUs: the marginal output of training is higher, but 6 and 2 are no better."""
    small = measured(
        gpus={"inference": 3, "experiment": 0, "training": 5},
        fewest_gpus={"inference": 1, "experiment": 0, "training": 1},
    )
    elasticities = {"inference": 1.0, "experiment": 0.0, "training": 2.2}
    assert elasticities["training"] / 5 > elasticities["inference"] / 3
    assert math.log(3) + 2.2 * math.log(5) > math.log(2) + 2.2 * math.log(6)
    assert choose_move(elasticities, small, 1, 0.0) is None
    assert choose_move(elasticities | {"training": 2.4}, small, 1, 0.0) == GpuMove("inference", "training", 1)


def test_move_leaves_the_fewest_gpus():
    elasticities = {"inference": 1.0, "experiment": 0.0, "training": 0.375}
    assert choose_move(elasticities, measured(), 50, 0.1) == GpuMove("experiment", "inference", 17)


def test_move_takes_whole_nodes():
    elasticities = {"inference": 1.0, "experiment": 0.0, "training": 0.375}
    nodes = measured(gpus={"inference": 48, "experiment": 32, "training": 24}, gpu_unit=8)
    assert choose_move(elasticities, nodes, 80, 0.1) == GpuMove("experiment", "inference", 24)


def test_move_skips_a_use_that_cannot_give_gpus_away():
    elasticities = {"inference": 1.0, "experiment": 0.0, "training": 0.375}
    small = measured(gpus={"inference": 50, "experiment": 8, "training": 42})
    assert choose_move(elasticities, small, 3, 0.1) == GpuMove("training", "inference", 3)


def test_move_none_if_no_use_can_give_gpus_away():
    gpus = {"inference": 100, "experiment": 0, "training": 0}
    empty = measured(gpus=gpus, fewest_gpus={"inference": 1, "experiment": 0, "training": 0})
    assert choose_move({"inference": 1.0, "experiment": 0.0, "training": 0.0}, empty, 3, 0.1) is None


def test_move_never_takes_all_gpus_of_a_use_with_output():
    gpus = {"inference": 96, "experiment": 0, "training": 4}
    tiny = measured(gpus=gpus, fewest_gpus={"inference": 1, "experiment": 0, "training": 0})
    assert choose_move({"inference": 1.0, "experiment": 0.0, "training": 0.01}, tiny, 4, 0.0) is None


# --- the policy ------------------------------------------------------------------------------------------


def test_review_moves_one_step_towards_the_higher_output():
    policy = adaptive(step_share=0.05)
    policy.review(measured())
    assert policy.gpu_split() == GpuSplit(0.55, 0.25)


def test_review_moves_at_least_one_node():
    policy = adaptive(step_share=0.001)
    policy.review(measured(gpus={"inference": 48, "experiment": 24, "training": 24}, gpu_unit=8))
    assert policy.gpu_split() == GpuSplit(56 / 96, 24 / 96)


def test_review_in_balance_keeps_the_division():
    policy = adaptive()
    balanced = {"gpus": {"inference": 50, "experiment": 25, "training": 25}, "mean_waiting": 20 / 30}
    gap = 0.5 / (0.93 * math.log(2))  # training then has half the elasticity of inference
    policy.review(measured(**balanced, deployment_gap=gap, is_training=True))
    assert policy.gpu_split() == GpuSplit(0.5, 0.25)


@pytest.mark.parametrize(("takes_up", "training"), [("all", 28), ("one gain", 22)])
def test_review_counts_the_gain_of_four_runs_if_each_takes_up_one_gain(takes_up, training):
    """Inference has the elasticity 0.7 on 50 GPUs, and training 0.7 x 0.93 g ln 2 on 25; g = 9 or 4 x 0.1."""
    params = TrainingParams(takes_up=takes_up, gain=2**0.1, speedup_exponent=0.0)
    policy = adaptive(FakeSettings(policy=AdaptivePolicyParams(), training=params))
    policy.review(measured(deployment_gap=9.0, is_training=True, mean_waiting=0.03 * 20))
    assert round(100 * policy.gpu_split().training) == training


def test_changed_shares_replace_the_division_of_the_reviews():
    settings = FakeSettings(policy=AdaptivePolicyParams())
    policy = adaptive(settings)
    policy.review(measured())
    assert policy.gpu_split() != GpuSplit(0.5, 0.25)
    settings.cluster = FakeShares(0.4, 0.3)
    assert policy.gpu_split() == GpuSplit(0.4, 0.3)
    policy.review(measured(gpus={"inference": 40, "experiment": 30, "training": 30}))
    assert policy.gpu_split() == GpuSplit(0.43, 0.3)


def test_fixed_policy_has_no_reviews_and_keeps_the_division():
    policy = LabPolicy(PolicyPorts(FakeClusterStatus(), FakeSettings()))
    policy.review(measured())
    assert (policy.review_days, policy.gpu_split()) == (0.0, GpuSplit(0.5, 0.25))
    assert not policy.continues_on_more_gpus(4, 8)
