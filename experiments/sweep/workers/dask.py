"""Run a sweep on a Dask cluster: each task is a list of runs, and runs in the same worker processes as locally.

    dask scheduler                      # on one machine; it prints its address
    dask worker tcp://ADDRESS:8786      # on each machine; install the same version of asara there

Each task uses a `LocalWorkerPool` with one worker, so that a run that is stuck or kills its process does not affect
the node. A node with another version of the model refuses every task.
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
from experiments.sweep.workers.batch_size import batch_sizer
from experiments.sweep.workers.local import LocalWorkerPool

if TYPE_CHECKING:
    from experiments.design.design import Design
    from experiments.sweep.records import RunRecord

_ADDRESS: Final = re.compile(r"(tcp|tls|ucx|wss?)://\S+:\d{1,5}")
CONNECT_TIMEOUT: Final = "10s"
"""Time to wait for the scheduler, and then for a node, in Dask's notation."""
TASK_SECONDS: Final = 1.0
"""Target time of a task of World runs [s]."""
MAX_RUNS_IN_TASK: Final = 512
IDLE_SECONDS: Final = 60.0
"""Time after which an idle worker of a node ends, even if no message about the end of the sweep arrives [s]."""
CLOSE_SECONDS: Final = 5.0
MAX_LOST_TASKS: Final = 10
"""Number of tasks that may be lost with their nodes before the sweep stops."""


class _PoolCache:
    """The worker pools of a node: one for each running task, reused by the next task, and ended when idle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[object, LocalWorkerPool, threading.Timer]] = []

    @contextmanager
    def pool(self, key: object, start: Callable[[], LocalWorkerPool]) -> Iterator[LocalWorkerPool]:
        """Yield an idle pool of this key, or a new one; end idle pools of other keys."""
        with self._lock:
            idle, self._idle = self._idle, []
            fitting = [each for each in idle if each[0] == key]
            self._idle = fitting[1:]
        for _, _, timer in fitting[:1]:
            timer.cancel()
        for _, other, timer in (each for each in idle if each[0] != key):
            timer.cancel()
            other.close()
        pool = fitting[0][1] if fitting else start()
        try:
            yield pool
        except BaseException:
            pool.close()
            raise
        self._keep(key, pool)

    def _keep(self, key: object, pool: LocalWorkerPool) -> None:
        timer = threading.Timer(IDLE_SECONDS, self._expire, [pool])
        timer.daemon = True
        with self._lock:
            self._idle.append((key, pool, timer))
        timer.start()

    def _expire(self, pool: LocalWorkerPool) -> None:
        with self._lock:
            found = [each for each in self._idle if each[1] is pool]
            self._idle = [each for each in self._idle if each[1] is not pool]
        for _, idle, _ in found:
            idle.close()

    def close_idle(self) -> None:
        """Close all idle pools."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, pool, timer in idle:
            timer.cancel()
            pool.close()


_pool_cache: Final = _PoolCache()
"""Worker pools of this process."""


def end_idle_workers() -> None:
    """End the workers of this node that no task uses."""
    _pool_cache.close_idle()


def do_task(design: Design, runs: list[int], timeout: float | None, identity: Mapping[str, str]) -> list[RunRecord]:
    """Execute runs on this node. Raises InputError if its model or libraries differ from ``identity``."""
    if model_identity() != identity:
        raise InputError(
            "a node has another version of asara's model or of its libraries. Install the same versions on all nodes."
        )
    with _pool_cache.pool((design.digest, timeout), lambda: LocalWorkerPool(design, 1, timeout)) as pool:
        return [finished for finished in pool.run(runs) if finished is not None]


class DaskWorkers:
    """The nodes of a Dask cluster, as a context manager.

    Raises InputError if the cluster cannot be reached, or a node has another version of asara.
    """

    def __init__(self, design: Design, address: str, timeout: float | None = None) -> None:
        self._design, self._timeout, self._address = design, timeout, address
        self._client = _connect(address)
        self._executor = self._client.get_executor(pure=False)
        self._identity = model_identity()
        self._sizer = batch_sizer(design.engine, TASK_SECONDS, MAX_RUNS_IN_TASK)
        try:
            _wait_for_node(self._client, address)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect from the cluster, and end the workers of its nodes."""
        with suppress(Exception):  # problems of the cluster have been reported before
            if self._client.status == "running":
                self._client.run(end_idle_workers)
        with suppress(Exception):
            self._client.close(timeout=CLOSE_SECONDS)

    def run(self, runs: Sequence[int]) -> Iterator[RunRecord | None]:
        """Yield each run when it has finished, and None in between."""
        waiting, lost = deque([list(runs)]), 0
        running: dict[Future[list[RunRecord]], list[int]] = {}
        while waiting or running:
            self._check_scheduler()
            try:
                self._submit_tasks(waiting, running)
            except OSError:  # only the connection can raise it here
                raise self._scheduler_error() from None
            for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                try:
                    yield from self._record_times(future.result())
                except InputError as error:
                    raise InputError(f"--cluster {self._address}: {error}") from None
                except (Exception, CancelledError) as error:  # an error of the task or its node, not of a run
                    self._check_scheduler()
                    lost += 1
                    if lost > MAX_LOST_TASKS:
                        why = f"{type(error).__name__}: {error}"
                        raise InputError(
                            f"--cluster {self._address}: {lost} tasks were lost with their nodes ({why}). "
                            "Check the nodes, and run the same command again."
                        ) from None
                    waiting.append(task)
            yield None

    def _submit_tasks(self, waiting: deque[list[int]], running: dict[Future[list[RunRecord]], list[int]]) -> None:
        """Submit tasks until there are two for each thread of the cluster."""
        threads = max(1, sum(self._client.nthreads().values()))
        while waiting and len(running) < 2 * threads:
            runs = waiting.popleft()
            size = self._sizer.next_batch(len(runs), threads)
            if runs[size:]:
                waiting.appendleft(runs[size:])
            task = runs[:size]
            running[self._executor.submit(do_task, self._design, task, self._timeout, self._identity)] = task

    def _check_scheduler(self) -> None:
        if self._client.status != "running":
            raise self._scheduler_error()

    def _scheduler_error(self) -> InputError:
        return InputError(
            f"--cluster {self._address}: the connection to the scheduler is lost. Finished runs are kept; "
            "run the same command again to continue."
        )

    def _record_times(self, finished: list[RunRecord]) -> list[RunRecord]:
        self._sizer.record_batch(len(finished), sum(each.seconds for each in finished))
        return finished


def _connect(address: str) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError("--cluster needs Dask, which is not installed. Run pip install 'asara[dask]'.") from None
    if not _ADDRESS.fullmatch(address):
        raise InputError(
            f"--cluster = {address} is not the address of a Dask scheduler; allowed: tcp://HOST:PORT. "
            "`dask scheduler` prints its address."
        )
    # They would print tracebacks.
    for name in ("distributed", "distributed.client", "distributed.comm", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        why = " ".join(str(error).split())
        raise InputError(
            f"--cluster {address}: no Dask scheduler answers ({why}). Start one with `dask scheduler`."
        ) from None


def _wait_for_node(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError:
        raise InputError(f"--cluster {address}: the cluster has no node. Run `dask worker {address}`.") from None
