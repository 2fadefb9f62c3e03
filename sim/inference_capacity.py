"""Compute the number of researchers that the inference GPUs can run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hardware.datacenter import Datacenter
from sim.software import LEVEL_TOLERANCE


class InferenceCapacity:
    """Start inference, and compute how many researchers its GPUs can run: ``N0 2^deployed hardware``.

    N0 is the number of AI researchers of day 0, which may have a fraction. ``deployed`` is the doublings of deployed
    software. ``hardware`` is the work per day of the inference GPUs that run, relative to day 0: the sum of their
    speeds, times the work rate of the kernels.

    Arguments
    ---------
    datacenter
        Cluster of the lab.
    researchers_at_start
        Number of researchers on day 0.
    on_change
        Function that is called when an inference job has started or stopped.
    """

    def __init__(self, datacenter: Datacenter, researchers_at_start: float, on_change: Callable[[], None]) -> None:
        self._datacenter = datacenter
        self._researchers_at_start = researchers_at_start
        self._on_change = on_change
        datacenter.start_inference(self)
        self.gpus_at_start = datacenter.inference_gpus_wanted
        """Number of inference GPUs on day 0."""

    def researchers(self, deployed: float, work_rate: float) -> int:
        """Return the number of researchers that the inference GPUs can run now.

        ``deployed``: deployed software [doublings]. ``work_rate``: work of the cluster per day, relative to day 0.
        """
        hardware = self._datacenter.inference_work / self.gpus_at_start * work_rate
        return int(self._researchers_at_start * 2.0**deployed * hardware * (1 + LEVEL_TOLERANCE))

    def gpus_for_one_researcher(self, deployed: float, work_rate: float) -> int:
        """Return the smallest number of inference GPUs that runs one researcher now. Arguments as above."""
        researchers_per_gpu = self._researchers_at_start * 2.0**deployed * work_rate / self.gpus_at_start
        gpus: float = 1 / (researchers_per_gpu * (1 + LEVEL_TOLERANCE))
        return max(1, math.ceil(gpus))

    def job_started(self, job: Any) -> None:
        """Handle that an inference job has started."""
        self._on_change()

    def job_stopped(self, job: Any) -> None:
        """Handle that an inference job has lost its GPUs to another use."""
        self._on_change()
