"""Workers on a Dask cluster: the same runs in the same processes, a list of them a task, wherever a node is free.

    dask scheduler                      # on one machine; it says its address
    dask worker tcp://ADDRESS:8786      # on each machine, where the same asara is installed

Each thread of a node does its runs through a `Crew` of one, so that a run that hangs or kills its process costs the
node nothing, and each task is refused by a node that has another model, whenever it came.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import TYPE_CHECKING, Any, Final, Self

from experiments.errors import InputError
from experiments.sweep.crew import Crew
from experiments.sweep.runner import model_identity

if TYPE_CHECKING:
    from experiments.designs import Design
    from experiments.sweep.rows import Finished

_ADDRESS: Final = re.compile(r"(tcp|tls|ucx|wss?)://\S+:\d{1,5}")
PATIENCE: Final = "10s"
"""For which a scheduler is looked for."""
TASK_SECONDS: Final = 1.0
MOST_IN_A_TASK: Final = 512
LOST_ATTEMPTS: Final = 10
"""How often a task may be lost with its node before the cluster is taken to be broken."""

_of_this_thread = threading.local()
"""The crew of the last design, kept between tasks."""


def do_task(design: Design, runs: list[int], timeout: float | None, identity: Mapping[str, str]) -> list[Finished]:
    """Do some runs on this node. Raises InputError where it would not run what ``identity`` says."""
    if model_identity() != identity:
        raise InputError("a node has another version of asara's model, or of what it is built on; install the same")
    key = (design.digest, timeout)
    if getattr(_of_this_thread, "key", None) != key:
        if hasattr(_of_this_thread, "crew"):
            _of_this_thread.crew.close()
        _of_this_thread.crew, _of_this_thread.key = Crew(design, 1, timeout), key
    crew: Crew = _of_this_thread.crew
    return [finished for finished in crew.run(runs) if finished is not None]


class Nodes:
    """The nodes of a Dask cluster, as a context.

    Raises InputError where no cluster is, or a node has another version of asara.
    """

    def __init__(self, design: Design, address: str, timeout: float | None = None) -> None:
        self._design, self._timeout, self._address = design, timeout, address
        self._client = _connected(address)
        self._executor = self._client.get_executor(pure=False)
        self._identity = model_identity()
        self._seconds = 0.0
        self._done = 0
        try:
            _wait_for_a_node(self._client, address)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def run(self, runs: Sequence[int]) -> Iterator[Finished | None]:
        """Yield each of the runs when it is over, and None now and then."""
        waiting, lost = deque([list(runs)]), 0
        at_work: dict[Future[list[Finished]], list[int]] = {}
        while waiting or at_work:
            self._hand_out(waiting, at_work)
            for future in self._over(at_work):
                task = at_work.pop(future)
                try:
                    yield from self._noted(future.result())
                except InputError as error:
                    raise InputError(f"--cluster {self._address}: {error}") from None
                except (Exception, CancelledError) as error:  # of the task or of its node, not of a run
                    lost += 1
                    if lost > LOST_ATTEMPTS:
                        why = f"{type(error).__name__}: {error}"
                        raise InputError(f"--cluster {self._address}: its nodes fail again and again ({why})") from None
                    waiting.append(task)
            yield None

    def _hand_out(self, waiting: deque[list[int]], at_work: dict[Future[list[Finished]], list[int]]) -> None:
        """Keep two tasks for each thread of the cluster."""
        threads = max(1, sum(self._client.nthreads().values()))
        while waiting and len(at_work) < 2 * threads:
            runs = waiting.popleft()
            size = min(self._size(), max(1, -(-len(runs) // (2 * threads))))
            if runs[size:]:
                waiting.appendleft(runs[size:])
            task = runs[:size]
            at_work[self._executor.submit(do_task, self._design, task, self._timeout, self._identity)] = task

    def _over(self, at_work: dict[Future[list[Finished]], list[int]]) -> Iterable[Future[list[Finished]]]:
        if self._client.status != "running":
            raise InputError(
                f"--cluster {self._address}: the scheduler is gone; what is over is kept, the same command goes on"
            )
        return wait(at_work, timeout=0.5, return_when=FIRST_COMPLETED).done

    def _noted(self, finished: list[Finished]) -> list[Finished]:
        self._seconds += sum(each.seconds for each in finished)
        self._done += len(finished)
        return finished

    def _size(self) -> int:
        mean = self._seconds / self._done if self._done else TASK_SECONDS
        return max(1, min(MOST_IN_A_TASK, int(TASK_SECONDS / max(mean, 1e-9))))


def _connected(address: str) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError("--cluster needs Dask: pip install 'asara[dask]'") from None
    if not _ADDRESS.fullmatch(address):
        raise InputError(f"--cluster {address}: no Dask scheduler answers there (write it as tcp://HOST:PORT)")
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
