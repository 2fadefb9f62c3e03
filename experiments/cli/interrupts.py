"""Handle requests to stop (Ctrl-C, SIGTERM, SIGHUP): the first after the current event, the second at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from sim.clock import Clock
    from sim.world import World

SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that request a stop: from the keyboard, from a batch system, and from a terminal that is closed."""


class SignalsAsInterrupt:
    """Context in which SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does.

    Signals that the process ignores (as under nohup) or that have a handler are not changed.
    """

    def __init__(self) -> None:
        """Create the context; handlers are installed on entry."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Install the handlers, in the main thread only."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._before[number] = signal.signal(number, signal.default_int_handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the earlier handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)


class GracefulInterrupt:
    """Context in which a first request to stop halts the clock of the run; a second has its usual effect."""

    def __init__(self) -> None:
        """Create the context; handlers are installed on entry."""
        self.happened = False
        self.clock: Clock | None = None
        """Clock to halt; None until the run has one."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Install the handlers."""
        for number in SIGNALS:
            # Background jobs of a script ignore SIGINT from the start, but a SIGINT sent to a run is intended for it.
            if number == signal.SIGINT or signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the earlier handlers."""
        self._restore()

    def should_stop(self, world: World | None) -> bool:
        """Return whether a stop was requested; a later request halts the clock of this world, if there is one."""
        self.clock = None if world is None else world.clock
        return self.happened

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.happened = True
        if self.clock is not None:
            self.clock.halted = True
        self._restore()
