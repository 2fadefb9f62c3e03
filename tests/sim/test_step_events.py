"""Test frames that are processed event by event: the run stays the same."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy import Event

from sim.clock import Clock
from sim.random_streams import RandomStreams
from sim.scenario.model import Scenario
from sim.testing.invariants import worlds
from sim.world import World
from tests.support.lab_jobs import submit_job
from tests.support.properties import examples

thorough = examples(30)


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0, 100), st.lists(st.integers(1, 5), max_size=10))
def test_advance_events_in_any_steps_reaches_the_same_time(delays, until, steps):
    seen: dict[str, list[float]] = {"walks": [], "runs": []}
    clocks = {name: Clock() for name in seen}
    for name, clock in clocks.items():
        for delay in delays:
            clock.timeout(delay).callbacks.append(lambda _, name=name, clock=clock: seen[name].append(clock.now))
    done = [clocks["walks"].advance_events(until, most) for most in steps]
    assert sum(done) == len(seen["walks"]) == min(sum(steps), sum(delay <= until for delay in delays))
    for clock in clocks.values():
        clock.advance(until)
    assert seen["walks"] == seen["runs"]
    assert clocks["walks"].now == clocks["runs"].now == until


def test_advance_events_leaves_the_clock_at_the_latest_event():
    clock = Clock()
    clock.timeout(3)
    clock.timeout(4)
    assert (clock.advance_events(10), clock.now, clock.last_event) == (1, 3, 3)
    assert (clock.advance_events(3.5), clock.now) == (0, 3)


def test_advance_events_stops_at_a_halt_and_at_background_only():
    clock = Clock()

    def halt(_: Event) -> None:
        clock.halted = True

    clock.timeout(1).callbacks.append(halt)
    clock.timeout(2)
    assert clock.advance_events(10, most=5) == 1
    idle = Clock()
    idle.background(1)
    assert idle.advance_events(10) == 0


@pytest.mark.slow
@thorough
@given(worlds(), st.lists(st.integers(0, 40), max_size=60))
def test_step_events_mixed_with_step_gives_the_same_run(world, steps):
    other = World.restore(world.snapshot())
    for most in steps:
        if most:
            other.step_events(most)
        elif other.running:
            other.step()
    while other.running:
        other.step()
    while world.running:
        world.step()
    assert other.digest() == world.digest()
    assert other.datacollector.model_vars == world.datacollector.model_vars


def test_step_events_returns_true_at_the_end_of_a_frame():
    world = World(Scenario.load("toy-explosion"), 1)
    while not world.step_events():
        assert world.now <= 1.0
    assert (world.steps, world.now, len(world.datacollector.model_vars["day"])) == (1, 1.0, 2)
    while world.running:
        world.step()
    frames, rows = world.steps, len(world.datacollector.model_vars["day"])
    assert world.step_events()
    assert (world.steps, len(world.datacollector.model_vars["day"])) == (frames, rows)


def test_step_events_with_an_impossible_job_ends_the_run():
    def doomed() -> World:
        world = World(Scenario.load("toy-explosion"), 1)
        world.clock.timeout(1.5).callbacks.append(lambda _: submit_job(world, "experiment", 10_000, 1.0))
        return world

    walked, run = doomed(), doomed()
    while walked.running:
        walked.step_events()
    while run.running:
        run.step()
    assert walked.ending is not None
    assert (walked.ending.ending, walked.now, walked.steps) == ("stalled", 1.5, 2)
    assert walked.datacollector.model_vars == run.datacollector.model_vars


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("rinc")), max_size=30), st.integers(0, 30))
def test_random_streams_unpickled_continue_their_generators(draws, at):
    kept, through = RandomStreams(3), RandomStreams(3)
    seen: list[tuple[float, float]] = []
    for place, (agent, kind) in enumerate(draws):
        if place == at:
            kept = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(kept))))
        seen.append((_draw(kept, agent, kind), _draw(through, agent, kind)))
    assert all(one == other for one, other in seen)


def _draw(streams: RandomStreams, agent: int, kind: str) -> float:
    generator = streams.get("thinking", agent)
    draw = {
        "r": generator.random,
        "i": lambda: generator.integers(0, 10, dtype="int32"),  # half of a 64-bit draw, the other half is kept
        "n": generator.standard_normal,
        "c": lambda: generator.binomial(1000, 0.3),
    }[kind]
    return float(draw())
