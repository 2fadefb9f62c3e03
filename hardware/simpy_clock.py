"""Provide two operations that SimPy's public interface lacks: remove scheduled events, and set the exact time.

This is the only module of `hardware` that uses private attributes of SimPy.
"""

from collections.abc import Callable
from heapq import heapify

from simpy import Environment, Event


def discard_events(env: Environment, is_unwanted: Callable[[Event], bool]) -> None:
    """Remove the scheduled events for which ``is_unwanted`` returns True."""
    queue = env._queue
    kept = [entry for entry in queue if not is_unwanted(entry[3])]
    if len(kept) < len(queue):
        queue[:] = kept  # in place: the clock may hold the list
        heapify(queue)


class ReplayClock(Environment):
    """A SimPy environment that can be set to an exact time."""

    def move_to(self, time: float) -> None:
        """Set the clock to ``time``, which must not be later than the next event.

        An event at that time is no substitute: its time is a difference added to now, which can be rounded.
        """
        self._now = time
