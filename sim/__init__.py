"""Simulate a lab. The public interface is `from sim import run, Scenario, World, LabFactory, RunResult`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.lab_factory import LabFactory as LabFactory
    from sim.runner import RunResult as RunResult
    from sim.runner import run as run
    from sim.scenario.declarations import parameters as parameters
    from sim.scenario.loading import shipped_scenarios as shipped_scenarios
    from sim.scenario.messages import ScenarioError as ScenarioError
    from sim.scenario.model import Scenario as Scenario
    from sim.world import World as World

_MODULES = {
    "LabFactory": "sim.lab_factory",
    "RunResult": "sim.runner",
    "Scenario": "sim.scenario.model",
    "ScenarioError": "sim.scenario.messages",
    "World": "sim.world",
    "parameters": "sim.scenario.declarations",
    "run": "sim.runner",
    "shipped_scenarios": "sim.scenario.loading",
}
"""Public names and their modules, loaded when a name is first used: importing the package loads nothing else."""

__all__ = ["LabFactory", "RunResult", "Scenario", "ScenarioError", "World", "parameters", "run", "shipped_scenarios"]


def __getattr__(name: str) -> Any:
    """Load the module of a public name. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
