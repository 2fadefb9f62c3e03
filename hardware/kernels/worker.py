"""Run the process that calls a candidate: ``worker.py BACKEND CONTROL INPUTS OUTPUTS INPUT_BYTES OUTPUT_BYTES LOCK``.

The parent sends requests over the descriptor CONTROL. JSON lines load a candidate and set the shape. Single bytes run
batches, so that almost only the candidate runs while the parent reads the CPU clock of this process. The inputs are
read-only. BACKEND ``native`` uses ctypes only. With LOCK, it installs the system-call filter before it loads untrusted
code. BACKEND ``torch`` loads a family of this package.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from hardware.kernels import seccomp
from hardware.kernels.backend import Backend, CallRequest
from hardware.kernels.native_backend import NativeBackend
from hardware.kernels.problem import Problem, Shape

GO, DONE = b"g", b"."
"""Request to run a batch, and the answer after success."""


def serve(control: int, backend: Backend) -> None:
    """Answer requests until the parent closes the connection; the parent waits for each answer.

    ``control``: a descriptor, used with read and write, because the system-call filter allows only these.
    """
    request = b""
    while received := os.read(control, 1 << 16):
        request += received
        if request == GO:
            os.write(control, _error_line(backend.run) or DONE)
        elif request.endswith(b"\n"):
            os.write(control, _answer(backend, json.loads(request)))
        else:
            continue
        request = b""


def _answer(backend: Backend, message: dict[str, Any]) -> bytes:
    match message["do"]:
        case "load":
            return _error_line(backend.load, message) or DONE
        case "bind_buffers":
            request = CallRequest(Shape(*message["shape"]), Problem(*message["problem"]), message["slots"])
            return _error_line(backend.bind_buffers, request) or DONE
        case "prepare":
            return _error_line(backend.prepare) or DONE
        case _:
            return _error_line(backend.store_outputs) or DONE


def _error_line(action: Any, *arguments: Any) -> bytes:
    """Call an action; return its error as a JSON line, empty after success."""
    try:
        action(*arguments)
    except Exception as error:
        return json.dumps({"error": f"{type(error).__name__}: {error}"[:1000]}).encode() + b"\n"
    return b""


def main(arguments: list[str]) -> None:
    """Map the buffers, install the system-call filter if requested, and serve requests."""
    kind = arguments[0]
    control, inputs_fd, outputs_fd, input_bytes, output_bytes, lock = (int(word) for word in arguments[1:7])
    inputs = mmap.mmap(inputs_fd, input_bytes, mmap.MAP_SHARED, mmap.PROT_READ)
    outputs = mmap.mmap(outputs_fd, output_bytes, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    backend = _make_backend(kind, inputs, outputs)
    if lock:
        seccomp.install_filter((control, 2))  # error messages go to standard error
    os.write(control, DONE)
    serve(control, backend)


def _make_backend(kind: str, inputs: mmap.mmap, outputs: mmap.mmap) -> Backend:
    if kind == "native":
        return NativeBackend(outputs, _address(inputs))
    from hardware.kernels.torch_backend import TorchBackend  # noqa: PLC0415 (the native backend must not load torch)

    return TorchBackend(inputs, outputs)


def _address(memory: mmap.mmap) -> int:
    """Return the address of a read-only buffer; ctypes gives it for writable buffers only."""
    holder = ctypes.py_object(memory)
    view = (ctypes.c_char * 128)()  # room for a Py_buffer, whose first field is the address
    ctypes.pythonapi.PyObject_GetBuffer.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int]
    if ctypes.pythonapi.PyObject_GetBuffer(holder, view, 0):
        raise RuntimeError("the input buffer has no address")
    return ctypes.c_void_p.from_buffer(view).value or 0


if __name__ == "__main__":
    main(sys.argv[1:])
