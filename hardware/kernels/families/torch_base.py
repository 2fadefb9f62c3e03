"""Define the base class of torch families. Torch is imported with the first kernel, because that takes seconds."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hardware.kernels.candidate import Candidate, ParameterSpace

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.family import Kernel
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem

    Function = Callable[[Tensor, Tensor, Tensor], Tensor]
    """Attention of q, k and v that torch can differentiate."""


class TorchFamily:
    """A family whose kernels take torch tensors. A subclass defines its name and :meth:`kernel`."""

    name: str
    summary: str
    backend: Literal["torch", "native"] = "torch"
    files: tuple[str, ...] = ()
    """Other files of the family in this folder, besides the module of the class."""

    @property
    def device(self) -> str:
        """Torch device of the tensors of its kernels."""
        return "cpu"

    @property
    def lines(self) -> int:
        """Lines of Python without comments, docstrings and blank lines."""
        own = Path(str(sys.modules[type(self).__module__].__file__))
        return sum(count_lines(path.read_text("utf-8")) for path in (own, *map(own.with_name, self.files)))

    def unavailable_reason(self, machine: Machine, problem: Problem) -> str | None:
        """Return the reason why the family is not available on this machine; None if it is."""
        return None if "torch" in machine.versions else "torch is not installed: install asara[kernels]"

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return a space without choices: there is one candidate."""
        return ParameterSpace({}, {})

    def library(self, candidate: Candidate, problem: Problem) -> str:
        """Return the empty string: there is no compiled object."""
        return ""

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the candidate as a callable kernel in this process. Raises BuildError."""
        raise NotImplementedError


class AutogradKernel:
    """A kernel whose backward pass is torch's autograd, through the graph of the forward pass."""

    def __init__(self, function: Function) -> None:
        import torch  # noqa: PLC0415

        self._function = function
        self._enable_grad, self._no_grad, self._gradient = torch.enable_grad, torch.no_grad, torch.autograd.grad

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: bool = False) -> tuple[Tensor, Any]:
        """Return the output, and with ``keep`` the graph."""
        if not keep:
            with self._no_grad():
                return self._function(q, k, v), None
        with self._enable_grad():
            inputs = [each.detach().requires_grad_() for each in (q, k, v)]
            out = self._function(*inputs)
        return out.detach(), (inputs, out)

    def backward(self, kept: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return dq, dk, dv."""
        inputs, out = kept
        dq, dk, dv = self._gradient(out, inputs, dout)
        return dq, dk, dv


def count_lines(source: str) -> int:
    """Return the number of lines of Python source without comments, docstrings and blank lines."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
    return sum(1 for line in ast.unparse(tree).splitlines() if line)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
