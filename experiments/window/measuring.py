"""Measure what limits progress in a worker process: one process for all pages, one snapshot at a time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Hashable
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from experiments.window.moment_margins import MomentMargins, moment_margins
from sim.world import Snapshot

MarginsCallback = Callable[[MomentMargins], None]
_NICENESS: Final = 10
"""Niceness of the worker, so that pages have priority."""
_FAILURE_TEXT: Final = "the measurement failed"
_STOP: Final = None


class _MarginsRequest(NamedTuple):
    key: Hashable
    snapshot: Snapshot
    lab: str
    """Name of the lab whose inputs are raised."""
    on_done: MarginsCallback


class MarginsWorker:
    """A queue of measurements in a worker process, oldest request first, with one request per key.

    ``on_done`` is called with the result, in a thread of the measurer. The process starts with the first request and
    ends with the process of the measurer.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: dict[Hashable, _MarginsRequest] = {}
        self._current: _MarginsRequest | None = None
        self._worker: Connection | None = None
        self._thread: threading.Thread | None = None
        self._send_lock = threading.Lock()

    def submit(self, key: Hashable, snapshot: Snapshot, lab: str, on_done: MarginsCallback) -> None:
        """Request the margins of a lab at a snapshot; earlier requests of ``key`` are dropped."""
        self.withdraw(key)
        with self._condition:
            self._waiting[key] = _MarginsRequest(key, snapshot, lab, on_done)
            if self._thread is None:
                self._thread = threading.Thread(target=self._process_requests, name="asara measuring", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def withdraw(self, key: Hashable) -> None:
        """Drop the request of ``key``; its ``on_done`` is not called."""
        with self._condition:
            self._waiting.pop(key, None)
            if self._current is not None and self._current.key == key:
                self._current = None
                if self._worker is not None:
                    with contextlib.suppress(OSError), self._send_lock:
                        self._worker.send(_STOP)

    def _process_requests(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting)
                self._current = request = self._waiting.pop(next(iter(self._waiting)))
            found = self._measure_in_worker(request)
            with self._condition:
                wanted, self._current = self._current is request, None
            if wanted:
                request.on_done(found)

    def _measure_in_worker(self, request: _MarginsRequest) -> MomentMargins:
        """Measure a snapshot in the worker; a dead worker is replaced at the next request."""
        failed = MomentMargins(request.snapshot.day, "", (), 0.0, 0.0, _FAILURE_TEXT)
        try:
            worker = self._worker or self._start_worker()
            with self._send_lock:
                worker.send((request.snapshot, request.lab))
            found = worker.recv()
        except (OSError, EOFError):
            self._worker = None
            return failed
        return found if isinstance(found, MomentMargins) else failed

    def _start_worker(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        context.Process(target=serve_margins, args=(theirs,), name="asara measuring", daemon=True).start()
        theirs.close()
        self._worker = ours
        return ours


def serve_margins(requests: Connection) -> None:
    """Answer each snapshot and lab with its margins, or with a sentence on failure.

    A stop request ends a measurement early.
    """
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            request = requests.recv()
            if request is _STOP:
                continue
            snapshot, lab = request
            try:
                found: MomentMargins | str = moment_margins(snapshot, requests.poll, lab)
            except Exception as error:
                found = f"{type(error).__name__}: {error}"
            requests.send(found)
