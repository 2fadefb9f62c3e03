"""Test that a parameter without effect cannot be set by a file, an option, a design, the window or Python."""

import pytest
import tomli_w

from experiments.cli.arguments import load_scenario
from experiments.design.design import load_design
from experiments.errors import InputError
from experiments.window.form_fields import scenario_from_form
from sim.scenario.model import Scenario, ScenarioError, parameters

CHOICES = [("growth__law", law) for law in ("returns", "papers", "frozen")] + [("kernels__measurements", "none")]
UNREAD = [
    (selector, chosen, name)
    for selector, chosen in CHOICES
    for name, parameter in parameters().items()
    if parameter.selector == selector and Scenario().replace(**{selector: chosen}).unread(name)
]
OTHER = {"growth__returns_to": "effort", "kernels__workload": "short/bf16/both"}
"""Values other than the default, of the parameters that are texts."""


def other_value(name):
    return OTHER.get(name) or type(parameters()[name].default)(2 * parameters()[name].default or 4)


@pytest.mark.parametrize(("selector", "chosen", "name"), UNREAD)
def test_unread_parameter_cannot_be_set_in_any_way(tmp_path, selector, chosen, name):
    choice, value = {selector: chosen}, other_value(name)
    message = f"{name} is not read under {selector} = '{chosen}'; it is read under "
    base = Scenario().replace(**choice)
    with pytest.raises(ScenarioError, match=message):
        base.replace(**{name: value})
    with pytest.raises(ScenarioError, match=message):
        Scenario().replace(**choice, **{name: value})
    with pytest.raises(ScenarioError, match=message):
        load_scenario("lab", [f"{selector}={chosen}", f"{name}={value}"])
    block, _, inner = name.partition("__")
    content = {block: {selector.partition("__")[2]: chosen, inner: value}}
    (tmp_path / "own.toml").write_text(tomli_w.dumps(content))
    with pytest.raises(ScenarioError, match=message):
        Scenario.load(tmp_path / "own.toml")
    design = {"sampling": "grid", "set": choice | {name: value}, "levers": {"cluster__gpus": [1024, 2048]}}
    (tmp_path / "design.toml").write_text(tomli_w.dumps(design))
    with pytest.raises(InputError, match=message):
        load_design(str(tmp_path / "design.toml"))
    typed = {name: str(value)}
    assert message in " ".join(scenario_from_form(base, typed).errors.values())
    assert base.flat()[name] == parameters()[name].default
