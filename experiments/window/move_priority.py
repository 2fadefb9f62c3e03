"""Give priority to new moves: playback and long moves of a page wait for moves that other pages have just begun."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

PRIORITY_SECONDS = 0.3
"""Duration for which a new move has priority, and maximum wait of other moves between two pieces [s]."""


class MovePriority:
    """The moves that have just begun, in one process."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._started_at: dict[Hashable, float] = {}

    def begin(self, key: Hashable) -> None:
        """Record that a page begins a move."""
        with self._condition:
            self._started_at[key] = time.monotonic()

    def end(self, key: Hashable) -> None:
        """Record that the result of a move is shown."""
        with self._condition:
            self._started_at.pop(key, None)
            self._condition.notify_all()

    def give_way(self, key: Hashable) -> None:
        """Wait while new moves of other pages have priority, unless this page has a new move too."""
        with self._condition:
            if not self._has_priority(key):
                self._condition.wait_for(
                    lambda: not any(map(self._has_priority, self._started_at)), timeout=PRIORITY_SECONDS
                )

    def _has_priority(self, key: Hashable) -> bool:
        began = self._started_at.get(key)
        return began is not None and time.monotonic() - began < PRIORITY_SECONDS
