"""Steer a lab by a controller or a learner: `from experiments.policy import LabEnvironment, run_episode`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.policy.controllers import balance_outputs as balance_outputs
    from experiments.policy.controllers import keep_division as keep_division
    from experiments.policy.environment import LabEnvironment as LabEnvironment
    from experiments.policy.environment import run_episode as run_episode

_MODULES = {
    "LabEnvironment": "experiments.policy.environment",
    "balance_outputs": "experiments.policy.controllers",
    "keep_division": "experiments.policy.controllers",
    "run_episode": "experiments.policy.environment",
}
"""Public names and their modules, loaded when a name is first used: importing the package loads nothing else."""

__all__ = ["LabEnvironment", "balance_outputs", "keep_division", "run_episode"]


def __getattr__(name: str) -> Any:
    """Load the module of a public name. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
