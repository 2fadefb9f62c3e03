"""A frame is what a World is at a moment: complete, consistent, and nothing that could change."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.window import gpu_grid as cells_module
from experiments.window.event_text import LINES
from experiments.window.frame import COLUMNS, frame_of
from experiments.window.gpu_grid import MAX_CELLS, MAX_JOBS
from experiments.window.literature_view import MAX_PAPERS
from experiments.window.number_format import format_factor
from experiments.window.queue_view import FIRST
from experiments.window.team_view import MAX_PEOPLE
from sim import reporters
from sim.events import Deployed, PaperPublished, SoftwareDoubled
from sim.runner import run
from sim.scenario.model import Scenario, shipped_scenarios
from sim.testing.invariants import worlds
from sim.world import World
from tests.support.window_runs import small_lab, walk

thorough = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
USES = ("inference", "experiment", "training", "failed", "idle")


def check_frame(world: World, between: bool = False) -> None:
    """Assert that a frame of a world says the same as the world, and adds up."""
    frame = frame_of(world, between)
    grid, cluster = frame.grid, world.scenario.cluster
    for counted in (grid, *grid.cells):
        assert sum(getattr(counted, use) for use in USES) == counted.gpus, counted
        assert all(getattr(counted, use) >= 0 for use in USES), counted
    assert sum(cell.gpus for cell in grid.cells) == grid.gpus == cluster.gpus
    assert 1 <= len(grid.cells) <= MAX_CELLS
    assert grid.idle == reporters.gpus_idle(world)
    held = {use: world.datacenter.gpus_in_use(use) for use in reporters.USES}
    assert grid.inference + grid.experiment + grid.training + grid.failed == sum(held.values())
    assert all(getattr(grid, use) <= gpus for use, gpus in held.items())
    for cell in grid.cells:
        assert len(cell.jobs) <= MAX_JOBS
        assert (cell.more_jobs > 0) <= (len(cell.jobs) == MAX_JOBS)
        assert all(job.since <= world.now <= (job.until or math.inf) + 1e-9 for job in cell.jobs), cell
    for phase in frame.team.phases:
        assert phase.all == world.census.count[phase.phase]
        assert min(phase.individuals, phase.in_cohorts, phase.pooled) >= 0
    assert frame.team.in_cohorts == world.population.in_cohorts
    assert frame.team.individuals == len(world.population.researchers)
    waiting = {use.use: use.waiting for use in frame.queue.uses}
    assert waiting == {use: world.datacenter.jobs_waiting(use) for use in reporters.USES}
    assert frame.queue.jobs == sum(waiting.values())
    assert len(frame.queue.first) <= FIRST
    assert sum(each.tasks for each in frame.queue.first) <= frame.queue.jobs
    numbers = [paper.number for paper in frame.network.papers]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= MAX_PAPERS
    assert all(later in numbers and earlier in numbers and later > earlier for later, earlier in frame.network.edges)
    shares = [share for _, share in frame.limit.shares]
    assert not shares or math.isclose(sum(shares), 1)
    assert frame.limit.state.endswith((".", "on."))
    assert len(frame.events) <= LINES
    assert (frame.ending is None) == (world.ending is None)
    assert frame.values == tuple(reporter(world) for reporter in reporters.REPORTERS.values())


@thorough
@given(worlds(), st.integers(0, 40))
def test_frames_add_up_and_change_nothing(world, events):
    other = World.restore(world.snapshot())
    check_frame(world)
    while world.running:
        world.step_events(events)
        check_frame(world, between=True)
        world.step()
        check_frame(world)
    while other.running:
        other.step_events(events)
        other.step()
    assert world.digest() == other.digest()
    assert world.datacollector.model_vars == other.datacollector.model_vars


def plain(value: Any) -> bool:
    """Whether a value is made of nothing that could change, or that lives."""
    if isinstance(value, tuple):
        return all(plain(part) for part in value)
    return value is None or type(value) in (str, int, float, bool)


@pytest.mark.parametrize("name", shipped_scenarios())
def test_frames_are_plain_values_and_stay_as_they_were(name):
    world = World(Scenario.load(name), 2)
    world.step()
    frame = frame_of(world)
    before = repr(frame)
    assert plain(frame)
    for _ in range(30):
        world.step()
    assert repr(frame) == before
    assert frame_of(world) != frame


def test_a_moment_has_one_frame_whoever_looked_before():
    scenario = small_lab()
    walked = walk(scenario)
    world = World(scenario)
    for number in range(1, 21):
        world.step()
        if number % 7 == 0:
            world = World.restore(world.snapshot())
        assert frame_of(world).number == number
    assert frame_of(world) == walked.frames[20]


@pytest.mark.parametrize("placement", ["flat", "consolidated"])
@pytest.mark.parametrize("sharing", ["shares", "priority"])
def test_large_clusters_are_shown_in_few_cells(placement, sharing):
    changes = {"cluster__gpus": 100_003, "cluster__placement": placement, "cluster__sharing": sharing}
    world = World(Scenario.load("lab").replace(**changes), 1)
    for _ in range(3):
        world.step()
    check_frame(world)
    cells = frame_of(world).grid.cells
    assert 900 < len(cells) <= MAX_CELLS
    assert "13 nodes of 8" in frame_of(world).grid.note or "rows of 104" in frame_of(world).grid.note
    sizes = {cell.gpus for cell in cells}
    assert max(sizes) == 104


def test_cells_follow_the_seats_of_the_jobs():
    world = World(small_lab(), 0)
    for _ in range(12):
        world.step()
    cells = {cell.name: cell for cell in frame_of(world).grid.cells}
    pool = world.datacenter.pools["experiment"]
    for node, free in enumerate(pool._placement.free_by_node):
        assert cells[f"experiment node {node + 1} of {len(pool._placement.free_by_node)}"].idle == free
    seats = {(node, job.number) for job in pool.jobs() for node, _ in job.allocation}
    shown = {
        (node, job.number)
        for node in range(len(pool._placement.free_by_node))
        for job in cells[f"experiment node {node + 1} of 1"].jobs
    }
    assert seats == shown


def test_a_job_that_came_back_after_a_failure_is_shown_as_failed():
    world = World(small_lab(cluster__gpu_hours_between_failures=100.0), 1)
    seen = 0
    for _ in range(40):
        since = world.now
        world.step()
        frame = frame_of(world)
        back = {
            job.number
            for pool in world.datacenter.pools.values()
            for job in pool.jobs()
            if job.allocation and job.past is not None and job.past.failures and job.started_at > since
        }
        shown = {job.number for cell in frame.grid.cells if cell.failed for job in cell.jobs}
        assert back <= shown
        assert (frame.grid.failed > 0) == bool(back)
        seen += bool(back)
    assert seen, "nothing failed: the test says nothing"


def test_the_queue_is_shown_in_its_order():
    for queue in ("fcfs", "priority", "sjf", "easy"):
        world = World(small_lab(cluster__queue=queue, researcher__initial=40, run__max_doublings=9), 3)
        for _ in range(10):
            world.step()
        first = frame_of(world).queue.first
        assert len(first) > 3
        pool = world.datacenter.pools["experiment"]
        assert first[0].number == pool._queue.head.number
        if queue != "sjf":
            assert [each.number for each in first] == sorted(each.number for each in first)


def test_lots_of_a_cohort_are_counted_and_not_drawn():
    world = World(small_lab(researcher__initial=5000, run__individuals_up_to=100), 1)
    for _ in range(5):
        world.step()
    before = world.digest()
    frame = frame_of(world)
    assert frame.team.groups[0].size == frame.team.in_cohorts == world.population.in_cohorts
    assert "cohort" in frame.team.note
    assert not frame.team.people
    assert "drawn when their turn comes" in frame.queue.note
    assert any("cohort" in job.owner for cell in frame.grid.cells for job in cell.jobs)
    assert world.digest() == before


def test_many_individuals_are_listed_in_part():
    frame = frame_of(World(small_lab(researcher__initial=500), 1))
    assert len(frame.team.people) == MAX_PEOPLE
    assert frame.team.note == "400 of 500 individuals are listed."


def test_the_network_shows_the_newest_and_marks_what_is_new():
    world = World(small_lab(researcher__initial=60), 1)
    for _ in range(30):
        world.step()
    network = frame_of(world).network
    written = [event for event in world.ledger if isinstance(event, PaperPublished)]
    assert network.papers[-1].number == written[-1].paper
    assert {paper.number for paper in network.papers if paper.new} == {
        event.paper for event in written if event.day > world.now - 1
    }
    shown = {event.paper: event for event in written}
    assert all(paper.duplicates == shown[paper.number].duplicates for paper in network.papers if paper.researcher)
    assert f"of {world.literature.published:,} papers, and" in network.note
    graph = world.literature.graph
    assert all(graph.has_edge(*edge) for edge in network.edges)
    assert network.edges


@pytest.mark.parametrize(
    ("changes", "part", "says"),
    [
        ({"training__needed": False, "researcher__experiment_gpu_days": 0.0}, "researchers", "would do more"),
        ({"cluster__gpus": 32, "researcher__initial": 60}, "queue", "lengthen the queue"),
        ({"training__first_run_days": 500.0, "cluster__gpus": 256, "run__max_doublings": 9}, "training", "discovered"),
        (
            {
                "researcher__experiment_gpus": 1,
                "researcher__experiment_gpu_days": 400.0,
                "cluster__gpus": 4096,
                "training__needed": False,
            },
            "researchers",
            "no experiment waits",
        ),
    ],
)
def test_what_limits_progress_is_said_in_a_sentence(changes, part, says):
    world = World(small_lab(**changes), 1)
    for _ in range(40):
        world.step()
    limit = frame_of(world).limit
    assert limit.part == part
    assert says in limit.state


def test_what_is_discovered_and_not_at_work_is_told_beside_what_limits():
    frame = walk(small_lab(), 0).frames[-1]
    assert frame.limit.part != "training"
    assert f"is discovered and {format_factor(frame.deployed)} at work" in frame.limit.also
    assert "made training runs shorter" in frame.limit.also
    alone = walk(small_lab(training__needed=False), 0).frames[-1]
    assert alone.limit.also == ""


def test_the_sentence_and_the_figures_tell_of_one_software():
    world = World(Scenario.load("retraining-0.75"), 0)
    while frame_of(world).limit.part != "training" or reporters.discovered(world) == world.frontier.discovered:
        world.step()
    assert format_factor(reporters.discovered(world)) in frame_of(world).limit.state


def test_rest_for_want_of_gpus_is_no_retraining_where_there_is_none():
    world = World(small_lab(training__needed=False, researcher__experiment_gpu_days=0.0), 1)
    world.step()
    world.step()
    for column in ("think", "write"):
        seen = world.datacollector.model_vars[f"researchers_{column}"]
        seen[:] = [0] * len(seen)
    world.datacollector.model_vars["researchers_paused"][:] = [6] * 3
    limit = frame_of(world).limit
    assert dict(limit.shares) == {"researchers": 0, "queue": 0, "experiments": 0, "paused": 1}
    assert limit.part != "training"


def test_the_limit_is_that_of_the_whole_run_where_the_stretch_is_the_whole_run():
    for changes in ({}, {"researcher__initial": 40}):
        world = World(small_lab(run__frame_days=0.05, **changes), 1)
        for _ in range(500):
            world.step()
        whole, lately = reporters.time_shares(world), dict(frame_of(world).limit.shares)
        lately["experiments"] += lately.pop("queue")
        assert lately == pytest.approx(whole, abs=0.02)


def test_nothing_limits_before_anything_was_done():
    frame = frame_of(World(Scenario.load("toy-explosion"), 1))
    assert frame.limit.part == "nothing"
    assert frame.queue.note == "Nobody waits for GPUs."
    assert "No paper" in frame.network.note


def test_events_are_told_newest_first_and_papers_in_a_row_together():
    world = World(small_lab(researcher__initial=60), 1)
    for _ in range(40):
        world.step()
    events = frame_of(world).events
    days = [event.day for event in events]
    assert days == sorted(days, reverse=True)
    kinds = {event.kind for event in events}
    assert {"SoftwareDoubled", "Deployed"} <= kinds
    papers = [event for event in events if event.kind == "PaperPublished"]
    assert any("papers since day" in event.sentence for event in papers)
    doubled = [event.day for event in world.ledger if isinstance(event, SoftwareDoubled)]
    told = [event.day for event in events if event.kind == "SoftwareDoubled"]
    assert told == doubled[::-1][: len(told)]
    assert any(isinstance(event, Deployed) for event in world.ledger)


def test_kernels_stand_on_their_curve():
    world = World(Scenario.load("lab"), 1)
    for _ in range(3):
        world.step()
    kernels = frame_of(world).kernels
    curve = world.calibration.curve
    assert curve is not None
    assert kernels.calibrated
    assert kernels.candidates == world.kernel_engineer.candidates > 0
    rows = np.array(kernels.curve)
    log_speedups = curve.ceiling * (1 - np.maximum(rows[:, 0] / curve.onset, 1.0) ** -curve.exponent)
    assert rows[:, 1] == pytest.approx(np.exp(log_speedups), rel=1e-9)
    assert rows[[0, -1], 0] == pytest.approx([1, kernels.tried])
    now = np.interp(kernels.candidates, rows[:, 0], rows[:, 1])
    assert 1 < kernels.speedup <= now * 1.01 < 1.25 * kernels.speedup
    assert kernels.curve[-1][1] == pytest.approx(kernels.largest)
    bare = frame_of(World(Scenario.load("lab").replace(kernels__measurements="none"), 1)).kernels
    assert (bare.calibrated, bare.curve, bare.speedup) == (False, (), 1.0)
    assert "uncalibrated" in bare.told


def test_ending_has_pace_and_long_run():
    frame = walk(small_lab()).frames[-1]
    result = run(small_lab(), 0)
    assert frame.ending is not None
    assert (frame.ending.name, frame.ending.sentence) == (result.ending, result.sentence)
    assert (frame.ending.pace.name, frame.ending.long_run) == (result.pace.name, result.long_run)
    assert frame.value("discovered") == frame.discovered
    assert COLUMNS[0] == "day"


def test_cells_name_at_most_so_many_jobs(monkeypatch):
    monkeypatch.setattr(cells_module, "MAX_JOBS", 1)
    world = World(small_lab(researcher__experiment_gpus=1), 1)
    for _ in range(10):
        world.step()
    cells = frame_of(world).grid.cells
    running = len([job for job in world.datacenter.pools["experiment"].jobs() if job.allocation])
    assert running > 1
    assert sum(len(cell.jobs) + cell.more_jobs for cell in cells if cell.pool == "experiment") == running
