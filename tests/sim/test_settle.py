"""Tests of the settlement of an instant: order of its stages, batches of papers, and its end."""

import pytest

from agents.ports.knowledge import PaperBatch
from sim import events, settle
from sim.clock import Clock
from sim.scenario.model import Scenario
from sim.world import World

STILL = Scenario().replace(
    researcher__initial=16,
    growth__calibrated_for=0,
    cluster__gpus=64,
    training__first_run_gpus=8,
    kernels__measurements="none",
    run__max_doublings=4,
)


class Writer:
    """An author outside the team, which hands in whole papers."""

    def __init__(self, world: World, most: float = float("inf"), again: bool = False) -> None:
        self.world, self.most, self.again = world, most, again
        self.counted: list[float] = []
        self.dropped: list[float] = []

    def max_batch(self) -> float:
        return self.most

    def on_published(self, papers: float) -> None:
        self.counted.append(papers)
        if self.again:
            self.hand_in(papers)

    def on_dropped(self, papers: float) -> None:
        self.dropped.append(papers)

    def hand_in(self, papers: float) -> None:
        latest = self.world.lab.knowledge.literature.latest
        self.world.lab.knowledge.publish(PaperBatch(99, papers, latest), self)

    def hand_in_at(self, day: float, papers: float) -> None:
        self.world.clock.after(day - self.world.now, lambda _: self.hand_in(papers))


def papers_to(world: World, doublings: float) -> int:
    software = world.lab.knowledge.software
    return 1 + int(software.law.papers_between(software.effort, doublings))


def kinds_at(world: World, day: float) -> list[str]:
    return [type(event).__name__ for event in world.ledger if event.day == day]


def test_papers_handed_in_are_counted_at_the_end_of_the_instant():
    world = World(STILL)
    writer = Writer(world)
    writer.hand_in_at(0.01, 3)
    seen = []
    world.clock.after(0.01, lambda _: seen.append(world.lab.knowledge.papers))
    world.clock.advance(0.01)
    assert (seen, world.lab.knowledge.papers, writer.counted) == ([0.0], 3, [3])


def test_instant_is_settled_in_the_documented_order():
    world = World(STILL, training__required=False)
    Writer(world).hand_in_at(0.01, papers_to(world, 1.0))
    world.clock.advance(0.01)
    assert kinds_at(world, 0.01) == ["PaperPublished", "SoftwareDoubled", "Deployed", "ActiveResearchersChanged"]
    world = World(STILL)
    Writer(world).hand_in_at(0.01, papers_to(world, 1.0))
    world.clock.advance(0.01)
    assert kinds_at(world, 0.01) == ["PaperPublished", "SoftwareDoubled", "TrainingRequested"]


def test_batch_is_counted_in_parts_and_each_doubling_is_recorded_between_them():
    world = World(STILL, training__required=False)
    first = papers_to(world, 1.0)
    writer = Writer(world, most=first)
    writer.hand_in_at(0.01, 3 * first)
    world.clock.advance(0.01)
    kinds = kinds_at(world, 0.01)
    assert (writer.counted, kinds.count("PaperPublished")) == ([3 * first], 3)
    assert kinds.index("SoftwareDoubled") < len(kinds) - 1 - kinds[::-1].index("PaperPublished")
    assert kinds.count("ActiveResearchersChanged") == 1
    assert kinds[-1] == "ActiveResearchersChanged", "the team changes when all papers are counted"


def test_papers_after_the_last_doubling_are_not_counted_but_their_authors_go_on():
    world = World(STILL, run__max_doublings=1)
    needed = papers_to(world, 1.0)
    ending, late = Writer(world), Writer(world)
    ending.hand_in_at(0.01, needed)
    late.hand_in_at(0.01, 5)
    world.clock.advance(0.01)
    assert world.lab.knowledge.papers == needed
    assert (ending.counted, late.counted, late.dropped) == ([needed], [], [5])
    assert isinstance(world.ledger[-1], events.RunEnded) and world.ending is not None
    assert world.ending.ending == "doublings"


def test_author_that_publishes_without_end_raises_an_error_with_its_inbox(monkeypatch):
    monkeypatch.setattr(settle, "MAX_ROUNDS", 50)
    world = World(STILL)
    Writer(world, again=True).hand_in_at(0.01, 1e-3)
    with pytest.raises(settle.SettlementError, match=r"The inbox of publications is not empty after 50 rounds"):
        world.clock.advance(0.01)


def test_stages_have_the_documented_names_and_order():
    names = [stage.name for stage in (*settle.REPEATED_STAGES, *settle.FINAL_STAGES)]
    assert names == ["publications", "software", "compute", "workforce", "endings"]


# --- the clock ---------------------------------------------------------------------------------------------


def settled_clock(calls: list[tuple[str, float]], more: int = 0) -> Clock:
    """Return a clock with two events on day 1 and one on day 2, each of which requests a settlement.

    The first ``more`` settlements schedule an event at the same time.
    """
    clock = Clock()

    def on_event(_: object) -> None:
        calls.append(("event", clock.now))
        clock.request_settlement()

    def settle_instant() -> None:
        calls.append(("settled", clock.now))
        if sum(name == "settled" for name, _ in calls) <= more:
            clock.after(0.0, on_event)

    clock.on_instant_end = settle_instant
    for day in (1.0, 1.0, 2.0):
        clock.after(day, on_event)
    return clock


@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("most", [None, 1, 2, 3])
def test_clock_settles_once_when_no_event_of_the_instant_is_left(more, most):
    calls: list[tuple[str, float]] = []
    clock = settled_clock(calls, more)
    if most is None:
        clock.advance(5.0)
    else:
        while clock.advance_events(5.0, most):
            pass
    first = [("event", 1.0), ("event", 1.0), ("settled", 1.0), *[("event", 1.0), ("settled", 1.0)] * more]
    assert calls == [*first, ("event", 2.0), ("settled", 2.0)]


def test_clock_settlement_is_no_event_of_its_own():
    clock = settled_clock([])
    assert clock.advance_events(5.0, 10) == 3


def test_papers_that_a_doubling_did_not_need_are_dropped_when_all_start_over():
    world = World(STILL, training__required=False, researcher__timing="whole")
    first, late = Writer(world), Writer(world)
    first.hand_in_at(0.01, papers_to(world, 1.0))
    late.hand_in_at(0.01, 7)
    world.clock.advance(0.01)
    assert world.lab.knowledge.papers == first.counted[0]
    assert (late.counted, late.dropped) == ([], [7])
