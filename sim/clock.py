"""Extend SimPy's environment so that it advances to an exact time and can be saved, copied and branched.

A World uses callbacks (``clock.after(days, self._finished)``) instead of generators, which cannot be pickled. The clock
and every scheduled event can therefore be written as bytes, read back and continued.

The operations that SimPy's public interface lacks are in :mod:`hardware.simpy_clock`.
"""

from collections.abc import Callable

from simpy import Event
from simpy.events import EventPriority

from hardware.simpy_clock import BackgroundTimeout, ExactClock, Timer, discard_events

_END_OF_INSTANT = EventPriority(3)
"""SimPy priority after the cluster's dispatch (2), which gives out the GPUs of an instant."""


class Clock(ExactClock):
    """A SimPy environment that advances to an exact time, can be halted and can be pickled."""

    def advance(self, until: float) -> None:
        """Process every event up to and including ``until``, then set the time to exactly ``until``.

        SimPy's own ``run(until=t)`` reaches ``now + (t - now)``, which rounding can make different from ``t``. It also
        leaves the events at ``t`` unprocessed. A halt leaves the clock at the event that caused it. If only background
        timers are scheduled, none of them is processed.

        Raises ValueError if ``until`` is in the past.
        """
        if until < self.now:
            raise ValueError(f"the clock stands at {self.now} and cannot go back to {until}")
        self.process_until(until)
        if not self.halted:
            self.move_to(until)

    def advance_events(self, until: float, most: int = 1) -> int:
        """Process at most ``most`` events up to and including ``until``, and return their number.

        The clock then stands at the latest of them. A following :meth:`advance` gives the same result as
        :meth:`advance` alone.
        """
        done = 0
        while done < most and not self.halted:
            day, event = self.peek(), self.next_event
            if event is None or day > until or (event.__class__ is BackgroundTimeout and self.idle):
                break
            self.last_event = day
            self.step()
            self.settle_if_due()
            done += 1
        return done

    def close(self) -> None:
        """Halt the clock and drop all scheduled events."""
        self.halted = True
        discard_events(self, lambda _: True)

    def return_to_last_event(self) -> None:
        """Set the time back to the latest event, which undoes the idle rest of an advance."""
        self.move_to(self.last_event)

    def at_end_of_instant(self, callback: Callable[[Event], None]) -> None:
        """Call ``callback`` after all other events of this instant, the cluster's dispatch included."""
        self.call_in_this_instant(callback, _END_OF_INSTANT)

    def request_settlement(self) -> None:
        """Call ``on_instant_end`` when no event of this instant is left."""
        self.is_unsettled = True

    def after(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Call ``callback`` after ``days``; the returned timer identifies the call."""
        return Timer(self, days, callback)

    def after_in_background(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Call ``callback`` after ``days``, with a timer that does not keep the run alive."""
        timer = BackgroundTimeout(self, days)
        timer.callbacks.append(callback)
        return timer

    def background(self, days: float) -> BackgroundTimeout:
        """Return a timer that fires after ``days`` if any event that keeps the run alive is still scheduled then."""
        return BackgroundTimeout(self, days)
