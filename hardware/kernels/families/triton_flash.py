"""Tiled attention for a GPU in Triton, forward and backward, with its tiles, warps and stages to tune.

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
WIDEST: Final = 128
"""Largest head size whose tiles fit in a GPU's registers."""
TARGET: Final = ("cuda", 90, 32)
"""A Hopper GPU, as Triton calls it."""
_FORWARD: Final[dict[str, tuple[Value, ...]]] = {
    "q_block": BLOCKS,
    "k_block": BLOCKS,
    "num_warps": (2, 4, 8),
    "num_stages": (1, 2, 3, 4),
}
_BACKWARD: Final = {f"back_{name}": choices for name, choices in _FORWARD.items()}
_OPTIONS: Final = ("num_warps", "num_stages", "enable_fp_fusion")
"""What a launch tells the compiler; all else that is fixed is an argument of the kernel."""
_NAIVE: Final[dict[str, Value]] = {"q_block": 64, "k_block": 64, "num_warps": 4, "num_stages": 2}


def interpreted() -> bool:
    """Return whether Triton was told to interpret its kernels."""
    return os.environ.get("TRITON_INTERPRET", "0") not in {"", "0"}


class Flash:
    """The kernels with their parameters; see :class:`hardware.kernels.family.Kernel`. Head sizes up to ``WIDEST``."""

    def __init__(self, problem: Problem, values: Mapping[str, Value]) -> None:
        # Read when Triton first looks for its folder; somebody's own choice stands.
        os.environ.setdefault("TRITON_CACHE_DIR", str(cache_folder() / "triton"))
        self._code: Any = import_module("hardware.kernels.families.triton_kernel")
        self._ahead, self._back = (_constants(problem, values, prefix) for prefix in ("", "back_"))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: bool = False) -> tuple[Tensor, Any]:
        """Return the output, and with ``keep`` what :meth:`backward` needs. Raises ValueError for too large a head."""
        q, k, v = (_rows_contiguous(each.detach()) for each in (q, k, v))
        batch, heads, queries, head_size = q.shape
        out, lse = q.new_empty(q.shape), q.new_empty(q.shape[:3]).float()
        grid = (-(-queries // self._ahead["Q_BLOCK"]), batch * heads)
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
            **_widths(head_size),
            **self._ahead,
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
        constants = _widths(head_size) | self._back
        # The first leaves in mean what the second needs.
        by_rows = (-(-queries // self._back["Q_BLOCK"]), batch * heads)
        self._code.queries_kernel[by_rows](q, k, v, dout, out, lse, mean, dq, *sizes, **constants)
        by_columns = (-(-keys // self._back["K_BLOCK"]), batch * heads)
        self._code.keys_kernel[by_columns](q, k, v, dout, lse, mean, dk, dv, *sizes, **constants)
        return dq, dk, dv


def _constants(problem: Problem, values: Mapping[str, Value], prefix: str) -> dict[str, Any]:
    """What a kernel is compiled for, head size aside."""
    chosen = {name: values.get(prefix + name, values[name]) for name in _FORWARD}
    return {
        "CAUSAL": problem.causal,
        "Q_BLOCK": chosen.pop("q_block"),
        "K_BLOCK": chosen.pop("k_block"),
        "PRECISION": values.get("precision", "ieee"),
        "enable_fp_fusion": True,  # said aloud: the default changes with Triton 3.10
        **chosen,
    }


def _widths(head_size: int) -> dict[str, int]:
    if head_size > WIDEST:
        raise ValueError(f"head size {head_size} is more than {WIDEST}")
    return {"HEAD": head_size, "WIDTH": max(16, 1 << (head_size - 1).bit_length())}


def _scale2(head_size: int) -> float:
    """The softmax scale for logits in units of log 2."""
    return math.log2(math.e) / math.sqrt(head_size)


def _strides(*tensors: Tensor) -> list[int]:
    return [stride for tensor in tensors for stride in tensor.stride()[:3]]


def _rows_contiguous(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def compile_ahead(candidate: Candidate, problem: Problem, head_size: int) -> dict[str, int]:
    """Compile a candidate for a Hopper GPU, on any machine: kernel → bytes of machine code. Raises BuildError."""
    triton, backends = (import_module(name) for name in ("triton.compiler", "triton.backends.compiler"))
    flash, sizes = Flash(problem, candidate.values), {}
    for name in ("forward_kernel", *(("queries_kernel", "keys_kernel") if problem.direction != "forward" else ())):
        constants = dict(flash._ahead if name == "forward_kernel" else flash._back)
        options = {option: constants.pop(option) for option in _OPTIONS}
        constants |= _widths(head_size)
        function = getattr(flash._code, name)
        signature = {each: _type(each, problem) for each in function.arg_names} | dict.fromkeys(constants, "constexpr")
        try:
            source = triton.ASTSource(function, signature, constexprs=constants)
            made = triton.compile(source, target=backends.GPUTarget(*TARGET), options=options)
        except Exception as error:  # whatever the compiler has to complain of
            raise BuildError(f"triton: {' '.join(_root(error).split())}"[:500]) from error
        sizes[name] = len(made.asm["cubin"])
    return sizes


def _root(error: BaseException) -> str:
    """What was wrong; what Triton puts around it is the kernel's source."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)


def _type(argument: str, problem: Problem) -> str:
    """The type of an argument of the kernels, as Triton writes it."""
    if argument in {"lse", "mean"}:
        return "*fp32"
    if argument in {"q", "k", "v", "dout", "out", "dq", "dk", "dv"}:
        return f"*{problem.dtype}"
    return "fp32" if argument in {"scale", "dscale"} else "i32"


class Triton(TorchFamily):
    """Tiles with an online softmax, on a GPU."""

    name = "triton"
    summary = "tiles with an online softmax in Triton, on a GPU"
    files = ("triton_kernel.py",)

    @property
    def device(self) -> str:
        """The GPU, or the processor for the interpreter."""
        return "cpu" if interpreted() else "cuda"

    def missing(self, machine: Machine, problem: Problem) -> str | None:
        """Return what is lacking, in words; None only in the interpreter, for no clock of a GPU is read."""
        if "triton" not in machine.versions:
            return "triton is not installed: install asara[triton]"
        if interpreted():
            # Seen with Triton 3.9: tl.dot of bf16 tiles, whose numbers NumPy does not know, is wrong without a word.
            wrong = problem.dtype == "bf16"
            return "Triton's interpreter multiplies bf16 wrongly" if wrong else super().missing(machine, problem)
        if not machine.accelerator:
            return "there is no CUDA GPU"
        return "this version times on the processor only: Triton is built and tested, and not timed"

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return tile sizes, warps and stages, the backward pass's own; and in fp32 how exactly to multiply."""
        choices, naive = dict(_FORWARD), dict(_NAIVE)
        if problem.direction != "forward":
            choices |= _BACKWARD
            naive |= {f"back_{name}": value for name, value in _NAIVE.items()}
        if problem.dtype == "fp32":
            choices["precision"] = ("ieee", "tf32x3")
            naive["precision"] = "ieee"
        return ParameterSpace(choices, naive)

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the kernel; Triton compiles at the first call of a head size."""
        return Flash(problem, candidate.values)


FAMILY = Triton()
