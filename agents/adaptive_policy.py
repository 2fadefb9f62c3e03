"""Move GPUs to the use with the higher marginal output, by what a lab measures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from agents.lab_policy import GpuSplit, LabPolicy
from agents.params import AdaptivePolicyParams
from agents.ports.bundles import PolicyPorts
from agents.ports.measurements import LabMeasurements

WAITING_SENSITIVITY: Final = 10.0
"""Percentage by which 1% more GPUs for experiments shorten waiting, before the queue saturates.

In an M/M/c queue the mean wait contains the factor ``1/(1 - utilisation)``, whose elasticity in the number of servers
is ``utilisation/(1 - utilisation)``, about 10 at 90%. The probability of waiting falls too, so that 10 is cautious.
"""


class GpuMove(NamedTuple):
    """GPUs that move from one use to another."""

    source: str
    target: str
    gpus: int


def output_elasticities(measured: LabMeasurements, training_scaling: float) -> dict[str, float]:
    """Return the percentage by which 1% more GPUs of each use raise the papers per day, from the measurements.

    - Experiments: ``e = min(1, k w)``. ``w`` is the share of researchers' time in which experiments wait for GPUs, and
      k is :data:`WAITING_SENSITIVITY`. A researcher without waits would publish ``1/(1 - w)`` times as much.
    - Inference: ``1 - e``, because twice the researchers with twice the GPUs for experiments publish twice as much.
    - Training: ``s g ln 2 (1 - e)``. ``s`` is the exponent of the speed of a run in its GPUs. ``g`` is the deployment
      gap [doublings] while a run is under way. The gap is proportional to the length of the run, and each doubling of
      deployed software doubles the researchers. Without a run, training has no output.
    """
    waits = min(1.0, WAITING_SENSITIVITY * measured.waiting_share)
    gap = measured.deployment_gap if measured.is_training else 0.0
    return {
        "inference": 1.0 - waits,
        "experiment": waits,
        "training": training_scaling * gap * math.log(2) * (1.0 - waits),
    }


def choose_move(
    marginal_outputs: Mapping[str, float], measured: LabMeasurements, step: int, hysteresis: float
) -> GpuMove | None:
    """Return the move of at most ``step`` GPUs from the use with the lowest marginal output that can give GPUs away.

    The target is the use with the highest marginal output. There is no move unless its marginal output exceeds that of
    the source by the factor ``1 + hysteresis``.
    """
    target = max(marginal_outputs, key=lambda use: marginal_outputs[use])
    for source in sorted(marginal_outputs, key=lambda use: marginal_outputs[use]):
        spare = measured.gpus[source] - measured.fewest_gpus[source]
        gpus = min(step, spare // measured.gpu_unit * measured.gpu_unit)
        if marginal_outputs[target] <= (1 + hysteresis) * marginal_outputs[source]:
            return None
        if source != target and gpus > 0:
            return GpuMove(source, target, gpus)
    return None


class AdaptivePolicy(LabPolicy):
    """Divide the GPUs by measured marginal outputs; decide on training runs by the parameters of the scenario.

    Every `policy__review_days` the lab compares the marginal output of a GPU in each use: its elasticity by
    :func:`output_elasticities`, divided by the GPUs of the use. It moves `policy__step_share` of the GPUs by
    :func:`choose_move`. If the scenario names another policy, the defaults of these parameters hold. On day 0, and
    after a change of the shares by a branch, the scenario divides the GPUs.
    """

    def __init__(self, ports: PolicyPorts) -> None:
        super().__init__(ports)
        self._scenario_split = super().gpu_split()
        self._split = self._scenario_split

    @property
    def review_days(self) -> float:
        """Time to the next review [days]."""
        return self._params.review_days

    @property
    def _params(self) -> AdaptivePolicyParams:
        stated = self.settings.policy
        return stated if isinstance(stated, AdaptivePolicyParams) else AdaptivePolicyParams()

    def gpu_split(self) -> GpuSplit:
        """Return the division of the latest review; that of the scenario before a review and after its change."""
        scenario_split = super().gpu_split()
        return self._split if scenario_split == self._scenario_split else scenario_split

    def review(self, measured: LabMeasurements) -> None:
        """Move GPUs from the use with the lowest marginal output to the use with the highest."""
        elasticities = output_elasticities(measured, self.settings.training.scaling)
        marginal_outputs = {
            use: elasticity / max(measured.gpu_unit, measured.gpus[use]) for use, elasticity in elasticities.items()
        }
        total = sum(measured.gpus.values())
        units = max(1, round(self._params.step_share * total / measured.gpu_unit))
        move = choose_move(marginal_outputs, measured, units * measured.gpu_unit, self._params.hysteresis)
        if move is None:
            return
        gpus = dict(measured.gpus)
        gpus[move.source] -= move.gpus
        gpus[move.target] += move.gpus
        self._scenario_split = super().gpu_split()
        self._split = GpuSplit(*measured.split_for(gpus))

    def continues_on_more_gpus(self, gpus: int, largest: int) -> bool:
        """Return True: a training run uses the GPUs that training gains."""
        return True
