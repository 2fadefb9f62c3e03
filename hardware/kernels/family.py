"""Define the interface of a kernel family: one implementation of attention, with or without tunable parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.candidate import Candidate, ParameterSpace
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem


class Kernel(Protocol):
    """A callable candidate, on torch tensors of shape (batch, heads, length, head size) with any strides."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: bool = False) -> tuple[Tensor, Any]:
        """Return the output, and with ``keep`` the state that the backward pass needs (else None)."""

    def backward(self, kept: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return dq, dk, dv; ``kept`` may be used once."""


class Family(Protocol):
    """A family of candidates. Each has a file in ``families/`` and a line in ``registry.py``."""

    name: str
    summary: str
    """Description in one line."""
    backend: Literal["torch", "native"]
    """Backend of the worker process that calls it: with torch, or with ctypes only."""
    lines: int
    """Lines of code to maintain, as a measure of complexity."""

    def unavailable_reason(self, machine: Machine, problem: Problem) -> str | None:
        """Return the reason why the family cannot solve this problem on this machine; None if it can."""

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return the tunable parameters; a space without choices has one candidate."""

    def library(self, candidate: Candidate, problem: Problem) -> str:
        """Return the path of the compiled object of a native family, else the empty string. Raises BuildError."""

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the candidate as a callable kernel in this process. Raises BuildError."""
