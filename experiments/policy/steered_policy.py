"""Carry out decisions that come from outside of a lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.lab_policy import GpuSplit, LabPolicy
from agents.ports.bundles import PolicyPorts
from agents.ports.measurements import LabMeasurements

USES = ("inference", "experiment", "training")
"""Uses of GPUs, in the order of the weights of a division."""


class SteeredPolicy(LabPolicy):
    """Hold the decisions that a controller has set; all others follow the parameters of the scenario."""

    def __init__(self, ports: PolicyPorts) -> None:
        super().__init__(ports)
        self.split: GpuSplit | None = None
        """Division of the GPUs; None for that of the scenario."""
        self.may_train = True
        """Whether a training run may begin. A run that is under way goes on."""

    def gpu_split(self) -> GpuSplit:
        """Return the division that was set, or that of the scenario."""
        return super().gpu_split() if self.split is None else self.split

    def begins_generation(self, discovered: float, consumed: float) -> bool:
        """Return whether a generation is due by the scenario and training runs may begin."""
        return self.may_train and super().begins_generation(discovered, consumed)

    def continues_on_more_gpus(self, gpus: int, largest: int) -> bool:
        """Return True: a training run uses the GPUs that training gains."""
        return True


def divide_gpus(weights: Sequence[float], measured: LabMeasurements) -> GpuSplit:
    """Return the possible division that is closest to the weights of :data:`USES`.

    Each use gets GPUs in proportion to its weight, in whole nodes and at least its fewest. A use below its fewest gets
    exactly them, and the others share the rest. Weights of 0 for all uses keep the present division.
    """
    total = sum(measured.gpus.values())
    if sum(weights) <= 0:
        return GpuSplit(*measured.split_for(measured.gpus))
    shares = dict(zip(USES, weights, strict=True))
    fixed: dict[str, int] = {}
    while True:
        rest = total - sum(fixed.values())
        weight = sum(share for use, share in shares.items() if use not in fixed)
        wanted = {
            use: rest * share / weight if weight > 0 else 0.0 for use, share in shares.items() if use not in fixed
        }
        below = [use for use, gpus in wanted.items() if gpus < measured.fewest_gpus[use]]
        if not below:
            break
        fixed |= {use: measured.fewest_gpus[use] for use in below}
    return GpuSplit(*measured.split_for(fixed | _round_to_units(wanted, rest, measured.gpu_unit)))


def _round_to_units(wanted: Mapping[str, float], total: int, unit: int) -> dict[str, int]:
    """Round GPUs down to whole units, and give the units that are left to the largest remainders."""
    gpus = {use: int(each / unit + 1e-9) * unit for use, each in wanted.items()}
    left = (total - sum(gpus.values())) // unit
    for use in sorted(gpus, key=lambda use: gpus[use] - wanted[use])[:left]:
        gpus[use] += unit
    return gpus
