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


RUNS_AHEAD: Final = 4
"""Training runs whose gain counts as deployment gap if each run takes up one gain and more software waits.

Faster training then raises deployed software run by run, so that its value grows with the time ahead. The number is our
choice: with 2 too few GPUs move to training for long horizons, and with 6 too many for short ones.
"""


class GpuMove(NamedTuple):
    """GPUs that move from one use to another."""

    source: str
    target: str
    gpus: int


def output_elasticities(
    measured: LabMeasurements, training_scaling: float, largest_gap: float = math.inf
) -> dict[str, float]:
    """Return the percentage by which 1% more GPUs of each use raise the papers per day, from the measurements.

    - Experiments: ``e = min(1, k w)``. ``w`` is the share of researchers' time in which experiments wait for GPUs, and
      k is :data:`WAITING_SENSITIVITY`. A researcher without waits would publish ``1/(1 - w)`` times as much.
    - Inference: ``1 - e``, because twice the researchers with twice the GPUs for experiments publish twice as much.
    - Training: ``s g ln 2 (1 - e)``. ``s`` is the exponent of the speed of a run in its GPUs. ``g`` is the deployment
      gap [doublings] while a run is under way. The gap is proportional to the length of the run, and each doubling of
      deployed software doubles the researchers. Without a run, training has no output. ``largest_gap`` bounds g if
      each run takes up one gain, because most of the gap then waits for later runs.
    """
    waits = min(1.0, WAITING_SENSITIVITY * measured.waiting_share)
    gap = min(largest_gap, measured.deployment_gap) if measured.is_training else 0.0
    return {
        "inference": 1.0 - waits,
        "experiment": waits,
        "training": training_scaling * gap * math.log(2) * (1.0 - waits),
    }


def choose_move(
    elasticities: Mapping[str, float], measured: LabMeasurements, step: int, hysteresis: float
) -> GpuMove | None:
    """Return the move of at most ``step`` GPUs to the use with the highest marginal output, if it raises the output.

    The marginal output of a use with elasticity e and G GPUs is e/G. The source is the use with the lowest marginal
    output that can give GPUs away. The move of n GPUs raises the logarithm of the output by ``e ln(1 + n/G)`` at the
    target, and lowers it by ``-e ln(1 - n/G)`` at the source. There is no move unless the gain exceeds the loss by the
    factor ``1 + hysteresis``.
    """
    held = {use: max(measured.gpu_unit, measured.gpus[use]) for use in elasticities}
    marginal_outputs = {use: elasticity / held[use] for use, elasticity in elasticities.items()}
    target = max(marginal_outputs, key=lambda use: marginal_outputs[use])
    for source in sorted(marginal_outputs.keys() - {target}, key=lambda use: (marginal_outputs[use], use)):
        spare = measured.gpus[source] - measured.fewest_gpus[source]
        gpus = min(step, spare // measured.gpu_unit * measured.gpu_unit)
        if gpus > 0:
            gain = _log_output_change(elasticities[target], gpus / held[target])
            loss = -_log_output_change(elasticities[source], -gpus / held[source])
            return GpuMove(source, target, gpus) if gain > (1 + hysteresis) * loss else None
    return None


def _log_output_change(elasticity: float, growth: float) -> float:
    """Return the change of the logarithm of the output if the GPUs of a use grow by this share of them."""
    if elasticity == 0:
        return 0.0
    return elasticity * math.log1p(growth) if growth > -1 else -math.inf


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
        elasticities = output_elasticities(measured, self.settings.training.scaling, self._largest_gap(measured))
        total = sum(measured.gpus.values())
        units = max(1, round(self._params.step_share * total / measured.gpu_unit))
        move = choose_move(elasticities, measured, units * measured.gpu_unit, self._params.hysteresis)
        if move is None:
            return
        gpus = dict(measured.gpus)
        gpus[move.source] -= move.gpus
        gpus[move.target] += move.gpus
        self._scenario_split = super().gpu_split()
        self._split = GpuSplit(*measured.split_for(gpus))

    def _largest_gap(self, measured: LabMeasurements) -> float:
        """Return what the next :data:`RUNS_AHEAD` training runs deploy if each takes up one gain [doublings]."""
        params = self.settings.training
        if params.takes_up == "all":
            return math.inf
        return RUNS_AHEAD * self.plan_generation(params.gain_doublings, measured.training_run_days).better

    def continues_on_more_gpus(self, gpus: int, largest: int) -> bool:
        """Return True: a training run uses the GPUs that training gains."""
        return True
