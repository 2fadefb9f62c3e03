"""Several labs in one World: independence, neutral limits, snapshots, branches, exits and refused scenarios."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lab_policy import LabPolicy
from agents.ports.bundles import PolicyPorts
from sim.events import (
    ActiveResearchersChanged,
    Deployed,
    GpusDelivered,
    LabEnded,
    PapersReceived,
    SoftwareDoubled,
    SoftwareReceived,
    TrainingRequested,
    digest_text,
)
from sim.lab_params import PUBLICATION_STEP
from sim.race import concentration, run_race, shares, summarise_race
from sim.reporters import REPORTERS
from sim.runner import summarise
from sim.scenario.model import Scenario, ScenarioError
from sim.testing.invariants import check_invariants
from sim.world import World
from tests.support.properties import examples
from tests.support.several_labs import SMALL_LABS, THINKERS, events_of, labs_of, run_to_end

ROOT = Path(__file__).parents[2]
ADAPTIVE = {"policy__name": "adaptive", "policy__review_days": 2.0, "policy__hysteresis": 0.0}
GROWTH = {"supply__growth_per_year": 200.0, "supply__lot_days": 3.0, "supply__delay_days": 4.0}
ROAD = {"humans__initial": 6, "automation__first_threshold": 0.1, "automation__last_threshold": 0.8}


def labs(own: dict[str, dict[str, Any]], **shared: Any) -> Scenario:
    return labs_of(SMALL_LABS, own, **shared)


def texts(world: World, lab: str) -> list[str]:
    """Return the events of a lab and the records of its jobs as the digest reads them."""
    records = world.labs[lab].compute.datacenter.records
    return [digest_text(record) for record in (*events_of(world, lab), *records)]


def days_of(world: World, lab: str) -> list[float]:
    return [event.day for event in world.ledger if isinstance(event, SoftwareDoubled) and event.lab == lab]


# --- Neutral limits and independence -------------------------------------------------------------------------

OTHERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "adaptive": ADAPTIVE,
    "leaves": {"exit__kind": "closes", "exit__day": 6.4} | GROWTH,
    "reads": {"commons__publication_share": 0.5, "commons__diffusion_per_year": 5.0, "entry__day": 3.3},
    "stalls": {"cluster__gpus": 60},
}


@pytest.mark.parametrize("shared", [{}, ADAPTIVE, GROWTH, ROAD, {"researcher__timing": "pooled"}], ids=str)
def test_lab_that_shares_nothing_changes_no_event_of_the_others(shared: dict[str, Any]) -> None:
    two = labs({"a": {}, "b": {"cluster__gpus": 60}}, run__max_individuals=10, **shared)
    alone = run_to_end(World(two, 3))
    for name, own in OTHERS.items():
        extended = two.replace(**{f"c.{key}": value for key, value in (own or {"entry__day": 0.0}).items()})
        world = World(extended, 3)
        if name == "stalls":
            world.labs["c"].retire_nodes("experiment", 4)
        run_to_end(world)
        assert len(events_of(world, "c")) > 0
        for lab in "ab":
            assert texts(world, lab) == texts(alone, lab), name


def test_lab_that_stalls_ends_alone() -> None:
    world = World(labs({"a": {}, "b": {}}), 1)
    world.labs["a"].retire_nodes("experiment", 4)
    run_to_end(world)
    check_invariants(world)
    [ended] = [event for event in world.ledger if isinstance(event, LabEnded)]
    assert (ended.lab, ended.ending) == ("a", "stalled") and "there are no GPUs for experiment" in ended.sentence
    assert world.ending is not None and world.ending.ending == "horizon"
    assert summarise(world, "a").ending == "stalled"


@pytest.mark.parametrize("number", [2, 3])
def test_labs_that_share_all_are_one_lab_of_all_their_researchers(number: int) -> None:
    """Papers of the others come in steps, so that a doubling is at most a step for each of them late."""
    base = THINKERS | {"researcher__timing": "pooled", "run__max_doublings": 5, "run__horizon_days": 1e3}
    several = World(labs_of(base, {f"lab{n}": {} for n in range(number)}, commons__publication_share=1.0))
    one = World(Scenario().replace(**base).replace(growth__calibrated_for=64, cluster__gpus=64 * number))
    many, single = days_of(run_to_end(several), "lab0"), days_of(run_to_end(one), "")
    assert len(many) == len(single) == 5
    for n, (late, exact) in enumerate(zip(many, single, strict=True), 1):
        assert exact * (1 - 1e-9) <= late <= exact * (1 + (number - 1) * PUBLICATION_STEP), n


def test_shares_and_concentration_of_labs() -> None:
    world = run_to_end(World(labs({"a": {"cluster__gpus": 96, "exit__kind": "closes", "exit__day": 9.5}, "b": {}})))
    parts = summarise_race(world).gpu_shares()
    assert (parts["a"][9], parts["b"][9], parts["a"][10], parts["b"][10]) == pytest.approx((2 / 3, 1 / 3, 0, 1))
    assert concentration([parts["a"][9], parts["b"][9]]) == pytest.approx(5 / 9)
    nothing = shares({lab: part * 0 for lab, part in parts.items()})
    assert all(math.isnan(share) for share in nothing["a"])


# --- Snapshots, branches and frames --------------------------------------------------------------------------

PIECES = st.fixed_dictionaries(
    {
        "shared": st.sampled_from(
            [{}, ADAPTIVE, ROAD, {"cluster__partitioning": "priority"}, {"run__max_individuals": 0}]
        ),
        "timing": st.sampled_from(["poisson", "whole", "pooled"]),
        "commons": st.sampled_from(
            [
                {},
                {"commons__publication_share": 0.7, "commons__lag_days": 2.5},
                {"commons__publication_share": 1.0},
                {"commons__diffusion_per_year": 9.0, "commons__diffusion_of": "discovered"},
            ]
        ),
        "supply": st.sampled_from([{}, GROWTH, GROWTH | {"supply__success_share": 0.5, "supply__delay_days": 0.0}]),
        "exit": st.sampled_from(
            [
                {},
                {"a.exit__kind": "closes", "a.exit__day": 7.5},
                {"a.exit__kind": "merges", "a.exit__day": 7.0, "a.exit__into": "b"},
                {"c.exit__kind": "merges", "c.exit__behind_doublings": 0.3, "c.exit__into": "a"},
            ]
        ),
        "entry": st.sampled_from([{}, {"c.entry__day": 4.2}, {"c.entry__software_doublings": 1.3}]),
    }
)
CHANGES = st.sampled_from(
    [
        {},
        {"b.commons__publication_share": 0.2},
        {"b.commons__diffusion_per_year": 20.0},
        {"b.supply__growth_per_year": 50.0},
        {"b.exit__kind": "closes", "b.exit__day": 12.3},
        {"b.researcher__papers_per_month": 9.0},
        {"run__sample_days": 0.7},
    ]
)


def drawn_labs(pieces: dict[str, Any]) -> Scenario:
    everyone = pieces["shared"] | pieces["commons"] | pieces["supply"] | {"researcher__timing": pieces["timing"]}
    everyone |= (
        {"run__horizon_days": 18.0, "supply__most_gpus": 400} if pieces["supply"] else {"run__horizon_days": 18.0}
    )
    scenario = labs({"a": {}, "b": {"cluster__gpus": 60}, "c": {"entry__day": 0.0}}, **everyone)
    return scenario.replace(**pieces["exit"], **pieces["entry"])


@examples(25)
@given(PIECES, CHANGES, st.integers(0, 3), st.integers(1, 14), st.integers(0, 40))
def test_restored_branched_and_divided_runs_of_several_labs_are_the_same(
    pieces: dict[str, Any], changes: dict[str, Any], seed: int, day: int, events: int
) -> None:
    scenario = drawn_labs(pieces)
    first, second = World(scenario, seed), World(scenario, seed)
    for world in (first, second):
        for _ in range(day):
            world.step()
        world.step_events(events)
        check_invariants(world)
    first, second = first.branch(**changes), World.restore(second.snapshot()).branch(**changes)
    while second.running:
        while not second.step_events(7):
            second = World.restore(second.snapshot()) if second.now < day + 3 else second
    run_to_end(first)
    check_invariants(first)
    assert first.digest() == second.digest()
    assert first.datacollector.model_vars == second.datacollector.model_vars


def test_change_of_one_lab_in_a_branch_changes_only_that_lab_and_its_readers() -> None:
    reads = {"commons__publication_share": 0.5, "commons__lag_days": 1.0}
    world = World(labs({"a": GROWTH, "b": {}, "reader": reads}), 2)
    for _ in range(5):
        world.step()
    plain = run_to_end(world.branch())
    for changes in ({"b.researcher__papers_per_month": 12.0}, {"b.exit__kind": "closes", "b.exit__day": 8.0}):
        changed = run_to_end(world.branch(**changes))
        assert texts(changed, "a") == texts(plain, "a")
        assert texts(changed, "b") != texts(plain, "b")
        assert texts(changed, "reader") != texts(plain, "reader")


def test_lab_reads_orders_and_leaves_from_a_branch_on() -> None:
    world = World(labs({"a": {}, "b": {}}, cluster__gpus_per_node=1), 2)
    for _ in range(5):
        world.step()
    late = {"lot_days": 3.0, "growth_per_year": 200.0}
    branch = world.branch(
        **{"a.commons__publication_share": 1.0, "a.commons__diffusion_per_year": 20.0},
        **{f"b.supply__{name}": value for name, value in late.items()},
        **{"b.exit__kind": "closes", "b.exit__day": 16.2},
    )
    run_to_end(branch)
    check_invariants(branch)
    found = {kind: [e.day for e in branch.ledger if isinstance(e, kind)] for kind in (PapersReceived, GpusDelivered)}
    assert all(5 <= day <= 16.2 for days in found.values() for day in days) and all(found.values())
    assert [(event.day, event.lab) for event in branch.ledger if isinstance(event, LabEnded)] == [(16.2, "b")]
    assert any(isinstance(event, SoftwareReceived) for event in events_of(branch, "a"))


class Secret(LabPolicy):
    """Publish nothing more."""

    @property
    def publication_delay_days(self) -> float:
        """Return infinity: nothing is published."""
        return float("inf")


def test_policy_of_one_lab_in_a_branch_stops_its_papers() -> None:
    world = World(labs({"a": {}, "b": {}}, commons__publication_share=0.5), 2)
    for _ in range(5):
        world.step()
    branch = world.branch()
    branch.labs["a"].policy = Secret(PolicyPorts(branch.labs["a"].compute, branch.labs["a"].settings))
    branch.apply_decisions()
    run_to_end(branch)
    late = {event.author for event in branch.ledger if isinstance(event, PapersReceived) and event.day > 5}
    assert late == {"b"}


def test_branch_continues_several_labs_beyond_their_horizon() -> None:
    scenario = labs({"a": {}, "b": {"exit__kind": "closes", "exit__day": 8.0}})
    longer = run_to_end(World(scenario, 4))
    short = run_to_end(World(scenario.replace(run__horizon_days=12.0), 4))
    again = run_to_end(short.branch(run__horizon_days=30.0))
    assert again.digest() == longer.digest()
    with pytest.raises(ScenarioError, match=r"this run is over \(labs\): branch from an earlier moment"):
        run_to_end(World(labs({"a": {}, "b": {}}, exit__kind="closes"), 1)).branch(run__horizon_days=60.0)


READERS = {"commons__publication_share": 0.5, "commons__lag_days": 3.0, "commons__diffusion_per_year": 9.0}


def test_run_of_several_labs_has_the_same_digest_in_another_process_and_with_other_frames() -> None:
    scenario = labs({"a": {}, "b": {}, "c": {}}, **(READERS | GROWTH))
    digest = run_race(scenario, 1).digest
    assert run_race(scenario.replace(run__sample_days=13.7), 1).digest == digest
    code = f"""
from sim.race import run_race
from tests.support.several_labs import SMALL_LABS, labs_of
print(run_race(labs_of(SMALL_LABS, dict(a={{}}, b={{}}, c={{}}), **{READERS | GROWTH}), 1).digest)
"""
    environment = os.environ | {"PYTHONHASHSEED": "2", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    assert done.stdout.strip() == digest


# --- Entry, exit and deliveries ------------------------------------------------------------------------------


def test_late_lab_reads_and_does_nothing_else_before_its_entry() -> None:
    late = {"entry__day": 10.5, "entry__software_doublings": 1.2, "commons__publication_share": 1.0}
    world = run_to_end(World(labs({"a": {"commons__diffusion_per_year": 50.0}, "b": late})))
    before = {type(event) for event in events_of(world, "b") if event.day < 10.5}
    assert before == {PapersReceived, SoftwareDoubled}
    starts = [event.day for event in events_of(world, "b") if isinstance(event, ActiveResearchersChanged)]
    assert starts[0] == 10.5
    diffused = [event.day for event in events_of(world, "a") if isinstance(event, SoftwareReceived)]
    assert diffused and min(diffused) >= 10.5
    assert summarise(world, "b").doublings[0].duration_days == 0


@pytest.mark.parametrize("timing", ["poisson", "pooled"])
@pytest.mark.parametrize("partitioning", ["static", "priority"])
@pytest.mark.parametrize("shared", [{}, ROAD, {"run__max_individuals": 0}], ids=str)
def test_gpus_are_conserved_by_mergers_and_closures(timing: str, partitioning: str, shared: dict[str, Any]) -> None:
    own = {
        "a": {"exit__kind": "merges", "exit__day": 8.4, "exit__into": "b"},
        "b": {"exit__kind": "merges", "exit__day": 14.0, "exit__into": "c"},
        "c": {"commons__publication_share": 0.5},
        "d": {"exit__kind": "closes", "exit__day": 11.0},
    }
    kinds = {"researcher__timing": timing, "cluster__partitioning": partitioning, "supply__most_gpus": 400}
    world = World(labs(own, **(kinds | GROWTH | shared), run__max_doublings=9), 5)
    total = {lab: [48] for lab in own}
    while world.running:
        world.step()
        check_invariants(world)
        for lab, each in world.labs.items():
            total[lab].append(each.compute.datacenter.capacity)
    assert (total["a"][9], total["b"][14], total["d"][-1]) == (0, 0, total["d"][11])
    assert total["b"][8] + total["a"][8] <= total["b"][9] and total["c"][14] >= 3 * 48
    delivered = [event for event in events_of(world, "c") if isinstance(event, GpusDelivered)]
    nodes = sum(event.inference + event.experiment + event.training for event in delivered)
    assert total["c"][-1] == 48 + 4 * nodes
    assert max(event.day for event in delivered) > 14
    assert world.labs["c"].workforce.active_researchers + world.labs["c"].automation.ais >= 18


@pytest.mark.parametrize("growth", [1.0, 30.0])
def test_humans_of_a_lab_that_merges_join_the_other_and_its_schedule(growth: float) -> None:
    own = {
        "a": {"humans__initial": 9, "exit__kind": "merges", "exit__day": 7.4, "exit__into": "b"},
        "b": {"humans__initial": 4, "exit__kind": "merges", "exit__day": 15.5, "exit__into": "c"},
        "c": {"humans__initial": 0, "automation__first_threshold": 0.0, "automation__last_threshold": 0.0},
    }
    road = ROAD | {"automation__last_threshold": 50.0, "humans__growth_per_year": growth}
    with World(labs(own, **road), 3) as world:
        humans: dict[str, list[float]] = {lab: [] for lab in own}
        while world.running:
            world.step()
            check_invariants(world)
            for lab, each in world.labs.items():
                humans[lab].append(REPORTERS["humans"](each))
    before = [math.floor(initial * growth ** (7 / 365)) for initial in (9, 4)]
    assert [humans["a"][6], humans["b"][6]] == before
    joined = math.floor(9 * growth ** (7.4 / 365)) / (4 * growth ** (7.4 / 365))
    assert humans["b"][7:15] == [math.floor(4 * growth ** (day / 365) * (1 + joined)) for day in range(8, 16)]
    assert humans["a"][7] == humans["c"][-1] == 0 and humans["b"][-1] >= humans["b"][14], "a lab of AIs takes no humans"


def test_training_run_of_a_lab_that_closes_deploys_nothing() -> None:
    world = World(labs({"a": {"exit__kind": "closes", "exit__day": 9.0}, "b": {}}, training__first_run_days=12.0), 1)
    run_to_end(world)
    requested = [event.day for event in events_of(world, "a") if isinstance(event, TrainingRequested)]
    assert len(requested) == 1 and requested[0] < 9
    assert not [event for event in events_of(world, "a") if isinstance(event, Deployed)]
    done = [job for job in world.labs["a"].compute.datacenter.records if job.use == "training"]
    assert [job.outcome for job in done] == ["done"]


def test_lab_that_reaches_its_goal_stops_in_that_instant() -> None:
    world = run_to_end(World(labs({"a": {"entry__software_doublings": 2.5}, "b": {}}), 1))
    [end] = [event for event in world.ledger if isinstance(event, LabEnded)]
    last = events_of(world, "a")[-1]
    assert (type(last), last.day, last[1]) == (ActiveResearchersChanged, end.day, 0)


def test_first_deliveries_are_as_fast_as_the_gpus_of_day_0() -> None:
    """Speed grows with the AIs since the entry of the lab, not with their number."""
    loop = GROWTH | {"supply__automated_share": 0.1, "supply__fabrication_days": 7.0, "supply__delay_days": 0.0}
    loop |= {"cluster__gpus_per_node": 1}
    world = run_to_end(World(labs({"a": {}, "b": {"entry__day": 8.0}}, **loop), 1))
    for lab in "ab":
        speeds = [event.speed for event in events_of(world, lab) if isinstance(event, GpusDelivered)]
        assert speeds[:2] == [1, 1] and speeds == sorted(speeds) and 1 < speeds[-1] < 3


# --- Refused scenarios ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"a.exit__kind": "merges", "a.exit__into": "a"},
            "lab 'a': exit__into = 'a' is the lab itself; allowed: b",
        ),
        (
            {"a.exit__kind": "merges", "a.exit__into": "zed"},
            "lab 'a': exit__into = 'zed' is not a lab; allowed: b",
        ),
        ({"a.exit__into": "b"}, "exit__into is not read under exit__kind = 'stays'"),
        (
            {"a.entry__software_doublings": 4.0},
            "lab 'a': entry__software_doublings = 4 leaves nothing to discover; allowed: below run__max_doublings = 4",
        ),
        ({"a.supply__growth_per_year": 0.5}, "a.*supply__growth_per_year"),
        ({"a.supply__lot_days": 0.0}, "a.*supply__lot_days"),
        ({"a.supply__delay_days": -1.0}, "a.*supply__delay_days"),
        ({"a.supply__most_gpus": 0}, "a.*supply__most_gpus"),
        (
            {"a.exit__kind": "merges", "a.exit__into": "b", "b.cluster__gpus_per_node": 8},
            "lab 'a': cluster__gpus_per_node = 4 differs from 8 of lab 'b', into which it merges; allowed: the same",
        ),
        (
            {"supply__growth_per_year": 1000.0, "supply__success_share": 0.5},
            "cluster__gpu_hours_between_failures = 2000 GPU-hours is too short for .* GPUs",
        ),
        ({"a.run__max_doublings": 3}, r"run__max_doublings is not a parameter of one lab \('a'\)"),
    ],
)
def test_impossible_labs_are_refused_in_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        World(labs({"a": {}, "b": {}}).replace(**changes))
    assert "\n" not in str(caught.value)


def test_lab_that_is_stated_twice_in_a_file_is_refused(tmp_path: Any) -> None:
    file = tmp_path / "twice.toml"
    file.write_text("[labs.a.entry]\nday = 1.0\n[labs.b]\n[labs.a.entry]\nday = 2.0\n")
    with pytest.raises(ScenarioError, match=r"twice\.toml: is not valid TOML \(Cannot declare"):
        Scenario.load(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"c.cluster__gpus": 64}, "the labs a, b, c are not those of the run; allowed: a, b. Start a new run"),
        ({"a.entry__day": 9.0}, "entry__day cannot change within a run: start a new one with it"),
        ({"a.exit__kind": "merges", "a.exit__into": "zed"}, "exit__into = 'zed' is not a lab"),
    ],
)
def test_impossible_branches_of_several_labs_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        World(labs({"a": {}, "b": {}})).branch(**changes)
