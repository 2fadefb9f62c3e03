"""Define what a lab measures for the review of its policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class LabMeasurements(NamedTuple):
    """Measurements of a lab over one period.

    The keys of mappings are the uses of GPUs: *inference*, *experiment* and *training*.
    """

    day: float
    """End of the period [days since the start of the run]."""
    days: float
    """Length of the period [days]."""
    gpus: Mapping[str, int]
    """GPUs that each use can have at the end of the period."""
    fewest_gpus: Mapping[str, int]
    """GPUs that each use keeps at least: each of its jobs can start, and nodes that were added for it stay with it."""
    gpu_unit: int
    """Number of GPUs that a use gets or loses at once: a node if placement is consolidated, otherwise one."""
    gpus_held: Mapping[str, float]
    """Mean number of GPUs that the jobs of each use held."""
    jobs_waiting: Mapping[str, int]
    """Jobs of each use that wait for GPUs at the end of the period."""
    active_researchers: int
    """Active researchers at the end of the period."""
    mean_researchers: float
    """Mean number of researchers that were not paused."""
    mean_waiting: float
    """Mean number of researchers whose experiment waited for GPUs."""
    papers_per_day: float
    """Papers published per day."""
    deployment_gap: float
    """Software that is discovered but not deployed because of training, at the end of the period [doublings]."""
    training_run_days: float
    """Length of the present training run, or of the next one, without failures; 0 if none is needed [days]."""
    is_training: bool
    """Whether a training run is under way at the end of the period."""
    gpus_added: Mapping[str, int] = {}
    """GPUs that were added for each use since day 0, less those retired; empty if there are none."""

    def split_for(self, gpus: Mapping[str, int]) -> tuple[float, float]:
        """Return the shares for inference and training of the GPUs of day 0 that give each use this number of GPUs.

        ``gpus`` adds up to the GPUs of the lab, and is at least `fewest_gpus` for each use.
        """
        of_day_0 = {use: number - self.gpus_added.get(use, 0) for use, number in gpus.items()}
        total = sum(of_day_0.values())
        return of_day_0["inference"] / total, of_day_0["training"] / total

    @property
    def waiting_share(self) -> float:
        """Share of the researchers' time in which their experiment waited for GPUs."""
        return self.mean_waiting / self.mean_researchers if self.mean_researchers > 0 else 0.0
