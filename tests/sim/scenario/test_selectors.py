"""Test blocks with several classes: a selector chooses the class, and a parameter of another class cannot be set."""

from typing import Annotated, Literal, get_args

import pytest
import tomli_w
from annotated_types import Interval
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from sim.growth import FrozenLaw, PapersLaw, ReturnsLaw
from sim.scenario.declarations import ScenarioValues
from sim.scenario.model import Scenario, ScenarioError, parameters, shipped_scenarios
from sim.testing.invariants import small_scenarios
from tests.support.properties import examples

DIGESTS = {
    "ai-2027": "973099d6ee0e0651ccf2dd96c143067498db6215af0faa242562045a03bec8a3",
    "humans-only": "71a8dde3225898cdfe4a5d8891e0d7ea226712dcc8aa660f3ff30fa67736e3b3",
    "lab": "83e97a3d9c7fc5b3ef3d0becdcf80c3c679a67ad9f5d25f5c46a86f3df462a0d",
    "lab-fixed-experiments": "70d48004e54f284b83f691df8982d5777fc101a52039e7ec64287b1c568ee1c4",
    "lab-frontier-experiments": "05868622fca2534f8c085c940acdd3f38d8effa4e6d1d7b7d1596943ba5e40f6",
    "limits": "959d586e9ecee8d1739cc14358f2b11b9472bca2cd2ad812f9468bc860021b62",
    "retraining-0.75": "1877eb95c395a0f293797d79107e1f2275748aa3730eca816738df0858b54827",
    "retraining-0.9": "e56e8b5dfa9f6db087bd4c8abb72255d265638ec29bc6c93fab1198d619b1593",
    "returns-0.7": "eb0790bb1b11144371bb29dd637de5cf16f6cc6d4fef13acf6350dd739ea28d4",
    "returns-0.9": "78d0aa7c3a765b7cb4f396c4ea78f40fac9e7c3ee0fb4ceff1387c41ebe7142c",
    "returns-3": "bb106e6881edad8e26fc2b6beb0f0279f36173c773eb60ef0e6f19dd441a20d1",
    "road-to-asara": "664017b8e05a073944e6084e7abaedbb691ec1b4708ee3b8263a6ee9b67e51e2",
    "toes": "dffdd61d78b4038ee4c725f74da1cfedaa422eb8d99032a50ed4d9b13c6cb3ab",
    "toy-explosion": "fcc2c19fd400b92da17efd325cf089301d4ddc4d60a2242c429127727da6b153",
    "toy-exponential": "f4cd87013b68d0e370f5dc77fc16eefaeb51ce39fe41762ba745ad88929013c1",
    "toy-fizzle": "5ab281272a0e32411c2e2eb5043a5950f169e543cc8fcda7d9f0d57f0e432f7a",
}
"""Digests of the shipped scenarios when a block was one class; stored runs and sweeps refer to them."""


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenario_keeps_its_digest(name):
    assert Scenario.load(name).digest() == DIGESTS[name]


@examples(50)
@given(st.data())
def test_scenario_from_its_own_file_is_the_same(tmp_path_factory, data):
    law = data.draw(st.sampled_from(["returns", "papers", "frozen"]))
    scenario = data.draw(small_scenarios(growth__law=law)).model_copy(update={"description": "One.", "source": "Two."})
    if data.draw(st.booleans()):
        scenario = scenario.replace(**{"alpha.cluster__gpus": 48, "alpha.growth__parallel_penalty": 0.9})
    path = tmp_path_factory.mktemp("scenario") / f"{scenario.name}.toml"
    path.write_text(tomli_w.dumps(scenario.file_content()))
    assert Scenario.load(path) == scenario


def test_unread_parameters_are_those_of_the_other_choices():
    returns, papers, frozen = (unread(growth__law=law) for law in ("returns", "papers", "frozen"))
    other_laws = ["growth__ai_doublings", "automation__rho"]
    assert returns == ["growth__papers_first_doubling", "growth__difficulty_growth", *other_laws]
    assert papers == ["growth__r", "growth__first_doubling_days", "growth__calibrated_for", *other_laws]
    assert len(frozen) == 8 and "growth__parallel_penalty" not in frozen
    kernels = [name for name in parameters() if name.startswith("kernels__") and name != "kernels__measurements"]
    assert unread(kernels__measurements="none") == returns + kernels


def unread(**choice):
    scenario = Scenario().replace(**choice)
    names = [name for name in parameters() if not name.startswith(("policy__", "start__", "horizon__", "exit__"))]
    return [name for name in names if scenario.unread(name)]


def test_other_choice_keeps_the_parameters_that_both_read():
    scenario = Scenario().replace(growth__r=2.0, growth__parallel_penalty=0.9, growth__limit_doublings=12.0)
    papers = scenario.replace(growth__law="papers")
    assert papers.growth == PapersLaw(parallel_penalty=0.9, limit_doublings=12.0)
    assert papers.replace(growth__law="frozen").growth == FrozenLaw(parallel_penalty=0.9)
    assert papers.replace(growth__law="returns").growth == ReturnsLaw(parallel_penalty=0.9, limit_doublings=12.0)


def test_unknown_choice_lists_the_choices():
    with pytest.raises(ScenarioError, match="is not allowed: one of returns, papers, frozen; did you mean 'papers'"):
        Scenario().replace(growth__law="paper", growth__difficulty_growth=2.0)


def test_selector_is_first_and_shared_parameters_are_last():
    assert [name.partition("__")[2] for name in parameters() if name.startswith("growth__")] == [
        "law",
        "r",
        "first_doubling_days",
        "calibrated_for",
        "papers_first_doubling",
        "difficulty_growth",
        "ai_doublings",
        "parallel_penalty",
        "returns_to",
        "limit_doublings",
    ]


def test_parameters_are_the_fields_of_the_classes():
    declared = {
        f"{name}__{inner}"
        for name, field in ScenarioValues.model_fields.items()
        for kind in get_args(field.annotation) or (field.annotation,)
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for inner in kind.model_fields
    }
    assert set(parameters()) == declared
    assert list(Scenario().flat()) == list(parameters())


class OneRegulator(BaseModel, frozen=True, use_attribute_docstrings=True):
    """Watch the lab."""

    kind: Annotated[Literal["one"], "name"] = "one"
    """Kind of regulator. Source: this test."""
    threshold: Annotated[float, Interval(ge=0, le=1), "share"] = 0.5
    """Share at which it acts. Source: this test."""


class NoRegulator(BaseModel, frozen=True):
    """Watch nothing."""

    kind: Annotated[Literal["none"], "name"] = "none"


class AuditedScenario(Scenario, frozen=True):
    """A scenario with another block."""

    auditor: OneRegulator | NoRegulator = OneRegulator()


def test_parameters_of_a_subclass_include_its_blocks():
    more = parameters(AuditedScenario)
    assert list(more) == [*parameters(), "auditor__kind", "auditor__threshold"]
    assert more["auditor__kind"].choices == ("one", "none")
    assert more["auditor__threshold"].read_under == "auditor__kind = 'one'"
    scenario = AuditedScenario().replace(auditor__kind="none", growth__r=2.0)
    assert scenario.flat()["auditor__threshold"] == 0.5
    with pytest.raises(ScenarioError, match="auditor__threshold is not read under auditor__kind = 'none'"):
        scenario.replace(auditor__threshold=0.1)
