"""Cohorts in a World: a cohort of one equals an individual, and no count changes when individuals form a cohort."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from agents.phases import Phase
from hardware.uses import Use
from sim import reporters
from sim.events import ActiveResearchersChanged, CohortFormed
from sim.runner import summarise
from sim.scenario.model import Scenario, ScenarioError
from sim.testing.invariants import check_invariants, small_scenarios, worlds
from sim.world import World
from tests.support.cohorts import form_cohort
from tests.support.properties import examples

thorough = examples(20)

SAME_TEAM: dict[str, Any] = {
    "training__required": True,
    "training__speedup_exponent": 1.0,
    "training__shortest_run_days": 0.0,
    "kernels__measurements": "none",
    "policy__name": "fixed",
}
"""Discovered software only shortens training runs: the team never grows, but researchers may pause."""
LAB: dict[str, Any] = {
    "researcher__initial": 40,
    "researcher__experiment_gpu_days": 15.0,
    "cluster__gpus": 64,
    "run__max_doublings": 3,
    "training__first_run_days": 10.0,
    "run__horizon_days": 120.0,
    "cluster__gpu_hours_between_failures": 2000.0,
    "kernels__measurements": "none",
    "run__leap_tolerance": 0.1,
    "training__first_run_gpus": 16,
    "growth__calibrated_for": 0,
}
BUNDLES: dict[str, Any] = {
    "researcher__initial": 3000,
    "researcher__experiment_gpu_days": 0.4,
    "run__leap_tolerance": 0.3,
    "cluster__gpu_hours_between_failures": 300.0,
}
"""Experiments that are small and numerous, so that several run as one job."""


def finish(world: World) -> World:
    while world.running:
        world.step()
    return world


def lab(seed: int = 0, **changes: Any) -> World:
    return World(Scenario(), seed, **(LAB | changes))


def events_and_records(world: World) -> tuple[list[Any], list[Any]]:
    """Return the events without those of cohorts, and the records of the cluster."""
    bare = [event for event in world.ledger if not isinstance(event, CohortFormed)]
    return bare, world.lab.compute.datacenter.records


def result_content(world: World) -> list[object]:
    """Return the content of a result, without scenario, digest and events."""
    result = summarise(world)
    others = ("scenario", "digest", "events", "series")
    series = {name: values for name, values in result.series.items() if name != "researchers_in_cohorts"}
    return [series, *(getattr(result, name) for name in result._fields if name not in others)]


def one_by_one(scenario: Scenario, seed: int) -> World:
    try:
        return World(scenario, seed)
    except ScenarioError:
        reject()


# --- a cohort of one is an individual ------------------------------------------------------------------------------


def check_equal_runs(alone: World, cohorts: World) -> None:
    while alone.running:
        alone.step()
        cohorts.step()
        check_invariants(cohorts)
    assert events_and_records(cohorts) == events_and_records(alone)
    assert result_content(cohorts) == result_content(alone)


@st.composite
def teams_that_stay(draw: st.DrawFn, **fixed: Any) -> Scenario:
    timing = draw(st.sampled_from(["poisson", "whole"]))
    kernels = draw(st.sampled_from([{}, {"kernels__measurements": Scenario().kernels.measurements}]))
    values = {"researcher__timing": timing, "humans__initial": 0} | SAME_TEAM | kernels | fixed
    if values["kernels__measurements"] != "none":
        values["kernels__attention_share"] = draw(st.floats(0.05, 0.45))
    return draw(small_scenarios(**values))


@thorough
@given(teams_that_stay(researcher__initial=1), st.floats(0, 0.5), st.integers(0, 2**32))
def test_cohort_of_one_equals_an_individual_to_the_bit(scenario, leap_tolerance, seed):
    """Faster kernels run fewer than two researchers, so the team stays at one."""
    cohort = one_by_one(scenario.replace(run__max_individuals=0, run__leap_tolerance=leap_tolerance), seed)
    alone = one_by_one(scenario.replace(run__max_individuals=1000), seed)
    assert (len(cohort.lab.workforce.cohorts), len(cohort.lab.workforce.researchers)) == (1, 0)
    assert (len(alone.lab.workforce.cohorts), len(alone.lab.workforce.researchers)) == (0, 1)
    check_equal_runs(alone, cohort)


@thorough
@given(teams_that_stay(kernels__measurements="none"), st.integers(0, 2**32))
def test_cohorts_of_one_equal_individuals_to_the_bit(scenario, seed):
    exact = scenario.replace(run__max_individuals=1000, run__leap_tolerance=0.0)
    alone, cohorts = one_by_one(exact, seed), one_by_one(exact, seed)
    for researcher in list(cohorts.lab.workforce.researchers):
        form_cohort(cohorts.lab.workforce, [researcher])
    assert len(cohorts.lab.workforce.cohorts) == len(alone.lab.workforce.researchers)
    check_equal_runs(alone, cohorts)


@pytest.mark.parametrize("timing", ["poisson", "whole"])
def test_cohort_of_one_paused_and_resumed_equals_an_individual(timing):
    """Training runs repeatedly take the GPUs of the only researcher."""
    changes = SAME_TEAM | {
        "researcher__initial": 1,
        "researcher__timing": timing,
        "cluster__partitioning": "priority",
        "cluster__gpus": 16,
        "cluster__gpus_per_node": 4,
        "training__gpus": 16,
        "training__gain": 1.2,
        "growth__first_doubling_days": 40.0,
        "researcher__papers_per_month": 20.0,
        "researcher__experiment_gpu_days": 2.0,
        "training__first_run_days": 2.0,
        "researcher__experiment_gpus": 4,
        "run__horizon_days": 90.0,
        "growth__calibrated_for": 0,
        "training__first_run_gpus": 16,
    }
    alone, cohort = World(Scenario(), 3, **changes), World(Scenario(), 3, **changes, run__max_individuals=0)
    check_equal_runs(alone, cohort)
    housed = [event.researchers for event in alone.ledger if isinstance(event, ActiveResearchersChanged)]
    assert housed.count(0) >= 3
    assert (
        alone.lab.workforce.census.days(Phase.PAUSED, alone.now)
        == cohort.lab.workforce.census.days(Phase.PAUSED, cohort.now)
        > 0
    )


# --- nothing jumps -------------------------------------------------------------------------------------------------


def observed_values(world: World) -> dict[str, float]:
    """Return all reported values except the number in cohorts, and the resources used so far."""
    values = {
        name: reporter(world.lab) for name, reporter in reporters.REPORTERS.items() if name != "researchers_in_cohorts"
    }
    used = {f"held {use}": world.lab.compute.datacenter.gpu_time(use) for use in Use}
    spent = {f"days {phase}": world.lab.workforce.census.days(phase, world.now) for phase in Phase}
    jobs = {"over": len(world.lab.compute.datacenter.records), "papers known": world.lab.knowledge.literature.latest}
    return values | used | spent | jobs


def unfinished(world: World) -> int:
    """Return the number of experiments that wait or run."""
    pool = world.lab.compute.datacenter.pool("experiment")
    waiting = sum(lot.count for lot in pool.pending_arrays if lot.job_class.use == "experiment")
    return waiting + sum(job.tasks for job in pool.jobs() if job.use == "experiment")


def check_accounts(world: World) -> None:
    """Assert that no researcher, paper or experiment appears or is lost."""
    check_invariants(world)
    over = sum(job.tasks for job in world.lab.compute.datacenter.records if job.use == "experiment")
    away = world.lab.workforce.census.count[Phase.QUEUE] + world.lab.workforce.census.count[Phase.RUN]
    assert unfinished(world) == away
    pausing = [each for each in world.lab.workforce.researchers if each.remaining_work()[0] is Phase.WRITE]
    drafts = sum(cohort.writing.working + cohort.writing.paused for cohort in world.lab.workforce.cohorts)
    assert world.lab.knowledge.papers + drafts + len(pausing) == over


@pytest.mark.parametrize("timing", ["poisson", "whole"])
@pytest.mark.parametrize("day", [0, 5, 23, 60])
def test_cohort_formation_changes_no_count(timing, day):
    world = lab(researcher__timing=timing, researcher__papers_per_month=4.0)
    for _ in range(day):
        world.step()
    before = observed_values(world)
    form_cohort(world.lab.workforce, world.lab.workforce.researchers)
    assert observed_values(world) == before
    assert world.lab.workforce.researchers == []
    check_accounts(world)
    finish(world)
    check_accounts(world)
    assert world.lab.knowledge.papers > before["papers"]


# --- the same future ----------------------------------------------------------------------------------------------


MIXED = [{}, {"researcher__timing": "whole"}, {"cluster__queue": "sjf"}, BUNDLES | {"run__horizon_days": 40.0}]


def started(**changes: Any) -> World:
    """Return a lab with individuals and a cohort, in the middle of its run."""
    world = lab(**{"run__max_individuals": 4000, **changes})
    for _ in range(20):
        world.step()
    form_cohort(world.lab.workforce, world.lab.workforce.researchers[4:])
    return world


@pytest.mark.parametrize("changes", MIXED, ids=str)
def test_snapshot_and_branch_with_cohorts_continue_identically(changes):
    world = started(**changes)
    snapshot, branch = world.snapshot(), world.branch()
    expected = finish(world).digest()
    assert finish(World.restore(snapshot)).digest() == expected
    assert finish(branch).digest() == expected


def test_branch_with_cohorts_can_change_cluster_and_leap_tolerance():
    world = started(**BUNDLES)
    branch = world.branch(cluster__gpus=48, cluster__queue="fcfs", run__leap_tolerance=0.0, run__max_doublings=2)
    check_accounts(branch)
    for _ in range(5):
        branch.step()
        check_accounts(branch)


@pytest.mark.parametrize("changes", MIXED, ids=str)
def test_cohort_events_do_not_depend_on_the_frame_length(changes):
    digests = set()
    for frame in (0.1, 0.37, 1.0, 7.0):
        digests.add(finish(lab(run__max_individuals=60, run__sample_days=frame, **changes)).digest())
    assert len(digests) == 1


@thorough
@given(worlds(), st.integers(0, 20), st.data())
def test_cohorts_in_world_keep_the_invariants_at_every_frame(world, before, data):
    """Cover cohorts of a few and of many, and the branches from them."""
    for _ in range(before):
        world.step()
        check_invariants(world)
    alone = world.lab.workforce.researchers
    if alone and world.lab.workforce.pool is None and world.running:
        some = data.draw(st.lists(st.sampled_from(alone), min_size=1, unique=True), label="gathered")
        form_cohort(world.lab.workforce, some)
        check_invariants(world)
    branch = world.branch()
    for each in (branch, world):
        while each.running:
            each.step()
            check_invariants(each)
    assert branch.digest() == world.digest()


# --- memory --------------------------------------------------------------------------------------------------------


def test_cohorts_of_ten_million_researchers_use_under_500_megabytes():
    """A lab grows to ten million, and another has them for ten days; the peak of the process, Python and NumPy too."""
    code = """
from pathlib import Path
from sim.world import World
from sim.scenario.model import Scenario
lab = Scenario.load("lab")
grown = World(lab, 0, run__stop_at_researchers=10_000_000, run__max_doublings=300, run__horizon_days=3650.0)
while grown.running:
    grown.step()
large = World(lab, 0, researcher__initial=10_000_000)
for _ in range(10):
    large.step()
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(min(grown.lab.workforce.active_researchers, large.lab.workforce.active_researchers), int(peak.split()[1]) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    researchers, megabytes = (float(part) for part in done.stdout.split())
    assert researchers >= 10_000_000
    assert megabytes < 500
