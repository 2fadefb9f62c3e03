"""A GPU cluster on a SimPy clock: jobs, queue disciplines, placement, failures, preemption."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hardware.cluster.cluster import GpuCluster as GpuCluster
    from hardware.cluster.jobs import Job as Job
    from hardware.cluster.jobs import JobRecord as JobRecord
    from hardware.cluster.params import ClusterParams as ClusterParams

_MODULES = {
    "ClusterParams": "hardware.cluster.params",
    "GpuCluster": "hardware.cluster.cluster",
    "Job": "hardware.cluster.jobs",
    "JobRecord": "hardware.cluster.jobs",
}
"""Public names and their modules, loaded when a name is first used: importing the package loads nothing else."""

__all__ = ["ClusterParams", "GpuCluster", "Job", "JobRecord"]


def __getattr__(name: str) -> Any:
    """Load the module of a public name. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
