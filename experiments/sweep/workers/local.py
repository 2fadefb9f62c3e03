"""Workers on this machine: each a process of its own, replaced when it dies or hangs, so that no run costs another."""

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
from experiments.sweep.workers.batch_size import pace_of
from experiments.sweep.workers.process import unfinished

if TYPE_CHECKING:
    from experiments.sweep.plan import Plan
    from experiments.sweep.records import RunRecord

ATTEMPTS: Final = 4
"""How many workers may die of a run before it is a row with the status "killed"."""
MAX_FAILED_STARTS: Final = 5
"""Workers in a row that may die before they are ready; something is wrong then that no other worker will mend."""
START_SECONDS: Final = 120.0
"""After which a worker that has not said that it is ready is replaced."""


class LocalWorkerPool:
    """Some workers, and the runs that they are at.

    ``timeout``: seconds of wall time after which a run is a row with the status "timeout"; None: never. Use it as a
    context: on leaving, no worker is left.
    """

    def __init__(self, design: Plan, workers: int, timeout: float | None = None) -> None:
        self._design, self._timeout = design, timeout
        self._workers: list[_Worker] = []
        self._start(workers)
        self._deaths: Counter[int] = Counter()
        self._alone: set[int] = set()
        """Runs of which one is why a worker was lost: each goes by itself, so that the next loss names it."""
        self._pace = pace_of(design.engine)
        self._unborn = 0

    def _start(self, workers: int) -> None:
        try:
            while len(self._workers) < workers:
                self._workers.append(_Worker(self._design))
        except OSError as error:
            self.close()
            raise _no_workers(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave no worker behind."""
        for worker in self._workers:
            worker.kill()

    def run(self, runs: Sequence[int]) -> Iterator[RunRecord | None]:
        """Yield each of the runs when it is over, in whatever order, and None at least every half second between."""
        waiting = deque(runs)
        left = len(waiting)
        while left:
            self._hand_out(waiting)
            ready = wait([worker.connection for worker in self._workers], 0.5)
            for worker in self._workers:
                for finished in self._heard(worker) if worker.connection in ready else ():
                    left -= 1
                    yield finished
                for finished in self._looked_after(worker, waiting):
                    left -= 1
                    yield finished
            yield None

    def _hand_out(self, waiting: deque[int]) -> None:
        for worker in self._workers:
            if waiting and worker.ready and len(worker.runs) <= self._pace.spare:
                alone = waiting[0] in self._alone
                if alone and worker.runs:
                    continue
                count = 1 if alone else self._pace.share(len(waiting), len(self._workers))
                worker.give([waiting.popleft() for _ in range(count)])

    def _heard(self, worker: _Worker) -> Iterator[RunRecord]:
        """What a worker has to say; one that is dead is found out by its silence."""
        try:
            while worker.connection.poll():
                said = worker.connection.recv()
                worker.since = time.monotonic()
                if said is None:
                    worker.ready, self._unborn = True, 0
                else:
                    worker.runs.remove(said.row["run"])
                    if batch := worker.ended_batch(said):
                        self._pace.note(*batch)
                    yield said
        except Exception:  # half a message, whatever it unpickles to, is the last that is heard of a worker
            worker.dead = True

    def _looked_after(self, worker: _Worker, waiting: deque[int]) -> Iterator[RunRecord]:
        """Replace a worker that is dead or hangs; its run is tried again or given up, its other runs go back."""
        hangs = worker.hangs(self._timeout)
        if not worker.dead and not hangs:
            return
        worker.kill()
        self._unborn += not worker.ready
        if self._unborn >= MAX_FAILED_STARTS:
            raise InputError(f"{MAX_FAILED_STARTS} workers in a row ended before they had begun, {_how(worker)}")
        # Of the World each run is told, so that the first is the one; a fluid tells of none before all are over.
        suspects = list(worker.runs) if self._design.engine == "fluid" else list(worker.runs)[:1]
        self._alone.update(suspects)
        if len(suspects) == 1:
            run = worker.runs.popleft()
            self._deaths[run] += 1
            if hangs:
                yield unfinished(self._design, run, "timeout", f"was not over after {self._timeout:g} s")
            elif self._deaths[run] >= ATTEMPTS:
                yield unfinished(self._design, run, "killed", f"{ATTEMPTS} workers died of it, {_how(worker)}")
            else:
                worker.runs.appendleft(run)
        waiting.extendleft(reversed(worker.runs))
        try:
            self._workers[self._workers.index(worker)] = _Worker(self._design)
        except OSError as error:
            raise _no_workers(error) from None


class _Worker:
    """A process, the runs that it was given and has not told of, and when it was last heard of."""

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
        self._batches: deque[int] = deque()
        """Sizes of the batches that it has not finished; of the World each run is one."""
        self._done, self._seconds = 0, 0.0
        """Of the first of these."""
        self.ready = self.dead = False
        self.since = time.monotonic()
        self._in_batches = design.engine == "fluid"
        self._send(design)

    def give(self, runs: list[int]) -> None:
        """Give it runs to do."""
        if not self.runs:
            self.since = time.monotonic()
        self.runs.extend(runs)
        self._batches.extend([len(runs)] if self._in_batches else [1] * len(runs))
        self._send(runs)

    def ended_batch(self, finished: RunRecord) -> tuple[int, float] | None:
        """Return the runs and seconds of the batch that a run ends, None if others of it are to come."""
        self._done, self._seconds = self._done + 1, self._seconds + finished.seconds
        if self._done < self._batches[0]:
            return None
        batch = self._batches.popleft(), self._seconds
        self._done, self._seconds = 0, 0.0
        return batch

    def hangs(self, timeout: float | None) -> bool:
        """Whether it is at a run, or at its start, for longer than it may."""
        silent = time.monotonic() - self.since
        if not self.ready:
            return silent > START_SECONDS
        return timeout is not None and bool(self.runs) and silent > timeout

    def kill(self) -> None:
        """End it, and let nothing of it stay."""
        self.process.kill()
        self.process.wait()
        self.connection.close()

    def _send(self, message: Any) -> None:
        try:
            self.connection.send(message)
        except OSError:
            self.dead = True


def _no_workers(error: OSError) -> InputError:
    return InputError(f"no worker process can be started ({error.strerror or error}); fewer --workers may do")


def _how(worker: _Worker) -> str:
    code = worker.process.returncode
    return f"the last by signal {-code}" if code is not None and code < 0 else f"the last with exit code {code}"


def _environment() -> dict[str, str]:
    """One thread a worker: there are as many workers as there shall be threads; and our own folders first."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return os.environ | limits | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
