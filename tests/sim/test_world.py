"""Test properties of any World: equal runs have equal bytes, with any frames, snapshots and branches."""

import dataclasses
import math
import subprocess
import sys

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from agents.phases import Phase
from sim import reporters, run_statistics
from sim.events import ActiveResearchersChanged, Deployed, PaperPublished, SoftwareDoubled, TrainingRequested
from sim.growth import Law
from sim.lab_factory import LabFactory
from sim.runner import run, summarise
from sim.scenario.model import Scenario, ScenarioError
from sim.testing.invariants import check_invariants, small_scenarios, worlds
from sim.world import World
from tests.support.known_speedup_curve import FILE
from tests.support.lab_jobs import submit_job
from tests.support.properties import examples

LAB = {
    "researcher__initial": 4,
    "growth__calibrated_for": 0,
    "training__first_run_gpus": 8,
    "cluster__gpus": 32,
    "training__first_run_days": 10.0,
    "run__horizon_days": 90.0,
    "run__max_doublings": 4,
    "cluster__gpu_hours_between_failures": 1000.0,
}
thorough = examples(40)
ANY_WORLD = worlds() | worlds(kernels__measurements=str(FILE))
"""A small lab, without and with measured kernels."""


def finish(world: World) -> World:
    while world.running:
        world.step()
    return world


def small_lab(seed: int = 0, **changes) -> World:
    return World(Scenario().replace(**(LAB | changes)), seed)


@pytest.mark.slow
@thorough
@given(ANY_WORLD)
def test_world_keeps_its_invariants_at_every_frame(world):
    check_invariants(world)
    while world.running:
        world.step()
        check_invariants(world)
    assert world.ending is not None
    assert world.ending.ending in ("doublings", "researchers", "limit reached", "stalled", "horizon")


@pytest.mark.slow
@thorough
@given(ANY_WORLD, st.sampled_from([0.1, 0.37, 1.0, 7.0]))
def test_world_with_other_frames_has_the_same_digest(world, frame):
    other = World(world.scenario.replace(run__sample_days=frame), world.run_seed)
    assert finish(world).digest() == finish(other).digest()
    assert result_fields(world) == result_fields(other)


def result_fields(world: World) -> tuple[object, ...]:
    """Return the fields of a result, without its series and its scenario."""
    result = summarise(world)
    return tuple(getattr(result, name) for name in result._fields if name not in ("series", "scenario"))


@pytest.mark.parametrize("timing", ["poisson", "pooled", "whole"])
def test_world_with_frames_of_four_lengths_has_the_same_events(timing):
    digests = {
        finish(small_lab(researcher__timing=timing, run__sample_days=frame)).digest() for frame in (0.1, 0.37, 1.0, 7.0)
    }
    assert len(digests) == 1


@pytest.mark.slow
@thorough
@given(ANY_WORLD, st.integers(0, 8), st.integers(0, 8))
def test_restored_world_continues_with_the_same_events(world, before, after):
    for _ in range(before):
        world.step()
    snapshot = world.snapshot()
    for _ in range(after):
        world.step()
    restored = World.restore(snapshot)
    assert finish(restored).digest() == finish(world).digest()
    assert finish(World.restore(snapshot).branch()).digest() == world.digest()


@pytest.mark.slow
@thorough
@given(ANY_WORLD, st.integers(0, 8))
def test_branch_without_a_change_has_the_same_events(world, before):
    """A branch without a change returns early, so the horizon is moved and moved back.

    Pooled work is left out: a change publishes the fraction of a paper that is written. Days may differ by rounding.
    """
    for _ in range(before):
        world.step()
    if world.lab.workforce.pool is not None or not world.running:
        reject()
    horizon = world.scenario.run.horizon_days
    branch = finish(world.branch(run__horizon_days=horizon + 1.0).branch(run__horizon_days=horizon))
    finish(world)
    assert [type(event) for event in branch.ledger] == [type(event) for event in world.ledger]
    assert [event.day for event in branch.ledger] == pytest.approx([event.day for event in world.ledger], rel=1e-9)


def test_branch_shares_earlier_events_and_does_not_change_the_original():
    world, twin = small_lab(), small_lab()
    for _ in range(30):
        world.step()
        twin.step()
    branch = world.branch(growth__r=0.5, cluster__queue="sjf", training__gain=4.0)
    past = len(world.ledger)
    assert branch.ledger[:past] == world.ledger
    assert finish(branch).digest() != finish(world).digest()
    assert world.digest() == finish(twin).digest()
    check_invariants(branch)


@pytest.mark.parametrize("gpus", [16, 64])
def test_branch_can_change_the_cluster_of_running_jobs(gpus):
    world = small_lab(
        researcher__experiment_gpu_days=30.0, researcher__experiment_gpus=4, cluster__gpus_per_node=4, training__gpus=4
    )
    for _ in range(40):
        world.step()
    branch = world.branch(cluster__gpus=gpus)
    check_invariants(branch)
    past, day = list(world.ledger), world.now
    finish(branch)
    check_invariants(branch)
    finish(world)
    assert branch.ledger[: len(past)] == world.ledger[: len(past)] == past
    pairs = zip(branch.ledger, world.ledger, strict=False)
    ours, theirs = next(pair for pair in pairs if pair[0] != pair[1])
    assert min(ours.day, theirs.day) >= day


@pytest.mark.parametrize(
    "change", [{"researcher__initial": 9}, {"researcher__timing": "whole"}, {"cluster__partitioning": "priority"}]
)
def test_branch_with_a_fixed_parameter_is_refused_with_its_name(change):
    with pytest.raises(ScenarioError, match=next(iter(change))):
        small_lab().branch(**change)


@pytest.mark.parametrize("scenario", ["returns-3", "retraining-0.9", "toy-explosion"])
@pytest.mark.parametrize(
    "change",
    [
        {"growth__parallel_penalty": 0.5},
        {"growth__limit_doublings": 30.0},
        {"researcher__papers_per_month": 10.0},
        {"training__gain": 1.1},
        {"training__required": False},
        {"training__speedup_exponent": 0.9},
        {"literature__duplicate_weight": 0.0},
        {"cluster__gpu_hours_between_failures": 10.0},
        {"run__sample_days": 0.5},
    ],
    ids=str,
)
def test_branch_keeps_the_effect_of_earlier_work(scenario, change):
    world = World(Scenario.load(scenario), 0)
    for _ in range(60):
        world.step()
    level = reporters.discovered(world.lab)
    branch = world.branch(**change)
    assert reporters.discovered(branch.lab) == pytest.approx(level, rel=1e-12)
    branch.step()
    assert reporters.discovered(branch.lab) >= level
    check_invariants(branch)


def test_branch_with_another_gain_keeps_the_gain_of_the_present_training_run():
    world = small_lab(training__gain=1.5, training__speedup_exponent=0.5, training__takes_up="one gain")
    while not any(isinstance(event, TrainingRequested) for event in world.ledger):
        world.step()
    branch = finish(world.branch(training__gain=1000.0, training__speedup_exponent=0.0))
    first = next(event for event in branch.ledger if isinstance(event, Deployed))
    assert first.deployed == pytest.approx(0.5 * math.log2(1.5))


def test_branch_with_another_law_starts_at_the_present_software():
    world = World(Scenario.load("returns-3"), 0)
    for _ in range(60):
        world.step()
    branch = world.branch(growth__r=0.4)
    assert reporters.discovered(branch.lab) == pytest.approx(reporters.discovered(world.lab), rel=1e-12)
    with pytest.raises(ScenarioError, match="lies below"):
        world.branch(growth__limit_doublings=2.0)
    assert finish(branch).digest() != finish(world).digest()


@pytest.mark.slow
def test_branch_without_training_deploys_the_present_generation():
    world = World(Scenario.load("lab"), 0)
    while not world.lab.compute.datacenter.gpus_in_use("training"):
        world.step()
    branch = world.branch(training__required=False)
    at_once = branch.now
    branch.step()
    deployed = [event for event in branch.ledger if isinstance(event, Deployed)]
    assert [event.day for event in deployed][:1] == [at_once]
    assert branch.lab.knowledge.software.deployed > 0 == world.lab.knowledge.software.deployed
    assert branch.lab.compute.datacenter.gpus_in_use("training") == 0
    assert [record.outcome for record in branch.lab.compute.datacenter.records if record.use == "training"] == [
        "cancelled"
    ]
    check_invariants(finish(branch))


def test_branch_with_faster_researchers_needs_the_same_papers():
    world = World(Scenario.load("returns-0.7"), 0)
    for _ in range(31):
        world.step()
    branch = finish(world.branch(researcher__papers_per_month=2.0))
    assert branch.lab.knowledge.software.law == world.lab.knowledge.software.law
    third = run_statistics.doublings(branch)[2].duration_days
    assert third == pytest.approx(run_statistics.doublings(finish(world))[2].duration_days / 2)


def test_branch_with_another_law_needs_the_papers_of_a_fresh_world():
    """The team has doubled three times at the branch: the law still is that of the team on day 0."""
    pooled = Scenario.load("returns-0.9").replace(run__max_doublings=7, run__horizon_days=1e6, run__sample_days=1e6)
    world = World(pooled, 0)
    while world.lab.knowledge.doublings < 3:
        world.clock.advance_events(math.inf)
    assert world.lab.workforce.active_researchers == 8 * pooled.researcher.initial
    branch = finish(world.branch(growth__r=1.2))
    fresh = finish(World(pooled.replace(growth__r=1.2), 0))
    needed = [run_statistics.doublings(each)[4:] for each in (branch, fresh)]
    assert len(needed[0]) == 3
    assert [each.papers for each in needed[0]] == pytest.approx([each.papers for each in needed[1]], rel=1e-9)


def test_branch_of_a_stopped_run_continues_with_a_later_limit():
    short = finish(World(Scenario.load("toy-explosion").replace(run__max_doublings=6), 0))
    longer = finish(World(Scenario.load("toy-explosion").replace(run__max_doublings=9), 0))
    resumed = finish(short.branch(run__max_doublings=9))
    assert resumed.digest() == longer.digest()
    with pytest.raises(ScenarioError, match="is over"):
        short.branch(training__gain=4.0)
    with pytest.raises(ScenarioError, match="lies before this moment"):
        short.branch(run__horizon_days=1.0)


def test_branch_on_day_0_activates_the_researchers_of_the_new_cluster():
    branch = small_lab(researcher__initial=16).branch(cluster__gpus=64)
    assert branch.lab.workforce.active_researchers == 32
    assert [event.researchers for event in branch.ledger if isinstance(event, ActiveResearchersChanged)] == [16, 32]


def test_branch_from_no_experiments_to_some_is_refused_with_pooled_work():
    with pytest.raises(ScenarioError, match="if work is pooled"):
        World(Scenario.load("returns-3"), 0).branch(researcher__experiment_gpu_days=1.0)


@pytest.mark.parametrize("law", [{"growth__difficulty_growth": 1.01, "growth__papers_first_doubling": 0.01}])
def test_paper_worth_more_doublings_than_the_limit_ends_the_run(law):
    result = run(Scenario.load("toy-fizzle").replace(**law), 0)
    assert [doubling.n for doubling in result.doublings] == list(range(1, 8))
    assert result.researchers == 2**7


@pytest.mark.parametrize("preemption", [True, False])
def test_training_run_in_a_shared_pool_takes_only_its_share(preemption):
    world = small_lab(cluster__partitioning="priority", cluster__preemption=preemption, cluster__training_share=0.5)
    held = set()
    while world.running:
        world.step()
        held.add(world.lab.compute.datacenter.gpus_in_use("training"))
        assert world.lab.compute.datacenter.gpus_in_use("inference") == 16
    assert held == {0, 16}


def test_job_that_can_never_preempt_inference_is_refused():
    with pytest.raises(ScenarioError, match="training__gpus = 900"):
        World(Scenario().replace(cluster__partitioning="priority", cluster__preemption=False, training__gpus=900))
    with pytest.raises(ScenarioError, match="researcher__experiment_gpus = 600"):
        World(Scenario().replace(cluster__partitioning="priority", researcher__experiment_gpus=600))
    with pytest.raises(ScenarioError, match="researchers need at least 1"):
        World(Scenario().replace(cluster__partitioning="priority", cluster__inference_share=0.0))


def test_world_accepts_any_integer_seed():
    assert run(small_lab().scenario, -1).digest != run(small_lab().scenario, 1).digest


def test_run_with_watch_equals_a_run_without():
    seen = []

    def watch(world: World) -> None:
        seen.append((world.digest(), world.snapshot().day, run_to_text(world)))

    scenario = small_lab().scenario
    assert run(scenario, 3, watch).digest == run(scenario, 3).digest
    assert len(seen) > 10


def run_to_text(world: World) -> str:
    return str(
        [
            run_statistics.pace(world),
            run_statistics.long_run(world),
            run_statistics.time_shares(world),
            run_statistics.parallelization_exponent(world),
        ]
    )


def test_run_stops_early_if_watch_returns_true():
    result = run(small_lab().scenario, 0, lambda world: world.now >= 5)
    assert (result.ending, result.day) == ("interrupted", 5.0)


@pytest.mark.slow
def test_world_in_another_process_has_the_same_digest():
    code = (
        "from sim.runner import run; from sim.scenario.model import Scenario; "
        f"print(run(Scenario().replace(**{LAB!r}), 5).digest)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("0", "77")
    }
    assert outputs == {run(small_lab().scenario, 5).digest}


def test_random_streams_with_a_further_agent_keep_the_draws_of_the_others():
    """Without a queue, what a researcher does depends on its own random streams alone."""
    quiet = {
        "researcher__experiment_gpu_days": 0.0,
        "training__required": False,
        "growth__first_doubling_days": 10_000.0,
        "run__horizon_days": 300.0,
        "kernels__candidate_researcher_hours": 0.0,
    }
    few = finish(small_lab(researcher__initial=3, **quiet))
    more = finish(small_lab(researcher__initial=4, **quiet))

    def days(world: World, researcher: int) -> list[float]:
        return [e.day for e in world.ledger if isinstance(e, PaperPublished) and e.researcher == researcher]

    for researcher in (1, 2, 3):
        assert days(few, researcher) == days(more, researcher)
        assert len(days(few, researcher)) > 3


def test_random_streams_with_a_further_decision_keep_the_other_draws():
    """With writing added, every researcher still thinks as long as before over its first paper."""
    plain = {"researcher__experiment_gpu_days": 0.0, "run__horizon_days": 60.0, "training__required": False}
    without = small_lab(researcher__writing_share=0.0, **plain)
    with_writing = small_lab(researcher__writing_share=0.5, **plain)
    for one, other in zip(without.lab.workforce.researchers, with_writing.lab.workforce.researchers, strict=True):
        assert other.remaining_work()[1] == pytest.approx(one.remaining_work()[1] / 2)


def test_world_accepts_changes_by_flat_name():
    world = World(seed=2, cluster__gpus=64, run__horizon_days=1.0)
    assert world.scenario.cluster.gpus == 64


def test_world_with_jobs_larger_than_the_cluster_is_refused():
    with pytest.raises(ScenarioError, match="researcher__experiment_gpus = 128"):
        World(Scenario().replace(researcher__experiment_gpus=128, cluster__gpus=64))
    with pytest.raises(ScenarioError, match="training__gpus = 900"):
        World(Scenario().replace(training__gpus=900))
    with pytest.raises(ScenarioError, match="inference"):
        World(Scenario().replace(cluster__inference_share=0.0))


def test_world_with_too_many_agents_is_refused():
    with pytest.raises(ScenarioError, match="run__max_doublings = 60"):
        World(Scenario().replace(run__max_doublings=60))


def test_run_with_an_impossible_job_ends_as_stalled():
    world = small_lab()
    world.step()
    world.clock.timeout(1.0).callbacks.append(lambda _: submit_job(world, "experiment", 10_000, 1.0))
    finish(world)
    assert world.ending.ending == "stalled"
    assert "10000" in world.ending.sentence.replace(",", "")


def lab_without_free_gpus(**changes: float) -> World:
    """A lab in which all researchers come to wait: a job of infinite length holds all GPUs for experiments."""
    world = small_lab(researcher__experiment_gpus=8, training__required=False, run__horizon_days=1e6, **changes)
    world.lab.compute.datacenter.submit("experiment", 8, math.inf, owner=0)
    return world


def test_run_that_stalls_on_its_last_event_ends_on_that_day():
    world = lab_without_free_gpus()
    world.clock.timeout(900.25).callbacks.append(lambda _: submit_job(world, "experiment", 10_000, 1.0))
    finish(world)
    assert world.lab.workforce.census.count[Phase.QUEUE] == 4, "nothing else can happen"
    assert (world.ending.ending, world.ending.day, world.now) == ("stalled", 900.25, 900.25)


@pytest.mark.parametrize("frame", [0.3, 5.0])
def test_run_without_further_events_ends_on_the_day_of_its_last_event(frame):
    world = lab_without_free_gpus(run__sample_days=frame)
    finish(world)
    assert world.ending.ending == "stalled"
    assert world.lab.workforce.census.count[Phase.QUEUE] == 4
    assert world.ending.day == world.clock.last_event


def test_doublings_are_recorded_once_in_order():
    result = run(Scenario.load("toy-explosion"), 4)
    marks = [event for event in result.events if isinstance(event, SoftwareDoubled)]
    assert [mark.n for mark in marks] == list(range(1, 14))
    housed = [event.researchers for event in result.events if isinstance(event, ActiveResearchersChanged)]
    assert housed == [2**n for n in range(14)]


@pytest.mark.slow
@thorough
@given(small_scenarios(), st.integers(0, 1000))
def test_series_agree_with_the_events(scenario, seed):
    try:
        result = run(scenario, seed)
    except ScenarioError:
        return
    assert result.series["papers"][-1] == result.papers
    assert result.series["discovered"] == sorted(result.series["discovered"])
    total = [result.series[f"gpus_{use}"] for use in ("inference", "experiment", "training", "idle")]
    assert {sum(frame) for frame in zip(*total, strict=True)} == {scenario.cluster.gpus}
    if scenario.is_automated:  # else there may be no researchers
        assert sum(result.time_shares.values()) == pytest.approx(1.0)


def half_the_returns(law: Law) -> Law:
    return dataclasses.replace(law, r=law.r / 2)


def test_world_with_a_custom_growth_law_follows_it_across_a_branch():
    worlds = [World(Scenario.load("toy-explosion"), 0, make=LabFactory(law=law)) for law in (None, half_the_returns)]
    usual, halved = (world.lab.knowledge.software.law for world in worlds)
    assert halved.r == usual.r / 2
    branch = worlds[1].branch(growth__difficulty_growth=2.0)
    expected = worlds[0].branch(growth__difficulty_growth=2.0)
    assert branch.lab.knowledge.software.law.r == expected.lab.knowledge.software.law.r / 2
