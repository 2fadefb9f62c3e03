"""Test safety as a policy that slows a lab, in Worlds and in races of Worlds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from agents.lab_policy import LabPolicy
from sim.events import PaperPublished, SafetyShareChanged, SoftwareDoubled
from sim.fluid.api import run_fluid
from sim.lab_factory import LabFactory
from sim.race import run_race
from sim.racing.safety_game import Information, SafetyGame, safety_of_share, share_of_safety
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World
from tests.support.several_labs import SMALL_LABS, THINKERS, events_of, labs_of, run_to_end

POOLED: dict[str, Any] = THINKERS | {
    "growth__calibrated_for": 65536.0,
    "researcher__timing": "pooled",
    "researcher__initial": 65536,
    "run__max_individuals": 0,
    "run__horizon_days": 1e4,
    "run__sample_days": 1e4,
}
"""A large team without randomness."""


class GrowingSafety(LabPolicy):
    """Raise the share of safety by a quarter every ten days, up to a half."""

    review_days = 10.0
    safety_share = 0.0

    def review(self, measured):
        self.safety_share = min(0.5, self.safety_share + 0.25)


class AllSafety(LabPolicy):
    """Spend all research on safety."""

    safety_share = 1.0


def doubling_days(scenario: Scenario) -> list[float]:
    return [event.day for event in run(scenario).events if isinstance(event, SoftwareDoubled)]


@pytest.mark.parametrize("r", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_lab_with_a_safety_share_is_slower_by_that_share(r: float, share: float) -> None:
    """The day of each doubling is that of a lab whose effort is multiplied by ``1 - share``."""
    base = Scenario(name="lab").replace(**POOLED, growth__r=r, run__max_doublings=5)
    slower = np.array(doubling_days(base.replace(policy__safety_share=share)))
    assert slower * (1 - share) == pytest.approx(doubling_days(base), rel=1e-9)
    fluid = run_fluid(base.replace(policy__safety_share=share))
    assert [each.day for each in fluid.doublings] == pytest.approx(slower, rel=1e-3)


@pytest.mark.parametrize("humans", [0, 6])
def test_papers_of_ais_and_of_humans_are_on_safety_by_that_share(humans: int) -> None:
    scenario = Scenario(name="lab").replace(**SMALL_LABS, policy__safety_share=0.3, humans__initial=humans)
    with World(scenario, 1) as world:
        run_to_end(world)
        papers = [event for event in world.ledger if isinstance(event, PaperPublished)]
        assert len(papers) > 20
        assert [event.effective_papers for event in papers] == pytest.approx([0.7 * event.papers for event in papers])
        assert world.lab.knowledge.safety_papers == pytest.approx(0.3 * world.lab.knowledge.papers)


def test_cautious_lab_of_two_loses_until_its_compute_makes_up_for_it() -> None:
    """Lab b has half of the compute of lab a, so that a share of one half makes them equal."""
    for share, first in ((0.45, "a"), (0.55, "b")):
        own = {"a": {"researcher__initial": 131_072, "policy__safety_share": share}, "b": {}}
        result = run_race(labs_of(POOLED, own, run__max_doublings=3))
        assert result.order(3)[0].lab == first
        ratio = result.day_of("a", 3) / result.day_of("b", 3)
        assert ratio == pytest.approx(0.5 / (1 - share))
        assert result.safety_of_first(3) == pytest.approx(share if first == "a" else 0)
        assert math.isnan(result.safety_of_first(4))


def test_policy_that_changes_the_share_counts_earlier_work_with_the_earlier_share() -> None:
    """Pooled work that is under way at a review was done under the share before."""
    scenario = Scenario(name="lab").replace(**POOLED, run__max_doublings=1, researcher__papers_per_month=0.1)
    with World(scenario, make=LabFactory(policy=GrowingSafety)) as world:
        world.clock.advance(40.0)
        world.lab.workforce.publish_pooled_work()
        world.clock.settle_if_due()
        events = events_of(world, "")
        shares = [(event.day, event.share) for event in events if isinstance(event, SafetyShareChanged)]
        assert shares == [(10.0, 0.25), (20.0, 0.5)]
        per_day = 65536 * scenario.researcher.papers_per_day
        effective = sum(event.effective_papers for event in events if isinstance(event, PaperPublished))
        assert effective == pytest.approx(per_day * (10 + 10 * 0.75 + 20 * 0.5))
        assert world.lab.knowledge.safety_papers == pytest.approx(per_day * (10 * 0.25 + 20 * 0.5))


def test_share_of_one_lab_can_change_in_a_branch_alone() -> None:
    scenario = labs_of(POOLED, {"a": {}, "b": {}}, run__max_doublings=4)
    with World(scenario) as world:
        world.clock.advance(45.0)
        with world.branch(**{"a.policy__safety_share": 0.5}) as careful:
            days = {
                name: [event.day for event in events_of(run_to_end(each), lab) if isinstance(event, SoftwareDoubled)]
                for name, each, lab in (("as before", world, "a"), ("a", careful, "a"), ("b", careful, "b"))
            }
    assert days["b"] == pytest.approx(days["as before"])
    later = np.array(days["as before"])
    assert days["a"] == pytest.approx(np.where(later > 45, 45 + (later - 45) * 2, later))


def test_default_share_leaves_digests_as_they_were() -> None:
    default = Scenario()
    assert default.replace(policy__safety_share=0.0).digest() == default.digest()
    assert default.replace(policy__safety_share=0.1).digest() != default.digest()


def test_share_of_all_research_is_refused() -> None:
    with pytest.raises(ScenarioError, match="safety_share = 1 is not allowed; allowed: 0 to below 1"):
        World(Scenario().replace(**POOLED), make=LabFactory(policy=AllSafety))


# --- The race to the precipice between Worlds ---------------------------------------------------------------


def safety_of_first_labs(game: SafetyGame, information: Information, capabilities: np.ndarray) -> np.ndarray:
    """Return the probability that the first lab is safe, in a race of two Worlds for each game.

    Capability is the logarithm of the number of researchers. With public information the leader makes the scores
    equal; it keeps a thousandth less safety here, so that it is first.
    """
    safety = game.choose_safety(information, capabilities)
    if information == "public":
        safety = safety - 1e-3 * (capabilities == capabilities.max(axis=1, keepdims=True)) * (safety > 1e-3)
    found = []
    for own, chosen in zip(capabilities, safety, strict=True):
        labs = {
            lab: {"researcher__initial": round(65536 * math.exp(c)), "policy__safety_share": float(share_of_safety(s))}
            for lab, c, s in zip("ab", own, chosen, strict=True)
        }
        race = run_race(labs_of(POOLED, labs, run__max_doublings=1, cluster__gpus=4))
        winner = "ab".index(race.order(1)[0].lab)
        assert winner == game.find_winner(own, chosen)
        found.append(float(safety_of_share(race.safety_of_first(1))))
        assert found[-1] == pytest.approx(chosen[winner], abs=1e-9)
    return np.array(found)


@pytest.mark.parametrize(("mu", "games", "sign"), [(1.0, 60, 1), (4.0, 150, -1)])
def test_p23_8_information_helps_in_one_race_of_worlds_and_hurts_in_another(mu: float, games: int, sign: int) -> None:
    """Each difference of paired means is above 3.3 standard errors, and each mean within 3.3 of its closed form.

    The false-alarm rate of each comparison is 1e-3.
    """
    game = SafetyGame(2, mu, 0.5)
    capabilities = np.random.default_rng(2381).uniform(0, mu, (games, 2))
    private, public = (safety_of_first_labs(game, kind, capabilities) for kind in ("private", "public"))
    for kind, found in (("private", private), ("public", public)):
        error = found.std() / math.sqrt(games)
        assert found.mean() == pytest.approx(game.mean_safety(kind), abs=3.3 * error + 1e-3)
    gained = public - private
    assert sign * gained.mean() > 3.3 * gained.std() / math.sqrt(games)
