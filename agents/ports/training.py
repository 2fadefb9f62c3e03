"""Define how a trainer reads, decides on and deploys software."""

from typing import NamedTuple, Protocol


class GenerationPlan(NamedTuple):
    """Doublings that a generation takes up, and their division."""

    taken: float
    better: float
    """Doublings by which deployed software gets better."""
    shorter: float
    """Doublings by which the next run is shorter."""


class Deployment(Protocol):
    """Discovered software, and its way to the researchers."""

    @property
    def discovered(self) -> float:
        """Discovered software, at most `run__max_doublings` [doublings]."""

    def record_request(self, generation: int, gpus: int, days: float) -> None:
        """Record that the training run of a generation was submitted. ``days``: length with the kernels of day 0."""

    def deploy(self, generation: int, doublings: float) -> None:
        """Deploy a new generation at the end of the instant; it is better than the last by ``doublings``.

        The settlement raises ValueError if ``doublings`` is negative or exceeds what is discovered and not deployed.
        """


class TrainingPolicy(Protocol):
    """Decisions of a lab on its training runs. ``consumed``: doublings that earlier generations have taken up."""

    def next_generation_at(self, consumed: float) -> float:
        """Return the discovered software at which the next generation can begin [doublings]."""

    def begins_generation(self, discovered: float, consumed: float) -> bool:
        """Return whether the next generation begins now; no training run is under way."""

    def plan_generation(self, waiting: float, days: float) -> GenerationPlan:
        """Return what a generation takes up of the ``waiting`` doublings, and its division.

        ``days``: length of its run on the lab's GPUs without failures.
        """

    def gpus_of_run(self, one_gpu_days: float) -> int:
        """Return the GPUs of a training run of this length on one GPU with the kernels of day 0 [days]."""

    def continues_on_more_gpus(self, gpus: int, largest: int) -> bool:
        """Return whether a training run on ``gpus`` moves to a pool that now allows ``largest`` GPUs."""
