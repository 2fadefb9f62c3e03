"""Define what a kernel engineer needs: measured speed-ups, and the way of faster kernels to the cluster."""

from typing import Protocol


class SpeedupCurve(Protocol):
    """Measured speed-up of attention over the number of candidates."""

    @property
    def largest(self) -> float:
        """Speed-up after all candidates that were tried."""

    def speedup_after(self, candidates: float) -> float:
        """Return the speed-up after this number of candidates, at least 1."""

    def candidates_to_reach(self, speedup: float) -> float:
        """Return how many candidates a speed-up takes; inf above the largest."""


class KernelDeployment(Protocol):
    """The way of faster kernels to the cluster."""

    def deploy_kernels(self, candidates: float, speedup: float) -> None:
        """Deploy a faster attention kernel at the end of the instant; it was found after this number of candidates."""
