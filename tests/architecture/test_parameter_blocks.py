"""The blocks of a scenario have one pydantic configuration, which each of them repeats (decision 30)."""

import pytest
from pydantic import BaseModel

from sim.scenario.declarations import RunParams, ScenarioValues

BLOCKS = ScenarioValues.blocks
CLASSES = [kind for block in BLOCKS.values() for kind in block.classes]


def differences(one: type[BaseModel], other: type[BaseModel]) -> dict[str, object]:
    """Return the settings that only one of two classes has, or that differ between them."""
    return dict(set(one.model_config.items()) ^ set(other.model_config.items()))


def test_scenario_has_its_blocks_in_order() -> None:
    before_full_automation = ["humans", "automation", "start", "horizon"]
    lab = ["literature", "cluster", "training", "kernels"]
    several_labs = ["supply", "commons", "entry", "exit"]
    decisions = ["policy", "disclosure", "regulator"]
    assert list(BLOCKS) == ["growth", "researcher", *before_full_automation, *lab, *several_labs, *decisions, "run"]


@pytest.mark.parametrize("kind", CLASSES)
def test_class_of_a_block_has_the_configuration_of_all(kind: type[BaseModel]) -> None:
    assert differences(kind, RunParams) == {}


def test_configuration_refuses_unknown_names_wrong_types_and_changes() -> None:
    assert RunParams.model_config == {
        "frozen": True,
        "extra": "forbid",
        "strict": True,
        "allow_inf_nan": False,
        "use_attribute_docstrings": True,
    }


def test_other_configuration_is_found() -> None:
    class LooseParams(BaseModel, frozen=True, extra="forbid", strict=False):
        """Parameters with another configuration."""

    assert set(differences(LooseParams, RunParams)) == {"strict", "allow_inf_nan", "use_attribute_docstrings"}
