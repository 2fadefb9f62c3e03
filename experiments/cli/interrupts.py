"""Requests to stop (Ctrl-C, SIGTERM, SIGHUP): the first stops after the event under way, the second at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from sim.clock import Clock

SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Requests to stop: from the keyboard, from a batch system or another program, from a terminal that is closed."""


class SignalsAsInterrupt:
    """Within this context SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does.

    Signals that the process ignores (as under nohup) or that have a handler stay as they are.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._before[number] = signal.signal(number, signal.default_int_handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class GracefulInterrupt:
    """Within this context a first request to stop halts the clock of the run; a second does what it did before."""

    def __init__(self) -> None:
        self.happened = False
        self.clock: Clock | None = None
        """The clock to halt, as soon as there is one."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            # A script's background jobs ignore SIGINT from their start; one that is sent to a run is meant for it.
            if number == signal.SIGINT or signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.happened = True
        if self.clock is not None:
            self.clock.halted = True
        self._restore()
