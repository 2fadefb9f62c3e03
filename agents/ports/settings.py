"""Define where agents read their parameters, which a branch may replace."""

from typing import Protocol

from agents.params import HumansParams, KernelParams, LiteratureParams, PolicyParams, ResearcherParams, TrainingParams


class SimulationLimits(Protocol):
    """Limits between which a team is simulated as individuals or as counts."""

    @property
    def max_individuals(self) -> int:
        """Largest team that is simulated as individual agents."""

    @property
    def leap_tolerance(self) -> float:
        """Largest share of the researchers in one phase that may leave it together; 0: one by one."""


class ClusterShares(Protocol):
    """Division of the GPUs by the scenario, with the rest for experiments; and their failures."""

    @property
    def inference_share(self) -> float:
        """Share of the GPUs for inference."""

    @property
    def training_share(self) -> float:
        """Share of the GPUs for training."""

    @property
    def gpu_hours_between_failures(self) -> float:
        """Mean time between two failures of a GPU [GPU-hours]; 0: none."""


class Settings(Protocol):
    """Present parameters of a lab. Read them when they are used, because a branch may replace them."""

    @property
    def researcher(self) -> ResearcherParams:
        """Parameters of researchers."""

    @property
    def humans(self) -> HumansParams:
        """Parameters of human researchers."""

    @property
    def literature(self) -> LiteratureParams:
        """Parameters of references and duplicates."""

    @property
    def training(self) -> TrainingParams:
        """Parameters of training runs."""

    @property
    def kernels(self) -> KernelParams:
        """Parameters of the kernels of attention."""

    @property
    def policy(self) -> PolicyParams:
        """Parameters of the lab's policy."""

    @property
    def cluster(self) -> ClusterShares:
        """Division of the GPUs."""

    @property
    def run(self) -> SimulationLimits:
        """Limits of the simulation."""
