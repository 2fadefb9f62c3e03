"""The formula, given to torch's own compiler: what one line more than eager buys."""

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
    """The formula compiled, anew for every shape; the backward pass is compiled too.

    The first call of a shape takes seconds and raises BuildError where the compiler fails.
    """

    def __init__(self, causal: bool) -> None:
        # Read when torch's compiler first looks for its folder; somebody's own choice stands.
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
        limit = {"recompile_limit": len(self._compiled) + 64}  # torch gives up after 8 shapes
        try:
            with self._dynamo.config.patch(limit):
                result = super().forward(q, k, v, keep)
        except (self._dynamo.exc.TorchDynamoException, RuntimeError, OSError) as error:
            raise BuildError(f"torch.compile: {' '.join(str(error).split())}"[:500]) from error
        self._compiled.add(key)
        return result


class Compile(TorchFamily):
    """The formula, compiled by torch."""

    name = "compile"
    summary = "torch.compile of the formula"

    def missing(self, machine: Machine, problem: Problem) -> str | None:
        """Return what this machine lacks, in words; None if all is there."""
        if not machine.compiler:
            return "there is no C++ compiler: install g++, or name one in CXX"
        return super().missing(machine, problem)

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the kernel. What the compiler refuses shows when it is first called: BuildError."""
        return InductorKernel(problem.causal)


FAMILY = Compile()
