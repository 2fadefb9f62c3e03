"""Compile the formula of attention with torch.compile, one line more than eager attention."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import BuildError, cache_folder
from hardware.kernels.families import eager
from hardware.kernels.families.torch_base import AutogradKernel, TorchFamily

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.family import Kernel
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem


class InductorKernel(AutogradKernel):
    """The formula, compiled for each shape with its backward pass.

    The first call of a shape takes seconds and raises BuildError if the compiler fails.
    """

    def __init__(self, causal: bool) -> None:
        # The compiler of torch reads this variable on first use; a value of the user is kept.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "inductor"))
        import torch  # noqa: PLC0415
        import torch._dynamo  # noqa: PLC0415

        function = partial(eager.attention, causal=causal)
        super().__init__(torch.compile(function, fullgraph=True, dynamic=False))
        self._dynamo = torch._dynamo
        self._compiled: set[object] = set()

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: bool = False) -> tuple[Tensor, Any]:
        """Return the output, and with ``keep`` the graph. Raises BuildError."""
        key = (keep, *((each.shape, each.stride()) for each in (q, k, v)))
        if key in self._compiled:
            return super().forward(q, k, v, keep)
        limit = {"recompile_limit": len(self._compiled) + 64}  # the default limit is 8 shapes
        try:
            with self._dynamo.config.patch(limit):
                result = super().forward(q, k, v, keep)
        except (self._dynamo.exc.TorchDynamoException, RuntimeError, OSError) as error:
            raise BuildError(f"torch.compile: {' '.join(str(error).split())}"[:500]) from error
        self._compiled.add(key)
        return result


class CompileFamily(TorchFamily):
    """The formula of attention, compiled by torch."""

    name = "compile"
    summary = "torch.compile of the formula"

    def unavailable_reason(self, machine: Machine, problem: Problem) -> str | None:
        """Return the reason why the family is not available on this machine; None if it is."""
        if not machine.compiler:
            return "there is no C++ compiler: install g++, or name one in CXX"
        return super().unavailable_reason(machine, problem)

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the kernel. A failure of the compiler raises BuildError at the first call of the kernel."""
        return InductorKernel(problem.causal)


FAMILY = CompileFamily()
