"""Test the CES: output, limits, published ceilings, and fits of rho."""

import math

import numpy as np
import pytest

from sim import ces
from tests.oracles import ces as oracle
from tests.oracles.queueing import repairman


@pytest.mark.parametrize(("rho", "ceiling"), oracle.CEILINGS.items())
def test_max_output_gain_equals_the_published_ceiling(rho, ceiling):
    assert ces.max_output_gain(0.5, rho) == pytest.approx(ceiling, rel=1e-12)
    far = math.exp(float(ces.log_output(400.0, 0.0, 0.5, rho)))
    assert far == pytest.approx(ceiling, rel=1e-6)
    assert far <= ceiling * (1 + 1e-12)


def test_max_output_gain_at_the_limits_of_rho():
    assert ces.max_output_gain(0.3, 0.0) == math.inf
    assert ces.max_output_gain(0.3, 0.6) == math.inf
    assert ces.max_output_gain(1.0, 0.6) == 1
    assert ces.max_output_gain(0.3, -math.inf) == 1
    for share in (0.0, -0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="a share"):
            ces.max_output_gain(share, -1.0)


@pytest.mark.parametrize("rho", [0.8, 0.3, 0.0, -0.5, -4.0])
def test_log_output_equals_the_textbook_formula(rho):
    for labour, compute in ((1, 1), (2, 1), (1, 3), (0.2, 5)):
        inputs = math.log(labour), math.log(compute)
        exact = oracle.ces(labour, compute, 0.3, rho)
        assert math.exp(ces.log_output(*inputs, 0.3, rho)) == pytest.approx(exact, rel=1e-12)


def test_log_output_approaches_its_limits():
    inputs = np.array([-1.0, 0.3, 2.0]), np.array([0.5, -0.2, 1.5])
    assert ces.log_output(*inputs, 0.4, 1e-6) == pytest.approx(ces.log_output(*inputs, 0.4, 0.0), abs=1e-5)
    assert ces.log_output(*inputs, 0.4, -1e6) == pytest.approx(ces.log_output(*inputs, 0.4, -math.inf), abs=1e-5)


@pytest.mark.parametrize("rho", [1.0, 0.3, 1e-3, 0.0, -1e-3, -0.5, -4.0, -80.0, -1e9, -math.inf])
def test_log_mean_of_two_inputs_equals_log_output(rho):
    labour, compute = np.array([-1.0, 0.3, 2.0, 500.0]), np.array([0.5, -0.2, 1.5, -500.0])
    found = ces.log_mean(np.stack([compute, labour], axis=-1), [0.3, 0.7], np.full(4, rho))
    assert found == pytest.approx(ces.log_output(labour, compute, 0.3, rho), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("rho", [0.8, 0.3, -0.5, -4.0])
def test_log_mean_of_many_inputs_equals_the_textbook_formula(rho):
    levels, shares = np.array([0.5, 1.7, 3.0, 0.2]), np.array([0.1, 0.4, 0.2, 0.3])
    exact = (shares @ levels**rho) ** (1 / rho)
    assert ces.log_mean(np.log(levels), shares, rho) == pytest.approx(math.log(exact), rel=1e-12)


def test_log_mean_keeps_its_digits_near_rho_0():
    levels, shares = np.array([-3.0, 0.0, 5.0]), np.array([0.2, 0.5, 0.3])
    mean = shares @ levels
    half_variance = (shares @ levels**2 - mean**2) / 2
    for rho in (1e-6, 1e-9, 1e-12):
        for sign in (-1, 1):
            found = ces.log_mean(levels, shares, sign * rho)
            assert found - mean == pytest.approx(sign * rho * half_variance, rel=1e-4, abs=1e-15)


def test_log_mean_of_absent_and_unlimited_inputs():
    half = [0.5, 0.5]
    assert ces.log_mean([-math.inf, 0.0], half, np.array([-1.0, 0.0, -math.inf])).tolist() == [-math.inf] * 3
    assert ces.log_mean([-math.inf, 0.0], half, 0.5) == pytest.approx(2 * math.log(0.5))
    assert ces.log_mean([math.inf, 0.0], half, np.array([0.0, 0.5, 1.0])).tolist() == [math.inf] * 3
    assert ces.log_mean([math.inf, 0.0], half, np.array([-1.0, -math.inf])) == pytest.approx([math.log(2), 0])
    assert ces.log_mean([-math.inf, math.inf], half, np.array([-1.0, 0.0, 1.0])).tolist() == [
        -math.inf,
        -math.inf,
        math.inf,
    ]
    assert ces.log_mean([-math.inf, 2.0, math.inf], [0.0, 1.0, 0.0], np.array([-1.0, 0.0, 1.0])).tolist() == [2.0] * 3


def test_p17_1_rho_from_the_gains_of_unlimited_labour_and_compute():
    rho, alpha = ces.from_max_gains(15.0, 1000.0)
    assert rho == pytest.approx(-0.155, abs=5e-5)
    assert alpha == pytest.approx(0.6572, abs=5e-5)
    assert 15.0**rho + 1000.0**rho == pytest.approx(1, rel=1e-14)
    assert ces.max_output_gain(alpha, rho) == pytest.approx(15, rel=1e-9)
    assert ces.max_output_gain(1 - alpha, rho) == pytest.approx(1000, rel=1e-9)
    assert ces.from_max_gains(4.0, 4.0) == pytest.approx((-0.5, 0.5))
    for gains in ((1.0, 5.0), (5.0, 0.5), (math.inf, 5.0)):
        with pytest.raises(ValueError, match="has no rho; allowed: above 1"):
            ces.from_max_gains(*gains)


def test_p17_2_exponent_of_compute_from_the_loss_of_output():
    rho, alpha = ces.from_max_gains(15.0, 1000.0)
    zeta = ces.exponent_from_loss(alpha, rho, reduction=10.0, loss=2.8)
    assert zeta == pytest.approx(0.6548, abs=5e-5)
    left = math.exp(ces.log_output(0.0, -zeta * math.log(10), alpha, rho))
    assert 1 / left == pytest.approx(2.8, rel=1e-12)


def test_rho_from_sigma_is_the_inverse_of_substitution():
    for sigma in (0.05, 1.0, oracle.WHITFILL_WU["raw compute"]):
        assert ces.sigma_from_rho(ces.rho_from_sigma(sigma)) == pytest.approx(sigma)
    assert ces.rho_from_sigma(2.58) == pytest.approx(0.6124, abs=1e-4)
    assert ces.rho_from_sigma(oracle.WHITFILL_WU["near the frontier"]) == -math.inf
    assert ces.sigma_from_rho(-math.inf) == 0
    with pytest.raises(ValueError, match="rho = 1"):
        ces.sigma_from_rho(1.0)


@pytest.mark.parametrize("rho", [0.7, 0.2, -0.4, -1.0, -6.0, -25.0])
@pytest.mark.parametrize("alpha", [0.15, 0.6])
def test_fit_of_exact_data_returns_the_true_parameters(rho, alpha):
    ratio = np.linspace(-1.2, 1.2, 9)
    labour, compute = 6.0 + 0.3 * ratio**2, 6.0 + 0.3 * ratio**2 - ratio
    seen = 2.0 + ces.log_output(labour - 6.1, compute - 6.0, alpha, rho)
    found = ces.fit(labour, compute, seen)
    assert found.error < 1e-6
    assert found.rho == pytest.approx(rho, rel=1e-3, abs=1e-3)
    assert found.log_output(labour, compute) == pytest.approx(seen, abs=1e-5)


def test_fit_of_noisy_data_has_the_least_error():
    chance = np.random.default_rng(3)
    labour, compute = np.zeros(24), np.linspace(-1.5, 1.5, 24)
    seen = ces.log_output(labour, compute, 0.5, -5.0) + chance.normal(0.0, 0.03, 24)
    found = ces.fit(labour, compute, seen)
    assert found.rho == pytest.approx(-5.0, rel=0.4)
    for name, change in (("log_scale", 1e-3), ("alpha", 1e-3), ("rho", 1e-2)):
        for sign in (-1, 1):
            other = found._replace(**{name: getattr(found, name) + sign * change})
            missed = seen - other.log_output(labour, compute)
            assert math.sqrt(np.mean(missed**2)) > found.error


def test_fit_of_leontief_data_has_almost_no_substitution():
    compute = np.linspace(-1.0, 1.0, 9)
    found = ces.fit(np.zeros(9), compute, np.minimum(compute, 0.0))
    assert ces.sigma_from_rho(found.rho) < 0.02


def test_fit_of_data_that_cannot_identify_rho_is_refused():
    line = np.linspace(0.0, 1.0, 6)
    for labour, compute in ((line, line + 3), (line[:3], -line[:3])):
        with pytest.raises(ValueError, match="four observations or more, with different ratios"):
            ces.fit(labour, compute, line[: len(labour)])


def test_substitution_of_the_machine_repairman_falls_with_its_size():
    """Four owners a server at a load of 1: the loss is that of a CES with a falling sigma.

    The table is in docs/explanation/compute-bottleneck.md.
    """
    found = []
    for servers in (4, 16, 64):
        reached = repairman(4 * servers, servers, think=1.0, service=1 / 3)[0] / (3 * servers)
        found.append(ces.sigma_from_rho(math.log(2) / math.log(reached)))
    assert found == pytest.approx([0.144, 0.077, 0.040], abs=5e-4)
