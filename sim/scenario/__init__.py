"""Scenarios: parameters, their bounds and sources, and the files that come with asara."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.scenario.model import Parameter as Parameter
    from sim.scenario.model import RunParams as RunParams
    from sim.scenario.model import Scenario as Scenario
    from sim.scenario.model import ScenarioError as ScenarioError
    from sim.scenario.model import parameters as parameters
    from sim.scenario.model import shipped_scenarios as shipped_scenarios

_MODULES = {
    "Parameter": "sim.scenario.model",
    "RunParams": "sim.scenario.model",
    "Scenario": "sim.scenario.model",
    "ScenarioError": "sim.scenario.model",
    "parameters": "sim.scenario.model",
    "shipped_scenarios": "sim.scenario.model",
}
"""Public names and their modules, loaded when a name is first used: importing the package loads nothing else."""

__all__ = ["Parameter", "RunParams", "Scenario", "ScenarioError", "parameters", "shipped_scenarios"]


def __getattr__(name: str) -> Any:
    """Load the module of a public name. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
