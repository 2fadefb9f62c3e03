"""Test the number of copies on the compute that trained a system, against published figures."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import minimize_scalar

from sim.start import (
    BESIROGLU,
    HOFFMANN,
    StartParams,
    doublings_to_win_back,
    optimal_size,
    start_from_params,
)
from tests.support.properties import examples

FLOP = np.array([2.1e25, 1e26, 1e27, 1e28, 1e29, 1e30])
COPIES = [2.421e5, 5.283e5, 1.671e6, 5.283e6, 1.671e7, 5.283e7]
"""P10.1: copies at these numbers of FLOP, 90 days, 10 words per second and 20 tokens per parameter."""


def test_p10_1_copies_on_the_training_compute():
    found = start_from_params(StartParams(size_rule="ratio"), FLOP)
    assert found.copies == pytest.approx(COPIES, rel=3e-4)
    assert found.copies == pytest.approx(3 * found.tokens / (90 * 86_400 * 40 / 3), rel=1e-12)


def test_p10_1_by_the_law_of_besiroglu_copies_are_fewer_by_a_few_percent():
    ratio = start_from_params(StartParams(), FLOP).copies / COPIES
    assert ratio == pytest.approx([0.916, 0.899, 0.873, 0.848, 0.823, 0.800], abs=1e-3)


def test_p10_1_report_has_hundreds_of_thousands_to_millions_of_copies():
    for rule in ("ratio", "chinchilla"):
        few, many = start_from_params(StartParams(size_rule=rule), np.array([1e26, 1e27])).copies
        assert 1e5 <= few < 1e6
        assert 1e6 <= many < 1e7


def test_p10_1_davidsons_300_000_copies_of_gpt_4():
    found = start_from_params(StartParams(size_rule="ratio", training_flop=2.1e25)).copies
    assert found == pytest.approx(300_000, rel=0.25)


def test_p10_3_copies_double_or_not_with_twice_the_compute():
    for rule, factor in (("ratio", math.sqrt(2)), ("size", 2), ("tokens", 1), ("chinchilla", 1.40190)):
        one, two = start_from_params(StartParams(size_rule=rule), np.array([1e27, 2e27])).copies
        assert two / one == pytest.approx(factor, rel=1e-5)


@given(st.floats(20, 34), st.floats(1, 1e6))
@examples(50)
def test_p10_3_copies_grow_with_the_square_root_of_compute(log_flop, factor):
    params = StartParams(size_rule="ratio")
    one, more = start_from_params(params, np.array([1, factor]) * 10**log_flop).copies
    assert more / one == pytest.approx(math.sqrt(factor), rel=1e-9)


def test_p10_4_ten_million_copies_that_think_for_3000_seconds():
    found = start_from_params(StartParams(thinking_seconds=3000.0))
    assert 1e7 * found.experts / found.copies == pytest.approx(3333.3, abs=0.05)
    doublings = doublings_to_win_back(3000.0)
    assert doublings == pytest.approx(11.551, abs=5e-4)
    assert doublings * 0.5 == pytest.approx(5.78, abs=5e-3)


@pytest.mark.parametrize(
    ("law", "flop", "parameters", "tokens", "ratio"),
    [
        (BESIROGLU, 5.76e23, 7.225e10, 1.329e12, 18.39),
        (BESIROGLU, 1e25, 3.121e11, 5.341e12, 17.11),
        (HOFFMANN, 5.76e23, 3.219e10, 2.982e12, 92.65),
    ],
)
def test_p11_1_and_p11_2_optimal_size_by_both_laws(law, flop, parameters, tokens, ratio):
    size = optimal_size(flop, law)
    assert size.parameters == pytest.approx(parameters, rel=2e-4)
    assert size.tokens == pytest.approx(tokens, rel=3e-4)
    assert size.tokens / size.parameters == pytest.approx(ratio, abs=5e-3)
    least = minimize_scalar(
        lambda log_size: law.loss(math.exp(log_size), flop / 6 / math.exp(log_size)), bounds=(15, 35), method="bounded"
    )
    assert math.exp(least.x) == pytest.approx(size.parameters, rel=1e-3)


def test_speed_and_thinking_divide_the_copies():
    plain = start_from_params(StartParams())
    fast = start_from_params(StartParams(serial_speed=4.0, context_tokens=1.0))
    assert fast.copies == pytest.approx(plain.copies / 4)
    assert fast.experts == pytest.approx(plain.experts)
    assert start_from_params(StartParams(utilisation_ratio=0.5)).copies == pytest.approx(plain.copies / 2)


def test_memory_limits_copies_with_long_contexts():
    flop = np.array([1e26, 1e29])
    free = start_from_params(StartParams(), flop)
    assert np.isposinf(free.copies_by_memory).all()
    assert free.gpus == pytest.approx(flop / (90 * 86_400 * 4e14))
    held = start_from_params(StartParams(context_tokens=32_768.0), flop)
    # 40 GB of each GPU hold contexts of 32768 tokens at 516096 bytes, which is 2.4 copies per GPU.
    assert held.copies_by_memory == pytest.approx(free.gpus * 40e9 / (32_768 * 516_096))
    assert held.copies[0] == held.copies_by_memory[0] < free.copies[0]
    assert held.copies[1] == free.copies[1]
    assert start_from_params(StartParams(context_tokens=65_536.0)).copies_by_memory == pytest.approx(
        start_from_params(StartParams(context_tokens=32_768.0)).copies_by_memory / 2
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("training_flop", 0.0), ("training_days", -1.0), ("size_rule", "large"), ("weights_share", 1.0)],
)
def test_start_params_refuse_bad_input(name, value):
    with pytest.raises(ValidationError, match=name):
        StartParams(**{name: value})
