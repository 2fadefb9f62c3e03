"""What a family of candidates is: one way to write attention, with or without parameters to tune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.candidate import Candidate, ParameterSpace
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem


class Kernel(Protocol):
    """A candidate that is ready to be called, on torch tensors of (batch, heads, length, head size), any strides."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: bool = False) -> tuple[Tensor, Any]:
        """Return the output, and with ``keep`` whatever the backward pass needs of this call (else None)."""

    def backward(self, kept: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return dq, dk, dv; ``kept`` may be used once."""


class Family(Protocol):
    """A kind of candidate. One file in ``families/`` each, and a line in ``registry.py``."""

    name: str
    summary: str
    """One line for people."""
    host: Literal["torch", "native"]
    """What calls it in a process of its own: a worker with torch, or one with ctypes alone."""
    lines: int
    """Lines of code that somebody would have to maintain, as a measure of complexity."""

    def missing(self, machine: Machine, problem: Problem) -> str | None:
        """Return why this machine or problem is not for this family, in words; None if all is there."""

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return the parameters that can be tuned; without choices there is one candidate."""

    def library(self, candidate: Candidate, problem: Problem) -> str:
        """Return the path of the compiled object of a native family, else the empty string. Raises BuildError."""

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the candidate, ready to be called in this process. Raises BuildError."""
