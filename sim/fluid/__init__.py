"""Simulate a lab by equations: the growth law and the cluster, without agents and random numbers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.fluid.api import FluidTable as FluidTable
    from sim.fluid.api import fluid as fluid
    from sim.fluid.api import run_fluid as run_fluid
    from sim.fluid.lab_arrays import supports as supports

_MODULES = {
    "FluidTable": "sim.fluid.api",
    "fluid": "sim.fluid.api",
    "run_fluid": "sim.fluid.api",
    "supports": "sim.fluid.lab_arrays",
}
"""Public names and their modules, loaded when a name is first used: importing the package loads nothing else."""

__all__ = ["FluidTable", "fluid", "run_fluid", "supports"]


def __getattr__(name: str) -> Any:
    """Load the module of a public name. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
