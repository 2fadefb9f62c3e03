"""Measure a lab between two reviews of its policy."""

from __future__ import annotations

import math

from agents.phases import Phase, PhaseOccupancy
from agents.ports.measurements import LabMeasurements
from agents.trainer import Trainer
from agents.workforce import Workforce
from hardware.datacenter import SHARED, Datacenter, gpus_by_use, pool_sizes
from hardware.uses import Use
from sim.background import BackgroundLoad
from sim.compute_account import ComputeAccount
from sim.inference_capacity import InferenceCapacity
from sim.knowledge import LabKnowledge
from sim.lab_settings import LabSettings

_PRESENT_PHASES = tuple(phase for phase in Phase if phase is not Phase.PAUSED)


class LabMeter:
    """Measure what a lab can observe about itself: GPUs, queues, researchers, papers and training.

    Arguments
    ---------
    settings, compute, workforce, knowledge, training, hosting
        Parts of the lab that are measured; they are not changed.
    background
        Jobs of other users among the experiments; None if there are none.
    """

    def __init__(
        self,
        settings: LabSettings,
        compute: ComputeAccount,
        workforce: Workforce,
        knowledge: LabKnowledge,
        training: Trainer,
        hosting: InferenceCapacity,
        background: BackgroundLoad | None = None,
    ) -> None:
        self._settings = settings
        self._compute = compute
        self._workforce = workforce
        self._knowledge = knowledge
        self._training = training
        self._hosting = hosting
        self._background = background
        self._since = 0.0
        self._before = self._totals(0.0)

    def measure(self, now: float) -> LabMeasurements:
        """Return the measurements since the last call, or since day 0, and start a new period."""
        totals = self._totals(now)
        days = now - self._since
        means = {name: (total - self._before[name]) / days if days > 0 else 0.0 for name, total in totals.items()}
        self._since, self._before = now, totals
        datacenter = self._compute.datacenter
        gpus, on_day_0 = datacenter.gpus_by_use(), gpus_by_use(datacenter.params)
        return LabMeasurements(
            day=now,
            days=days,
            gpus=gpus,
            fewest_gpus=self._fewest_gpus(gpus),
            gpu_unit=_gpu_unit(datacenter),
            gpus_held={use: means[use] for use in Use},
            jobs_waiting={use: datacenter.jobs_waiting(use) for use in Use},
            active_researchers=self._workforce.active_researchers,
            mean_researchers=means["researchers"],
            mean_waiting=means["waiting"],
            papers_per_day=means["papers"],
            deployment_gap=self._training.deployment_gap_doublings,
            training_run_days=self._training.run_days,
            is_training=self._training.run is not None,
            gpus_added={use: gpus[use] - on_day_0[use] for use in Use},
        )

    def _totals(self, now: float) -> dict[str, float]:
        census: PhaseOccupancy = self._workforce.census
        totals = {str(use): self._compute.datacenter.gpu_time(use) for use in Use}
        totals["researchers"] = sum(census.days(phase, now) for phase in _PRESENT_PHASES)
        totals["waiting"] = census.days(Phase.QUEUE, now)
        totals["papers"] = self._knowledge.papers
        return totals

    def _fewest_gpus(self, gpus: dict[str, int]) -> dict[str, int]:
        """Return the smallest pools in which each job of the scenario can start, at most the present pools.

        Inference keeps the GPUs of one researcher. A use keeps the nodes that were added for it, and as many GPUs of
        day 0 as were retired.
        A cluster with an incomplete node needs a node more, because the rounding of the shares can cost a use a part
        of a node. Experiments also keep the mean need of other users.
        """
        settings = self._settings
        unit = _gpu_unit(self._compute.datacenter)
        training = max(1, settings.training.gpus) if settings.training.required else 0
        experiments = settings.researcher.experiment_gpus
        if self._background is not None:
            others = math.ceil(self._background.mean_gpus)
            experiments = max(experiments + others, int(self._background.gpus.max(initial=0)))
        datacenter = self._compute.datacenter
        one = self._hosting.gpus_for_one_researcher(self._knowledge.software.deployed, self._compute.work_rate)
        fewest: dict[str, int] = {Use.INFERENCE: one, Use.EXPERIMENT: experiments, Use.TRAINING: training}
        if SHARED in pool_sizes(datacenter.params):  # experiments run on all GPUs but those of inference
            fewest[Use.TRAINING] = max(fewest[Use.TRAINING], experiments - gpus[Use.EXPERIMENT])
        for use in Use:
            fewest[use] = max(fewest[use], gpus[use] - datacenter.divisible_gpus(use))
        incomplete = unit if datacenter.params.gpus % unit else 0
        return {use: min(gpus[use], math.ceil(fewest[use] / unit) * unit + incomplete) for use in Use}


def _gpu_unit(datacenter: Datacenter) -> int:
    params = datacenter.params
    return params.gpus_per_node if params.placement == "consolidated" else 1
