"""Compute tiled attention on a GPU in Triton, forward and backward, with tunable tiles, warps and stages.

With ``TRITON_INTERPRET=1`` the kernels run in Triton's interpreter, on any machine, slowly.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from hardware.kernels.candidate import Candidate, ParameterSpace, Value
from hardware.kernels.compiler import BuildError, cache_folder
from hardware.kernels.families.torch_base import TorchFamily

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.family import Kernel
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem

BLOCKS: Final = (16, 32, 64, 128, 256)
MAX_HEAD_SIZE: Final = 128
"""Largest head size whose tiles fit in the registers of a GPU."""
TARGET: Final = ("cuda", 90, 32)
"""Triton target of a Hopper GPU."""
_FORWARD: Final[dict[str, tuple[Value, ...]]] = {
    "q_block": BLOCKS,
    "k_block": BLOCKS,
    "num_warps": (2, 4, 8),
    "num_stages": (1, 2, 3, 4),
}
_BACKWARD: Final = {f"back_{name}": choices for name, choices in _FORWARD.items()}
_OPTIONS: Final = ("num_warps", "num_stages", "enable_fp_fusion")
"""Compiler options of a launch; all other constants are arguments of the kernel."""
_DEFAULTS: Final[dict[str, Value]] = {"q_block": 64, "k_block": 64, "num_warps": 4, "num_stages": 2}


def is_interpreted() -> bool:
    """Return whether Triton interprets its kernels (``TRITON_INTERPRET``)."""
    return os.environ.get("TRITON_INTERPRET", "0") not in {"", "0"}


class FlashKernel:
    """The kernels with their parameters, for head sizes up to ``MAX_HEAD_SIZE``.

    See :class:`hardware.kernels.family.Kernel`.
    """

    def __init__(self, problem: Problem, values: Mapping[str, Value]) -> None:
        # Triton reads this variable on first use; a value of the user is kept.
        os.environ.setdefault("TRITON_CACHE_DIR", str(cache_folder() / "triton"))
        self._code: Any = import_module("hardware.kernels.families.triton_kernel")
        self._forward_constants, self._backward_constants = (
            _constants(problem, values, prefix) for prefix in ("", "back_")
        )

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: bool = False) -> tuple[Tensor, Any]:
        """Return the output, and with ``keep`` the state for `backward`. Raises ValueError for too large a head."""
        q, k, v = (_rows_contiguous(each.detach()) for each in (q, k, v))
        batch, heads, queries, head_size = q.shape
        out, lse = q.new_empty(q.shape), q.new_empty(q.shape[:3]).float()
        grid = (-(-queries // self._forward_constants["Q_BLOCK"]), batch * heads)
        self._code.forward_kernel[grid](
            q,
            k,
            v,
            out,
            lse,
            *_strides(q, k, v),
            heads,
            queries,
            k.shape[2],
            _scale2(head_size),
            **_width_constants(head_size),
            **self._forward_constants,
        )
        return out, (q, k, v, out, lse) if keep else None

    def backward(self, kept: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return dq, dk, dv."""
        q, k, v, out, lse = kept
        dout = _rows_contiguous(dout)
        batch, heads, queries, head_size = q.shape
        keys, mean = k.shape[2], lse.new_empty(lse.shape)
        dq, dk, dv = (each.new_empty(each.shape) for each in (q, k, v))
        sizes = (*_strides(q, k, v, dout), heads, queries, keys, _scale2(head_size), head_size**-0.5)
        constants = _width_constants(head_size) | self._backward_constants
        # The first kernel writes `mean`, which the second reads.
        by_rows = (-(-queries // self._backward_constants["Q_BLOCK"]), batch * heads)
        self._code.backward_dq_kernel[by_rows](q, k, v, dout, out, lse, mean, dq, *sizes, **constants)
        by_columns = (-(-keys // self._backward_constants["K_BLOCK"]), batch * heads)
        self._code.backward_dkdv_kernel[by_columns](q, k, v, dout, lse, mean, dk, dv, *sizes, **constants)
        return dq, dk, dv


def _constants(problem: Problem, values: Mapping[str, Value], prefix: str) -> dict[str, Any]:
    """Return the compile-time constants of a kernel, except the head size."""
    chosen = {name: values.get(prefix + name, values[name]) for name in _FORWARD}
    return {
        "CAUSAL": problem.causal,
        "Q_BLOCK": chosen.pop("q_block"),
        "K_BLOCK": chosen.pop("k_block"),
        "PRECISION": values.get("precision", "ieee"),
        "enable_fp_fusion": True,  # explicit, because the default changes with Triton 3.10
        **chosen,
    }


def _width_constants(head_size: int) -> dict[str, int]:
    if head_size > MAX_HEAD_SIZE:
        raise ValueError(f"head size {head_size} is more than {MAX_HEAD_SIZE}")
    return {"HEAD": head_size, "WIDTH": max(16, 1 << (head_size - 1).bit_length())}


def _scale2(head_size: int) -> float:
    """Return the softmax scale for logits in units of log 2."""
    return math.log2(math.e) / math.sqrt(head_size)


def _strides(*tensors: Tensor) -> list[int]:
    return [stride for tensor in tensors for stride in tensor.stride()[:3]]


def _rows_contiguous(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def compile_ahead_of_time(candidate: Candidate, problem: Problem, head_size: int) -> dict[str, int]:
    """Compile a candidate for a Hopper GPU on any machine, and return kernel → size of machine code [bytes].

    Raises BuildError.
    """
    triton, backends = (import_module(name) for name in ("triton.compiler", "triton.backends.compiler"))
    flash, sizes = FlashKernel(problem, candidate.values), {}
    for name in (
        "forward_kernel",
        *(("backward_dq_kernel", "backward_dkdv_kernel") if problem.direction != "forward" else ()),
    ):
        constants = dict(flash._forward_constants if name == "forward_kernel" else flash._backward_constants)
        options = {option: constants.pop(option) for option in _OPTIONS}
        constants |= _width_constants(head_size)
        function = getattr(flash._code, name)
        signature = {each: _triton_type(each, problem) for each in function.arg_names} | dict.fromkeys(
            constants, "constexpr"
        )
        try:
            source = triton.ASTSource(function, signature, constexprs=constants)
            made = triton.compile(source, target=backends.GPUTarget(*TARGET), options=options)
        except Exception as error:  # the compiler raises exceptions of many types
            raise BuildError(f"triton: {' '.join(_root_message(error).split())}"[:500]) from error
        sizes[name] = len(made.asm["cubin"])
    return sizes


def _root_message(error: BaseException) -> str:
    """Return the message of the original error, without the kernel source that Triton adds."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)


def _triton_type(argument: str, problem: Problem) -> str:
    """Return the Triton type of an argument of the kernels."""
    if argument in {"lse", "mean"}:
        return "*fp32"
    if argument in {"q", "k", "v", "dout", "out", "dq", "dk", "dv"}:
        return f"*{problem.dtype}"
    return "fp32" if argument in {"scale", "dscale"} else "i32"


class TritonFamily(TorchFamily):
    """Tiles with an online softmax, on a GPU."""

    name = "triton"
    summary = "tiles with an online softmax in Triton, on a GPU"
    files = ("triton_kernel.py",)

    @property
    def device(self) -> str:
        """Torch device: the GPU, or the processor for the interpreter."""
        return "cpu" if is_interpreted() else "cuda"

    def unavailable_reason(self, machine: Machine, problem: Problem) -> str | None:
        """Return the reason why the family is not available; None only in the interpreter, as GPU timing is missing."""
        if "triton" not in machine.versions:
            return "triton is not installed: install asara[triton]"
        if is_interpreted():
            # In Triton 3.9, the interpreter gives wrong results for tl.dot of bf16 tiles, without an error.
            wrong = problem.dtype == "bf16"
            return (
                "Triton's interpreter multiplies bf16 wrongly"
                if wrong
                else super().unavailable_reason(machine, problem)
            )
        if not machine.accelerator:
            return "there is no CUDA GPU"
        return "this version of asara times kernels only on the processor; Triton kernels are built and tested"

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return tile sizes, warps and stages, also for the backward pass, and in fp32 the precision of products."""
        choices, default = dict(_FORWARD), dict(_DEFAULTS)
        if problem.direction != "forward":
            choices |= _BACKWARD
            default |= {f"back_{name}": value for name, value in _DEFAULTS.items()}
        if problem.dtype == "fp32":
            choices["precision"] = ("ieee", "tf32x3")
            default["precision"] = "ieee"
        return ParameterSpace(choices, default)

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the kernel; Triton compiles at the first call of a head size."""
        return FlashKernel(problem, candidate.values)


FAMILY = TritonFamily()
