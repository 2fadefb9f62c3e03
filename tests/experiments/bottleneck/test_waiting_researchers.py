"""Test that researchers who wait for GPUs do not lower the output of a lab with a parallelization penalty."""

import itertools

import pytest

from experiments.bottleneck.steady_state import ObservationWindow, OutputSample, setting_at
from sim.scenario.model import Scenario

FULL = Scenario().replace(
    growth__parallel_penalty=0.5,
    researcher__experiment_variation="fixed",
    cluster__gpus=512,
    cluster__inference_share=0.75,
    cluster__training_share=0.0,
)
"""128 GPUs for experiments of a fixed cost of 4.17 GPU-days: 30.7 papers a day at most, however many researchers."""
TEAMS = (512, 1024, 2048, 4096)


@pytest.mark.slow
def test_world_output_does_not_fall_with_waiting_researchers():
    """Four cohorts of one seed; the relative error of some 900 papers is 1%, false alarms at 4 sigma below 1e-4."""
    base = setting_at(FULL, 0.0, 1.0)._replace(
        gpus=128, one_by_one=False, window=ObservationWindow(2.0, 1.0), window_days=30.0
    )
    held = [OutputSample.run(FULL, base._replace(researchers=team), 0) for team in TEAMS]
    output = [each.papers for each in held]
    assert all(later > 0.97 * earlier for earlier, later in itertools.pairwise(output))
    assert held[-1].written == pytest.approx(128 / 4.17, rel=0.03), "the GPUs are full"
    assert output[-1] == pytest.approx(held[-1].written * (128 / 4.17 * (365 / 12 + 4.17 / 8)) ** -0.5, rel=0.02)
