"""The worker process that measures what limits progress: one for all pages, one moment at a time."""

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

Done = Callable[[MomentMargins], None]
_NICE: Final = 10
"""The worker leaves the processor to the pages."""
_FAILED: Final = "the measurement failed"
_STOP: Final = None


class _Request(NamedTuple):
    key: Hashable
    snapshot: Snapshot
    done: Done


class Measurer:
    """Measures moments in a process of its own, the oldest request first; of each key only the latest counts.

    ``done`` is called with what was found, in a thread of the measurer. The process starts with the first request and
    ends with the measurer's process.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, _Request] = {}
        self._current: _Request | None = None
        self._worker: Connection | None = None
        self._thread: threading.Thread | None = None
        self._sending = threading.Lock()

    def submit(self, key: Hashable, snapshot: Snapshot, done: Done) -> None:
        """Ask for the margins of a moment, in place of all that ``key`` has asked for so far."""
        self.withdraw(key)
        with self._changed:
            self._waiting[key] = _Request(key, snapshot, done)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="asara measuring", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def withdraw(self, key: Hashable) -> None:
        """Drop what ``key`` has asked for; its ``done`` is not called any more."""
        with self._changed:
            self._waiting.pop(key, None)
            if self._current is not None and self._current.key == key:
                self._current = None
                if self._worker is not None:
                    with contextlib.suppress(OSError), self._sending:
                        self._worker.send(_STOP)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                self._current = request = self._waiting.pop(next(iter(self._waiting)))
            found = self._measure(request)
            with self._changed:
                wanted, self._current = self._current is request, None
            if wanted:
                request.done(found)

    def _measure(self, request: _Request) -> MomentMargins:
        """Have the worker measure a moment; a worker that died is replaced with the next request."""
        failed = MomentMargins(request.snapshot.day, "", (), 0.0, 0.0, _FAILED)
        try:
            worker = self._worker or self._start()
            with self._sending:
                worker.send(request.snapshot)
            found = worker.recv()
        except (OSError, EOFError):
            self._worker = None
            return failed
        return found if isinstance(found, MomentMargins) else failed

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs,), name="asara measuring", daemon=True).start()
        theirs.close()
        self._worker = ours
        return ours


def serve(requests: Connection) -> None:
    """Answer each snapshot with its margins, or with a sentence if that fails; stop early if told to."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            snapshot = requests.recv()
            if snapshot is _STOP:
                continue
            try:
                found: MomentMargins | str = moment_margins(snapshot, requests.poll)
            except Exception as error:
                found = f"{type(error).__name__}: {error}"
            requests.send(found)
