"""Call compiled candidates in the worker process, by ctypes only."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path
from typing import Any

from hardware.kernels import abi
from hardware.kernels.backend import CallRequest
from hardware.kernels.buffer_layout import Layout, layout


class NativeBackend:
    """Calls a compiled candidate by ctypes; the candidate reads and writes the shared buffers."""

    def __init__(self, outputs: mmap.mmap, inputs: int) -> None:
        self._inputs = inputs
        self._outputs = ctypes.addressof(ctypes.c_char.from_buffer(outputs))
        self._function: Any = None
        self._parameters: list[int] = []
        self._forward: list[Any] = []
        self._backward: list[Any] = []
        self._timed: list[Any] = []
        self._direction = "forward"

    def load(self, message: dict[str, Any]) -> None:
        """Load a shared object and store the parameters."""
        self._function = abi.load(Path(message["library"]))
        self._parameters = message["parameters"]

    def bind_buffers(self, request: CallRequest) -> None:
        """Prepare the calls of every slot."""
        where = layout(request.shape, request.problem, request.slots)
        self._direction = request.problem.direction
        self._forward = [self._call(request, where, slot, 0) for slot in range(request.slots)]
        self._backward = [self._call(request, where, slot, 1) for slot in range(request.slots)]
        both = [call for pair in zip(self._forward, self._backward, strict=True) for call in pair]
        self._timed = {"forward": self._forward, "backward": self._backward, "both": both}[self._direction]

    def _call(self, request: CallRequest, where: Layout, slot: int, backward: int) -> Any:
        call = abi.make_call(request.shape, request.problem, self._parameters)
        call.backward = backward
        for name, place in where.inputs[slot].items():
            setattr(call, name, self._inputs + place.offset)
        for name, place in where.outputs[slot].items():
            setattr(call, name, self._outputs + place.offset)
        return ctypes.byref(call)

    def prepare(self) -> None:
        """Run the forward passes that a backward pass needs."""
        if self._direction == "backward":
            self._run(self._forward)

    def run(self) -> None:
        """Call the candidate on every slot. Raises RuntimeError if it returns an error code."""
        self._run(self._timed)

    def _run(self, calls: list[Any]) -> None:
        function = self._function
        for call in calls:
            if code := function(call):
                raise RuntimeError(f"the kernel returned {code}")

    def store_outputs(self) -> None:
        """Do nothing: the candidate has written the output buffer."""
