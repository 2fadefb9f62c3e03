"""Scenarios from the words of the command line: which changes recalibrate the effort before day 0."""

import pytest

from experiments.cli.arguments import load_scenario


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["growth__r=2"], ["growth__r = 2 re-calibrates", "256 researchers at 1 papers a month", "30.42 days"]),
        (
            ["growth__limit_doublings=20", "growth__first_doubling_days=10"],
            ["growth__first_doubling_days = 10 and growth__limit_doublings = 20 re-calibrate", "10 days"],
        ),
        (["growth__calibrated_for=0", "cluster__gpus=2048"], ["cluster__gpus = 2048", "512 researchers"]),
        (["cluster__gpus=2048"], []),
        (["researcher__papers_per_month=2", "training__gain=1.1"], []),
        (["growth__calibrated_for=256"], []),
    ],
    ids=str,
)
def test_recalibration_since_names_the_changed_parameters(settings, words):
    sentence = load_scenario("lab", settings).recalibration_since(load_scenario("lab", []))
    assert bool(sentence) == bool(words)
    assert all(word in sentence for word in words), sentence
