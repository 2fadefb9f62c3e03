"""Test a lab of humans whose AIs learn the tasks of a paper, up to the day on which they do all research."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.humans.human_cohort import HumanCohort
from agents.humans.human_researcher import HumanResearcher
from sim.events import (
    ActiveResearchersChanged,
    AssistantsChanged,
    HumansHired,
    PaperPublished,
    ResearchAutomated,
    RunEnded,
    TaskAutomated,
)
from sim.feasibility import check_number_of_humans
from sim.interventions import FIXED_AT_START
from sim.lab_factory import LabFactory
from sim.scenario.model import Scenario, ScenarioError, shipped_scenarios
from sim.testing.invariants import check_invariants, small_scenarios
from sim.world import World
from tests.support.properties import examples

ROAD = {
    "humans__initial": 8,
    "humans__growth_per_year": 5.0,
    "humans__papers_per_month": 4.0,
    "automation__kinds": 4,
    "automation__last_threshold": 1.0,
    "growth__calibrated_for": 0,
    "growth__first_doubling_days": 20.0,
    "researcher__initial": 6,
    "researcher__experiment_gpu_days": 0.5,
    "cluster__gpus": 32,
    "training__first_run_gpus": 8,
    "training__first_run_days": 4.0,
    "training__gain": 1.2,
    "run__horizon_days": 120.0,
    "run__max_doublings": 6,
}
"""A lab that goes from humans to AIs that do all research within a few weeks."""


def road(seed: int = 1, **changes) -> World:
    return World(Scenario().replace(**(ROAD | changes)), seed)


def run(world: World) -> World:
    while world.running:
        world.step()
    return world


def of(world: World, *kinds: type) -> list:
    return [event for event in world.ledger if isinstance(event, kinds)]


# --- One run through both regimes ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole() -> World:
    return run(road())


def test_ais_learn_one_kind_after_another_and_then_do_all_research(whole):
    kinds = [event.kind for event in of(whole, TaskAutomated)]
    assert kinds == [2, 3, 4]
    (asara,) = of(whole, ResearchAutomated)
    assert asara.day == of(whole, TaskAutomated)[-1].day
    assert 0 < asara.day < whole.now
    assert asara.humans == max(event.humans for event in of(whole, HumansHired) if event.day <= asara.day)


def test_ais_assist_before_and_research_after_asara(whole):
    (asara,) = of(whole, ResearchAutomated)
    assert all(event.day >= asara.day for event in of(whole, ActiveResearchersChanged))
    assert of(whole, ActiveResearchersChanged)[0].researchers > 0
    assert all(event.ais > 0 for event in of(whole, AssistantsChanged) if event.day < asara.day)
    assert of(whole, AssistantsChanged)[-1][:2] == (asara.day, 0)
    series = whole.datacollector.model_vars
    for day, researchers, assistants in zip(series["day"], series["researchers"], series["assistants"], strict=True):
        assert (researchers > 0, assistants > 0) == (day >= asara.day, day < asara.day)


def test_every_paper_is_counted_once_and_humans_go_on(whole):
    (asara,) = of(whole, ResearchAutomated)
    papers = of(whole, PaperPublished)
    assert sum(event.papers for event in papers) == whole.lab.knowledge.papers
    by_humans = [event for event in papers if event.researcher == 0]
    assert any(event.day > asara.day for event in by_humans)
    assert any(event.researcher > 0 for event in papers)
    assert all(event.day >= asara.day for event in papers if event.researcher > 0)
    assert whole.lab.humans.size > 8


def test_invariants_hold_at_each_frame_of_the_road():
    world = road(2)
    while world.running:
        check_invariants(world)
        world.step()
    check_invariants(world)


def test_share_automated_rises_to_1(whole):
    shares = whole.datacollector.model_vars["share_automated"]
    assert (shares[0], shares[-1]) == (0.25, 1)
    assert list(shares) == sorted(shares)


# --- Neutral limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_scenarios())
def test_default_blocks_leave_the_digest_of_a_shipped_scenario(name):
    scenario = Scenario.load(name)
    stated = {key: value for key, value in scenario.flat().items() if key.startswith(("humans__", "automation__"))}
    read = {key: value for key, value in stated.items() if not scenario.unread(key)}
    assert scenario.replace(**read).digest() == scenario.digest()
    assert scenario.replace(humans__initial=1).digest() != scenario.digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"humans__papers_per_month": 3.0, "humans__supervision": 0.5},
        {"automation__kinds": 20, "automation__first_threshold": -3.0},
        {"automation__combination": "ces", "automation__ai_productivity": 5.0},
    ],
)
def test_without_humans_and_with_all_automated_the_run_is_that_of_ais_alone(changes):
    values = ROAD | {"humans__initial": 0, "automation__last_threshold": 0.0, "run__horizon_days": 30.0}
    alone = run(World(Scenario().replace(**(values | {"automation__kinds": 1})), 3))
    assert run(World(Scenario().replace(**(values | changes)), 3)).digest() == alone.digest()
    assert not of(alone, AssistantsChanged, HumansHired, TaskAutomated, ResearchAutomated)


def test_without_ais_humans_write_papers_alone():
    world = run(road(automation__never_share=1.0, run__horizon_days=60.0))
    assert {event.researcher for event in of(world, PaperPublished)} == {0}
    assert not of(world, TaskAutomated, ResearchAutomated, ActiveResearchersChanged)


# --- Exact states --------------------------------------------------------------------------------------------


@examples(15)
@given(st.integers(0, 60), st.integers(0, 200), st.integers(0, 100), st.sampled_from(["poisson", "whole", "pooled"]))
def test_saved_branched_and_stepped_run_is_the_same(frames, most, seed, timing):
    changes = {"researcher__timing": timing, "run__horizon_days": 70.0}
    if timing == "pooled":
        changes["researcher__experiment_gpu_days"] = 0.0
    world = road(seed, **changes)
    for _ in range(frames):
        world.step()
    world.step_events(most)
    restored = World.restore(world.snapshot())
    branched = world.branch(run__sample_days=world.scenario.run.sample_days)
    stepped = World.restore(world.snapshot())
    while stepped.running:
        stepped.step_events(7)
    ends = {run(each).digest() for each in (world, restored, branched, stepped)}
    assert len(ends) == 1


@examples(25)
@given(st.data())
def test_world_with_humans_keeps_the_invariants_at_any_branch(data):
    drawn = data.draw(
        small_scenarios(
            humans__initial=5, automation__kinds=3, automation__combination="series", automation__never_share=0.0
        )
    )
    try:
        world = World(drawn, data.draw(st.integers(0, 100)))
    except ScenarioError:
        return
    for _ in range(data.draw(st.integers(0, 30))):
        world.step()
    changes = data.draw(
        st.sampled_from(
            [
                {"humans__growth_per_year": 90.0},
                {"humans__growth_per_year": 1.0},
                {"humans__papers_in_progress": 3.0},
                {"humans__supervision": 1.5},
                {"automation__last_threshold": 0.0, "automation__first_threshold": 0.0},
                {"automation__last_threshold": 5.0},
                {"automation__ai_productivity": 7.0},
                {"automation__first_threshold": -5.0},
            ]
        )
    )
    if world.running:
        world = world.branch(**changes)
    check_invariants(world)
    run(world)
    check_invariants(world)


# --- Branches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("humans__initial", 9),
        ("automation__kinds", 5),
        ("automation__combination", "ces"),
        ("automation__reallocation", False),
        ("automation__never_share", 0.5),
    ],
)
def test_branch_refuses_what_determines_how_the_world_is_built(name, value):
    assert name in FIXED_AT_START
    with pytest.raises(ScenarioError, match=f"{name} cannot change within a run: start a new one with it"):
        road().branch(**{name: value})


def test_branch_with_more_growth_hires_at_once():
    world = road(automation__never_share=1.0)
    while world.now < 30:
        world.step()
    branch = world.branch(humans__growth_per_year=50.0)
    assert branch.lab.humans.size == int(8 * 50 ** (30 / 365)) > world.lab.humans.size
    assert of(branch, HumansHired)[-1].day == 30
    assert branch.lab.automation.humans == branch.lab.humans.size


def test_branch_with_less_growth_keeps_the_humans():
    world = road(automation__never_share=1.0, humans__growth_per_year=50.0)
    while world.now < 60:
        world.step()
    size = world.lab.humans.size
    branch = run(world.branch(humans__growth_per_year=1.5))
    assert branch.lab.humans.size == branch.lab.automation.humans == size > 8


def test_branch_with_lower_thresholds_automates_research_at_once():
    world = road(automation__last_threshold=5.0)
    while world.now < 10:
        world.step()
    assert not of(world, ResearchAutomated)
    branch = world.branch(automation__last_threshold=0.0)
    (asara,) = of(branch, ResearchAutomated)
    assert asara.day == 10
    assert (branch.lab.automation.ais, branch.lab.workforce.active_researchers) == (0, world.lab.automation.ais)
    check_invariants(branch)


def test_branch_with_higher_thresholds_keeps_what_is_automated():
    world = road(automation__last_threshold=3.0)
    while world.lab.automation.kinds_automated < 3:
        world.step()
    branch = world.branch(automation__last_threshold=5.0, automation__first_threshold=4.0)
    assert branch.lab.automation.kinds_automated == 3
    assert [work.ai > 0 for work in branch.lab.automation.task_work()] == [True, True, True, False]
    assert all(work.human + work.ai > 0 for work in branch.lab.automation.task_work())
    run(branch)
    check_invariants(branch)


def test_branch_with_other_supervision_changes_the_tasks_that_begin():
    world = road(automation__last_threshold=3.0)
    assert sum(work.review for work in world.lab.automation.task_work()) == 0
    branch = world.branch(humans__supervision=1.19)
    assert sum(work.review for work in branch.lab.automation.task_work()) == pytest.approx(1.19 / 4)


# --- Feasibility ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"humans__initial": 0}, r"humans__initial = 0 leaves the tasks undone.*; allowed: 1 or more. Set it"),
        (
            {"humans__initial": 3, "automation__reallocation": False},
            r"humans__initial = 3 is too small for automation__kinds = 4 .*; allowed: 4 or more. Raise it, or set",
        ),
        (
            {"humans__growth_per_year": 100.0, "run__horizon_days": 3000.0},
            r"make 10\^\S+ humans by the horizon, day 3000; allowed: at most 1,000,000,000,000,000. Lower one of them",
        ),
        (
            {"humans__growth_per_year": 100.0, "run__horizon_days": 1000.0, "run__leap_tolerance": 0.0},
            r"make 10\^\S+ humans by the horizon, day 1000; allowed: at most 1,048,576. Lower one of them",
        ),
        (
            {"humans__initial": 50_000, "humans__papers_in_progress": 100.0, "run__leap_tolerance": 0.00001},
            r"make 10\^\S+ papers or batches of papers in progress by the horizon, day 120; allowed: at most 1,048,576",
        ),
        (
            {"humans__initial": 50_000, "humans__papers_in_progress": 100.0, "run__leap_tolerance": 0.0},
            r"make 10\^\S+ papers in progress by the horizon, day 120; allowed: at most 1,048,576. Lower one of them",
        ),
    ],
)
def test_lab_that_cannot_run_is_refused_in_one_sentence(changes, message):
    with pytest.raises(ScenarioError, match=message):
        road(**changes)


def test_target_of_researchers_is_reached_on_the_day_of_asara():
    world = run(road(run__stop_at_researchers=1.0))
    (asara,) = of(world, ResearchAutomated)
    assert (world.ending.ending, world.ending.day) == ("researchers", asara.day)
    with pytest.raises(ScenarioError, match="run__stop_at_researchers = 1 is reached by the 6 researchers of day 0"):
        road(run__stop_at_researchers=1.0, automation__last_threshold=0.0)


# --- Training, kernels, GPUs, timing -------------------------------------------------------------------------


def test_horizon_in_the_time_of_humans_ends_the_run():
    world = run(road(run__horizon_days=5.0, automation__last_threshold=5.0))
    assert isinstance(world.ledger[-1], RunEnded)
    assert (world.ending.ending, world.lab.workforce.active_researchers) == ("horizon", 0)
    assert world.branch(run__horizon_days=6.0).running


def test_assistants_stop_while_training_has_the_gpus_and_come_back():
    preempting = {
        "cluster__partitioning": "priority",
        "cluster__preemption": True,
        "cluster__inference_share": 0.5,
        "cluster__training_share": 0.5,
        "training__gpus": 32,
        "automation__last_threshold": 4.0,
    }
    world = road(**preempting)
    while world.running:
        world.step()
        check_invariants(world)
    numbers = [event.ais for event in of(world, AssistantsChanged)]
    assert 0 in numbers
    assert any(later > 0 for later in numbers[numbers.index(0) :])
    assert all(before != after for before, after in pairwise(numbers))


def test_kernels_wait_for_ais_that_work_on_their_own():
    world = road(automation__last_threshold=3.0)
    while world.lab.automation.kinds_automated < 4 and world.running:
        assert world.lab.kernels.candidates == 0
        world.step()
    for _ in range(5):
        world.step()
    assert world.lab.kernels.candidates > 0


@pytest.mark.parametrize("timing", ["whole", "poisson", "pooled"])
@pytest.mark.parametrize("experiment", [0.0, 0.5])
def test_every_timing_passes_both_regimes(timing, experiment):
    world = run(road(researcher__timing=timing, researcher__experiment_gpu_days=experiment, run__max_doublings=4))
    assert len(of(world, ResearchAutomated)) == 1
    check_invariants(world)


def test_pooled_work_counts_the_papers_of_humans_up_to_the_next_doubling():
    """Nothing of the pooled work is lost: papers are those of the AIs' time, and those that humans wrote."""
    world = run(
        road(
            researcher__timing="pooled",
            researcher__experiment_gpu_days=0.0,
            training__required=False,
            kernels__measurements="none",
        )
    )
    (asara,) = of(world, ResearchAutomated)
    end = [event.day for event in of(world, PaperPublished) if event.paper == 0][-1]
    changes = [*of(world, ActiveResearchersChanged)]
    days = [event.day for event in changes] + [end]
    researcher_days = sum(
        event.researchers * (until - event.day) for event, until in zip(changes, days[1:], strict=True)
    )
    pooled = sum(event.papers for event in of(world, PaperPublished) if event.paper == 0)
    assert any(event.paper > 0 and event.day > asara.day for event in of(world, PaperPublished))
    assert pooled == pytest.approx(researcher_days * world.scenario.researcher.papers_per_day, rel=1e-6)


def test_cohort_does_research_after_asara_beside_humans():
    world = run(road(run__max_individuals=4, run__max_doublings=8))
    assert world.lab.workforce.in_cohorts > 0
    late = [event for event in of(world, PaperPublished) if event.day > world.now - 10]
    assert any(event.researcher == 0 for event in late)
    check_invariants(world)


def test_adaptive_policy_runs_in_the_time_of_humans():
    world = run(road(policy__name="adaptive", run__horizon_days=60.0))
    check_invariants(world)


def test_small_penalty_counts_humans_and_ais_while_they_do_a_task():
    world = road(growth__parallel_penalty=0.5, researcher__experiment_gpu_days=0.0, automation__never_share=1.0)
    assert world.lab.knowledge.doing_research == 8
    while not of(world, PaperPublished):
        world.step()
    assert of(world, PaperPublished)[0].effective_papers == pytest.approx(8**-0.5)


class SlowHuman(HumanResearcher):
    """Take twice the time for each task."""

    def task_days(self, draft):
        """Return twice the usual work."""
        return 2 * super().task_days(draft)


def test_own_class_of_humans_sets_the_time_of_tasks():
    changes = {"automation__never_share": 1.0, "humans__growth_per_year": 1.0, "researcher__timing": "whole"}
    changes |= {"researcher__experiment_gpu_days": 0.0, "run__horizon_days": 70.0}
    usual = run(road(**changes))
    slow = run(World(usual.scenario, 1, make=LabFactory(human=SlowHuman)))
    assert slow.lab.knowledge.papers == pytest.approx(usual.lab.knowledge.papers / 2, abs=8)


# --- Cohorts of humans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("timing", ["poisson", "whole"])
def test_cohort_of_one_human_equals_the_human_to_the_bit(timing):
    one = {"humans__initial": 1, "humans__growth_per_year": 1.0, "researcher__timing": timing}
    one |= {"automation__never_share": 0.25, "run__horizon_days": 300.0}
    alone, cohort = (run(road(**one, run__max_individuals=most)) for most in (1000, 0))
    assert (alone.lab.humans.cohort is None, cohort.lab.humans.cohort is None) == (True, False)
    assert cohort.digest() == alone.digest()
    assert alone.lab.knowledge.papers > 2


def test_team_becomes_a_cohort_above_the_largest_number_of_individuals():
    changes = {"automation__never_share": 0.25, "run__leap_tolerance": 0.25, "run__max_doublings": 40}
    world = road(humans__growth_per_year=20.0, run__max_individuals=12, **changes)
    while world.running:
        world.step()
        assert (world.lab.humans.cohort is not None) == (world.lab.humans.size > 12)
        check_invariants(world)
    assert max(event.papers for event in of(world, PaperPublished)) > 1
    assert world.lab.humans.cohort is not None


def test_leap_tolerance_of_0_keeps_individuals():
    assert road(run__max_individuals=0, run__leap_tolerance=0.0).lab.humans.cohort is None


def test_own_class_of_humans_without_a_cohort_class_stays_individual():
    scenario = road(run__max_individuals=5).scenario
    with pytest.warns(UserWarning, match=r"SlowHuman has no cohort class, so 8 humans .* run__max_individuals = 5"):
        world = World(scenario, 1, make=LabFactory(human=SlowHuman))
    assert len(world.lab.humans.humans) == 8
    assert World(scenario, 1, make=LabFactory(human=SlowHuman, human_cohort=HumanCohort)).lab.humans.cohort is not None


def test_large_team_is_accepted_as_a_cohort():
    check_number_of_humans(road().scenario.replace(humans__initial=50_000, humans__papers_in_progress=100.0))
