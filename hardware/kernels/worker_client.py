"""The parent's side of a worker: it asks for batches and looks at the worker's CPU clock from outside."""

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

START_SECONDS: Final = 60.0
CALL_TIMEOUT: Final = {"native": 5.0, "torch": 240.0}
"""Seconds that loading, or a small batch of some milliseconds, may take; in torch the first may compile."""
IDLE_NS: Final = 2_000_000
"""CPU time that a compiled candidate may burn between answering and being asked again, which counts as its time too.
More is no delay of the system but work that was to go unseen."""
_KEEP_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
"""For glibc: memory that was freed is used again, so that torch does not pay for new pages at every call."""
_TORCH_MIB: Final = 16_384
_PYTHON_MIB: Final = 128
_FOREIGN_SECONDS: Final = 600
_OWN_SECONDS: Final = 10_000_000
"""Of processor time: foreign source gets what one candidate needs, our own workers live as long as a search."""
_SCRIPT: Final = Path(worker.__file__)


class WorkerFailedError(Exception):
    """A candidate that did not do what was asked; carries the status and the validation family."""

    def __init__(self, status: Status, reason: str, failed_on: str = "") -> None:
        super().__init__(status, reason, failed_on)
        self.status: Status = status
        self.reason = reason
        self.failed_on = failed_on


class SharedBuffer:
    """Memory shared with workers: ``bytes`` is the parent's view of it."""

    def __init__(self, size: int) -> None:
        self.fd = os.memfd_create("asara")
        os.ftruncate(self.fd, size)
        self.bytes: Array = np.frombuffer(mmap.mmap(self.fd, size), dtype=np.uint8)
        self.size = size

    def read_only(self) -> int:
        """Return a new descriptor that allows nobody to write."""
        return os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Give it back."""
        os.close(self.fd)


class WorkerClient:
    """A worker process and its outputs. Use it as a context; ``cpu_s`` is what it has used so far."""

    def __init__(
        self,
        host: Literal["native", "torch"],
        inputs: SharedBuffer,
        output_bytes: int,
        problem: Problem,
        confined: bool,
        folders: Sequence[Path] = (),
        lock: bool = False,
    ) -> None:
        self.problem = problem
        self.patience = CALL_TIMEOUT[host]
        self.sound = True
        """Whether its last answer was as it should be."""
        self._host = host
        self._direction = problem.direction
        self.outputs = SharedBuffer(output_bytes)
        self._ready = 0
        self._where = Layout([], [])
        self._control, theirs = socket.socketpair()
        with contextlib.ExitStack() as on_error, contextlib.ExitStack() as only_here:
            on_error.callback(self._control.close)
            on_error.callback(self.outputs.close)
            only_here.callback(theirs.close)
            read_only = inputs.read_only()
            only_here.callback(os.close, read_only)
            self.child = self._start(
                [theirs.fileno(), read_only, self.outputs.fd], inputs.size, folders, confined, lock
            )
            on_error.callback(self.child.wait)
            on_error.callback(self.child.kill)
            only_here.close()
            self._expect(START_SECONDS)
            on_error.pop_all()

    def _start(
        self, fds: list[int], input_bytes: int, folders: Sequence[Path], confined: bool, lock: bool
    ) -> sandbox.SandboxedProcess:
        """Start the worker, on whatever core this process is held to."""
        flags = ["-I"] if self._host == "torch" else ["-I", "-S"]
        words = [self._host, *fds, input_bytes, self.outputs.size, int(lock or confined)]
        memory = _TORCH_MIB if self._host == "torch" else self.problem.memory_mib + _PYTHON_MIB
        return sandbox.launch(
            [sys.executable, *flags, str(_SCRIPT), *map(str, words)],
            fds,
            memory_mib=memory,
            cpu_seconds=_FOREIGN_SECONDS if lock else _OWN_SECONDS,
            confined=confined,
            folders=folders,
            environment=_KEEP_MEMORY,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker and whatever it started."""
        self._control.close()
        self.child.kill()
        self.child.wait()
        self.outputs.close()

    @property
    def cpu_ns(self) -> int:
        """CPU time of the worker up to now, all its threads together; read from outside."""
        try:
            return time.clock_gettime_ns(self.child.clock)
        except OSError:
            return self._ready

    def load(self, **message: Any) -> None:
        """Make a candidate ready. Raises FailedError."""
        self._request({"do": "load", **message}, self.patience)

    def take(self, shape: Shape, slots: int, seconds: float, direction: str | None = None) -> None:
        """Prepare for calls of a shape."""
        problem = self.problem if direction is None else self.problem._replace(direction=direction)  # type: ignore[arg-type]
        self._where, self._direction = layout(shape, problem, slots), problem.direction
        self._request({"do": "take", "shape": shape, "problem": problem, "slots": slots}, seconds)

    def poison(self) -> None:
        """Make every output not a number, so that nothing passes that was not written."""
        self.outputs.bytes[: self._where.output_bytes] = 0xFF

    def prepare(self, seconds: float) -> None:
        """Have done what comes before the timed part; a compiled candidate gets no such chance where there is none."""
        if self._host == "torch" or self._direction == "backward":
            self._request({"do": "prepare"}, seconds)

    def run(self, seconds: float) -> int:
        """Run one batch and return the CPU time in ns that it took, all threads together.

        Raises FailedError, also for work outside the timed part.
        """
        early = self.check_idle()
        before = self.cpu_ns
        self._send(worker.GO)
        self._expect(seconds)
        self._ready = self.cpu_ns
        return early + self._ready - before

    def check_idle(self) -> int:
        """Return the CPU time in ns that a compiled candidate has taken since it said that it was done.

        Raises FailedError if that is more than any delay of the system, or if it said something unasked.
        """
        burnt = self.cpu_ns - self._ready if self._host == "native" else 0  # torch, which is trusted, may tidy up
        if burnt > IDLE_NS:
            reason = f"{burnt / 1e6:.1f} ms of CPU time outside the timed calls"
            raise WorkerFailedError("cheated", reason, "idle when not asked")
        self._control.setblocking(False)
        try:
            unasked = self._control.recv(1)
        except BlockingIOError:
            return burnt
        if unasked:
            raise WorkerFailedError("cheated", "it wrote to the harness unasked", "protocol")
        raise self._gone()

    def deliver(self, seconds: float) -> None:
        """See that all results can be read; a compiled candidate has written them already. Raises FailedError."""
        self.check_idle()
        if self._host == "torch":
            self._request({"do": "deliver"}, seconds)

    def output(self, slot: int, name: str) -> Array:
        """Return an output of a slot as it is stored, a view."""
        place = self._where.outputs[slot][name]
        dtype = STORAGE["fp32" if name == "lse" else self.problem.dtype]
        stored: Array = self.outputs.bytes[place.offset : place.end].view(dtype)
        return stored.reshape(place.sizes)

    def _request(self, message: Mapping[str, Any], seconds: float) -> None:
        self._send(json.dumps(message).encode() + b"\n")
        self._expect(seconds)
        self._ready = self.cpu_ns

    def _send(self, content: bytes) -> None:
        self.sound = False
        try:
            self._control.settimeout(START_SECONDS)
            self._control.sendall(content)
        except OSError:
            raise self._gone() from None

    def _expect(self, seconds: float) -> None:
        """Wait for the answer. Raises FailedError for any but DONE."""
        answer = b""
        end = time.monotonic() + seconds
        while answer != worker.DONE and not answer.endswith(b"\n"):
            try:
                self._control.settimeout(max(0.001, end - time.monotonic()))
                received = self._control.recv(1 << 16)
            except TimeoutError:
                self.child.kill()
                raise WorkerFailedError("timed out", f"no answer within {seconds:g} s") from None
            except OSError:
                raise self._gone() from None
            if not received:
                raise self._gone()
            answer += received
            if (
                not answer.startswith((worker.DONE, b"{"))
                or len(answer) > 1 << 16
                or answer[1:].startswith(worker.DONE)
            ):
                raise WorkerFailedError("cheated", "it wrote to the harness unasked", "protocol")
        if answer != worker.DONE:
            self.sound = True  # it answered, if only to say that it cannot
            said = _error(answer)
            if said.startswith("BuildError: "):
                raise WorkerFailedError("failed to build", said.removeprefix("BuildError: "), "compiler")
            raise WorkerFailedError("wrong", said, "crash")
        self.sound = True

    def _gone(self) -> WorkerFailedError:
        reason = self.child.wait()
        forbidden = "forbidden" in reason
        return WorkerFailedError("cheated" if forbidden else "wrong", f"its process ended: {reason}", "crash")


def _error(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return "an answer that makes no sense"
