"""The process that calls a candidate: ``worker.py HOST CONTROL INPUTS OUTPUTS INPUT_BYTES OUTPUT_BYTES LOCK``.

It is told over the descriptor CONTROL what to load and which shape comes, in JSON lines, and then to run batches, one
byte each, so that next to nothing but the candidate runs while its parent looks at this process's clock. The inputs can
only be read. As HOST ``native`` it knows ctypes alone and, with LOCK, locks itself in before it loads anything foreign;
as HOST ``torch`` it loads one of our own families.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple, Protocol

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from hardware.kernels import abi, seccomp
from hardware.kernels.buffer_layout import Layout, layout
from hardware.kernels.problem import Problem, Shape

GO, DONE = b"g", b"."
"""Run a batch; it was run."""


class CallRequest(NamedTuple):
    """The shape that comes next."""

    shape: Shape
    problem: Problem
    slots: int


class Backend(Protocol):
    """Calls candidates on the slots of the shared memories."""

    def load(self, message: dict[str, Any]) -> None:
        """Make a candidate ready."""

    def take(self, order: CallRequest) -> None:
        """Prepare for a shape."""

    def prepare(self) -> None:
        """Do what comes before the timed part: the forward pass, where only the backward pass is asked."""

    def run(self) -> None:
        """Call the candidate on every slot."""

    def deliver(self) -> None:
        """See that all results are in the outputs' memory."""


class NativeBackend:
    """Calls a compiled candidate by ctypes: it reads and writes the shared memories itself."""

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
        """Load a shared object and note the parameters."""
        self._function = abi.load(Path(message["library"]))
        self._parameters = message["parameters"]

    def take(self, order: CallRequest) -> None:
        """Fill in the calls of every slot."""
        where = layout(order.shape, order.problem, order.slots)
        self._direction = order.problem.direction
        self._forward = [self._call(order, where, slot, 0) for slot in range(order.slots)]
        self._backward = [self._call(order, where, slot, 1) for slot in range(order.slots)]
        both = [call for pair in zip(self._forward, self._backward, strict=True) for call in pair]
        self._timed = {"forward": self._forward, "backward": self._backward, "both": both}[self._direction]

    def _call(self, order: CallRequest, where: Layout, slot: int, backward: int) -> Any:
        call = abi.call_of(order.shape, order.problem, self._parameters)
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
        """Call the candidate on every slot. Raises RuntimeError if it says that it cannot."""
        self._run(self._timed)

    def _run(self, calls: list[Any]) -> None:
        function = self._function
        for call in calls:
            if code := function(call):
                raise RuntimeError(f"the kernel returned {code}")

    def deliver(self) -> None:
        """All is where it belongs."""


def serve(control: int, host: Backend) -> None:
    """Answer requests until the parent hangs up; it sends none before the last was answered.

    ``control``: a descriptor, read and written as a file, for these are the calls that a locked worker still has.
    """
    request = b""
    while received := os.read(control, 1 << 16):
        request += received
        if request == GO:
            os.write(control, _attempt(host.run) or DONE)
        elif request.endswith(b"\n"):
            os.write(control, _answer(host, json.loads(request)))
        else:
            continue
        request = b""


def _answer(host: Backend, message: dict[str, Any]) -> bytes:
    match message["do"]:
        case "load":
            return _attempt(host.load, message) or DONE
        case "take":
            order = CallRequest(Shape(*message["shape"]), Problem(*message["problem"]), message["slots"])
            return _attempt(host.take, order) or DONE
        case "prepare":
            return _attempt(host.prepare) or DONE
        case _:
            return _attempt(host.deliver) or DONE


def _attempt(action: Any, *arguments: Any) -> bytes:
    """What went wrong, as a line; nothing if all went well."""
    try:
        action(*arguments)
    except Exception as error:
        return json.dumps({"error": f"{type(error).__name__}: {error}"[:1000]}).encode() + b"\n"
    return b""


def main(arguments: list[str]) -> None:
    """Set up the memories, lock the door if asked, and serve."""
    kind = arguments[0]
    control, inputs_fd, outputs_fd, input_bytes, output_bytes, lock = (int(word) for word in arguments[1:7])
    inputs = mmap.mmap(inputs_fd, input_bytes, mmap.MAP_SHARED, mmap.PROT_READ)
    outputs = mmap.mmap(outputs_fd, output_bytes, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    host = _host(kind, inputs, outputs)
    if lock:
        seccomp.install_filter((control, 2))  # its last words go to standard error
    os.write(control, DONE)
    serve(control, host)


def _host(kind: str, inputs: mmap.mmap, outputs: mmap.mmap) -> Backend:
    if kind == "native":
        return NativeBackend(outputs, _address(inputs))
    from hardware.kernels.torch_backend import TorchBackend  # noqa: PLC0415 (the other kind must not load torch)

    return TorchBackend(inputs, outputs)


def _address(memory: mmap.mmap) -> int:
    """Where a read-only memory begins, which ctypes tells of writable ones only."""
    holder = ctypes.py_object(memory)
    view = (ctypes.c_char * 128)()  # room for a Py_buffer, whose first field is the address
    ctypes.pythonapi.PyObject_GetBuffer.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int]
    if ctypes.pythonapi.PyObject_GetBuffer(holder, view, 0):
        raise RuntimeError("the inputs have no address")
    return ctypes.c_void_p.from_buffer(view).value or 0


if __name__ == "__main__":
    main(sys.argv[1:])
