"""Workers on a Dask cluster: the same runs in the same processes, a list of them a task, wherever a node is free.

    dask scheduler                      # on one machine; it says its address
    dask worker tcp://ADDRESS:8786      # on each machine, where the same asara is installed

Each task of a node does its runs through a `Crew` of one, so that a run that hangs or kills its process costs the
node nothing, and each task is refused by a node that has another model, whenever it came.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

from experiments.errors import InputError
from experiments.sweep.runner import model_identity
from experiments.sweep.workers.batch_size import pace_of
from experiments.sweep.workers.local import LocalWorkerPool

if TYPE_CHECKING:
    from experiments.design.design import Design
    from experiments.sweep.records import RunRecord

_ADDRESS: Final = re.compile(r"(tcp|tls|ucx|wss?)://\S+:\d{1,5}")
PATIENCE: Final = "10s"
"""For which a scheduler is looked for."""
TASK_SECONDS: Final = 1.0
"""Target length of a task of World runs [s]."""
MAX_RUNS_IN_A_TASK: Final = 512
IDLE_SECONDS: Final = 60.0
"""After which an idle worker of a node is ended, also if the sweep never said that it was over."""
CLOSE_SECONDS: Final = 5.0
LOST_ATTEMPTS: Final = 10
"""How often a task may be lost with its node before the cluster is taken to be broken."""


class _Crews:
    """The workers of a node: one for each of its tasks under way, kept for the next task and ended when idle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[object, LocalWorkerPool, threading.Timer]] = []

    @contextmanager
    def crew(self, key: object, start: Callable[[], LocalWorkerPool]) -> Iterator[LocalWorkerPool]:
        """Lend an idle crew of this key, or a new one; idle ones of other keys are ended."""
        with self._lock:
            idle, self._idle = self._idle, []
            fitting = [each for each in idle if each[0] == key]
            self._idle = fitting[1:]
        for _, _, timer in fitting[:1]:
            timer.cancel()
        for _, other, timer in (each for each in idle if each[0] != key):
            timer.cancel()
            other.close()
        crew = fitting[0][1] if fitting else start()
        try:
            yield crew
        except BaseException:
            crew.close()
            raise
        self._keep(key, crew)

    def _keep(self, key: object, crew: LocalWorkerPool) -> None:
        timer = threading.Timer(IDLE_SECONDS, self._expire, [crew])
        timer.daemon = True
        with self._lock:
            self._idle.append((key, crew, timer))
        timer.start()

    def _expire(self, crew: LocalWorkerPool) -> None:
        with self._lock:
            found = [each for each in self._idle if each[1] is crew]
            self._idle = [each for each in self._idle if each[1] is not crew]
        for _, idle, _ in found:
            idle.close()

    def end(self) -> None:
        """End all that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, crew, timer in idle:
            timer.cancel()
            crew.close()


_crews: Final = _Crews()
"""Of this process."""


def end_idle_workers() -> None:
    """End the workers of this node that no task uses."""
    _crews.end()


def do_task(design: Design, runs: list[int], timeout: float | None, identity: Mapping[str, str]) -> list[RunRecord]:
    """Do some runs on this node. Raises InputError where it would not run what ``identity`` says."""
    if model_identity() != identity:
        raise InputError("a node has another version of asara's model, or of what it is built on; install the same")
    with _crews.crew((design.digest, timeout), lambda: LocalWorkerPool(design, 1, timeout)) as crew:
        return [finished for finished in crew.run(runs) if finished is not None]


class DaskWorkers:
    """The nodes of a Dask cluster, as a context.

    Raises InputError where no cluster is, or a node has another version of asara.
    """

    def __init__(self, design: Design, address: str, timeout: float | None = None) -> None:
        self._design, self._timeout, self._address = design, timeout, address
        self._client = _connected(address)
        self._executor = self._client.get_executor(pure=False)
        self._identity = model_identity()
        self._pace = pace_of(design.engine, TASK_SECONDS, MAX_RUNS_IN_A_TASK)
        try:
            _wait_for_a_node(self._client, address)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster; the workers of its nodes are ended."""
        with suppress(Exception):  # whatever is wrong with the cluster has been reported
            if self._client.status == "running":
                self._client.run(end_idle_workers)
        with suppress(Exception):
            self._client.close(timeout=CLOSE_SECONDS)

    def run(self, runs: Sequence[int]) -> Iterator[RunRecord | None]:
        """Yield each of the runs when it is over, and None now and then."""
        waiting, lost = deque([list(runs)]), 0
        at_work: dict[Future[list[RunRecord]], list[int]] = {}
        while waiting or at_work:
            self._check_scheduler()
            try:
                self._hand_out(waiting, at_work)
            except OSError:  # of the connection: nothing else is asked here
                raise self._gone() from None
            for future in wait(at_work, timeout=0.5, return_when=FIRST_COMPLETED).done:
                task = at_work.pop(future)
                try:
                    yield from self._noted(future.result())
                except InputError as error:
                    raise InputError(f"--cluster {self._address}: {error}") from None
                except (Exception, CancelledError) as error:  # of the task or of its node, not of a run
                    self._check_scheduler()
                    lost += 1
                    if lost > LOST_ATTEMPTS:
                        why = f"{type(error).__name__}: {error}"
                        raise InputError(f"--cluster {self._address}: its nodes fail again and again ({why})") from None
                    waiting.append(task)
            yield None

    def _hand_out(self, waiting: deque[list[int]], at_work: dict[Future[list[RunRecord]], list[int]]) -> None:
        """Keep two tasks for each thread of the cluster."""
        threads = max(1, sum(self._client.nthreads().values()))
        while waiting and len(at_work) < 2 * threads:
            runs = waiting.popleft()
            size = self._pace.share(len(runs), threads)
            if runs[size:]:
                waiting.appendleft(runs[size:])
            task = runs[:size]
            at_work[self._executor.submit(do_task, self._design, task, self._timeout, self._identity)] = task

    def _check_scheduler(self) -> None:
        if self._client.status != "running":
            raise self._gone()

    def _gone(self) -> InputError:
        return InputError(
            f"--cluster {self._address}: the scheduler is gone; finished runs are kept; the same command continues"
        )

    def _noted(self, finished: list[RunRecord]) -> list[RunRecord]:
        self._pace.note(len(finished), sum(each.seconds for each in finished))
        return finished


def _connected(address: str) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError("--cluster needs Dask: pip install 'asara[dask]'") from None
    if not _ADDRESS.fullmatch(address):
        raise InputError(f"--cluster {address}: no Dask scheduler answers there (write it as tcp://HOST:PORT)")
    for name in ("distributed", "distributed.client", "distributed.comm"):  # what they would print are tracebacks
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"--cluster {address}: no Dask scheduler answers there ({why})") from None


def _wait_for_a_node(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise InputError(f"--cluster {address}: it has no node; start some with `dask worker {address}`") from None
