"""Test `sim.fluid.supports`: the reason why the equations cannot run a scenario, in one sentence."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from sim.fluid import fluid, supports
from sim.scenario.model import Scenario, ScenarioError
from sim.testing.invariants import small_scenarios
from tests.support.properties import examples

REFUSED = {
    "whole papers": (
        {"researcher__timing": "whole"},
        "researcher__timing = 'whole' is not possible with the fluid engine, because whole papers have no mean flow",
    ),
    "target of day 0": ({"run__stop_at_researchers": 9.0}, "run__stop_at_researchers = 9 is reached by the 256"),
    "training run": ({"training__gpus": 5000}, "training__gpus = 5000 GPUs, but a job for training can have at most"),
    "pooled papers of humans": (
        {"researcher__timing": "pooled", "humans__initial": 5},
        "researcher__timing = 'pooled' with humans__initial above 0 is not possible with the fluid engine, because",
    ),
    "nights": (
        {"humans__hours_per_day": 8.0, "humans__initial": 5},
        "humans__hours_per_day = 8 and humans__days_per_week = 7 are not possible with the fluid engine, because its",
    ),
    "weekends": (
        {"humans__days_per_week": 5, "humans__initial": 5},
        "humans__hours_per_day = 24 and humans__days_per_week = 5 are not possible with the fluid engine, because its",
    ),
    "a task without humans and AIs": (
        {"automation__last_threshold": 1.0},
        "humans__initial = 0 leaves the tasks undone that AIs cannot do on day 0, so that no paper is ever written",
    ),
    "several labs": (
        {"ada.cluster__gpus": 64, "bob.cluster__gpus": 64},
        "the scenario 'lab' has 2 labs, which the fluid engine cannot run; allowed: one lab.",
    ),
    "new GPUs": (
        {"supply__growth_per_year": 3.0},
        "supply__growth_per_year = 3.0 is not possible with the fluid engine; allowed: 1.0.",
    ),
    "a head start": ({"entry__software_doublings": 1.0}, "entry__software_doublings = 1.0 is not possible"),
    "failures": (
        {"cluster__gpu_hours_between_failures": 0.001},
        "cluster__gpu_hours_between_failures = 0.001 GPU-hours makes the first training run",
    ),
}


@pytest.mark.parametrize(("changes", "reason"), REFUSED.values(), ids=REFUSED)
def test_supports_of_a_scenario_without_equations_is_one_sentence(changes, reason):
    scenario = Scenario().replace(**changes)
    assert supports(scenario).startswith(reason)
    assert "\n" not in supports(scenario)
    with pytest.raises(ScenarioError) as caught:
        fluid([Scenario(), scenario])
    assert str(caught.value) == f"scenario 2 (lab): {supports(scenario)}"


def test_supports_of_measurements_that_are_gone_names_them(tmp_path):
    path = tmp_path / "mine.jsonl"
    kernels = Scenario().kernels.model_copy(update={"measurements": str(path)})
    assert "mine.jsonl': cannot be read" in supports(Scenario().model_copy(update={"kernels": kernels}))


@examples(40, HealthCheck.filter_too_much)
@given(st.sampled_from(["returns", "papers", "frozen"]).flatmap(lambda law: small_scenarios(growth__law=law)))
def test_supports_is_empty_exactly_if_the_engine_runs(scenario):
    reason = supports(scenario)
    try:
        fluid([scenario])
    except ScenarioError as error:
        assert str(error) == reason
    else:
        assert reason == ""
