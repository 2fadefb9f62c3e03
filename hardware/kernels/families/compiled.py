"""Define the base class of compiled families: C++ source, flags, required instructions, and the call."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hardware.kernels import abi, compiler
from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.compiler import NATIVE_DIR
from hardware.kernels.problem import Dtype, Problem, Shape

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.machine import Machine


class CompiledFamily:
    """A family written as one C++ template, compiled once with all its variants.

    A subclass defines its name, its ``source`` in ``native/``, its compiler ``flags``, the instruction sets that it
    ``needs``, the supported ``dtypes`` and its :meth:`space`. The values of the space must be integers. The library
    gets them in the order of the space.
    """

    name: str
    summary: str
    backend: Literal["torch", "native"] = "native"
    source: str
    headers: tuple[str, ...] = ()
    """Headers of this package that the source uses, for counting lines."""
    flags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    dtypes: tuple[Dtype, ...] = ("fp32",)

    @property
    def lines(self) -> int:
        """Lines of C++ that are neither blank nor comment."""
        paths = [NATIVE_DIR / name for name in (self.source, *self.headers)]
        return sum(count_lines(path.read_text(encoding="utf-8")) for path in paths)

    def unavailable_reason(self, machine: Machine, problem: Problem) -> str | None:
        """Return the reason why the family cannot solve this problem on this machine; None if it can."""
        absent = [name for name in self.needs if name not in machine.instructions]
        if absent:
            return f"the processor has no {', '.join(absent)}"
        if problem.dtype not in self.dtypes:
            return f"it supports {', '.join(self.dtypes)}, not {problem.dtype}"
        if not machine.compiler:
            return "there is no C++ compiler: install g++, or name one in CXX"
        return None

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return the tunable parameters."""
        raise NotImplementedError

    def library(self, candidate: Candidate, problem: Problem) -> str:
        """Return the path of the shared object, compiled at the first call. Raises BuildError."""
        return str(compiler.build(NATIVE_DIR / self.source, self.flags))

    def kernel(self, candidate: Candidate, problem: Problem) -> CompiledKernel:
        """Return the candidate as a callable kernel in this process. Raises BuildError."""
        return CompiledKernel(Path(self.library(candidate, problem)), parameters_of(candidate), problem)


def parameters_of(candidate: Candidate) -> list[int]:
    """Return the parameters in the order of the library."""
    return [int(value) for _, value in candidate.parameters]


def count_lines(text: str) -> int:
    """Return the lines of C++ that are neither blank nor comment."""
    return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("//"))


class KernelRefusedError(RuntimeError):
    """A compiled kernel returned an error code for a call."""


class CompiledKernel:
    """A compiled candidate on torch tensors; see :class:`hardware.kernels.family.Kernel`."""

    def __init__(self, library: Path, parameters: Sequence[int], problem: Problem) -> None:
        self._function = abi.load(library)
        self._parameters = list(parameters)
        self._problem = problem

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: bool = False) -> tuple[Tensor, Any]:
        """Return the output, and with ``keep`` the state that :meth:`backward` needs."""
        q, k, v = (_rows_contiguous(each) for each in (q, k, v))
        out = q.new_empty(q.shape)
        lse = q.new_empty(q.shape[:3]).float()
        call = self._call(q, k, v, out, lse)
        self._run(call)
        return out, (q, k, v, out, lse) if keep else None

    def backward(self, kept: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return dq, dk, dv."""
        q, k, v, out, lse = kept
        dout = _rows_contiguous(dout)
        call = self._call(q, k, v, out, lse)
        grads = tuple(each.new_empty(each.shape) for each in (q, k, v))
        call.backward = 1
        call.dout, call.dout_strides = dout.data_ptr(), _strides(dout)
        call.dq, call.dk, call.dv = (each.data_ptr() for each in grads)
        self._run(call)
        return grads[0], grads[1], grads[2]

    def _call(self, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor) -> abi.Attention:
        batch, heads, queries, head_size = q.shape
        call = abi.make_call(Shape(batch, heads, queries, k.shape[2], head_size), self._problem, self._parameters)
        call.q_strides, call.k_strides, call.v_strides = (_strides(each) for each in (q, k, v))
        call.q, call.k, call.v = (each.data_ptr() for each in (q, k, v))
        call.out, call.lse = out.data_ptr(), lse.data_ptr()
        return call

    def _run(self, call: abi.Attention) -> None:
        if code := self._function(ctypes.byref(call)):
            raise KernelRefusedError(f"the kernel returned {code}")


def _rows_contiguous(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def _strides(tensor: Tensor) -> Any:
    return abi.Strides(*tensor.stride()[:3])
