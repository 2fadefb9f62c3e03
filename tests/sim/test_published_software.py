"""Test published software: the discovered software of a delay ago, which the policy of the lab decides."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lab_policy import LabPolicy
from sim.events import PaperPublished
from sim.lab_factory import LabFactory
from sim.publication_history import PublicationHistory
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

SMALL = Scenario(name="small").replace(
    researcher__initial=0,
    cluster__gpus=64,
    training__first_run_gpus=16,
    training__first_run_days=10.0,
    growth__first_doubling_days=10.0,
    growth__calibrated_for=0,
    run__horizon_days=80.0,
    run__sample_days=1.0,
    run__max_doublings=30,
)


class SecretPolicy(LabPolicy):
    """Publish nothing."""

    publication_delay_days = math.inf


class MonthLaterPolicy(LabPolicy):
    """Publish after 30 days."""

    publication_delay_days = 30.0


class ChangingPolicy(LabPolicy):
    """Change the delay at each review, from 0 to infinity and back."""

    review_days = 7.0
    delays = (0.0, 20.0, math.inf, 3.0, 40.0, 0.5)
    reviews = 0

    @property
    def publication_delay_days(self):
        return self.delays[self.reviews % len(self.delays)]

    def review(self, measured):
        self.reviews += 1


class NegativePolicy(LabPolicy):
    """Publish before the discovery."""

    publication_delay_days = -1.0


def frames(policy: type[LabPolicy]) -> list[tuple[float, float, float]]:
    """Return day, discovered and published software after each frame of 1 day."""
    with World(SMALL, 1, make=LabFactory(policy=policy)) as world:
        found = []
        while world.running:
            world.step()
            found.append((world.now, world.lab.knowledge.discovered, world.lab.published_software))
        return found


def test_published_software_without_delay_equals_discovered_software():
    found = frames(LabPolicy)
    assert found[-1][1] > 1
    assert all(published == discovered for _, discovered, published in found)


def test_published_software_of_a_secret_lab_is_zero():
    assert {published for *_, published in frames(SecretPolicy)} == {0.0}


def test_published_software_after_30_days_is_the_discovered_software_of_30_days_before():
    found = frames(MonthLaterPolicy)
    discovered = {day: level for day, level, _ in found}
    assert all(published == discovered.get(day - 30, 0.0) for day, _, published in found)
    assert 0 < found[-1][2] < found[-1][1]


def test_published_software_is_exact_between_events():
    with World(SMALL, 1, make=LabFactory(policy=MonthLaterPolicy)) as world:
        levels = [(0.0, 0.0)]
        while world.running:
            world.step_events(5)
            levels += [(each.day, each.discovered) for each in world.ledger if isinstance(each, PaperPublished)]
            known = max(level for day, level in levels if day <= max(0.0, world.now - 30))
            assert world.lab.published_software == known


def test_published_software_never_falls_if_the_delay_changes_during_the_run():
    found = frames(ChangingPolicy)
    levels = [published for *_, published in found]
    assert levels == sorted(levels)
    assert len(set(levels)) > 5
    assert all(published <= discovered for _, discovered, published in found)
    assert levels[7] == levels[19] < levels[21], "nothing more is published from day 7 to day 21"


def test_publication_delay_does_not_change_the_run():
    digests = set()
    for policy in (LabPolicy, MonthLaterPolicy, SecretPolicy):
        with World(SMALL, 1, make=LabFactory(policy=policy)) as world:
            while world.running:
                world.step()
            digests.add(world.digest())
    assert len(digests) == 1


def test_delay_of_the_scenario_is_that_of_the_policy():
    delayed = SMALL.replace(policy__publication_delay_days=30.0)
    with World(delayed, 1) as world, World(SMALL, 1, make=LabFactory(policy=MonthLaterPolicy)) as other:
        for _ in range(50):
            world.step()
            other.step()
        assert 0 < world.lab.published_software == other.lab.published_software < world.lab.knowledge.discovered
        with world.branch(policy__publication_delay_days=36_500.0) as secret:
            before = secret.lab.published_software
            while secret.running:
                secret.step()
                world.step()
            assert secret.lab.published_software == before < world.lab.published_software


def test_default_delay_leaves_the_digest_of_a_scenario_as_it_was():
    adaptive = Scenario().replace(policy__name="adaptive")
    assert adaptive.digest().startswith("3e13b259bfe15679")
    assert adaptive.replace(policy__publication_delay_days=1.0).digest() != adaptive.digest()


def test_restored_world_publishes_the_same_software():
    with World(SMALL, 1, make=LabFactory(policy=ChangingPolicy)) as world:
        for _ in range(33):
            world.step()
        with World.restore(world.snapshot()) as restored:
            while world.running:
                world.step()
                restored.step()
                assert restored.lab.published_software == world.lab.published_software


def test_negative_delay_is_refused():
    with pytest.raises(ScenarioError, match="publication_delay_days = -1 is not a delay; allowed: 0 to"):
        World(SMALL, make=LabFactory(policy=NegativePolicy))


# --- the history alone -----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 2), st.sampled_from([0.0, 0.5, 4.0, 30.0, math.inf]))))
def test_history_is_the_largest_level_that_any_delay_so_far_has_published(steps):
    history, now, level, delay = PublicationHistory(), 0.0, 0.0, 0.0
    levels, expected = [(0.0, 0.0)], 0.0
    for days, gain, next_delay in steps:
        now += days
        expected = max([expected, *(known for day, known in levels if day <= now - delay)])
        level += gain
        history.record(level, now)
        levels.append((now, level))
        if delay == 0:
            expected = level
        history.set_delay(next_delay, now)
        delay = next_delay
        expected = max([expected, *(known for day, known in levels if day <= now - delay)])
        assert history.published(now) == expected


def test_history_of_a_delay_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="allowed: 0 to"):
        PublicationHistory().set_delay(math.nan, 1.0)
