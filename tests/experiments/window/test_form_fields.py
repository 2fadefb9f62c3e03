"""Form fields: one for every parameter, with one error message for each invalid value."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.window.form_fields import (
    MAX_VALUE_LENGTH,
    blocks,
    check_value,
    differences,
    fields,
    parse_value,
    scenario_choices,
    scenario_from_form,
    scenario_with_changes,
)
from experiments.window.visitor_limits import MAX_VALUES, check_bounds
from sim.scenario.model import Scenario, parameters, shipped_scenarios
from sim.testing.invariants import small_scenarios
from sim.world import World
from tests.support.properties import examples


def typed(value: object) -> str:
    """Return a value as text that a visitor could type."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenarios_are_within_the_visitor_limits(name):
    check_bounds(Scenario.load(name))


def test_fields_cover_every_parameter():
    assert list(fields()) == list(parameters())
    assert [field.name for block in blocks().values() for field in block] == list(parameters())
    for name, field in fields().items():
        parameter = parameters()[name]
        assert field.help == parameter.meaning
        assert field.source == parameter.source
        assert field.label[0].isupper() or field.label == "r"
        if field.kind in ("number", "whole number"):
            assert field.low is not None and field.high is not None
            assert parameter.low == field.low
            assert field.high == min(parameter.high, MAX_VALUES.get(name, parameter.high))
            assert field.unit
            if field.slider is not None:
                assert field.low <= field.slider[0] < field.slider[1] <= field.high
                assert field.slider[0] <= field.default <= field.slider[1]
                assert not field.is_log or field.slider[0] > 0
        elif field.kind == "choice":
            assert field.default in field.choices
        else:
            assert isinstance(field.default, bool)


@pytest.mark.parametrize("name", list(parameters()))
def test_check_value_accepts_default_bounds_and_choices(name):
    field = fields()[name]
    law = "papers" if "law `papers`" in field.help else "returns"
    base = Scenario().replace(growth__law=law)
    if name.startswith("start__") and name != "start__given_by":
        base = base.replace(start__given_by="training compute")
    assert check_value(name, typed(field.default), base) == (field.default, "")
    for choice in field.choices:
        assert check_value(name, choice, base) == (choice, "")
    if field.kind in ("number", "whole number"):
        least = 1e-3 if "above" in field.allowed else 0
        for bound in (field.low + least, field.high):
            value, wrong = check_value(name, typed(bound), base)
            assert value == bound or not wrong.startswith(f"{name} ="), (bound, wrong)


INVALID_VALUES = [
    ("cluster__gpus", "0", "from 1 to 100,000 GPUs"),
    ("cluster__gpus", "-3", "from 1 to 100,000 GPUs"),
    ("cluster__gpus", "many", "a whole number from 1 to 100,000 GPUs"),
    ("cluster__gpus", "3.5", "a whole number from 1 to 100,000 GPUs"),
    ("cluster__gpus", "1e3.", "a whole number from 1 to 100,000 GPUs"),
    ("cluster__gpus", "1_0", "a whole number from 1 to 100,000 GPUs"),
    ("cluster__gpus", "0x10", "a whole number from 1 to 100,000 GPUs"),
    ("cluster__gpus", "", "a whole number from 1 to 100,000 GPUs"),
    ("cluster__gpus", "100001", "from 1 to 100,000 GPUs"),
    ("cluster__gpus", "9" * 90, "from 1 to 100,000 GPUs"),
    ("cluster__gpus", "9" * 5000, "a value of 5,000 characters is too long; allowed: from 1 to 100,000 GPUs"),
    ("cluster__gpus", "1\n2", "a whole number from 1 to 100,000 GPUs"),
    ("cluster__gpus", "8; rm -rf /", "a whole number from 1 to 100,000 GPUs"),
    ("cluster__gpus", "true", "a whole number from 1 to 100,000 GPUs"),
    ("growth__r", "nan", "a number from 0.01 to 100"),
    ("growth__r", "inf", "a number from 0.01 to 100"),
    ("growth__r", "[" * 99, "a number from 0.01 to 100"),
    ("growth__r", "1979-05-27", "a number from 0.01 to 100"),
    ("growth__r", "'1.4'", "a number from 0.01 to 100"),
    ("growth__r", "1.4 # more", "a number from 0.01 to 100"),
    ("growth__r", "\x00", "a number from 0.01 to 100"),
    ("growth__r", "1,4", "a number from 0.01 to 100"),
    ("growth__limit_doublings", "1", "at least 2 doublings"),
    ("growth__difficulty_growth", "2", "it is read under growth__law = 'papers'"),
    ("researcher__initial", "1e15", "from 0 to 10,000,000 researchers"),
    ("researcher__timing", "sometimes", "one of poisson, pooled, whole"),
    ("cluster__queue", "esay", "did you mean 'easy'?"),
    ("training__required", "perhaps", "true or false"),
    ("training__required", "1", "true or false"),
    ("kernels__measurements", "/etc/passwd", "xeon-amx, none"),
    ("kernels__measurements", "../x.jsonl", "xeon-amx, none"),
    ("regulator__policy", "/etc/passwd.toml", "none, compute-cap"),
    ("kernels__workload", "causal", "a workload is written as"),
    ("run__horizon_days", "0", "above 0, up to 36,500 days"),
    ("run__max_doublings", "300", "from 1 to 128 doublings"),
    ("cluster__inference_share", "0.9", "add up to 1.15"),
    ("cluster__gpu", "3", "did you mean 'cluster__gpus'?"),
]


@pytest.mark.parametrize(("name", "text", "says"), INVALID_VALUES)
def test_check_value_of_bad_text_names_what_is_allowed(name, text, says):
    value, wrong = check_value(name, text)
    assert value is None
    assert says in wrong
    assert "\n" not in wrong
    assert wrong.isprintable()
    assert name.partition("__")[2] in wrong


@given(st.sampled_from(list(parameters())), st.text(max_size=2 * MAX_VALUE_LENGTH))
@examples(300)
def test_check_value_of_any_text_returns_value_or_message(name, text):
    value, wrong = check_value(name, text)
    assert (value is None) == bool(wrong)
    assert wrong.isprintable()


def test_form_reports_each_error_at_its_field():
    base = Scenario()
    both = {"cluster__inference_share": "0.9", "cluster__training_share": "0.05"}
    assert scenario_from_form(base, both).scenario.cluster.inference_share == 0.9
    three = scenario_from_form(base, both | {"growth__r": "x", "cluster__gpus": "0"})
    assert three.scenario is None
    assert set(three.errors) == {"growth__r", "cluster__gpus"}
    crossed = scenario_from_form(base, {"cluster__inference_share": "0.9", "growth__r": "2"})
    assert set(crossed.errors) == {"cluster__inference_share"}
    many = scenario_from_form(base, {"cluster__gpus": "100000", "cluster__gpus_per_node": "1"})
    assert "100,000 nodes, too many for the page; allowed: at most 16,384" in many.errors["cluster__gpus"]
    alone = scenario_from_form(
        base, {"researcher__timing": "pooled", "researcher__initial": "30000", "run__max_doublings": "3"}
    )
    assert "needs individual researchers" in alone.errors["researcher__initial"]
    by_gpus = scenario_from_form(
        base, {"researcher__timing": "pooled", "cluster__gpus": "90000", "run__max_doublings": "3"}
    )
    assert "makes 22,500 researchers on day 0" in by_gpus.errors["cluster__gpus"]
    small = scenario_from_form(base, {"cluster__gpus": "100000", "researcher__gpus_each": "0.001"})
    assert "makes 50,000,000 researchers on day 0" in small.errors["cluster__gpus"]


def test_form_with_unchanged_values_returns_the_base_scenario():
    base = Scenario()
    everything = {name: typed(value) for name, value in base.flat().items()}
    assert scenario_from_form(base, everything) == (base, {})
    other = scenario_from_form(
        base, everything | {"growth__law": "papers", "growth__papers_first_doubling": "3"}
    ).scenario
    assert other.growth.papers_first_doubling == 3.0
    assert scenario_from_form(base, {"kernels__measurements": "none"}).scenario.kernels.measurements == "none"


def test_changed_law_resets_parameters_of_the_other_law():
    base = Scenario().replace(growth__r=2.0)
    papers = scenario_with_changes(base, {"growth__law": "papers"})
    assert papers.flat()["growth__r"] == parameters()["growth__r"].default
    assert differences(Scenario(), papers) == {"growth__law": "papers"}
    assert scenario_with_changes(papers, {"growth__law": "returns"}).growth.r == parameters()["growth__r"].default


@pytest.mark.slow
@given(small_scenarios(), small_scenarios())
@examples(25)
def test_differences_turn_one_scenario_into_another(base, other):
    changes = differences(base, other)
    assert scenario_with_changes(base, changes).flat() == other.flat()
    assert not differences(other, other)


def test_largest_allowed_scenarios_can_be_run():
    for name in ("researcher__initial", "cluster__gpus", "literature__open_questions"):
        scenario = scenario_with_changes(Scenario(), {name: fields()[name].high})
        check_bounds(scenario)
        World(scenario).step_events(10)


def test_scenario_choices_are_the_shipped_scenarios():
    folder = Path(__file__).parents[3] / "sim" / "scenario"
    files = sorted([*folder.glob("shipped/*.toml"), *folder.glob("races/*.toml")])
    described = {path.stem: tomllib.loads(path.read_text(encoding="utf-8"))["description"] for path in files}
    assert {"lab", "two-labs"} <= set(described)
    assert {choice.name: choice.description for choice in scenario_choices()} == described


def test_parse_value_keeps_the_type():
    assert parse_value("training__required", "True") is True
    assert parse_value("cluster__gpus", " 64 ") == 64
    assert parse_value("growth__r", "1") == 1
    assert parse_value("growth__r", "1,000.5") == 1000.5
