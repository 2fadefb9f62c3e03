"""Old names of parameters are translated with a warning for one release."""

import pytest

from sim.scenario import Scenario, ScenarioError, parameters
from sim.scenario.renamed import RENAMED, RENAMED_VALUES, current_content, current_name


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_replace_with_an_old_name_sets_the_present_parameter(old, new):
    value = {"cluster__sharing": "priority"}.get(old, parameters()[new].default)
    with pytest.warns(FutureWarning, match=f"{old} is deprecated; use {new}"):
        found = Scenario().replace(**{old: value})
    assert found == Scenario().replace(**{new: value})


def test_replace_with_an_old_value_sets_the_present_value():
    with pytest.warns(FutureWarning, match="cluster__partitioning = 'shares' is deprecated; use 'static'"):
        found = Scenario().replace(cluster__partitioning="shares")
    assert found.cluster.partitioning == "static"


def test_replace_with_an_old_and_its_present_name_is_refused():
    with (
        pytest.warns(FutureWarning),
        pytest.raises(ScenarioError, match="run__leap_error is the old name of run__leap_tolerance; give only"),
    ):
        Scenario().replace(run__leap_error=0.1, run__leap_tolerance=0.1)


def test_load_of_a_file_with_an_old_name_gives_the_present_scenario(tmp_path):
    path = tmp_path / "old.toml"
    path.write_text("[training]\nneeded = false\n[cluster]\nsharing = 'shares'\n")
    with pytest.warns(FutureWarning):
        found = Scenario.load(path)
    assert (found.training.required, found.cluster.partitioning) == (False, "static")


def test_current_content_of_a_design_is_translated_at_any_depth():
    content = {
        "uncertainties": {"training__speed_share": {"low": 0.1}},
        "levers": {"pool": {"cluster__sharing": ["shares", "priority"], "cluster__gpus": [8, 16]}},
        "correlations": [{"between": ["training__speed_share", "growth__r"]}],
    }
    with pytest.warns(FutureWarning):
        found = current_content(content)
    assert found == {
        "uncertainties": {"training__speedup_exponent": {"low": 0.1}},
        "levers": {"pool": {"cluster__partitioning": ["static", "priority"], "cluster__gpus": [8, 16]}},
        "correlations": [{"between": ["training__speedup_exponent", "growth__r"]}],
    }


def test_renamed_parameters_have_existing_new_names_only():
    assert set(RENAMED.values()) <= set(parameters())
    assert not set(RENAMED) & set(parameters())
    assert set(RENAMED_VALUES) <= set(parameters())
    assert current_name("cluster__gpus") == "cluster__gpus"
