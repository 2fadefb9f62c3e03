"""Call the torch families of this package in the worker process."""

from __future__ import annotations

import mmap
import warnings
from typing import Any, Final

import torch
from torch import Tensor

from hardware.kernels.backend import CallRequest
from hardware.kernels.buffer_layout import BufferSlot, layout
from hardware.kernels.candidate import Candidate
from hardware.kernels.problem import Problem
from hardware.kernels.registry import family

DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

warnings.filterwarnings("ignore", message="The given buffer is not writable")  # inputs are read-only on purpose


class TorchBackend:
    """Calls a torch family on tensors in the shared buffers."""

    def __init__(self, inputs: mmap.mmap, outputs: mmap.mmap) -> None:
        self._memories = inputs, outputs
        self._kernel: Any = None
        self._slots: list[dict[str, Tensor]] = []
        self._results: list[dict[str, Tensor]] = []
        self._kept: list[Any] = []
        self._direction = "forward"

    def load(self, message: dict[str, Any]) -> None:
        """Load a family of this package by name, for one thread."""
        problem = Problem(*message["problem"])
        candidate = Candidate(message["family"], tuple(message["values"].items()))
        self._kernel = family(candidate.family).kernel(candidate, problem)
        torch.set_num_threads(1)  # some libraries raise the number when they are loaded

    def bind_buffers(self, request: CallRequest) -> None:
        """Create tensors over the shared buffers for a shape."""
        where = layout(request.shape, request.problem, request.slots)
        self._direction, self._results = request.problem.direction, []
        self._slots = [
            {name: self._tensor(0, place, request.problem.dtype) for name, place in where.inputs[slot].items()}
            | {
                name: self._tensor(1, place, request.problem.dtype)
                for name, place in where.outputs[slot].items()
                if name != "lse"
            }
            for slot in range(request.slots)
        ]

    def _tensor(self, memory: int, place: BufferSlot, dtype: str) -> Tensor:
        flat = torch.frombuffer(
            self._memories[memory], dtype=DTYPES[dtype], count=place.item_count, offset=place.offset
        )
        return flat.view(place.sizes)

    def prepare(self) -> None:
        """Run the forward passes that a backward pass needs."""
        self._results = []
        if self._direction == "backward":
            self._kept = [self._kernel.forward(slot["q"], slot["k"], slot["v"], keep=True) for slot in self._slots]

    def run(self) -> None:
        """Call the candidate on every slot."""
        kernel, results = self._kernel, []
        if self._direction == "forward":
            results = [{"out": kernel.forward(slot["q"], slot["k"], slot["v"])[0]} for slot in self._slots]
        else:
            forwards: Any = iter(self._kept) if self._direction == "backward" else None
            for slot in self._slots:
                out, kept = next(forwards) if forwards else kernel.forward(slot["q"], slot["k"], slot["v"], keep=True)
                dq, dk, dv = kernel.backward(kept, slot["dout"])
                results.append({"out": out, "dq": dq, "dk": dk, "dv": dv})
        self._results, self._kept = results, []

    def store_outputs(self) -> None:
        """Copy the results to the output buffer, outside the timed part, because users of torch need no copy."""
        for slot, results in zip(self._slots, self._results, strict=True):
            for name, tensor in results.items():
                slot[name].copy_(tensor.detach())
