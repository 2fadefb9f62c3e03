"""Test your own growth laws, queue disciplines and agents with property tests over random scenarios."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.testing.invariants import check_invariants as check_invariants
    from sim.testing.invariants import check_world as check_world
    from sim.testing.invariants import small_scenarios as small_scenarios
    from sim.testing.invariants import worlds as worlds
    from sim.testing.laws import GrowthLaw as GrowthLaw
    from sim.testing.laws import check_law as check_law
    from sim.testing.policies import check_policy as check_policy
    from sim.testing.queues import JobRequest as JobRequest
    from sim.testing.queues import check_queue as check_queue
    from sim.testing.trainers import check_trainer as check_trainer

_MODULES = {
    "JobRequest": "sim.testing.queues",
    "GrowthLaw": "sim.testing.laws",
    "check_invariants": "sim.testing.invariants",
    "check_law": "sim.testing.laws",
    "check_policy": "sim.testing.policies",
    "check_queue": "sim.testing.queues",
    "check_trainer": "sim.testing.trainers",
    "check_world": "sim.testing.invariants",
    "small_scenarios": "sim.testing.invariants",
    "worlds": "sim.testing.invariants",
}
"""Public names and their modules, loaded when a name is first used: importing the package loads nothing else."""

__all__ = [
    "GrowthLaw",
    "JobRequest",
    "check_invariants",
    "check_law",
    "check_policy",
    "check_queue",
    "check_trainer",
    "check_world",
    "small_scenarios",
    "worlds",
]


def __getattr__(name: str) -> Any:
    """Load the module of a public name. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
