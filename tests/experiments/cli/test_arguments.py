"""Scenarios from the words of the command line: which changes recalibrate the effort before day 0."""

import pytest

from experiments.cli.arguments import load_scenario
from experiments.design.design import load_design
from experiments.errors import InputError
from sim.scenario.model import ScenarioError


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


def test_setting_of_one_lab_has_the_type_of_its_parameter():
    scenario = load_scenario("lab", ["alpha.cluster__gpus=1,024", "alpha.researcher__experiment_days=2"])
    assert dict(scenario.overrides) == {"alpha.cluster__gpus": 1024, "alpha.researcher__experiment_days": 2.0}
    with pytest.raises(ScenarioError, match="lab 'alpha': cluster__gpus = 'many' is not allowed: a whole number"):
        load_scenario("lab", ["alpha.cluster__gpus=many"])


def test_design_with_values_of_one_lab_has_the_digest_of_common_values(tmp_path):
    (tmp_path / "own.toml").write_text("[labs.alpha.cluster]\ngpus = 2048\n")
    rest = 'sampling = "grid"\n[levers]\nrun__max_doublings = [3, 4]\n'
    (tmp_path / "file.toml").write_text('base = "own.toml"\n' + rest)
    (tmp_path / "set.toml").write_text(rest.replace("[levers]", '[set]\n"alpha.cluster__gpus" = 2048\n[levers]'))
    (tmp_path / "common.toml").write_text(rest.replace("[levers]", "[set]\ncluster__gpus = 2048\n[levers]"))
    designs = [load_design(str(tmp_path / name)) for name in ("common.toml", "set.toml", "file.toml")]
    assert {design.digest for design in designs} == {designs[0].digest}
    assert [design.content["set"] for design in designs] == 3 * [{"cluster__gpus": 2048}]
    with pytest.raises(InputError, match="no lab 'alhpa'; did you mean 'alpha'"):
        load_design(str(tmp_path / "file.toml"), changes={"alhpa.cluster__gpus": 64})
