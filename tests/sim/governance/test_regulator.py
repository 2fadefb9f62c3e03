"""A regulator in the World: it observes without effect, each order restricts what it names, and branches keep both."""

from __future__ import annotations

import math
import pickle
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.governance_policy import GovernancePolicy, Order, OrderKind, Reading, Review, ReviewError, View
from sim.events import ActiveResearchersChanged, Deployed, RestrictionsChanged, TrainingRequested
from sim.governance.actions import PauseAction
from sim.governance.restrictions import Restrictions, combine
from sim.governance.rule_policy import Rule, RulePolicy
from sim.governance.triggers import AlwaysTrigger
from sim.lab_factory import LabFactory
from sim.scenario.model import Scenario, ScenarioError
from sim.testing.invariants import check_invariants
from sim.world import World
from tests.support.properties import examples
from tests.support.several_labs import SMALL_LABS, THINKERS, labs_of, run_to_end

SMALL = Scenario(name="small").replace(**SMALL_LABS)
OBSERVED: dict[str, Any] = {"regulator__policy": "disclosure-only", "regulator__reading_days": 2.0}


class Script(GovernancePolicy):
    """Give the orders of a script: those of the latest day that has come."""

    script: ClassVar[dict[float, tuple[Order, ...]]] = {}

    def review(self, view: View) -> Review:
        due = [orders for day, orders in sorted(self.script.items()) if day <= view.day]
        return Review(due[-1] if due else ())


def scripted(scenario: Scenario, script: dict[float, tuple[Order, ...]], seed: int = 1, **changes: Any) -> World:
    """Return the end of a run in which a regulator gives these orders on these days."""
    Script.script = script
    changes = {"regulator__reading_days": 1.0} | changes
    return run_to_end(World(scenario, seed, make=LabFactory(governance=Script), **changes))


def restricted(world: World) -> list[float]:
    return [event.day for event in world.ledger if isinstance(event, RestrictionsChanged)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"regulator__noise_doublings": 0.5, "regulator__lag_days": 1.5},
        {"regulator__reported_by": "labs", "disclosure__delay_days": 3.0, "disclosure__hidden_share": 0.5},
        {"regulator__reading_days": 0.7, "regulator__measured": "published", "regulator__saturation_doublings": 3.0},
        {"disclosure__complies": False},
    ],
)
def test_regulator_without_orders_changes_nothing(changes):
    plain = run_to_end(World(SMALL, 4))
    observed = run_to_end(World(SMALL, 4, **(OBSERVED | changes)))
    assert observed.governance is not None and len(observed.governance.readings[""]) > 5
    assert observed.digest() == plain.digest()


def test_reading_has_its_day_its_lag_and_its_error():
    exact = run_to_end(World(SMALL, 4, **OBSERVED)).governance
    late = run_to_end(World(SMALL, 4, **OBSERVED, regulator__lag_days=3.5, regulator__noise_doublings=0.2)).governance
    assert exact is not None and late is not None
    pairs = list(zip(exact.readings[""], late.readings[""], strict=False))
    assert all(other.day == one.day and other.known_on == one.day + 3.5 for one, other in pairs)
    assert all(one.known_on == one.day for one in exact.readings[""])
    errors = [other.doublings - one.doublings for one, other in pairs]
    assert 0 < max(abs(error) for error in errors) < 1.0


def test_saturated_and_hidden_software_is_read_lower():
    hidden = {"regulator__reported_by": "labs", "disclosure__hidden_share": 0.25}
    worlds = {
        name: run_to_end(World(SMALL, 4, **OBSERVED, **changes))
        for name, changes in {
            "full": {},
            "hidden": hidden,
            "saturated": {"regulator__saturation_doublings": 2.0},
        }.items()
    }
    full, part, bent = ([one.doublings for one in world.regulator.readings[""]] for world in worlds.values())
    assert part == pytest.approx([0.75 * each for each in full])
    assert bent == pytest.approx([2 * (1 - math.exp(-each / 2)) for each in full])


# --- What each order restricts -------------------------------------------------------------------------------


def test_pause_of_research_stops_all_ais_until_it_ends():
    world = scripted(SMALL, {5.0: (Order(OrderKind.PAUSE_RESEARCH, until=12.5),)})
    active = [(event.day, event.researchers) for event in world.ledger if isinstance(event, ActiveResearchersChanged)]
    assert [count for day, count in active if 5 <= day < 12.5] == [0]
    assert next(day for day, _ in active if day >= 12.5) == 12.5
    assert restricted(world) == [5.0, 12.5]


def test_cap_on_copies_holds_at_each_moment():
    world = scripted(SMALL, {4.0: (Order(OrderKind.CAP_COPIES, 7.0),)})
    free = run_to_end(World(SMALL, 1))
    counts = [event.researchers for event in world.ledger if isinstance(event, ActiveResearchersChanged)]
    assert max(counts) == 7
    assert max(event.researchers for event in free.ledger if isinstance(event, ActiveResearchersChanged)) > 7


def test_brake_divides_the_ais():
    world = scripted(SMALL, {0.0: (Order(OrderKind.BRAKE, 3.0),)}, training__required=False)
    software = [event.deployed for event in world.ledger if isinstance(event, Deployed)]
    counts = [event.researchers for event in world.ledger if isinstance(event, ActiveResearchersChanged)]
    assert counts[-1] == int(6 * 2.0 ** software[-1] / 3 + 1e-9)


def test_cap_on_experiments_holds_at_each_frame():
    script = {0.0: (Order(OrderKind.CAP_EXPERIMENTS, 0.5),)}
    used = scripted(SMALL, script).datacollector.get_model_vars_dataframe()["gpus_experiment"]
    free = run_to_end(World(SMALL, 1)).datacollector.get_model_vars_dataframe()["gpus_experiment"]
    assert max(used[2:]) == 8 < max(free)


def test_paused_training_run_keeps_its_work():
    quiet = {"cluster__gpu_hours_between_failures": 0.0, "cluster__restart_hours": 0.0}
    free = run_to_end(World(SMALL, 1, **quiet))
    first = next(event for event in free.ledger if isinstance(event, TrainingRequested))
    pause = Order(OrderKind.PAUSE_TRAINING, until=first.day + 21.0)
    world = scripted(SMALL, {first.day + 1: (pause,)}, **quiet)
    begun = math.ceil(first.day + 1)  # the first reading from then on
    deployed = next(event.day for event in world.ledger if isinstance(event, Deployed))
    assert deployed == pytest.approx(first.day + first.run_days + (first.day + 21.0 - begun))


@pytest.mark.parametrize(("size", "waits"), [(4.0, 6.0), (100.0, 0.0)])
def test_large_training_run_waits_for_its_licence(size, waits):
    script = {0.0: (Order(OrderKind.LICENCE, size, permit_days=6.0),)}
    world = scripted(SMALL, script, cluster__gpu_hours_between_failures=0.0)
    jobs = [job for job in world.lab.compute.datacenter.records if job.use == "training"]
    assert jobs and {round(job.started - job.submitted, 9) for job in jobs} == {waits}


def test_longer_wait_for_a_licence_counts_from_the_request():
    quiet = {"cluster__gpu_hours_between_failures": 0.0}
    script = {day: (Order(OrderKind.LICENCE, 4.0, permit_days=permit),) for day, permit in ((0.0, 6.0), (6.0, 11.0))}
    world = scripted(SMALL, script, **quiet)
    job = next(job for job in world.lab.compute.datacenter.records if job.use == "training")
    assert job.submitted < 6 < job.submitted + 6 and job.started - job.submitted == pytest.approx(11)


def test_training_run_of_exactly_the_licensed_size_starts_at_once():
    quiet = {"cluster__gpu_hours_between_failures": 0.0}
    free = run_to_end(World(SMALL, 1, **quiet))
    size = next(job.gpus for job in free.lab.compute.datacenter.records if job.use == "training")
    world = scripted(SMALL, {0.0: (Order(OrderKind.LICENCE, float(size)),)}, **quiet)
    job = next(job for job in world.lab.compute.datacenter.records if job.use == "training")
    assert job.started == job.submitted


def test_run_without_a_licence_starts_when_the_order_ends():
    order = Order(OrderKind.LICENCE, 4.0, until=20.0)
    world = scripted(SMALL, {0.0: (order,)}, cluster__gpu_hours_between_failures=0.0)
    assert next(job.started for job in world.lab.compute.datacenter.records if job.use == "training") == 20.0


def test_staged_release_delays_each_deployment_in_order():
    quiet = {"cluster__gpu_hours_between_failures": 0.0}
    world = scripted(SMALL, {0.0: (Order(OrderKind.STAGED_RELEASE, 4.0),)}, **quiet)
    ends = [job.ended for job in world.lab.compute.datacenter.records if job.use == "training"]
    days = [event.day for event in world.ledger if isinstance(event, Deployed)]
    assert days and days == pytest.approx([end + 4 for end in ends][: len(days)])


def test_software_that_waits_comes_into_use_when_the_order_ends():
    quiet = {"cluster__gpu_hours_between_failures": 0.0}
    world = scripted(SMALL, {0.0: (Order(OrderKind.STAGED_RELEASE, 100.0, until=25.0),)}, **quiet)
    ends = [job.ended for job in world.lab.compute.datacenter.records if job.use == "training"]
    days = [event.day for event in world.ledger if isinstance(event, Deployed)]
    assert ends[0] < 25 and days[0] == 25.0


def test_most_restrictive_order_of_a_kind_counts():
    strict, lax = Order(OrderKind.CAP_COPIES, 6.0, "strict"), Order(OrderKind.CAP_COPIES, 9.0, "lax")
    worlds = [scripted(SMALL, {4.0: orders}) for orders in ((strict, lax), (lax, strict), (strict,))]
    counts = [
        [(event.day, event.researchers) for event in world.ledger if isinstance(event, ActiveResearchersChanged)]
        for world in worlds
    ]
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize("turn", [1, -1])
def test_combine_takes_the_most_restrictive_order_of_each_kind(turn):
    orders = [
        Order(OrderKind.CAP_COPIES, 3.0, "b"),
        Order(OrderKind.CAP_COPIES, 9.0, "a"),
        Order(OrderKind.CAP_EXPERIMENTS, 0.2),
        Order(OrderKind.CAP_EXPERIMENTS, 0.7),
        Order(OrderKind.LICENCE, 4.0, permit_days=2.0),
        Order(OrderKind.LICENCE, 8.0, permit_days=5.0),
        Order(OrderKind.STAGED_RELEASE, 3.0),
        Order(OrderKind.STAGED_RELEASE, 1.0),
        Order(OrderKind.BRAKE, 2.0),
        Order(OrderKind.BRAKE, 4.0),
        Order(OrderKind.PAUSE_TRAINING, labs=("other",)),
    ]
    assert combine(orders[::turn], "own") == Restrictions(0.25, 3.0, 0.2, False, 4.0, 5.0, 3.0, "a, b")
    assert combine(orders[::turn], "other").is_training_paused


def test_order_that_lasts_counts_from_the_arrival_of_its_reading():
    policy = RulePolicy([Rule("own", AlwaysTrigger(), PauseAction(), lasts_days=10.0, watches="each")])
    readings = [Reading(day, day + 3.0, 0.0, 0.0, 1.0, {}) for day in (2.0, 7.0, 12.0)]
    found = [policy.review(View(each.known_on, {"x": readings[: at + 1]})) for at, each in enumerate(readings)]
    assert [(review.orders[0].until, review.orders[0].labs) for review in found] == [
        (15.0, ("x",)),
        (15.0, ("x",)),
        (25.0, ("x",)),
    ]
    assert [len(review.alarms) for review in found] == [1, 0, 1]


def test_pause_and_its_end_at_one_instant_are_nothing():
    nothing = scripted(SMALL, {5.0: (Order(OrderKind.PAUSE_RESEARCH, until=5.0),)})
    assert nothing.digest() == run_to_end(World(SMALL, 1)).digest()


KINDS = st.sampled_from(
    [
        Order(OrderKind.PAUSE_RESEARCH),
        Order(OrderKind.PAUSE_TRAINING),
        Order(OrderKind.CAP_COPIES, 3.0),
        Order(OrderKind.CAP_EXPERIMENTS, 0.5),
        Order(OrderKind.LICENCE, 4.0, permit_days=2.0),
        Order(OrderKind.STAGED_RELEASE, 3.0),
        Order(OrderKind.BRAKE, 2.0),
    ]
)


@examples(15)
@given(
    st.dictionaries(st.integers(0, 25).map(float), st.lists(KINDS, max_size=3).map(tuple), max_size=6),
    st.sampled_from(
        [{}, {"cluster__partitioning": "priority"}, {"run__max_individuals": 4}, {"regulator__order_days": 1.5}]
    ),
)
def test_orders_in_any_sequence_lose_and_double_nothing(script, changes):
    world = scripted(SMALL, script, **changes)
    check_invariants(world)


# --- Delays, effects on progress, several labs --------------------------------------------------------------------


def thinkers(**changes: Any) -> Scenario:
    """Return a lab of 4,096 AIs that only think, so that chance is small."""
    law = {"growth__r": 1.4, "growth__parallel_penalty": 1.0, "training__gain": 1.02, "cluster__gpus": 4096}
    return Scenario(name="thinkers").replace(**(THINKERS | law | {"run__horizon_days": 80.0} | changes))


def software_at(world: World, day: float) -> float:
    frame = world.datacollector.get_model_vars_dataframe()
    return float(frame["discovered"][frame["day"] == day].iloc[0])


def test_pause_shifts_the_path_by_its_days():
    """A stop of all effort for D days: software is that of D days earlier (MODELS.md, row 14)."""
    free = run_to_end(World(thinkers(), 1))
    paused = scripted(thinkers(), {20.0: (Order(OrderKind.PAUSE_RESEARCH, until=45.0),)})
    for day in (50.0, 60.0, 80.0):
        assert software_at(paused, day) == pytest.approx(software_at(free, day - 25), abs=0.03)


def test_hold_of_deployment_stores_what_it_delays():
    """Software after a released hold lies between the free one of its days earlier and of today, above a pause."""
    free = run_to_end(World(thinkers(), 1))
    held = scripted(thinkers(), {20.0: (Order(OrderKind.STAGED_RELEASE, 1000.0, until=45.0),)})
    assert software_at(free, 45.0) < software_at(held, 70.0) < software_at(free, 70.0)


def test_alarm_comes_after_the_lag_and_the_order_after_its_delay():
    rules = {"regulator__policy": "compute-cap", "regulator__reading_days": 1.0, "regulator__measured": "discovered"}
    days = []
    for lag, delay in ((0.0, 0.0), (4.5, 0.0), (4.5, 7.25)):
        world = run_to_end(World(thinkers(), 1, **rules, regulator__lag_days=lag, regulator__order_days=delay))
        assert world.governance is not None
        days.append((world.governance.alarms[0].day, world.governance.orders[0][0]))
    (first, ordered), late, later = days
    assert ordered == first and late == (first + 4.5, first + 4.5) and later == (first + 4.5, first + 11.75)


def test_lab_that_does_not_comply_works_on_until_it_is_found():
    two = labs_of(
        THINKERS, {"a": {}, "b": {"disclosure__complies": False}}, run__horizon_days=40.0, training__gain=1.02
    )
    script = {5.0: (Order(OrderKind.PAUSE_RESEARCH),)}
    hidden = scripted(two, script, **{"b.disclosure__covert_workers": 0})
    assert {event.lab for event in hidden.ledger if isinstance(event, RestrictionsChanged)} == {"a"}
    assert hidden.governance is not None and hidden.governance.found_on == {"b": math.inf}
    found = scripted(two, script, seed=5, run__horizon_days=100.0, run__max_doublings=40, growth__r=0.5)
    assert found.governance is not None
    day = found.governance.found_on["b"]
    assert day == pytest.approx(5 + 0.199 * 365, rel=0.01)  # the time of 1,000 people at the 7.46% point
    assert [e.day for e in found.ledger if isinstance(e, RestrictionsChanged) and e.lab == "b"] == [day]


def test_lab_that_enters_late_is_read_from_its_entry_on():
    two = labs_of(THINKERS, {"a": {}, "b": {"entry__day": 15.0}}, run__horizon_days=30.0, training__gain=1.02)
    world = scripted(two, {}, regulator__reading_days=2.0)
    assert [world.regulator.readings[lab][0].day for lab in ("a", "b")] == [2, 16]


def test_order_for_one_lab_restricts_that_lab_only():
    two = labs_of(THINKERS, {"a": {}, "b": {}}, run__horizon_days=30.0, training__gain=1.02)
    world = scripted(two, {5.0: (Order(OrderKind.PAUSE_RESEARCH, labs=("b",)),)})
    assert {event.lab for event in world.ledger if isinstance(event, RestrictionsChanged)} == {"b"}


# --- Snapshots and branches ------------------------------------------------------------------------------------


ACTIVE: dict[str, Any] = {
    "regulator__policy": "compute-cap",
    "regulator__reading_days": 2.0,
    "regulator__times": 1.5,
    "regulator__lag_days": 1.0,
}


def test_snapshot_continues_with_the_same_regulator():
    world = World(SMALL, 2, **ACTIVE)
    while world.now < 14:
        world.step()
    copy = World.restore(pickle.loads(pickle.dumps(world.snapshot())))
    assert restricted(run_to_end(world)) and copy.governance is not None
    assert run_to_end(copy).digest() == world.digest()
    assert copy.governance.alarms == world.governance.alarms[: len(copy.governance.alarms)]


def test_branch_follows_another_policy_or_none():
    world = run_to_end(World(SMALL, 2, **ACTIVE))
    begun = restricted(world)[0]
    fresh = World(SMALL, 2, **ACTIVE)
    while fresh.now < begun + 1:
        fresh.step()
    ended = run_to_end(fresh.branch(regulator__policy="none"))
    assert ended.lab.orders.restrictions.rules == "" and len(restricted(ended)) == 2
    warned = run_to_end(fresh.branch(regulator__policy="disclosure-only"))
    assert len(restricted(warned)) == 2 and warned.governance is not None and warned.governance.alarms
    begins = World(SMALL, 2)
    while begins.now < 10:
        begins.step()
    later = run_to_end(begins.branch(**ACTIVE))
    assert later.governance is not None and min(one.day for one in later.governance.readings[""]) == 12


def test_reading_that_a_later_one_overtakes_is_passed_over():
    slow = World(SMALL, 2, **(ACTIVE | {"regulator__lag_days": 9.0}))
    while slow.now < 12:
        slow.step()
    quick = run_to_end(slow.branch(regulator__lag_days=0.0))
    assert quick.governance is not None
    days = [reading.day for reading in quick.governance.readings[""]]
    assert days == sorted(set(days)) and {2.0, 14.0} <= set(days) and not {4.0, 6.0} <= set(days)
    assert restricted(quick)


def test_decision_that_a_later_one_overtakes_has_no_effect():
    Script.script = {5.0: (Order(OrderKind.PAUSE_RESEARCH),), 8.0: ()}
    slow = World(SMALL, 1, make=LabFactory(governance=Script), regulator__reading_days=1.0, regulator__order_days=9.0)
    while slow.now < 7:
        slow.step()
    quick = run_to_end(slow.branch(regulator__order_days=1.0))
    assert restricted(quick) == []


@pytest.mark.parametrize("when", ["cusum", "shiryaev-roberts", "sprt", "change-point", "openai-critical"])
def test_detector_in_a_rule_warns_before_the_explosion(tmp_path, when):
    path = tmp_path / "own.toml"
    noise = "" if when == "openai-critical" else "noise_doublings = 0.05\n"
    path.write_text(f'[rules.own]\nwhen = "{when}"\nreference_doubling_days = 120.0\n{noise}')
    rules = {"regulator__policy": str(path), "regulator__reading_days": 1.0, "regulator__measured": "discovered"}
    found = run_to_end(World(thinkers(run__horizon_days=130.0, run__max_doublings=30), 1, **rules)).governance
    assert found is not None and [alarm.rule for alarm in found.alarms] == ["own"]
    assert 1 < found.alarms[0].day < 119


@pytest.mark.parametrize(
    ("rule", "day"),
    [
        ('when = "doubling-time"\nwindow_days = 20.0\ndoubling_days = 15.0', 52),
        ('when = "compute-use"\nuse = "inference"\ngpu_share = 1.0', 1),
        ('when = "level"\ndoublings = 3.0', 54),
        ('when = "always"\nfrom_day = 12.0', 12),
    ],
)
def test_indicator_raises_the_alarm_on_its_day(tmp_path, rule, day):
    path = tmp_path / "own.toml"
    path.write_text(f"[rules.own]\n{rule}\n")
    rules = {"regulator__policy": str(path), "regulator__reading_days": 1.0, "regulator__measured": "discovered"}
    found = run_to_end(World(thinkers(), 1, **rules)).governance
    assert found is not None and [alarm.day for alarm in found.alarms] == [day]


def test_rule_that_is_switched_off_neither_warns_nor_orders():
    rules = {"regulator__reading_days": 2.0, "regulator__times": 1.5, "regulator__policy": "compute-cap"}
    both = run_to_end(World(SMALL, 2, **rules)).governance
    one = run_to_end(World(SMALL, 2, **rules, regulator__rules_off=" experiments ,")).governance
    none = run_to_end(World(SMALL, 2, **rules, regulator__rules_off="experiments, copies"))
    assert both is not None and one is not None and none.governance is not None
    assert {alarm.rule for alarm in both.alarms} == {"copies", "experiments"}
    assert {alarm.rule for alarm in one.alarms} == {"copies"} and one.orders
    assert (none.governance.alarms, none.governance.orders) == ((), ())
    assert none.digest() == run_to_end(World(SMALL, 2)).digest()


def test_order_without_an_end_keeps_the_run_alive_until_a_later_review_ends_it():
    script = {20.0: (Order(OrderKind.CAP_COPIES, 0.0), Order(OrderKind.PAUSE_TRAINING)), 60.0: ()}
    world = scripted(thinkers(training__required=False), script, regulator__reading_days=20.0)
    assert restricted(world) == [20.0, 60.0]


# --- Bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[rules.a]\nwhen = "pase"', r"rule 'a': when = 'pase' is not allowed: one of .*; did you mean 'pace'\?"),
        (
            '[rules.a]\nwhen = "pace"\ntimes = 0.5',
            "rule 'a': times = 0.5 times is out of bounds: from 1 to 1,000 times",
        ),
        ('[rules.a]\nwhen = "pace"\ntime = 5', r"rule 'a': no key 'time'; did you mean 'times'\?"),
        ('[rules.a]\nwhen = "level"\ntimes = 5', "rule 'a': times is not read under when = 'level'; it is read under"),
        ('[rules.a]\nwhen = "always"\nlabs = ["x"]', "a rule names the lab 'x'; allowed: none, because the scenario"),
        ('[rules."a,b"]', "rule 'a,b': a name has a comma; allowed: names without one"),
        ('[rules.a]\nwatches = "all"', "rule 'a': watches = 'all' is not allowed; allowed: any or each"),
        (
            '[rules.a]\nwhen = "pace"\nwindow_days = 5000.0',
            r"rule 'a': window_days = 5000 is longer than the readings of the run; allowed: up to \d+ days",
        ),
        ('[rules.a]\nwhen = "doubling-time"\nwindow_days = 5000.0', "window_days = 5000 is longer than the readings"),
        ('[rules.a]\norder = "brake"\npace_days = 5000.0', "rule 'a': pace_days = 5000 is longer than the readings"),
        ("[rule.a]\n", r"no key 'rule' in a governance policy; allowed: description, source and rules; did you mean"),
        ("rules = 3", "rules = 3 is not a table"),
        ("[rules", "is not valid TOML"),
    ],
)
def test_policy_file_with_an_error_is_refused(tmp_path, content, message):
    path = tmp_path / "own.toml"
    path.write_text(content)
    with pytest.raises(ScenarioError, match=message):
        Scenario().replace(regulator__policy=str(path))


@pytest.mark.parametrize(
    ("review", "message"),
    [
        (None, "review = None is not a Review; allowed: a Review"),
        (Review(("pause",)), "orders = .* is not a tuple of Order"),  # type: ignore[arg-type]
        (Review((), ("late",)), "alarms = .* is not a tuple of Alarm"),  # type: ignore[arg-type]
        (Review((Order("stop"),)), "kind = 'stop' is not a kind of order; allowed: pause-research"),  # type: ignore[arg-type]
        (Review((Order(OrderKind.CAP_COPIES, -5.0),)), "amount = -5.0 of an order 'cap-copies' .* from 0 to inf"),
        (Review((Order(OrderKind.CAP_COPIES, math.nan),)), "amount = nan of an order 'cap-copies'"),
        (Review((Order(OrderKind.CAP_EXPERIMENTS, 1.5),)), "amount = 1.5 .* from 0 to 1"),
        (Review((Order(OrderKind.BRAKE, 0.5),)), "amount = 0.5 .* from 1 to inf"),
        (Review((Order(OrderKind.LICENCE, 4.0, permit_days=-3.0),)), "permit_days = -3.0 .* from 0 to inf"),
        (Review((Order(OrderKind.PAUSE_RESEARCH, until=math.nan),)), "until = nan .* allowed: a number"),
        (Review((Order(OrderKind.PAUSE_RESEARCH, labs=("x",)),)), r"labs = \('x',\) .* names no labs"),
    ],
)
def test_review_that_cannot_be_carried_out_is_refused(review, message):
    class Broken(GovernancePolicy):
        def review(self, view: View) -> Review:
            return review

    with pytest.raises(ReviewError, match=message):
        run_to_end(World(SMALL, 1, make=LabFactory(governance=Broken), regulator__reading_days=1.0))


def test_unknown_policy_is_refused():
    with pytest.raises(ScenarioError, match=r"no governance policy 'five-times'; allowed: none, .*; did you mean"):
        Scenario().replace(regulator__policy="five-times")
    with pytest.raises(ScenarioError, match=r"regulator__policy = 'gone.toml': gone.toml: cannot be read"):
        Scenario().replace(regulator__policy="gone.toml")
    with pytest.raises(ScenarioError, match=r"regulator__times = 0.5 is below 1; allowed: 1 to 1,000, or 0"):
        Scenario().replace(regulator__policy="compute-cap", regulator__times=0.5)
    with pytest.raises(ScenarioError, match=r"'compute-cap' has no rule 'copis'; allowed: copies, exp.*'copies'\?"):
        Scenario().replace(regulator__policy="compute-cap", regulator__rules_off="copis")
    with pytest.raises(ScenarioError, match="is not a parameter of one lab"):
        Scenario().replace(**{"a.regulator__policy": "compute-cap"})


def test_digest_of_a_scenario_follows_the_content_of_its_policy(tmp_path):
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text("[rules.a]\n")
    other.write_text("[rules.a]\n")
    digests = [Scenario().replace(regulator__policy=str(path)).digest() for path in (one, other)]
    assert digests[0] == digests[1] != Scenario().digest()
    other.write_text('[rules.a]\norder = "pause-research"\n')
    assert Scenario().replace(regulator__policy=str(other)).digest() != digests[0]
