"""Control a worker from its parent: send requests, and read the CPU clock of the worker from outside."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np

from hardware.kernels import sandbox, worker
from hardware.kernels.buffer_layout import Layout, layout
from hardware.kernels.dtypes import STORAGE, Array
from hardware.kernels.problem import Problem, Shape
from hardware.kernels.trace import Status

START_TIMEOUT_SECONDS: Final = 60.0
CALL_TIMEOUT: Final = {"native": 5.0, "torch": 240.0}
"""Backend → timeout of loading, or of a small batch [s]; in torch the first call may compile."""
IDLE_NS: Final = 2_000_000
"""CPU time that a compiled candidate may use between two requests [ns]; it counts as time of the candidate.

More time cannot be a delay of the system; it is work that the candidate hides."""
_KEEP_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
"""Settings of glibc: reuse freed memory, so that torch does not map new pages at every call."""
_TORCH_MIB: Final = 16_384
_PYTHON_MIB: Final = 128
_UNTRUSTED_CPU_SECONDS: Final = 600
_OWN_CPU_SECONDS: Final = 10_000_000
"""Limits of processor time [s]: untrusted source runs for one candidate, other workers for a whole search."""
_SCRIPT: Final = Path(worker.__file__)


class WorkerFailedError(Exception):
    """A candidate failed; has the status, the reason and the validation check that failed."""

    def __init__(self, status: Status, reason: str, failed_on: str = "") -> None:
        super().__init__(status, reason, failed_on)
        self.status: Status = status
        self.reason = reason
        self.failed_on = failed_on


class SharedBuffer:
    """Memory shared with workers; ``bytes`` is the view of the parent."""

    def __init__(self, size: int) -> None:
        self.fd = os.memfd_create("asara")
        os.ftruncate(self.fd, size)
        self.bytes: Array = np.frombuffer(mmap.mmap(self.fd, size), dtype=np.uint8)
        self.size = size

    def open_read_only(self) -> int:
        """Return a new read-only descriptor."""
        return os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)


class WorkerClient:
    """A worker process and its output buffer. Use it as a context."""

    def __init__(
        self,
        backend: Literal["native", "torch"],
        inputs: SharedBuffer,
        output_bytes: int,
        problem: Problem,
        confined: bool,
        folders: Sequence[Path] = (),
        lock: bool = False,
    ) -> None:
        self.problem = problem
        self.timeout = CALL_TIMEOUT[backend]
        self.is_responsive = True
        """Whether the worker has answered the last request properly."""
        self._backend = backend
        self._direction = problem.direction
        self.outputs = SharedBuffer(output_bytes)
        self._done_ns = 0
        self._layout = Layout([], [])
        self._control, theirs = socket.socketpair()
        with contextlib.ExitStack() as on_error, contextlib.ExitStack() as only_here:
            on_error.callback(self._control.close)
            on_error.callback(self.outputs.close)
            only_here.callback(theirs.close)
            open_read_only = inputs.open_read_only()
            only_here.callback(os.close, open_read_only)
            self.process = self._start(
                [theirs.fileno(), open_read_only, self.outputs.fd], inputs.size, folders, confined, lock
            )
            on_error.callback(self.process.wait)
            on_error.callback(self.process.kill)
            only_here.close()
            self._await_done(START_TIMEOUT_SECONDS)
            on_error.pop_all()

    def _start(
        self, fds: list[int], input_bytes: int, folders: Sequence[Path], confined: bool, lock: bool
    ) -> sandbox.SandboxedProcess:
        """Start the worker on the core to which this process is pinned."""
        flags = ["-I"] if self._backend == "torch" else ["-I", "-S"]
        words = [self._backend, *fds, input_bytes, self.outputs.size, int(lock or confined)]
        memory = _TORCH_MIB if self._backend == "torch" else self.problem.memory_mib + _PYTHON_MIB
        return sandbox.launch(
            [sys.executable, *flags, str(_SCRIPT), *map(str, words)],
            fds,
            memory_mib=memory,
            cpu_seconds=_UNTRUSTED_CPU_SECONDS if lock else _OWN_CPU_SECONDS,
            confined=confined,
            folders=folders,
            environment=_KEEP_MEMORY,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker and all processes that it started."""
        self._control.close()
        self.process.kill()
        self.process.wait()
        self.outputs.close()

    @property
    def cpu_ns(self) -> int:
        """CPU time of the worker so far, over all threads, read from outside [ns]."""
        try:
            return time.clock_gettime_ns(self.process.clock_id)
        except OSError:
            return self._done_ns

    def load(self, **message: Any) -> None:
        """Load a candidate. Raises WorkerFailedError."""
        self._request({"do": "load", **message}, self.timeout)

    def bind_buffers(self, shape: Shape, slots: int, seconds: float, direction: str | None = None) -> None:
        """Prepare the calls of a shape on the shared buffers. Raises WorkerFailedError."""
        problem = self.problem if direction is None else self.problem._replace(direction=direction)  # type: ignore[arg-type]
        self._layout, self._direction = layout(shape, problem, slots), problem.direction
        self._request({"do": "bind_buffers", "shape": shape, "problem": problem, "slots": slots}, seconds)

    def poison(self) -> None:
        """Fill the outputs with NaN, so that an output that is not written fails validation."""
        self.outputs.bytes[: self._layout.output_bytes] = 0xFF

    def prepare(self, seconds: float) -> None:
        """Run the untimed part; a compiled candidate is called only if it has one."""
        if self._backend == "torch" or self._direction == "backward":
            self._request({"do": "prepare"}, seconds)

    def run(self, seconds: float) -> int:
        """Run one batch and return its CPU time over all threads [ns].

        Raises WorkerFailedError, also for work outside the timed part.
        """
        early = self.cpu_ns_since_done()
        before = self.cpu_ns
        self._send(worker.GO)
        self._await_done(seconds)
        self._done_ns = self.cpu_ns
        return early + self._done_ns - before

    def cpu_ns_since_done(self) -> int:
        """Return the CPU time of a compiled candidate since its last answer [ns].

        Raises WorkerFailedError if it is longer than a delay of the system, or if the worker has sent an unrequested
        message.
        """
        used = self.cpu_ns - self._done_ns if self._backend == "native" else 0  # torch is trusted and may clean up
        if used > IDLE_NS:
            reason = f"{used / 1e6:.1f} ms of CPU time outside the timed calls"
            raise WorkerFailedError("cheated", reason, "idle when not asked")
        self._control.setblocking(False)
        try:
            unasked = self._control.recv(1)
        except BlockingIOError:
            return used
        if unasked:
            raise WorkerFailedError("cheated", "it wrote to the harness unasked", "protocol")
        raise self._worker_died()

    def store_outputs(self, seconds: float) -> None:
        """Ensure that all results are in the output buffer. Raises WorkerFailedError."""
        self.cpu_ns_since_done()
        if self._backend == "torch":
            self._request({"do": "store_outputs"}, seconds)

    def output(self, slot: int, name: str) -> Array:
        """Return a view of an output of a slot, in storage."""
        buffer = self._layout.outputs[slot][name]
        dtype = STORAGE["fp32" if name == "lse" else self.problem.dtype]
        stored: Array = self.outputs.bytes[buffer.offset : buffer.end].view(dtype)
        return stored.reshape(buffer.sizes)

    def _request(self, message: Mapping[str, Any], seconds: float) -> None:
        self._send(json.dumps(message).encode() + b"\n")
        self._await_done(seconds)
        self._done_ns = self.cpu_ns

    def _send(self, content: bytes) -> None:
        self.is_responsive = False
        try:
            self._control.settimeout(START_TIMEOUT_SECONDS)
            self._control.sendall(content)
        except OSError:
            raise self._worker_died() from None

    def _await_done(self, seconds: float) -> None:
        """Wait for the answer. Raises WorkerFailedError unless it is DONE."""
        answer = b""
        end = time.monotonic() + seconds
        while answer != worker.DONE and not answer.endswith(b"\n"):
            try:
                self._control.settimeout(max(0.001, end - time.monotonic()))
                received = self._control.recv(1 << 16)
            except TimeoutError:
                self.process.kill()
                raise WorkerFailedError("timed out", f"no answer within {seconds:g} s") from None
            except OSError:
                raise self._worker_died() from None
            if not received:
                raise self._worker_died()
            answer += received
            if (
                not answer.startswith((worker.DONE, b"{"))
                or len(answer) > 1 << 16
                or answer[1:].startswith(worker.DONE)
            ):
                raise WorkerFailedError("cheated", "it wrote to the harness unasked", "protocol")
        if answer != worker.DONE:
            self.is_responsive = True  # an error is a proper answer
            error = _error_text(answer)
            if error.startswith("BuildError: "):
                raise WorkerFailedError("failed to build", error.removeprefix("BuildError: "), "compiler")
            raise WorkerFailedError("wrong", error, "crash")
        self.is_responsive = True

    def _worker_died(self) -> WorkerFailedError:
        reason = self.process.wait()
        forbidden = "forbidden" in reason
        return WorkerFailedError("cheated" if forbidden else "wrong", f"its process ended: {reason}", "crash")


def _error_text(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return "an invalid answer"
