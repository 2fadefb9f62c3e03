"""Define scenarios: their parameters with bounds and sources, and the files that are installed with asara."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.scenario.declarations import Parameter as Parameter
    from sim.scenario.declarations import RunParams as RunParams
    from sim.scenario.declarations import parameters as parameters
    from sim.scenario.loading import shipped_scenarios as shipped_scenarios
    from sim.scenario.messages import ScenarioError as ScenarioError
    from sim.scenario.model import Scenario as Scenario

_MODULES = {
    "Parameter": "sim.scenario.declarations",
    "RunParams": "sim.scenario.declarations",
    "Scenario": "sim.scenario.model",
    "ScenarioError": "sim.scenario.messages",
    "parameters": "sim.scenario.declarations",
    "shipped_scenarios": "sim.scenario.loading",
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
