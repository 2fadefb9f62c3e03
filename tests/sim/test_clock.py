"""Test the clock: advance to an exact time, halts, background timers and pickling."""

import math
import pickle
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy import Event

from sim.clock import Clock
from sim.time_weighted import TimeWeighted


class Recorder:
    """Notes when its alarms ring and when its event succeeds."""

    def __init__(self, clock: Clock, delays: list[float]) -> None:
        self.clock = clock
        self.rang: list[float] = []
        self.event = Event(clock)
        self.event.callbacks.append(self.note)
        for delay in delays:
            clock.timeout(delay).callbacks.append(self.note)

    def note(self, event: Event) -> None:
        self.rang.append(self.clock.now)


DELAYS = st.lists(st.floats(0, 100), max_size=30)


@given(DELAYS, st.floats(0, 100))
def test_advance_processes_exactly_the_events_up_to_its_time(delays, until):
    clock = Clock()
    recorder = Recorder(clock, delays)
    clock.advance(until)
    assert clock.now == until
    assert recorder.rang == sorted(delay for delay in delays if delay <= until)


@given(DELAYS, st.floats(0, 50))
def test_unpickled_clock_continues_with_the_same_events(delays, until):
    clock = Clock()
    recorder = Recorder(clock, delays)
    clock.advance(until)
    kept = pickle.dumps(recorder)
    clock.advance(200)
    again = pickle.loads(kept)
    assert not again.event.triggered
    again.clock.advance(200)
    assert again.rang == recorder.rang


def test_unpickled_clock_has_the_time_from_which_new_timers_count():
    clock = Clock()
    clock.advance(2.5)
    again = pickle.loads(pickle.dumps(clock))
    assert again.now == 2.5
    timer = again.after(1.5, lambda _: None)
    again.advance(10)
    assert timer.processed
    again.return_to_last_event()
    assert again.now == 4.0


def test_timer_with_a_negative_time_raises():
    clock = Clock()
    with pytest.raises(ValueError, match=r"^delay = -1 is negative; allowed: 0 or more"):
        clock.after(-1, lambda _: None)


def test_last_event_is_that_in_which_a_callback_raised():
    def fail(_event: Event) -> None:
        raise RuntimeError

    clock = Clock()
    clock.after(1.0, lambda _: None)
    clock.after(2.0, fail)
    with pytest.raises(RuntimeError):
        clock.advance(10)
    assert clock.last_event == 2.0


def test_halt_leaves_the_clock_at_its_event():
    clock = Clock()

    def halt(_event: Event) -> None:
        clock.halted = True

    clock.timeout(3).callbacks.append(halt)
    clock.timeout(4).callbacks.append(lambda _: pytest.fail("an event after the halt"))
    clock.advance(10)
    assert (clock.now, clock.last_event) == (3, 3)


def test_advance_to_an_earlier_time_raises():
    clock = Clock()
    clock.advance(5)
    assert clock.idle
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(4)


def test_clock_runs_a_plain_simpy_process():
    clock = Clock()
    seen = []

    def process():
        yield clock.timeout(2)
        seen.append(clock.now)

    clock.process(process())
    clock.advance(2)
    assert seen == [2]


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(-5, 5)), max_size=20))
def test_time_weighted_total_is_the_integral_of_steps(steps):
    meter, now, expected, value = TimeWeighted(), 0.0, 0.0, 0.0
    for wait, new in steps:
        expected += wait * value
        now += wait
        value = new
        meter.set(new, now)
    assert meter.total(now + 1) == pytest.approx(expected + value, abs=1e-9)


def test_background_events_occur_only_before_other_events():
    """An event that never comes, and background itself, are nothing else."""
    clock, seen = Clock(), []
    clock.timeout(math.inf)
    clock.timeout(3.0)
    for day in (1.0, 2.0, 4.0, 5.0):
        clock.background(day).callbacks.append(lambda _, day=day: seen.append(day))
    assert not clock.idle
    clock.advance(2.5)
    assert (seen, clock.idle, clock.now) == ([1.0, 2.0], False, 2.5)
    clock.advance(10.0)
    assert (seen, clock.idle, clock.now, clock.last_event) == ([1.0, 2.0], True, 10.0, 3.0)
    clock.return_to_last_event()
    clock.timeout(1.5)
    clock.advance(10.0)
    assert (seen, clock.last_event) == ([1.0, 2.0, 4.0], 4.5)


def recorded_events(clock: Clock, way: str) -> list[tuple[str, float]]:
    """Events of every kind, some of them of one instant; ``way``: by our loop, or step by step as SimPy does."""
    recorded: list[tuple[str, float]] = []

    def note(name: str) -> None:
        recorded.append((name, clock.now))

    def process(name: str, waits: list[float]) -> Generator[Event, Any, None]:
        for wait in waits:
            yield clock.timeout(wait)
            note(name)

    def broken(wait: float) -> Generator[Event, Any, None]:
        yield clock.timeout(wait)
        raise ValueError("broken")

    def patient() -> Generator[Event, Any, None]:
        try:
            yield clock.process(broken(2.0))
        except ValueError:
            note("caught")
        yield clock.all_of([clock.timeout(1.0), clock.timeout(0.0)])
        note("both")

    def urgent() -> Generator[Event, Any, None]:
        note("urgent")
        yield clock.timeout(0.0)

    # SimPy starts a process in an urgent event, which goes before the other events of its instant.
    clock.timeout(1.0).callbacks.append(lambda _: clock.process(urgent()))
    clock.process(process("a", [1.0, 0.0, 2.0]))
    clock.process(process("b", [1.0, 2.0, 0.0]))
    clock.process(patient())
    if way == "ours":
        clock.advance(3.0)
    else:
        while clock.peek() <= 3.0:
            clock.step()
    return recorded


def test_advance_calls_the_same_callbacks_as_simpy_step():
    ours, simpys = recorded_events(Clock(), "ours"), recorded_events(Clock(), "step by step")
    assert ours == simpys
    assert ours[0] == ("urgent", 1.0) and ("caught", 2.0) in ours and ours[-1][1] == 3.0


@given(DELAYS, st.lists(st.floats(0, 60), max_size=6))
def test_advance_in_several_steps_gives_the_same_events(delays, pauses):
    calm, paused = Clock(), Clock()
    straight, in_parts = Recorder(calm, delays), Recorder(paused, delays)
    calm.advance(100)
    for pause in sorted(pauses):
        paused.advance(pause)
    paused.advance(100)
    assert in_parts.rang == straight.rang
    assert paused.last_event == calm.last_event


def test_advance_raises_an_unhandled_failure_at_its_time():
    clock, seen = Clock(), []
    failure = clock.event()
    failure.callbacks.append(lambda _: seen.append(clock.now))
    clock.timeout(2.0).callbacks.append(lambda _: failure.fail(KeyError("lost")))
    clock.timeout(3.0).callbacks.append(lambda _: seen.append("later"))
    with pytest.raises(KeyError, match="lost"):
        clock.advance(5.0)
    assert (clock.now, clock.last_event, seen) == (2.0, 2.0, [2.0])
    assert failure.processed
    clock.advance(5.0)
    assert seen == [2.0, "later"], "and the clock can go on"


def test_advance_after_a_callback_raises_keeps_the_other_events():
    clock, seen = Clock(), []

    def fail(_event: Event) -> None:
        raise RuntimeError("no")

    clock.timeout(1.0).callbacks.append(fail)
    clock.timeout(1.0).callbacks.append(lambda _: seen.append(clock.now))
    with pytest.raises(RuntimeError, match="no"):
        clock.advance(2.0)
    assert (clock.now, seen) == (1.0, [])
    clock.advance(2.0)
    assert seen == [1.0]


def test_advance_processes_events_scheduled_within_its_last_instant():
    clock, seen = Clock(), []

    def again(_event: Event) -> None:
        seen.append(clock.now)
        if len(seen) < 5:
            clock.timeout(0.0).callbacks.append(again)

    clock.timeout(0.1 + 0.2).callbacks.append(again)
    clock.advance(0.1 + 0.2)
    assert seen == [0.1 + 0.2] * 5
