"""Test scenarios: loading, checks, changes by flat name, and descriptions of parameters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario.model import Scenario, ScenarioError, parameters, shipped_scenarios
from sim.testing.invariants import small_scenarios, values_of
from tests.support.properties import examples

RELIED_ON = [
    "growth__r",
    "growth__parallel_penalty",
    "growth__limit_doublings",
    "growth__first_doubling_days",
    "growth__papers_first_doubling",
    "growth__difficulty_growth",
    "researcher__timing",
    "researcher__experiment_gpu_days",
    "researcher__experiment_scaling",
    "cluster__gpus",
    "cluster__gpus_per_node",
    "cluster__queue",
    "cluster__placement",
    "training__required",
    "training__first_run_days",
    "training__gain",
    "training__speedup_exponent",
    "kernels__measurements",
    "kernels__workload",
    "kernels__attention_share",
    "kernels__candidates_per_day",
    "run__horizon_days",
    "run__sample_days",
    "run__max_doublings",
]


def test_parameters_include_the_names_used_elsewhere():
    assert set(RELIED_ON) <= set(parameters())


@pytest.mark.parametrize("name", parameters())
def test_parameter_has_meaning_source_unit_and_bounds(name):
    parameter = parameters()[name]
    assert parameter.meaning.endswith(".")
    assert parameter.source
    assert isinstance(parameter.default, parameter.annotation if not parameter.choices else str), "or digests differ"
    assert parameter.unit or parameter.annotation is bool
    if not parameter.choices and parameter.annotation not in (bool, str):
        assert parameter.low < parameter.high
        assert parameter.low <= parameter.default <= parameter.high


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenario_has_name_description_and_source(name):
    scenario = Scenario.load(name)
    assert scenario.name == name
    assert scenario.description.endswith(".")
    assert scenario.source.endswith(".")


def test_load_without_a_name_returns_the_lab():
    assert Scenario.load().flat() == Scenario().flat()


READ_BY = {
    "start__tokens_per_parameter": {"start__size_rule": "ratio"},
    "start__fixed_parameters": {"start__size_rule": "size"},
    "start__fixed_tokens": {"start__size_rule": "tokens"},
    **{
        f"start__{name}": {"start__context_tokens": 1000.0}
        for name in ("serial_speed", "cache_bytes_per_token", "gpu_memory_gb", "gpu_flop_per_second", "weights_share")
    },
}
"""Other values with which a parameter of the start has an effect."""


@given(st.data())
def test_replace_keeps_any_allowed_value(data):
    name = data.draw(
        st.sampled_from(sorted(set(parameters()) - {"cluster__inference_share", "cluster__training_share"}))
    )
    value = data.draw(values_of(parameters()[name]))
    law = "papers" if "'papers'" in Scenario().unread(name) else "returns"
    changes = {"growth__law": law, name: value}
    if name.startswith("policy__"):
        changes = {"policy__name": "adaptive", **changes}
    elif name == "growth__ai_doublings":
        changes["growth__law"] = "frozen"
    elif name.startswith("start__"):
        changes = {"start__given_by": "training compute", **changes, **READ_BY.get(name, {})}
    elif name.startswith("horizon__"):
        changes = {"horizon__law": "superexponential", **changes}
    elif name.startswith("exit__"):
        changes = {"exit__kind": "merges", **changes}
    elif name == "automation__rho":
        changes = {"automation__combination": "ces", **changes}
    elif name == "automation__first_threshold":
        changes["automation__last_threshold"] = 1000.0
    elif name == "automation__last_threshold":
        changes["automation__first_threshold"] = -1000.0
    assert Scenario().replace(**changes).flat()[name] == value


@pytest.mark.slow
@examples(50)
@given(small_scenarios())
def test_digest_depends_on_the_parameters_only(scenario):
    assert Scenario(name="other").replace(**_readable(scenario)).digest() == scenario.digest()
    changed = scenario.replace(run__max_doublings=scenario.run.max_doublings + 1)
    assert changed.digest() != scenario.digest()
    json.dumps(scenario.flat(), allow_nan=False)


def _readable(scenario):
    return {name: value for name, value in scenario.flat().items() if not scenario.unread(name)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cluster__gpu": 8}, "no parameter 'cluster__gpu'; did you mean 'cluster__gpus'?"),
        ({"gpus": 8}, "no parameter 'gpus'"),
        ({"cluster__gpus": 0}, "cluster__gpus = 0 GPUs is out of bounds: from 1 to 1,000,000 GPUs"),
        ({"growth__r": -1.0}, "growth__r = -1.0"),
        ({"growth__r": float("nan")}, "growth__r = nan"),
        ({"growth__r": float("inf")}, "growth__r = inf"),
        ({"growth__r": "fast"}, "growth__r = 'fast' is not allowed: a number from 0.01 to 100"),
        ({"cluster__gpus": 8.5}, "cluster__gpus = 8.5 is not allowed: a whole number"),
        ({"training__required": 1}, "training__required = 1 is not allowed: true or false"),
        ({"researcher__timing": "poison"}, "did you mean 'poisson'?"),
        ({"growth__limit_doublings": 1.5}, "must be 0 (no limit) or leave room for at least 2 doublings"),
        ({"growth__difficulty_growth": 2.0}, "is not read under growth__law = 'returns'"),
        ({"cluster__inference_share": 0.8, "cluster__training_share": 0.7}, "[cluster]"),
        ({"kernels__measurements": 5}, "kernels__measurements = 5 is not allowed: text: shipped name, path of a"),
        ({"kernels__measurements": "nane"}, "kernels__measurements = 'nane': no measurements of this name"),
        ({"kernels__measurements": "nane"}, "did you mean 'none'?"),
        ({"kernels__measurements": "no/such.jsonl"}, "no/such.jsonl': cannot be read (No such file or directory)"),
        ({"kernels__workload": "causal"}, "kernels__workload = 'causal' with kernels__measurements"),
        ({"kernels__workload": "causal/bf16/bth"}, "'bth' is unknown; allowed: forward, backward, both"),
    ],
)
def test_replace_with_a_bad_value_reports_name_value_and_allowed_values(changes, message):
    with pytest.raises(ScenarioError) as caught:
        Scenario().replace(**changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[cluster]\ngpus = = 3\n", "line 2"),
        ("[cluster]\ngpu = 3\n", "did you mean 'cluster__gpus'?"),
        ("[clusters]\ngpus = 3\n", "did you mean 'cluster__gpus'?"),
        ("gpus = 3\n", "no parameter 'gpus'"),
        ("[cluster]\ngpus = '3'\n", "cluster__gpus = '3' is not allowed"),
    ],
)
def test_load_of_a_bad_file_reports_file_and_problem(tmp_path, content, message):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(path)
    assert "mine.toml" in str(caught.value)
    assert message in str(caught.value)


def test_load_of_a_file_returns_its_scenario(tmp_path):
    path = tmp_path / "tight.toml"
    path.write_text('description = "Few GPUs."\n[cluster]\ngpus = 64\n')
    scenario = Scenario.load(path)
    assert (scenario.name, scenario.description, scenario.cluster.gpus) == ("tight", "Few GPUs.", 64)


@pytest.mark.parametrize("name", ["toy-fizle", "no-such", "missing.toml"])
def test_load_of_a_missing_scenario_reports_its_name(name):
    with pytest.raises(ScenarioError, match=name):
        Scenario.load(name)


def test_load_of_a_misspelled_scenario_suggests_the_nearest():
    with pytest.raises(ScenarioError, match="did you mean 'toy-fizzle'"):
        Scenario.load("toy-fizle")
