"""Test the long-run growth of a scenario against long runs of the fluid engine, which does not use its equations."""

import itertools
import math

import numpy as np
import pytest

from agents.lab_policy import LabPolicy
from agents.trainer import Trainer
from sim.fluid.api import fluid, run_fluid
from sim.lab_factory import LabFactory
from sim.long_run import EXPLOSION_MEANING, long_run
from sim.run_statistics import long_run as long_run_of
from sim.scenario.model import Scenario
from sim.world import World

LAB = Scenario.load("lab")
NO_TRAINING = {"training__required": False}
CHEAP = {"researcher__experiment_scaling": 0.0}
NO_DUPLICATES = {"literature__duplicate_weight": 0.0, "literature__open_questions": 20}
"""Duplicates count nothing."""


def last_ratios(scenarios: list[Scenario], doublings: int = 60) -> list[tuple[float, int]]:
    """The mean ratio of doubling times over the last quarter of long runs by the fluid engine, and their doublings."""
    longer = [each.replace(run__max_doublings=doublings, run__horizon_days=1e6) for each in scenarios]
    table = fluid(longer, 8)
    found = []
    for row in range(len(longer)):
        days = table.doubling_days[row, : int(table.doublings[row])]
        steps = max(4, len(days) // 4)
        ratio = 2 ** ((np.log2(days[-1]) - np.log2(days[-1 - steps])) / steps)
        found.append((float(ratio), len(days)))
    return found


def grid() -> list[Scenario]:
    """Labs over r, phi, s, p, with training and without; p below 1 only if researchers bind."""
    found = []
    first = {"training__first_run_days": 5.0}
    for r, phi, s, p in itertools.product((0.9, 1.2, 2.0), (None, 0.15, 0.6), (0.0, 0.4, 0.7), (1.0, 0.5)):
        changes = {"growth__r": r, "researcher__experiment_scaling": s, "growth__parallel_penalty": p} | first
        changes |= {"training__required": False} if phi is None else {"training__speedup_exponent": phi}
        scenario = LAB.replace(**changes)
        if p == 1 or long_run(scenario).bound_by != "experiments":
            found.append(scenario)
    return found


def test_long_run_ratio_equals_that_of_a_long_fluid_run():
    """Within 2% for 60 doublings and 8% for runs that the horizon cut; the sign agrees outside 1% around 1.

    Within 3% if training runs set the pace: each run brings a burst of doublings. The bursts lengthen in proportion to
    the earlier doublings, and the last quarter of a run is not a whole number of bursts.
    """
    scenarios = grid()
    derived = [long_run(each) for each in scenarios]
    assert {each.bound_by for each in derived} == {"researchers", "experiments", "training runs"}
    for scenario, expected, (ratio, doublings) in zip(scenarios, derived, last_ratios(scenarios), strict=True):
        within = 0.08 if doublings < 60 else 0.03 if expected.bound_by == "training runs" else 0.02
        assert ratio == pytest.approx(expected.ratio, rel=within), (scenario.flat(), expected)
        if abs(expected.ratio - 1) > 0.01:
            assert (ratio < 1) == expected.explosive


EFFORT = {"growth__returns_to": "effort"}
FAST_PAPERS = {"researcher__writing_share": 0.0, "growth__r": 2.5, "training__speedup_exponent": 0.2, **CHEAP}
"""Papers without a write-up, so that training runs set the pace."""

OTHER_LAWS = [
    {"growth__law": "papers", "growth__difficulty_growth": 1.5, **NO_TRAINING, **CHEAP},
    {"growth__law": "papers", "growth__difficulty_growth": 3.0, **NO_TRAINING, **CHEAP},
    {"researcher__writing_share": 0.0, "growth__r": 1.6, **NO_TRAINING, **CHEAP},
    {**FAST_PAPERS, "training__takes_up": "one gain"},
    {"researcher__experiment_gpu_days": 0.0, "researcher__timing": "pooled", "growth__r": 1.6, **NO_TRAINING},
    {**NO_DUPLICATES, "growth__r": 1.4, **NO_TRAINING, **CHEAP},
    {**NO_DUPLICATES, "growth__r": 3.0, **NO_TRAINING, **CHEAP},
    {"training__speedup_exponent": 0.0, "growth__r": 1.6, "training__takes_up": "one gain", **CHEAP},
    {"training__speedup_exponent": 0.0, "growth__r": 0.8, **CHEAP},
    {"growth__r": 1 / 0.677, **CHEAP, "training__first_run_days": 1.0},
    {**EFFORT, "growth__r": 1.4, "growth__parallel_penalty": 0.5, **NO_TRAINING, **CHEAP},
    {**EFFORT, "growth__r": 3.0, "growth__parallel_penalty": 0.5, **NO_TRAINING, **CHEAP},
    {
        **EFFORT,
        "growth__r": 3.0,
        "growth__parallel_penalty": 0.6,
        "training__speedup_exponent": 0.2,
        "training__first_run_days": 1.0,
        **CHEAP,
    },
    {"growth__r": 1.2, "growth__parallel_penalty": 0.5, **NO_TRAINING},
    {"growth__r": 2.0, "growth__parallel_penalty": 0.5, "researcher__experiment_scaling": 0.7, **NO_TRAINING},
    {"growth__r": 4.0, "growth__parallel_penalty": 0.5, "researcher__experiment_scaling": 0.4, **NO_TRAINING},
]


def test_long_run_ratio_of_other_laws_equals_that_of_a_long_fluid_run():
    scenarios = [LAB.replace(**changes) for changes in OTHER_LAWS]
    for scenario, (ratio, _), changes in zip(scenarios, last_ratios(scenarios), OTHER_LAWS, strict=True):
        assert ratio == pytest.approx(long_run(scenario).ratio, rel=0.015), changes


@pytest.mark.parametrize("r", [1.4, 2.0])
def test_long_run_of_one_gain_per_shortest_run_equals_a_long_fluid_run(r):
    changes = {"training__shortest_run_days": 2.0, "training__takes_up": "one gain", "growth__r": r, **CHEAP}
    scenario = LAB.replace(**changes)
    ((ratio, _),) = last_ratios([scenario], 90)
    assert ratio == pytest.approx(long_run(scenario).ratio, rel=0.015)


SHORTEST = {"training__shortest_run_days": 2.0, "training__takes_up": "all", **CHEAP}
"""No training run is shorter than 2 days."""


@pytest.fixture(scope="module")
def doublings_of_300():
    """Days of 300 doublings by the fluid engine: of fast papers that take up all, and of runs of a shortest length."""
    long = {"run__max_doublings": 300, "run__horizon_days": 1e6}
    labs = [LAB.replace(**FAST_PAPERS, training__takes_up="all", **long), LAB.replace(**SHORTEST, **long)]
    table = fluid(labs, 8)
    return [row[: int(done)] for row, done in zip(table.doubling_days, table.doublings, strict=True)]


def slowest_doublings(days: np.ndarray) -> list[tuple[int, float]]:
    """The doublings that take longer than every later one: number and days."""
    later = np.maximum.accumulate(days[::-1])[::-1]
    return [(number, float(days[number])) for number in range(len(days) - 1) if days[number] > later[number + 1]]


def test_long_run_ratio_of_full_generations_equals_the_slowest_fluid_doublings(doublings_of_300):
    """Doublings come in bursts, one a generation: only the slowest of each burst shrink at the rate of the runs."""
    found = slowest_doublings(doublings_of_300[0])
    numbers, days = np.array([number for number, _ in found]), np.log2([days for _, days in found])
    late = numbers > 30
    slope = np.polyfit(numbers[late], days[late], 1)[0]
    assert 2**slope == pytest.approx(long_run(LAB.replace(**FAST_PAPERS)).ratio, rel=0.01)


def test_shortest_training_runs_give_faster_than_exponential_fluid_growth(doublings_of_300):
    """A generation of 2 days brings b times the doublings of the one before but one, and none is shorter."""
    assert long_run(LAB.replace(**SHORTEST)).kind == "faster than exponential"
    ends = np.cumsum(doublings_of_300[1])
    assert len(ends) == 300
    week = [int(np.searchsorted(ends, ends[-1] - 8 * back)) for back in (3, 2, 1, 0)]
    gained = np.diff(week)
    assert gained[0] < gained[1] < gained[2], "more doublings in each 8 days than in the 8 before"
    assert gained[2] / gained[1] == pytest.approx(1.4**2, rel=0.15), "4 runs of 2 days are two pairs of generations"


# --- kinds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("r", "kind"),
    [
        (0.9, "fizzle"),
        (0.998, "fizzle"),
        (1.0, "exponential"),
        (1.0004, "exponential"),
        (1.002, "singular"),
        (1.1, "singular"),
    ],
)
def test_long_run_kind_changes_at_its_tolerance(r, kind):
    """The ratio counts as 1 within 0.0005: at r(1 - phi) = 1.0004 it is 0.9997, at 0.998 it is 1.0014."""
    changes = {"growth__parallel_penalty": 1.0, **CHEAP}
    assert long_run(LAB.replace(growth__r=r, **NO_TRAINING, **changes)).kind == kind
    assert long_run(LAB.replace(growth__r=r / (1 - 0.323), **changes)).kind == kind


def test_long_run_explosive_is_true_for_singular_only():
    kinds = {"singular", "faster than exponential", "exponential", "fizzle", "undecided"}
    found = long_run(LAB)
    assert {kind for kind in kinds if found._replace(kind=kind).explosive} == {"singular"}
    assert EXPLOSION_MEANING == "doubling times shrink without limit (long_run = singular)"


def test_long_run_sentence_names_the_limiting_input_with_three_digits():
    found = long_run(LAB)
    assert (found.kind, found.bound_by) == ("fizzle", "experiments")
    assert "r(1 − s) = 0.700" in found.sentence
    assert "Until experiments fill their GPUs, r(1 − φ) = 0.948" in found.sentence
    assert "1.160 times" in found.sentence
    assert "close to exponential" not in found.sentence
    near = long_run(LAB.replace(**CHEAP))
    assert "r(1 − φ) = 0.948" in near.sentence
    assert "1.026 times as long as the one before, close to exponential" in near.sentence


def test_long_run_sentence_says_close_to_exponential_within_5_percent():
    within = long_run(LAB.replace(growth__r=1 / (1 + math.log2(1.049)), **NO_TRAINING, **CHEAP))
    beyond = long_run(LAB.replace(growth__r=1 / (1 + math.log2(1.051)), **NO_TRAINING, **CHEAP))
    assert "close to exponential" in within.sentence
    assert "close to exponential" not in beyond.sentence


def test_long_run_with_a_limit_is_a_fizzle_with_its_fastest_doubling():
    found = long_run(LAB.replace(growth__r=2.0, growth__limit_doublings=40.0, **NO_TRAINING, **CHEAP))
    assert (found.kind, found.bound_by, found.ratio) == ("fizzle", "limit", None)
    assert found.fastest_doubling == 20  # r falls to 1 halfway
    assert "up to doubling 20" in found.sentence
    slow = long_run(LAB.replace(growth__r=0.9, growth__limit_doublings=40.0, **NO_TRAINING, **CHEAP))
    assert slow.fastest_doubling == 0
    assert "never get faster" in slow.sentence
    assert long_run(LAB).fastest_doubling is None
    none_new = {"literature__duplicate_weight": 0.0, "growth__parallel_penalty": 0.5, "growth__limit_doublings": 40.0}
    assert long_run(LAB.replace(**none_new, **NO_TRAINING, **CHEAP)).fastest_doubling == 0


def test_long_run_of_whole_papers_is_faster_than_exponential():
    toy = Scenario.load("toy-explosion").replace(researcher__timing="whole")
    found = long_run(toy)
    assert (found.kind, found.explosive, found.ratio) == ("faster than exponential", False, 1.0)
    assert long_run(Scenario.load("toy-fizzle").replace(researcher__timing="whole")).kind == "fizzle"


def with_training(scenario: Scenario, **values) -> Scenario:
    """A scenario with training parameters of another version of the trainer."""
    training = scenario.training.model_copy(update=values)
    return scenario.model_copy(update={"training": training})


def test_long_run_of_shortest_full_generations_is_faster_than_exponential():
    """After runs are at their floor, log effort multiplies by b in two generations: no finite date."""
    floor = with_training(LAB.replace(**CHEAP), shortest_run_days=2.0, takes_up="all")
    found = long_run(floor)
    assert (found.kind, found.bound_by) == ("faster than exponential", "training runs")
    assert found.returns == pytest.approx(1.4)  # nothing more is spent on shorter runs
    assert (
        long_run(with_training(LAB.replace(**CHEAP), shortest_run_days=2.0, takes_up="one gain")).kind == "exponential"
    )
    slow = with_training(LAB.replace(growth__r=0.9, **CHEAP), shortest_run_days=2.0, takes_up="all")
    assert (long_run(slow).kind, long_run(slow).ratio) == ("fizzle", pytest.approx(2 ** (1 / 0.9 - 1)))


def test_long_run_of_full_generations_is_limited_by_training_runs():
    fast = with_training(LAB.replace(growth__r=3.0, training__speedup_exponent=0.15, **CHEAP), takes_up="all")
    assert (long_run(fast).kind, long_run(fast).bound_by) == ("singular", "training runs")
    kappa = (0.85 - 2 * 0.15) * 3.0  # (y - 2 phi)/a
    assert long_run(fast).ratio == pytest.approx(2 ** (-0.15 / kappa))


def test_long_run_with_returns_to_effort_includes_the_penalty():
    scenario = LAB.replace(growth__r=1.4, growth__parallel_penalty=0.5, **NO_TRAINING, **CHEAP)
    growth = scenario.growth.model_copy(update={"returns_to": "effort"})
    found = long_run(scenario.model_copy(update={"growth": growth}))
    assert (found.kind, found.returns) == ("fizzle", pytest.approx(0.7))
    assert found.ratio == pytest.approx(2 ** (1 / 1.4 - 0.5))
    assert "r p = 0.700" in found.sentence
    assert long_run(scenario).kind == "singular"


def test_long_run_of_a_stalled_lab_is_a_fizzle_with_the_reason():
    found = long_run(LAB, "Stalled: no GPU is left.")
    assert found.kind == "fizzle"
    assert "Stalled: no GPU is left." in found.sentence


def test_long_run_with_research_stopped_by_training_is_undecided():
    one_pool = {"cluster__partitioning": "priority", "training__gpus": 1024, "growth__r": 3.0}
    assert long_run(LAB.replace(**one_pool, **CHEAP)).kind == "undecided"
    assert long_run(LAB.replace(**one_pool | {"growth__r": 1.0}, **CHEAP)).kind == "fizzle"


def test_long_run_with_custom_agents_is_undecided():
    assert long_run_of(World(LAB, 0)) == long_run(LAB)

    class Hasty(Trainer):
        """A trainer of a user's own."""

    class Frugal(LabPolicy):
        """A policy of a user's own."""

    for make in (LabFactory(law=lambda law: law), LabFactory(policy=Frugal)):
        assert long_run_of(World(LAB, 0, make=make)).kind == "undecided"
    found = long_run_of(World(LAB, 0, make=LabFactory(trainer=Hasty)))
    assert (found.kind, found.explosive) == ("undecided", False)
    assert "agents or laws of its own" in found.sentence


# --- the cases of the referee ----------------------------------------------------------------------------

D1 = [
    ({"training__first_run_days": 1.0}, {}),
    ({}, {}),
    ({"cluster__gpus": 100_000}, {}),
    ({"training__gain": 1.41}, {}),
    ({"training__gain": 1.1}, {"run__horizon_days": 2000.0}),
]


OLD_RULES = {"training__takes_up": "one gain", "researcher__initial": 256, "training__gpus": 256}
"""One gain a generation, and the team and the runs of the default lab on any number of GPUs."""


def test_long_run_of_five_policies_with_equal_returns_is_equal():
    """r(1 - phi) = .948 in all of them; an earlier rule called the fastest a fizzle and the slowest an explosion."""
    found = fluid([LAB.replace(**(rules | changes | run)) for rules in (OLD_RULES, {}) for changes, run in D1], 8)
    assert {each.kind for each in found.long_run} == {"fizzle"}
    assert [each.ratio for each in found.long_run] == pytest.approx([1.160] * 10, abs=0.0005)
    old, new = np.split(found.doubling_day[:, 8], 2)
    assert old[0] == min(old)
    assert old[-1] == max(old)
    assert new == pytest.approx([305.8, 392.8, 12.2, 375.8, 375.6], abs=0.15)
    assert all(now <= before for now, before in zip(new, old, strict=True))


D3 = {
    "2,048 GPUs at s = 1, r = 3": ({"researcher__experiment_scaling": 1.0, "growth__r": 3.0, "cluster__gpus": 2048}, 0),
    "1,024 GPUs at s = 1, r = 3": ({"researcher__experiment_scaling": 1.0, "growth__r": 3.0}, 2),
    "2,048 GPUs at s = .9": ({"researcher__experiment_scaling": 0.9, "cluster__gpus": 2048}, 0),
    "r = 1": ({"growth__r": 1.0}, 1007),
    "one-sided: s = 0": ({"researcher__experiment_scaling": 0.0, "growth__r": 1.1}, 0),
}


@pytest.mark.parametrize("name", D3)
def test_long_run_does_not_depend_on_the_stopping_rule(name):
    """6 to 30 doublings and horizons of 2 to 10 years, by the fluid engine."""
    changes, _ = D3[name]
    rules = [
        {"run__max_doublings": doublings, "run__horizon_days": 365.0 * years}
        for doublings, years in ((6, 10), (9, 2), (13, 5), (30, 10))
    ]
    table = fluid([LAB.replace(**NO_TRAINING, **changes, **rule) for rule in rules], 8)
    assert len({found.kind for found in table.long_run}) == 1
    assert {found.explosive for found in table.long_run} == {name.startswith("one-sided")}


@pytest.mark.parametrize("name", ["1,024 GPUs at s = 1, r = 3", "r = 1"])
def test_world_and_fluid_agree_on_pace_and_long_run(name):
    """After 12 doublings the fluid reported an explosion and World a fizzle. One pace may be undecided."""
    changes, seed = D3[name]
    doublings = 8 if "1,024" in name else 6
    scenario = LAB.replace(**NO_TRAINING, **changes, run__max_doublings=doublings, run__horizon_days=1500.0)
    world, mean = World(scenario, seed), run_fluid(scenario)
    while world.running:
        world.step()
    from sim.runner import summarise

    found = summarise(world)
    assert found.long_run == mean.long_run
    assert (found.ending, mean.ending) == ("doublings", "doublings")
    opposite = {frozenset({"speeding up", "slowing down"})}
    assert frozenset({found.pace.name, mean.pace.name}) not in opposite


# --- humans and tasks ------------------------------------------------------------------------------------

ROAD = LAB.replace(
    humans__initial=50,
    humans__growth_per_year=1.02,
    automation__kinds=5,
    automation__first_threshold=1.0,
    automation__last_threshold=4.0,
    growth__first_doubling_days=1.0,
    training__first_run_days=0.1,
)
"""AIs come to do all tasks, and the number of humans grows by 2% a year."""
CONSTANT = {"humans__growth_per_year": 1.0}
HELD = {"automation__never_share": 0.4, "growth__r": 1.4}
"""AIs never do 40% of the tasks."""
EXPECTED = {
    "all tasks, r > 1": ({"growth__r": 2.5, **CHEAP}, "singular", "researchers"),
    "all tasks, constant humans": ({"growth__r": 0.7, **CONSTANT, **CHEAP}, "fizzle", "researchers"),
    "all tasks, growing humans": (
        {"growth__r": 0.7, "researcher__experiment_gpu_days": 0.0, **NO_TRAINING},
        "exponential",
        "humans",
    ),
    "all tasks, growing humans, few GPUs": (
        {"growth__r": 1.2, "researcher__experiment_scaling": 0.6},
        "fizzle",
        "experiments",
    ),
    "held, growing humans": (HELD | CHEAP, "exponential", "humans"),
    "held, growing humans, few GPUs": (
        HELD | {"researcher__experiment_scaling": 0.6, "cluster__gpus": 256},
        "fizzle",
        "experiments",
    ),
    "held, constant humans": (HELD | CONSTANT, "fizzle", "humans"),
    "held by supervision": (
        HELD | CONSTANT | {"automation__combination": "ces", "automation__rho": 0.5, "humans__supervision": 0.2},
        "fizzle",
        "humans",
    ),
    "no better software is deployed": (
        {"training__speedup_exponent": 1.0, "growth__r": 1.4, **CONSTANT},
        "fizzle",
        "humans",
    ),
}


@pytest.fixture(scope="module")
def fluid_ratios() -> dict[str, float]:
    """Ratios of the labs of EXPECTED, which the fluid engine runs in one table."""
    found = last_ratios([ROAD.replace(**changes) for changes, _, _ in EXPECTED.values()])
    return {name: ratio for name, (ratio, _) in zip(EXPECTED, found, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_long_run_with_humans_equals_a_long_fluid_run(fluid_ratios, name):
    changes, kind, bound_by = EXPECTED[name]
    found = long_run(ROAD.replace(**changes))
    assert (found.kind, found.bound_by) == (kind, bound_by)
    assert fluid_ratios[name] == pytest.approx(found.ratio, rel=0.03)


def test_long_run_of_tasks_that_replace_those_that_ais_never_do_is_undecided():
    scenario = ROAD.replace(**HELD, **CHEAP, automation__combination="ces", automation__rho=0.5)
    assert long_run(scenario).kind == "undecided"
    assert long_run(scenario.replace(automation__rho=-0.5)).kind == "exponential"


def test_long_run_of_growing_humans_whose_duplicates_count_nothing_is_undecided():
    assert long_run(ROAD.replace(**HELD, **NO_DUPLICATES)).kind == "undecided"


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_long_run_with_humans_towards_a_limit_is_a_fizzle(share):
    found = long_run(ROAD.replace(automation__never_share=share, growth__limit_doublings=16.0))
    assert (found.kind, found.bound_by, found.ratio) == ("fizzle", "limit", None)
