"""Run a sweep in worker processes of this machine; a worker that dies or is stuck is replaced."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, Self

from experiments.errors import InputError
from experiments.sweep.workers.batch_size import batch_sizer
from experiments.sweep.workers.messages import Completing, Executed
from experiments.sweep.workers.process import failed_record

if TYPE_CHECKING:
    from experiments.sweep.plan import Plan
    from experiments.sweep.records import RunRecord

MAX_ATTEMPTS: Final = 4
"""Number of workers that may die during a run before it gets the status "killed"."""
MAX_FAILED_STARTS: Final = 5
"""Number of workers in a row that may die before they are ready; then the sweep stops."""
START_TIMEOUT_SECONDS: Final = 120.0
"""Time after which a worker that is not ready is replaced [s]."""
POLL_SECONDS: Final = 0.5
"""Maximum time between two looks at the workers [s]."""


class LocalWorkerPool:
    """A pool of worker processes and the runs that they execute.

    ``timeout``: wall time after which a run gets the status "timeout" [s]; None: never. Use the pool as a context
    manager: all workers end with it.
    """

    def __init__(self, design: Plan, workers: int, timeout: float | None = None) -> None:
        self._design, self._timeout = design, timeout
        self._workers: list[_Worker] = []
        self._start(workers)
        self._deaths: Counter[int] = Counter()
        self._isolated_runs: set[int] = set()
        """Runs one of which ended a worker; each is sent alone, so that the next death identifies it."""
        self._sizer = batch_sizer(design.engine)
        self._failed_starts = 0

    def _start(self, workers: int) -> None:
        try:
            while len(self._workers) < workers:
                self._workers.append(_Worker(self._design))
        except OSError as error:
            self.close()
            raise _start_error(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.kill()

    def run(self, runs: Sequence[int]) -> Iterator[RunRecord | None]:
        """Yield each run when it has finished, in any order, and None at least every `POLL_SECONDS`."""
        waiting = deque(runs)
        left = len(waiting)
        while left:
            self._dispatch(waiting)
            ready = wait([worker.connection for worker in self._workers], POLL_SECONDS)
            for worker in self._workers:
                for finished in self._receive(worker) if worker.connection in ready else ():
                    left -= 1
                    yield finished
                for finished in self._replace_if_dead(worker, waiting):
                    left -= 1
                    yield finished
            yield None

    def _dispatch(self, waiting: deque[int]) -> None:
        for worker in self._workers:
            if waiting and worker.ready and len(worker.runs) <= self._sizer.spare:
                unfinished = worker.unfinished
                if unfinished and not self._isolated_runs.isdisjoint([waiting[0], *unfinished]):
                    continue
                runs = [waiting.popleft()]
                count = self._sizer.next_batch(len(waiting) + 1, len(self._workers))
                while len(runs) < count and self._isolated_runs.isdisjoint([runs[0], waiting[0]]):
                    runs.append(waiting.popleft())
                worker.send_runs(runs)

    def _receive(self, worker: _Worker) -> Iterator[RunRecord]:
        """Yield the records that a worker has sent; mark the worker as dead if its connection fails."""
        try:
            while worker.connection.poll():
                message = worker.connection.recv()
                worker.last_message_at = time.monotonic()
                if message is None:
                    worker.ready, self._failed_starts = True, 0
                elif isinstance(message, Completing):
                    worker.completing = True
                elif isinstance(message, Executed):
                    worker.runs.remove(message.run)
                    worker.executed.append(message.run)
                    self._sizer.record_batch(1, message.seconds)
                else:
                    if batch := worker.finish(message):
                        self._sizer.record_batch(*batch)
                    yield message
        except Exception:  # a partial message can raise any error when it is unpickled
            worker.dead = True

    def _replace_if_dead(self, worker: _Worker, waiting: deque[int]) -> Iterator[RunRecord]:
        """Replace a worker that is dead or stuck; retry or fail the run that caused it, and return its other runs."""
        stuck = worker.is_stuck(self._timeout)
        if not worker.dead and not stuck:
            return
        worker.kill()
        self._failed_starts += not worker.ready
        if self._failed_starts >= MAX_FAILED_STARTS:
            raise InputError(
                f"{MAX_FAILED_STARTS} workers in a row ended before they were ready, {_exit_reason(worker)}. "
                "Check the installation with `asara run`, or use fewer --workers."
            )
        suspects, left = worker.suspects(), deque(worker.unfinished)
        self._isolated_runs.update(suspects)
        if len(suspects) == 1:
            run = suspects[0]
            left.remove(run)
            self._deaths[run] += 1
            if stuck:
                yield failed_record(self._design, run, "timeout", f"was not over after {self._timeout:g} s")
            elif self._deaths[run] >= MAX_ATTEMPTS:
                message = f"{MAX_ATTEMPTS} workers died of it, {_exit_reason(worker)}"
                yield failed_record(self._design, run, "killed", message)
            else:
                left.appendleft(run)
        waiting.extendleft(reversed(left))
        try:
            self._workers[self._workers.index(worker)] = _Worker(self._design)
        except OSError as error:
            raise _start_error(error) from None


class _Worker:
    """A worker process, the runs that were sent to it and have no record, and the time of its last message."""

    def __init__(self, design: Plan) -> None:
        self.connection, theirs = Pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "experiments.sweep.workers.process", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=_environment(),
        )
        theirs.close()
        self.runs: deque[int] = deque()
        """Runs that are not over."""
        self.executed: deque[int] = deque()
        """Runs that are over and whose records have not arrived."""
        self.completing = False
        """Whether the worker completes the records of its executed runs."""
        self._batches: deque[int] = deque()
        """Sizes of the unfinished batches of fluid runs."""
        self._done, self._seconds = 0, 0.0
        """Finished runs of the first batch, and their time [s]."""
        self.ready = self.dead = False
        self.last_message_at = time.monotonic()
        self._in_batches = design.engine == "fluid"
        self._send(design)

    def send_runs(self, runs: list[int]) -> None:
        """Send runs to the worker."""
        if not self.unfinished:
            self.last_message_at = time.monotonic()
        self.runs.extend(runs)
        self._batches.append(len(runs))
        self._send(runs)

    @property
    def unfinished(self) -> list[int]:
        """Return the runs without a record, in the order in which they were sent."""
        return [*self.executed, *self.runs]

    def suspects(self) -> list[int]:
        """Return the runs one of which is the cause if the worker is dead or stuck now.

        The World reports each run that is over, so the first other run is the cause. While records are completed, it is
        one of the runs that are over. A fluid batch is reported as a whole.
        """
        if self.completing:
            return list(self.executed)
        return list(self.runs) if self._in_batches else list(self.runs)[:1]

    def finish(self, finished: RunRecord) -> tuple[int, float] | None:
        """Remove a finished run; return runs and time [s] of the batch that it completes, if any."""
        run = finished.row["run"]
        if run in self.executed:  # its time is known
            self.executed.remove(run)
            self.completing = bool(self.executed)
            return None
        self.runs.remove(run)
        if not self._in_batches:
            return 1, finished.seconds
        self._done, self._seconds = self._done + 1, self._seconds + finished.seconds
        if self._done < self._batches[0]:
            return None
        batch = self._batches.popleft(), self._seconds
        self._done, self._seconds = 0, 0.0
        return batch

    def is_stuck(self, timeout: float | None) -> bool:
        """Return whether the worker has exceeded the time limit of a run or of its start."""
        silent = time.monotonic() - self.last_message_at
        if not self.ready:
            return silent > START_TIMEOUT_SECONDS
        return timeout is not None and bool(self.unfinished) and silent > timeout

    def kill(self) -> None:
        """Kill the process and close its connection."""
        self.process.kill()
        self.process.wait()
        self.connection.close()

    def _send(self, message: Any) -> None:
        try:
            self.connection.send(message)
        except OSError:
            self.dead = True


def _start_error(error: OSError) -> InputError:
    return InputError(f"no worker process can be started ({error.strerror or error}). Use fewer --workers.")


def _exit_reason(worker: _Worker) -> str:
    code = worker.process.returncode
    return f"the last by signal {-code}" if code is not None and code < 0 else f"the last with exit code {code}"


def _environment() -> dict[str, str]:
    """Return the environment of a worker: one thread, as each core has a worker, and the same import path."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return os.environ | limits | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
