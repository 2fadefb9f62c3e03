"""Ctrl-C: the first is a wish to stop after the event that is under way, the second an order."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from sim.clock import Clock


class FirstInterrupt:
    """Within this context a first SIGINT halts the clock of the run; a second does what it did before."""

    def __init__(self) -> None:
        self.happened = False
        self.clock: Clock | None = None
        """The clock to halt, as soon as there is one."""
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.happened = True
        if self.clock is not None:
            self.clock.halted = True
        signal.signal(signal.SIGINT, self._before)
