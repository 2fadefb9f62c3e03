"""Test frozen software, ``growth__law = "frozen"``: papers are written, and nothing ever gets better."""

import math

import pytest

from sim.events import PaperPublished
from sim.fluid import run_fluid
from sim.growth import FrozenLaw, law_from_params, unconstrained_doubling_times
from sim.long_run import long_run
from sim.margins import margins
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from sim.software import SoftwareState
from sim.testing.invariants import check_invariants
from sim.world import World

LAB = {"cluster__gpus": 64, "training__first_run_gpus": 16, "run__horizon_days": 120.0}
FROZEN = Scenario().replace(growth__law="frozen", **LAB)


def test_frozen_world_publishes_papers_and_keeps_its_software_and_team():
    result = run(FROZEN.replace(kernels__measurements="none"), 1)
    assert (result.software_doublings, result.deployed_doublings, result.doublings) == (0.0, 0.0, [])
    assert (result.ending, result.day) == ("horizon", 120.0)
    assert set(result.series["researchers"]) == {16}
    assert result.papers > 20
    assert {event.discovered for event in result.events if isinstance(event, PaperPublished)} == {0.0}
    assert result.cluster["training"].jobs == 0


def test_frozen_world_writes_the_first_papers_of_a_world_that_hardly_moves():
    slow = FROZEN.replace(growth__law="papers", growth__papers_first_doubling=1e12, training__required=False)
    still = FROZEN.replace(training__required=False, kernels__measurements="none")
    slow = slow.replace(kernels__measurements="none")
    days = [[event.day for event in run(each, 2).events if isinstance(event, PaperPublished)] for each in (still, slow)]
    assert days[0] == pytest.approx(days[1], rel=1e-6)


def test_frozen_fluid_has_the_papers_of_a_stationary_lab():
    simple = FROZEN.replace(
        researcher__experiment_gpu_days=0.0, researcher__timing="pooled", kernels__measurements="none"
    )
    result = run_fluid(simple)
    assert result.papers == pytest.approx(16 * 120 * 12 / 365)
    assert (result.software_doublings, result.doublings, result.ending) == (0.0, [], "horizon")
    assert run(simple, 0).papers == pytest.approx(result.papers, rel=0.01)


def test_frozen_fluid_agrees_with_the_world_with_experiments():
    papers = [run(FROZEN, seed).papers for seed in range(8)]
    mean, error = sum(papers) / 8, math.sqrt(sum(papers) / 64)
    assert abs(run_fluid(FROZEN).papers - mean) < 4 * error + 0.05 * mean


def test_penalty_still_applies_to_papers_of_frozen_software():
    world = World(FROZEN.replace(growth__parallel_penalty=0.5), 1)
    world.step()
    assert world.lab.knowledge.effective_papers(1.0) == pytest.approx(world.lab.knowledge.doing_research**-0.5)


def test_branch_freezes_software_at_its_level_and_thaws_it():
    world = World(Scenario().replace(growth__first_doubling_days=10.0, **LAB), 1)
    while world.now < 30:
        world.step()
    level = world.lab.knowledge.software.discovered
    assert level > 0
    frozen = world.branch(growth__law="frozen")
    for _ in range(20):
        frozen.step()
    check_invariants(frozen)
    assert frozen.lab.knowledge.software.discovered == level
    assert frozen.lab.knowledge.papers > world.lab.knowledge.papers
    thawed = frozen.branch(growth__law="returns", growth__first_doubling_days=10.0)
    for _ in range(20):
        thawed.step()
    check_invariants(thawed)
    assert thawed.lab.knowledge.software.discovered > level


def test_long_run_and_margins_name_frozen_software():
    found = long_run(FROZEN)
    assert (found.kind, found.ratio, found.returns, found.bound_by) == ("fizzle", None, None, "")
    assert found.sentence == "Fizzle: software is frozen (growth__law = 'frozen'), so that it never doubles."
    frozen, moving = margins([FROZEN, Scenario()], [0, 2])
    assert frozen.sentence == (
        "What limits progress at the margin is undefined: software is frozen (growth__law = 'frozen')."
    )
    assert moving == margins([Scenario()], [2])[0]


def test_frozen_law_never_reaches_another_level():
    law = law_from_params(FrozenLaw(), 1, 1.0)
    assert (law.software(50.0), law.effort(0.0), law.effort(1.0)) == (0.0, 0.0, math.inf)
    assert law.papers_between(3.0, 1.0) == math.inf
    assert unconstrained_doubling_times(law, 1, 1.0, 2) == [math.inf, math.inf]
    software = SoftwareState(law)
    software.add(1e6)
    assert software.discovered == 0.0


def test_team_of_frozen_software_does_not_grow_beyond_what_a_run_can_have():
    pooled = {"researcher__timing": "pooled", "researcher__initial": 1000, "run__max_doublings": 30}
    World(FROZEN.replace(**pooled), 0)
    with pytest.raises(ScenarioError, match="would make 1,000 researchers of day 0"):
        World(Scenario().replace(**LAB, **pooled), 0)


def test_ais_of_a_later_day_work_in_the_frozen_lab():
    later = FROZEN.replace(growth__ai_doublings=3.0, kernels__measurements="none", run__horizon_days=30.0)
    result = run(later, 1)
    assert set(result.series["researchers"]) == {8 * 16}
    assert (result.software_doublings, result.deployed_doublings) == (0.0, 0.0)
    assert run_fluid(later).researchers == pytest.approx(8 * 16)


def test_ais_of_a_later_day_do_the_tasks_of_their_capability():
    tasks = {"automation__kinds": 4, "automation__first_threshold": 1.0, "automation__last_threshold": 4.0}
    with World(
        FROZEN.replace(growth__ai_doublings=2.5, humans__initial=4, kernels__measurements="none", **tasks)
    ) as world:
        assert world.lab.automation.kinds_automated == 2
        later = world.branch(growth__ai_doublings=4.0)
        later.step()
        assert later.lab.automation.is_complete
        assert later.lab.workforce.active_researchers == 16 * 16


def test_digest_is_that_of_before_without_ais_of_a_later_day():
    assert FROZEN.replace(growth__ai_doublings=0.0).digest() == FROZEN.digest()
    assert FROZEN.replace(growth__ai_doublings=1.0).digest() != FROZEN.digest()


def test_ais_of_a_later_day_do_not_exceed_what_a_run_can_have():
    with pytest.raises(ScenarioError, match="growth__ai_doublings = 60 would make 16 researchers of day 0"):
        World(FROZEN.replace(growth__ai_doublings=60.0))
