"""Ctrl-C: the first is a wish to stop, the second an order."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class FirstInterrupt:
    """Within this context a first SIGINT only sets `happened`; a second does what it did before."""

    def __init__(self) -> None:
        self.happened = False
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
        signal.signal(signal.SIGINT, self._before)
