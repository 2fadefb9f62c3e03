"""Test run lengths, bounds and error rates: P15.2, P15.4 to P15.8 and P15.11."""

import math

import pytest

from sim.governance import run_lengths
from tests.oracles import governance as oracle


@pytest.mark.parametrize(("multiple", "months"), [(3, 9), (5, 4.5), (10, 2), (25, 0.75), (2, 18), (1.9, math.inf)])
def test_p15_2_delay_of_the_window_rule_after_a_step(multiple, months):
    assert run_lengths.window_rule_delay(18, 2, multiple) == pytest.approx(months)
    assert run_lengths.window_rule_delay(6, 2, multiple) == pytest.approx(months / 3)


@pytest.mark.parametrize(("noise", "probability"), [(0.25, 1.1e-17), (0.5, 1.1e-5), (1, 0.0169), (2, 0.144)])
def test_p15_4_false_alarm_of_one_check(noise, probability):
    assert run_lengths.window_rule_false_alarm(1.5, 2, 2, noise) == pytest.approx(probability, rel=0.025)


def test_p15_5_run_lengths_of_the_cusum_are_those_of_the_tables():
    without, after = run_lengths.cusum_run_length(4), run_lengths.cusum_run_length(4, 1)
    assert without == pytest.approx(335.37, abs=5e-3)
    assert after == pytest.approx(8.38, abs=5e-3)
    assert run_lengths.two_sided_run_length(without, without) == pytest.approx(167.7, abs=0.05)
    assert run_lengths.siegmund_run_length(4) == pytest.approx(338.1, abs=0.05)
    assert run_lengths.siegmund_run_length(4, 1) == pytest.approx(8.34, abs=5e-3)


@pytest.mark.parametrize(
    ("threshold", "shift", "reference"), [(0.5, 0, 0.1), (4, 0, 0.5), (6, 0.25, 0.25), (2, 3, 0.5), (9, -0.1, 0.3)]
)
def test_run_length_of_the_chain_solves_the_integral_equation(threshold, shift, reference):
    exact = oracle.cusum_run_length(threshold, shift - reference)
    assert run_lengths.cusum_run_length(threshold, shift, reference) == pytest.approx(exact, rel=1e-6)
    if threshold >= 2 and abs(shift - reference) <= 0.5:
        assert run_lengths.siegmund_run_length(threshold, shift, reference) == pytest.approx(exact, rel=0.015)


def test_siegmund_at_the_ends_of_its_range_has_no_overflow():
    assert run_lengths.siegmund_run_length(100, -10, 10) == math.inf
    assert run_lengths.siegmund_run_length(4, 0.5 + 1e-9) == pytest.approx((4 + 1.166) ** 2, rel=1e-6)


@pytest.mark.parametrize(("shift", "readings"), [(0.5, 21.2), (1, 5.3), (2, 1.325)])
def test_p15_6_mean_readings_of_the_probability_ratio_test(shift, readings):
    assert run_lengths.sprt_mean_readings(shift) == pytest.approx(readings, abs=5e-4)
    uneven = [run_lengths.sprt_mean_readings(shift, 0.01, 0.2, changed=changed) for changed in (True, False)]
    assert uneven == pytest.approx([run_lengths.sprt_mean_readings(shift, 0.2, 0.01, changed=c) for c in (False, True)])


@pytest.mark.parametrize(("after", "figures"), [(50, (24.853, 40.472, 0.171)), (20, (14.427, 3.863, 1.788))])
def test_p15_7_first_order_delay_for_papers(after, figures):
    information = run_lengths.poisson_information(10, after)
    found = (run_lengths.poisson_reference(10, after), information, run_lengths.lorden_delay(1000, information))
    assert found == pytest.approx(figures, abs=5e-4)


def test_p15_7_first_order_delay_exceeds_the_exact_bound_by_a_constant():
    """The gap tends to a constant, so that the ratio tends to 1; at ARL0 335 it is 3.25 readings of 11.63."""
    least = {arl: run_lengths.least_delay(arl, 1) for arl in (335.37, 1e4, 1e8)}
    first_order = {arl: run_lengths.lorden_delay(arl, run_lengths.normal_information(1)) for arl in least}
    assert least[335.37] == pytest.approx(8.38, abs=5e-3)
    assert first_order[335.37] == pytest.approx(11.63, abs=5e-3)
    gaps = [first_order[arl] - least[arl] for arl in least]
    assert gaps == pytest.approx([3.25, 3.3, 3.3], abs=0.1)
    assert first_order[1e8] / least[1e8] < first_order[1e4] / least[1e4] < first_order[335.37] / least[335.37]


@pytest.mark.parametrize(("threshold", "reference"), [(0.2, 0.5), (4, 0.5), (1, 2), (12, 0.2)])
def test_threshold_of_a_run_length_is_the_inverse(threshold, reference):
    run_length = run_lengths.cusum_run_length(threshold, 0, reference)
    assert run_lengths.cusum_threshold(run_length, reference) == pytest.approx(threshold, rel=1e-6)


def test_p15_8_standard_error_of_a_fitted_pace():
    assert run_lengths.slope_error(10, 2, 0.5) == pytest.approx(0.02752, abs=5e-6)
    assert run_lengths.slope_error(2, 3, 0.5) == pytest.approx(0.5 * math.sqrt(2) / 3)


def test_p15_11_precision_with_a_base_rate():
    assert run_lengths.precision(2, 0.1) == pytest.approx(0.1667, abs=5e-5)
    assert run_lengths.precision(2, 0.1, 0.5) == pytest.approx(0.05 / 0.55)
    assert run_lengths.precision(math.inf, 0.1) == 1
    assert math.isnan(run_lengths.precision(math.inf, 0.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: run_lengths.cusum_run_length(0), "threshold = 0 .* allowed: above 0, up to 100"),
        (lambda: run_lengths.cusum_run_length(90, 0, 5), "run length = .* allowed: up to 1e"),
        (lambda: run_lengths.cusum_threshold(100, 2.5), "run_length = 100 .* allowed: 161.495 or more"),
        (lambda: run_lengths.least_delay(100, 0.1), "shift = 0.1 .* allowed: 0.2 or more"),
        (lambda: run_lengths.sprt_mean_readings(1, 0.5), "false_alarm = 0.5 .* below one half"),
        (lambda: run_lengths.poisson_information(3, 3), "after = 3 is equal to before"),
        (lambda: run_lengths.lorden_delay(1, 2), "run_length = 1 .* above 1"),
        (lambda: run_lengths.window_rule_delay(6, 0.9, 2), "multiple = 0.9 .* allowed: 1 or more"),
        (lambda: run_lengths.slope_error(1, 2, 0.5), "readings = 1 .* A slope needs two readings"),
        (lambda: run_lengths.precision(2, 0.1, 1.2), "power = 1.2 .* up to 1"),
    ],
)
def test_argument_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
