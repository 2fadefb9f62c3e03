"""Decide for a lab: the division of its GPUs, when a generation of software begins, and how it is trained."""

from __future__ import annotations

from typing import NamedTuple

from agents.generations import LEVEL_TOLERANCE, plan_generation
from agents.ports.bundles import PolicyPorts
from agents.ports.measurements import LabMeasurements
from agents.ports.training import GenerationPlan


class GpuSplit(NamedTuple):
    """Shares of the GPUs of day 0; the rest is for experiments. Nodes that were added later stay with their use."""

    inference: float
    training: float


class LabPolicy:
    """Decide by the parameters of the scenario.

    A subclass for ``LabFactory(policy=...)`` changes single decisions. ``self.settings`` holds the present parameters,
    and ``self.cluster`` reports the state of the cluster.
    """

    def __init__(self, ports: PolicyPorts) -> None:
        self.cluster, self.settings = ports

    @property
    def review_days(self) -> float:
        """Time to the next review [days]; 0 for a policy without reviews."""
        return 0.0

    @property
    def publication_delay_days(self) -> float:
        """Time from a discovery to its publication [days]: 0 publishes at once, ``math.inf`` publishes nothing more.

        The lab reads it on day 0, and after each review and each deployment. It changes only the software that others
        can know, :attr:`sim.lab.Lab.published_software`, and the day on which papers reach other labs.
        """
        return self.settings.policy.publication_delay_days

    @property
    def safety_share(self) -> float:
        """Share of research that goes to safety and does not improve software, from 0 up to 1, 1 excluded.

        The lab reads it on day 0, and after each review and each deployment. It counts for papers from then on.
        """
        return self.settings.policy.safety_share

    def review(self, measured: LabMeasurements) -> None:
        """Change decisions by the measurements since the last review. The lab then carries out the present ones."""

    def continues_on_more_gpus(self, gpus: int, largest: int) -> bool:
        """Return whether a training run on ``gpus`` moves to a pool that now allows ``largest`` GPUs, a larger number.

        The run stops at a checkpoint and continues on the GPUs of :meth:`gpus_of_run`.
        """
        return False

    def gpu_split(self) -> GpuSplit:
        """Return the division of the GPUs; the lab reads it after each review and each deployment.

        On day 0 the scenario divides the GPUs.
        """
        return GpuSplit(self.settings.cluster.inference_share, self.settings.cluster.training_share)

    def next_generation_at(self, consumed: float) -> float:
        """Return the discovered software at which the next generation can begin [doublings].

        ``consumed``: doublings that earlier generations have taken up.
        """
        return consumed + self.settings.training.gain_doublings

    def begins_generation(self, discovered: float, consumed: float) -> bool:
        """Return whether the next generation begins now.

        The lab asks after each publication and at the end of each training run, while no run is under way.
        """
        return discovered >= self.next_generation_at(consumed) - LEVEL_TOLERANCE

    def plan_generation(self, waiting: float, days: float) -> GenerationPlan:
        """Return what a generation takes up of the ``waiting`` doublings, and its division.

        ``days``: length of its run on the lab's GPUs without failures.
        """
        params = self.settings.training
        plan = plan_generation(
            waiting,
            params.gain_doublings,
            params.takes_up == "all",
            days,
            params.speedup_exponent,
            params.shortest_run_days,
        )
        return GenerationPlan(float(plan.taken), float(plan.better), float(plan.shorter))

    def gpus_of_run(self, one_gpu_days: float) -> int:
        """Return the GPUs of a training run of this length on one GPU with the kernels of day 0 [days]."""
        return self.cluster.fastest_training_gpus(one_gpu_days)
