"""Frames: complete, consistent and immutable."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.text.number_format import format_factor
from experiments.window import gpu_grid as grid_module
from experiments.window.event_text import MAX_LINES
from experiments.window.frame import COLUMNS, frame_of
from experiments.window.gpu_grid import MAX_CELLS, MAX_JOBS_PER_CELL
from experiments.window.literature_view import MAX_PAPERS
from experiments.window.queue_view import MAX_LISTED_JOBS
from experiments.window.team_view import MAX_PEOPLE
from hardware.cluster.jobs import nodes_of
from hardware.uses import Use
from sim import reporters, run_statistics
from sim.events import Deployed, PaperPublished, SoftwareDoubled
from sim.runner import run
from sim.scenario.model import Scenario, shipped_scenarios
from sim.testing.invariants import worlds
from sim.world import World
from tests.support.properties import examples
from tests.support.window_runs import run_headless, small_lab

thorough = examples(40)
USES = ("inference", "experiment", "training", "failed", "idle")


def check_frame(world: World, is_between_frames: bool = False) -> None:
    """Assert that a frame agrees with its world and adds up."""
    frame = frame_of(world, is_between_frames)
    grid, cluster = frame.grid, world.scenario.cluster
    for counted in (grid, *grid.cells):
        assert sum(getattr(counted, use) for use in USES) == counted.gpus, counted
        assert all(getattr(counted, use) >= 0 for use in USES), counted
    assert sum(cell.gpus for cell in grid.cells) == grid.gpus == cluster.gpus
    assert 1 <= len(grid.cells) <= MAX_CELLS
    assert grid.idle == reporters.gpus_idle(world.lab)
    held = {use: world.lab.compute.datacenter.gpus_in_use(use) for use in Use}
    assert grid.inference + grid.experiment + grid.training + grid.failed == sum(held.values())
    assert all(getattr(grid, use) <= gpus for use, gpus in held.items())
    for cell in grid.cells:
        assert len(cell.jobs) <= MAX_JOBS_PER_CELL
        assert (cell.more_jobs > 0) <= (len(cell.jobs) == MAX_JOBS_PER_CELL)
        assert all(job.since <= world.now <= (job.until or math.inf) + 1e-9 for job in cell.jobs), cell
    for phase in frame.team.phases:
        assert phase.total == world.lab.workforce.census.count[phase.phase]
        assert min(phase.individuals, phase.in_cohorts, phase.pooled) >= 0
    assert frame.team.in_cohorts == world.lab.workforce.in_cohorts
    assert frame.team.individuals == len(world.lab.workforce.researchers)
    waiting = {use.use: use.waiting for use in frame.queue.uses}
    assert waiting == {use: world.lab.compute.datacenter.jobs_waiting(use) for use in Use}
    assert frame.queue.jobs == sum(waiting.values())
    assert len(frame.queue.first) <= MAX_LISTED_JOBS
    assert sum(each.tasks for each in frame.queue.first) <= frame.queue.jobs
    numbers = [paper.number for paper in frame.network.papers]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= MAX_PAPERS
    assert all(later in numbers and earlier in numbers and later > earlier for later, earlier in frame.network.edges)
    shares = [share for _, share in frame.limit.shares]
    assert not shares or math.isclose(sum(shares), 1)
    assert frame.limit.state.endswith(".")
    assert len(frame.events) <= MAX_LINES
    assert (frame.ending is None) == (world.ending is None)
    assert frame.values == tuple(reporter(world.lab) for reporter in reporters.REPORTERS.values())


@pytest.mark.slow
@thorough
@given(worlds(), st.integers(0, 40))
def test_frames_add_up_and_leave_the_world_unchanged(world, events):
    other = World.restore(world.snapshot())
    check_frame(world)
    while world.running:
        world.step_events(events)
        check_frame(world, is_between_frames=True)
        world.step()
        check_frame(world)
    while other.running:
        other.step_events(events)
        other.step()
    assert world.digest() == other.digest()
    assert world.datacollector.model_vars == other.datacollector.model_vars


def plain(value: Any) -> bool:
    """Return whether a value consists of immutable plain values only."""
    if isinstance(value, tuple):
        return all(plain(part) for part in value)
    return value is None or type(value) in (str, int, float, bool)


@pytest.mark.parametrize("name", shipped_scenarios())
def test_frames_are_immutable_plain_values(name):
    world = World(Scenario.load(name), 2)
    world.step()
    frame = frame_of(world)
    before = repr(frame)
    assert plain(frame)
    for _ in range(30):
        world.step()
    assert repr(frame) == before
    assert frame_of(world) != frame


def test_equal_states_give_equal_frames():
    scenario = small_lab()
    walked = run_headless(scenario)
    world = World(scenario)
    for number in range(1, 21):
        world.step()
        if number % 7 == 0:
            world = World.restore(world.snapshot())
        assert frame_of(world).number == number
    assert frame_of(world) == walked.frames[20]


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["flat", "consolidated"])
@pytest.mark.parametrize("sharing", ["static", "priority"])
def test_grid_of_a_large_cluster_has_few_cells(placement, sharing):
    changes = {"cluster__gpus": 100_003, "cluster__placement": placement, "cluster__partitioning": sharing}
    world = World(Scenario.load("lab").replace(**changes), 1)
    for _ in range(3):
        world.step()
    check_frame(world)
    cells = frame_of(world).grid.cells
    assert 900 < len(cells) <= MAX_CELLS
    assert "13 nodes of 8" in frame_of(world).grid.note or "rows of 104" in frame_of(world).grid.note
    sizes = {cell.gpus for cell in cells}
    assert max(sizes) == 104


@pytest.mark.parametrize(("nodes", "size"), [(1, 8), (4, 2)])
def test_cells_show_the_jobs_and_idle_gpus_of_each_node(nodes, size):
    world = World(small_lab(cluster__gpus_per_node=size), 0)
    pool = world.lab.compute.datacenter.pools["experiment"]
    assert pool.capacity == nodes * size
    while not any(job.allocation for job in pool.jobs()):
        world.step()
    cells = {cell.name: cell for cell in frame_of(world).grid.cells}
    held = [(node, job.number, gpus) for job in pool.jobs() for node, gpus in nodes_of(job.allocation)]
    for node in range(nodes):
        cell = cells[f"experiment node {node + 1} of {nodes}"]
        assert cell.idle == size - sum(gpus for place, _, gpus in held if place == node)
        assert {job.number for job in cell.jobs} == {number for place, number, _ in held if place == node}


@pytest.mark.parametrize("placement", ["flat", "consolidated"])
def test_grid_follows_nodes_that_are_added_and_retired(placement):
    world = World(small_lab(cluster__placement=placement, cluster__gpus=66), 0)
    datacenter = world.lab.compute.datacenter
    for use, number, speed in (("experiment", 3, 1.0), ("training", 1, 2.0), ("experiment", 2, 2.0)):
        datacenter.add_nodes(use, number, speed)
    world.step()
    datacenter.retire_nodes("experiment", 4, 1.0)
    while not datacenter.gpus_in_use("experiment"):
        world.step()
    grid = grid_module.grid_of(world, 0.0)
    assert grid.gpus == datacenter.capacity == 66 + 2 * 8
    for use in Use:
        assert sum(cell.gpus for cell in grid.cells if cell.pool == use) == datacenter.capacity_of(use)
        assert sum(getattr(cell, use) for cell in grid.cells) == datacenter.gpus_in_use(use)
    assert all(cell.idle >= 0 for cell in grid.cells)


def test_grid_shows_restarted_jobs_as_failed():
    world = World(small_lab(cluster__gpu_hours_between_failures=100.0), 1)
    seen = 0
    for _ in range(40):
        since = world.now
        world.step()
        frame = frame_of(world)
        back = {
            job.number
            for pool in world.lab.compute.datacenter.pools.values()
            for job in pool.jobs()
            if job.allocation and job.past is not None and job.past.failures and job.started_at > since
        }
        shown = {job.number for cell in frame.grid.cells if cell.failed for job in cell.jobs}
        assert back <= shown
        assert (frame.grid.failed > 0) == bool(back)
        seen += bool(back)
    assert seen, "nothing failed, so the test is empty"


def test_queue_view_follows_the_discipline():
    for queue in ("fcfs", "priority", "sjf", "easy"):
        world = World(small_lab(cluster__queue=queue, researcher__initial=40, run__max_doublings=9), 3)
        for _ in range(10):
            world.step()
        first = frame_of(world).queue.first
        assert len(first) > 3
        pool = world.lab.compute.datacenter.pools["experiment"]
        assert first[0].number == pool.queue.head.number
        if queue != "sjf":
            assert [each.number for each in first] == sorted(each.number for each in first)


def test_frame_of_a_cohort_draws_no_random_numbers():
    world = World(small_lab(researcher__initial=5000, run__max_individuals=100), 1)
    for _ in range(5):
        world.step()
    before = world.digest()
    frame = frame_of(world)
    assert frame.team.groups[0].size == frame.team.in_cohorts == world.lab.workforce.in_cohorts
    assert "cohort" in frame.team.note
    assert not frame.team.people
    assert "drawn when the jobs start" in frame.queue.note
    assert any("cohort" in job.owner for cell in frame.grid.cells for job in cell.jobs)
    assert world.digest() == before


def test_team_view_limits_the_listed_individuals():
    frame = frame_of(World(small_lab(researcher__initial=500), 1))
    assert len(frame.team.people) == MAX_PEOPLE
    assert frame.team.note == "400 of 500 individuals are listed."


def test_network_contains_the_newest_papers():
    world = World(small_lab(researcher__initial=60), 1)
    for _ in range(30):
        world.step()
    network = frame_of(world).network
    written = [event for event in world.ledger if isinstance(event, PaperPublished)]
    assert network.papers[-1].number == written[-1].paper
    assert {paper.number for paper in network.papers if paper.is_new} == {
        event.paper for event in written if event.day > world.now - 1
    }
    shown = {event.paper: event for event in written}
    assert all(paper.duplicates == shown[paper.number].duplicates for paper in network.papers if paper.researcher)
    assert f"of {world.lab.knowledge.literature.published:,} papers, and" in network.note
    graph = world.lab.knowledge.literature.graph
    assert all(graph.has_edge(*edge) for edge in network.edges)
    assert network.edges


@pytest.mark.parametrize(
    ("changes", "part", "says"),
    [
        (
            {"training__required": False, "researcher__experiment_gpu_days": 0.0},
            "researchers",
            "would increase progress",
        ),
        ({"cluster__gpus": 32, "researcher__initial": 60}, "queue", "lengthen the queue"),
        ({"training__first_run_days": 500.0, "cluster__gpus": 256, "run__max_doublings": 9}, "training", "discovered"),
        (
            {
                "researcher__experiment_gpus": 1,
                "researcher__experiment_gpu_days": 400.0,
                "cluster__gpus": 4096,
                "training__required": False,
            },
            "researchers",
            "no experiment waits",
        ),
    ],
)
def test_limiting_factor_names_the_limit(changes, part, says):
    world = World(small_lab(**changes), 1)
    for _ in range(40):
        world.step()
    limit = frame_of(world).limit
    assert limit.part == part
    assert says in limit.state


def test_limiting_factor_reports_undeployed_software():
    frame = run_headless(small_lab(), 0).frames[-1]
    assert frame.limit.part != "training"
    assert f"is discovered and {format_factor(frame.deployed)} is deployed" in frame.limit.also
    assert "has shortened training runs" in frame.limit.also
    alone = run_headless(small_lab(training__required=False), 0).frames[-1]
    assert alone.limit.also == ""


def test_limiting_factor_and_figures_show_the_same_software():
    world = World(Scenario.load("retraining-0.75"), 0)
    while (
        frame_of(world).limit.part != "training"
        or reporters.discovered(world.lab) == world.lab.knowledge.software.discovered
    ):
        world.step()
    assert format_factor(reporters.discovered(world.lab)) in frame_of(world).limit.state


def test_limiting_factor_of_paused_researchers_is_not_training():
    world = World(small_lab(training__required=False, researcher__experiment_gpu_days=0.0), 1)
    world.step()
    world.step()
    for column in ("think", "write"):
        seen = world.datacollector.model_vars[f"researchers_{column}"]
        seen[:] = [0] * len(seen)
    world.datacollector.model_vars["researchers_paused"][:] = [6] * 3
    limit = frame_of(world).limit
    assert dict(limit.shares) == {"researchers": 0, "queue": 0, "experiments": 0, "paused": 1}
    assert limit.part != "training"


def test_limiting_factor_shares_equal_time_shares_of_the_run():
    for changes in ({}, {"researcher__initial": 40}):
        world = World(small_lab(run__sample_days=0.05, **changes), 1)
        for _ in range(500):
            world.step()
        whole, lately = run_statistics.time_shares(world), dict(frame_of(world).limit.shares)
        lately["experiments"] += lately.pop("queue")
        assert lately == pytest.approx(whole, abs=0.02)


def test_limiting_factor_on_day_0_is_nothing():
    frame = frame_of(World(Scenario.load("toy-explosion"), 1))
    assert frame.limit.part == "nothing"
    assert frame.queue.note == "No job waits for GPUs."
    assert "No paper" in frame.network.note


def test_last_events_are_newest_first_with_grouped_papers():
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
    days = [event.day for event in events if event.kind == "SoftwareDoubled"]
    assert days == doubled[::-1][: len(days)]
    assert any(isinstance(event, Deployed) for event in world.ledger)


def test_kernel_state_lies_on_the_measured_curve():
    world = World(Scenario.load("lab"), 1)
    for _ in range(3):
        world.step()
    kernels = frame_of(world).kernels
    curve = world.lab.calibration.curve
    assert curve is not None
    assert kernels.calibrated
    assert kernels.candidates == world.lab.kernels.candidates > 0
    rows = np.array(kernels.curve)
    log_speedups = curve.ceiling * (1 - np.maximum(rows[:, 0] / curve.onset, 1.0) ** -curve.exponent)
    assert rows[:, 1] == pytest.approx(np.exp(log_speedups), rel=1e-9)
    assert rows[[0, -1], 0] == pytest.approx([1, kernels.tried])
    now = np.interp(kernels.candidates, rows[:, 0], rows[:, 1])
    assert 1 < kernels.speedup <= now * 1.01 < 1.25 * kernels.speedup
    assert kernels.curve[-1][1] == pytest.approx(kernels.largest)
    bare = frame_of(World(Scenario.load("lab").replace(kernels__measurements="none"), 1)).kernels
    assert (bare.calibrated, bare.curve, bare.speedup) == (False, (), 1.0)
    assert "uncalibrated" in bare.method_note


def test_frame_ending_has_pace_and_long_run():
    frame = run_headless(small_lab()).frames[-1]
    result = run(small_lab(), 0)
    assert frame.ending is not None
    assert (frame.ending.name, frame.ending.sentence) == (result.ending, result.sentence)
    assert (frame.ending.pace.name, frame.ending.long_run) == (result.pace.name, result.long_run)
    assert frame.value("discovered") == frame.discovered
    assert COLUMNS[0] == "day"


def test_grid_cells_limit_the_listed_jobs(monkeypatch):
    monkeypatch.setattr(grid_module, "MAX_JOBS_PER_CELL", 1)
    world = World(small_lab(researcher__experiment_gpus=1), 1)
    for _ in range(10):
        world.step()
    cells = frame_of(world).grid.cells
    running = len([job for job in world.lab.compute.datacenter.pools["experiment"].jobs() if job.allocation])
    assert running > 1
    assert sum(len(cell.jobs) + cell.more_jobs for cell in cells if cell.pool == "experiment") == running
