"""Tests of a subclass of Researcher, which keeps its behaviour in a team of any size."""

import re

import pytest

from agents.cohort.cohort import Cohort
from agents.researcher import Researcher
from sim.lab_factory import LabFactory
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

TEAM = 2000
LARGE = Scenario().replace(
    researcher__initial=TEAM, run__horizon_days=4.0, run__max_doublings=3, training__required=False
)


class Copycat(Researcher):
    """Writes up without an experiment of its own if something was published since its paper was begun."""

    copied = 0

    def on_thought_out(self):
        if self.knowledge.literature.latest > self.known_at_start:
            self.copied += 1
            self.write_up()
        else:
            super().on_thought_out()


class CopycatCohort(Cohort):
    """A cohort of copycats."""


def experiments(world):
    waiting = sum(job.use == "experiment" for job in world.lab.compute.datacenter.records)
    return waiting + sum(each.job is not None for each in world.lab.workforce.researchers)


@pytest.fixture
def copycats():
    with pytest.warns(UserWarning, match=r"Copycat has no cohort class, so 2,000 .* run__max_individuals = 1,000"):
        world = World(LARGE, make=LabFactory(researcher=Copycat))
    for _ in range(4):
        world.step()
    return world


def test_custom_researchers_above_the_limit_stay_individuals(copycats):
    population = copycats.lab.workforce
    assert len(population.researchers) == population.active_researchers >= TEAM
    assert population.cohorts == []
    assert {type(each) for each in population.researchers} == {Copycat}


def test_custom_researchers_in_a_large_team_keep_their_behaviour(copycats):
    copied = sum(each.copied for each in copycats.lab.workforce.researchers)
    assert copied > 200
    stock = World(LARGE)
    for _ in range(4):
        stock.step()
    assert stock.lab.workforce.cohorts, "the stock researchers are a cohort"
    assert experiments(copycats) < 0.2 * sum(job.tasks for job in stock.lab.compute.datacenter.records)


def test_custom_researchers_are_kept_by_snapshot_and_branch(copycats):
    branch = copycats.branch(researcher__writing_share=0.2)
    assert {type(each) for each in branch.lab.workforce.researchers} == {Copycat}
    assert World.restore(copycats.snapshot()).digest() == copycats.digest()


def test_custom_cohort_class_is_used_above_the_limit():
    world = World(LARGE, make=LabFactory(researcher=Copycat, cohort=CopycatCohort))
    assert [type(each) for each in world.lab.workforce.cohorts] == [CopycatCohort]
    assert world.lab.workforce.in_cohorts == TEAM


def test_custom_researchers_beyond_the_maximum_count_are_refused():
    with pytest.raises(ScenarioError, match=re.escape("as agents, which Copycat without a cohort class needs")):
        World(LARGE, make=LabFactory(researcher=Copycat), run__max_doublings=30)


def test_pooled_custom_researchers_above_the_limit_stay_individuals():
    pooled = {"researcher__timing": "pooled", "researcher__experiment_gpu_days": 0.0, "run__max_individuals": 3}
    with pytest.warns(UserWarning, match="Copycat has no cohort class"):
        world = World(LARGE, make=LabFactory(researcher=Copycat), researcher__initial=10, **pooled)
    assert len(world.lab.workforce.researchers) == 10


def test_default_researcher_passed_explicitly_gives_the_same_run():
    scenario = Scenario().replace(run__horizon_days=3.0)
    assert run(scenario, 1, make=LabFactory(researcher=Researcher)).digest == run(scenario, 1).digest
