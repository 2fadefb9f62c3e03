"""Turns between pages: what plays or takes long gives way to moves of other pages that have just begun."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

SHORT_SECONDS = 0.3
"""So long after its beginning a move goes before others; so long another waits for it at most, between two pieces."""


class Turns:
    """Who has just begun a move, in one process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._began: dict[Hashable, float] = {}

    def begin(self, key: Hashable) -> None:
        """Note that a page begins a move."""
        with self._changed:
            self._began[key] = time.monotonic()

    def end(self, key: Hashable) -> None:
        """Note that what came of the move is shown."""
        with self._changed:
            self._began.pop(key, None)
            self._changed.notify_all()

    def give_way(self, key: Hashable) -> None:
        """Wait while moves of other pages have just begun, unless one of this page has."""
        with self._changed:
            if not self._is_short(key):
                self._changed.wait_for(lambda: not any(map(self._is_short, self._began)), timeout=SHORT_SECONDS)

    def _is_short(self, key: Hashable) -> bool:
        began = self._began.get(key)
        return began is not None and time.monotonic() - began < SHORT_SECONDS
