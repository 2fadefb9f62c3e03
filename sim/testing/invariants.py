"""Draw small scenarios and worlds, and check the invariants of a World.

``small_scenarios()`` draws scenarios from the declarations of their parameters; they run in milliseconds.
``check_invariants(world)`` asserts the properties that every run has at every moment. ``check_world``, ``check_queue``
and ``check_law`` are conformance suites: for a World with your own agents, for a queue discipline and for a growth law.
This module needs the package *hypothesis*.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

try:
    from hypothesis import reject
    from hypothesis import strategies as st
except ImportError:
    raise ImportError(
        "sim.testing.invariants needs the package hypothesis, which asara does not: pip install hypothesis"
    ) from None

from agents.cohort.cohort import Cohort
from agents.params import UNCALIBRATED, MeasuredKernelParams
from agents.phases import Phase
from hardware.kernels.speedup_curve import digest_of, find_measurements, measured_workloads, read_measurements
from hardware.uses import Use
from sim.background import NO_BACKGROUND
from sim.events import (
    ActiveResearchersChanged,
    AssistantsChanged,
    Deployed,
    KernelsDeployed,
    LabEnded,
    LabEvent,
    PaperPublished,
    PapersReceived,
    ResearchAutomated,
    RunEnded,
    SoftwareReceived,
    TaskAutomated,
)
from sim.governance.params import NO_POLICY
from sim.governance.policy_files import shipped_policies
from sim.lab import Lab
from sim.reporters import uses_of
from sim.scenario.model import Parameter, Scenario, ScenarioError, parameters
from sim.software import SUM_TOLERANCE
from sim.testing.laws import GrowthLaw, check_law
from sim.testing.queues import JobRequest, check_queue, job_requests, queue_histories, run_workload, workloads
from sim.testing.runner import run_properties
from sim.world import World

__all__ = [
    "SMALL",
    "GrowthLaw",
    "JobRequest",
    "check_invariants",
    "check_law",
    "check_queue",
    "check_world",
    "job_requests",
    "queue_histories",
    "run_workload",
    "small_scenarios",
    "values_of",
    "workloads",
    "workloads_of",
    "worlds",
]

SMALL: dict[str, tuple[float, float]] = {
    "growth__r": (0.3, 4),
    "growth__first_doubling_days": (3, 60),
    "growth__papers_first_doubling": (1, 20),
    "growth__difficulty_growth": (1.2, 4),
    "growth__parallel_penalty": (0.2, 1),
    "growth__limit_doublings": (2, 12),
    "growth__calibrated_for": (1, 6),
    "researcher__initial": (1, 6),
    "researcher__gpus_each": (4, 32),
    "researcher__papers_per_month": (0.5, 5),
    "researcher__experiment_gpu_days": (0.1, 40),
    "researcher__experiment_days": (0.1, 5),
    "researcher__experiment_gpus": (1, 8),
    "humans__initial": (4, 8),
    "humans__growth_per_year": (1, 10),
    "humans__papers_per_month": (0.5, 5),
    "humans__papers_in_progress": (1, 4),
    "humans__supervision": (0, 2),
    "automation__kinds": (1, 4),
    "automation__first_threshold": (-1, 0.2),
    "automation__last_threshold": (0.2, 1),
    "automation__ai_productivity": (0.1, 10),
    "automation__productivity_slope": (0, 2),
    "automation__rho": (-5, 1),
    "literature__open_questions": (1, 20),
    "literature__references": (1, 4),
    "cluster__gpus": (16, 64),
    "cluster__gpus_per_node": (1, 8),
    "cluster__inference_share": (0.25, 0.5),
    "cluster__training_share": (0.25, 0.5),
    "cluster__gpu_hours_between_failures": (300, 3000),
    "cluster__restart_hours": (0, 5),
    "cluster__checkpoint_hours": (0.5, 20),
    "cluster__checkpoint_seconds": (0, 600),
    "training__first_run_days": (0.5, 20),
    "training__first_run_gpus": (4, 16),
    "training__scaling": (0.5, 1),
    "training__shortest_run_days": (0.1, 10),
    "training__gain": (1.1, 3),
    "training__gpus": (1, 4),
    "kernels__candidates_per_day": (0.1, 100),
    "kernels__deploy_step": (0.01, 0.5),
    "kernels__candidate_researcher_hours": (0.1, 200),
    "kernels__candidate_gpu_hours": (0.01, 20),
    "policy__review_days": (0.5, 20),
    "policy__step_share": (0.05, 0.5),
    "policy__hysteresis": (0, 2),
    "run__horizon_days": (10, 100),
    "run__sample_days": (0.1, 10),
    "run__max_doublings": (1, 3),
    "run__stop_at_researchers": (7, 30),
    "run__max_individuals": (0, 30),
}
"""Ranges that keep a drawn run small; every other parameter is drawn from the range of its declaration."""

_TEXTS = {
    "kernels__measurements": lambda: [UNCALIBRATED, MeasuredKernelParams().measurements],
    "kernels__workload": lambda: workloads_of(MeasuredKernelParams().measurements),
    "cluster__background": lambda: [NO_BACKGROUND],
    "exit__into": lambda: [""],
    "regulator__policy": lambda: [NO_POLICY, *shipped_policies()],
    "regulator__rules_off": lambda: [""],
}
"""Values of the text parameters that are allowed with the defaults of the others."""

_BLOCKS_OF_HUMANS = ("humans__", "automation__")
_BLOCKS_OF_THE_SURROUNDINGS = (
    "supply__",
    "commons__",
    "entry__",
    "exit__",
    "disclosure__",
    "regulator__",
    "policy__publication_delay_days",
    "policy__safety_share",
)
"""Blocks and parameters on what other labs, suppliers and a regulator do."""

MAY_BE_ZERO = (
    "growth__limit_doublings",
    "growth__calibrated_for",
    "researcher__initial",
    "researcher__experiment_gpu_days",
    "cluster__gpu_hours_between_failures",
    "cluster__checkpoint_hours",
    "training__shortest_run_days",
    "training__gpus",
    "run__stop_at_researchers",
)
"""Parameters that are also drawn as 0, which disables something."""


def workloads_of(measurements: str) -> list[str]:
    """Return the workloads that a scenario can use with these measurements."""
    if measurements == UNCALIBRATED:
        return [MeasuredKernelParams().workload]
    path = find_measurements(measurements)
    return list(_read_workloads(path, digest_of(path)))


@lru_cache(maxsize=16)
def _read_workloads(path: Path, digest: str) -> tuple[str, ...]:
    """Return the workloads of a measurement file; each content is read once, because a test draws many scenarios."""
    return tuple(measured_workloads(read_measurements(path)[1]))


def values_of(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a parameter, from its declaration and :data:`SMALL`."""
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.annotation is bool:
        return st.booleans()
    if parameter.annotation is str:
        return st.sampled_from(_TEXTS[parameter.flat_name]())
    low, high = SMALL.get(parameter.flat_name, (parameter.low, parameter.high))
    assert low is not None and high is not None, f"{parameter.flat_name} has no bounds"
    drawn: st.SearchStrategy[Any] = (
        st.integers(math.ceil(low), math.floor(high)) if parameter.annotation is int else st.floats(low, high)
    )
    zero = parameter.annotation(0)
    return st.just(zero) | drawn if parameter.flat_name in MAY_BE_ZERO else drawn


@st.composite
def small_scenarios(draw: st.DrawFn, /, **fixed: Any) -> Scenario:
    """Draw a scenario; ``fixed`` parameters, by flat name, keep the given values.

    One scenario in four has humans, unless a parameter of `humans` or `automation` is fixed. The lab is alone, from
    day 0 to the end, on its GPUs of day 0 and without a regulator, unless other values are fixed.
    """
    law = fixed.get("growth__law") or draw(st.sampled_from(["returns", "papers"]))
    measurements = fixed.get("kernels__measurements") or draw(values_of(parameters()["kernels__measurements"]))
    policy = fixed.get("policy__name") or draw(values_of(parameters()["policy__name"]))
    selected = {"growth__law": law, "kernels__measurements": measurements, "policy__name": policy}
    selected |= {"start__given_by": "researchers", "horizon__law": "none"}
    has_humans = not any(name.startswith(_BLOCKS_OF_HUMANS) for name in fixed) and draw(st.integers(0, 3)) == 3
    if has_humans:
        selected["automation__combination"] = draw(st.sampled_from(["series", "ces"]))
    start = Scenario(name="drawn").replace(**selected)
    values = {
        name: draw(values_of(parameter))
        for name, parameter in parameters().items()
        if name not in fixed and name not in selected and not start.unread(name)
        if has_humans or not name.startswith(_BLOCKS_OF_HUMANS)
        if not name.startswith(_BLOCKS_OF_THE_SURROUNDINGS)
    }
    if fixed.get("kernels__measurements", UNCALIBRATED) != UNCALIBRATED:
        fixed = {"kernels__workload": draw(st.sampled_from(workloads_of(fixed["kernels__measurements"])))} | fixed
    drawn = values | selected | fixed
    if law == "papers" and "growth__difficulty_growth" in values and drawn["growth__returns_to"] == "inputs":
        least = 1.01 * 2 ** (1 - drawn["growth__parallel_penalty"])  # below it, returns to inputs are undefined
        drawn["growth__difficulty_growth"] = max(least, drawn["growth__difficulty_growth"])
    return Scenario(name="drawn").replace(**drawn)


@st.composite
def worlds(draw: st.DrawFn, /, **fixed: Any) -> World:
    """Draw a world on day 0."""
    scenario = draw(small_scenarios(**fixed))
    seed = draw(st.integers(0, 2**32))
    try:
        return World(scenario, seed)
    except ScenarioError:
        reject()
        raise


def check_world(make: Callable[[Scenario, int], World] = World, examples: int = 50, **fixed: Any) -> None:
    """Check the conformance of a World: `World` itself, or your class with other agents, another cluster or law.

    Small scenarios with ``fixed`` parameters run to their ends. `check_invariants` must pass after every frame, and a
    run that is saved and restored on its way must continue with the same events.

    Raises AssertionError with the violated property, the seed and the scenario, also if your class itself raises an
    error. Raises ValueError if ``examples`` is below 1.
    """

    def check(example: tuple[Scenario, int]) -> None:
        try:
            world = make(*example)
        except ScenarioError:
            reject()
            raise
        _run_and_resume(world)

    drawn = st.tuples(small_scenarios(**fixed), st.integers(0, 2**32))
    # A scenario has many parameters, so that reducing one to the shortest takes minutes.
    run_properties(drawn, check, describe_example, examples, shortest=False)


def describe_example(example: tuple[Scenario, int]) -> str:
    """Return the seed and the scenario of an example as code."""
    scenario, seed = example
    usual = Scenario().flat()
    changed = {name: value for name, value in scenario.flat().items() if value != usual[name]}
    return f"seed {seed}, Scenario().replace(**{changed})"


def _run_and_resume(world: World) -> None:
    """Run a world to its end, and run it again from a snapshot in the second half of the run."""
    saved, frames = world.snapshot(), 0
    while world.running:
        check_invariants(world)
        if frames & (frames - 1) == 0:  # frames 1, 2, 4, ...: the last of them is in the second half of the run
            saved = world.snapshot()
        frames += 1
        world.step()
    check_invariants(world)
    again = World.restore(saved)
    while again.running:
        again.step()
    assert again.digest() == world.digest(), f"restored at day {saved.day:g}, the run did not go on alike"


def check_invariants(world: World) -> None:
    """Assert the properties that every run has at every moment, for each of its labs.

    Raises AssertionError with the first property that is violated.
    """
    _check_ledger(world)
    for name, lab in world.labs.items():
        own = [event for event in world.ledger if not isinstance(event, RunEnded) and event.lab == name]
        _check_end(own)
        _check_software(lab, own)
        _check_gpus(lab)
        _check_population(lab)
        _check_kernels(lab, own)
        _check_humans(lab, own)


def _check_ledger(world: World) -> None:
    assert not any(isinstance(event, RunEnded) for event in world.ledger[:-1]), f"after the end: {world.ledger[-3:]}"
    days = [event.day for event in world.ledger]
    assert days == sorted(days), "the ledger is out of order"


def _check_end(events: Sequence[LabEvent]) -> None:
    """Assert that a lab that has ended does nothing more, except that its AIs stop in the same instant."""
    ends = [place for place, event in enumerate(events) if isinstance(event, LabEnded)]
    assert len(ends) <= 1, "a lab ended twice"
    for event in events[ends[0] + 1 :] if ends else ():
        is_stop = isinstance(event, ActiveResearchersChanged | AssistantsChanged) and event[1] == 0
        assert is_stop and event.day == events[ends[0]].day, f"after the end of its lab: {event}"


def _check_kernels(lab: Lab, events: Sequence[LabEvent]) -> None:
    curve, engineer = lab.calibration.curve, lab.kernels
    largest = curve.largest if curve is not None else 1.0
    deployed = [event for event in events if isinstance(event, KernelsDeployed)]
    speedups = [1.0, *(event.speedup for event in deployed)]
    assert speedups == sorted(speedups), "kernels got slower"
    assert speedups[-1] == engineer.speedup <= largest, f"faster than the measured {largest}"
    tried = [*(event.candidates for event in deployed), engineer.candidates]
    assert tried == sorted(tried), "the number of candidates fell"
    assert tried[-1] <= (curve.tried if curve is not None else 0) * (1 + 1e-9), "more candidates than were measured"
    assert 1 <= lab.compute.work_rate <= engineer.speedup * (1 + 1e-12), lab.compute.work_rate


def _check_humans(lab: Lab, events: Sequence[LabEvent]) -> None:
    """Assert that each paper in progress of humans is in one place, and that AIs do all research or assist."""
    line, with_humans = lab.line, lab.humans.drafts
    assert len(set(map(id, with_humans))) == len(with_humans), "two humans work on one paper"
    assert lab.workforce.team.humans_at_work == lab.humans.at_work <= lab.humans.size, "humans at work are miscounted"
    assert lab.workforce.team.ais_at_work == line.ais.busy <= lab.automation.ais, "the AIs at work are miscounted"
    places = line.drafts_waiting + line.ais.tasks + line.experiments + line.handed_in
    places += sum(draft.papers for draft in with_humans)
    assert places == line.drafts, f"{line.drafts} papers in progress, but {places} are in a place"
    number = line.identity.number
    pools = lab.compute.datacenter.pools.values()
    jobs = sum(job.tasks for pool in pools for job in pool.jobs() if job.owner == number)
    jobs += sum(array.count for pool in pools for array in pool.pending_arrays if array.owner == number)
    expected = line.experiments_on_cluster
    assert jobs == expected, f"{expected} papers have an experiment, but humans have {jobs} jobs"
    if lab.automation.is_complete:
        assert lab.automation.ais == 0, "AIs assist humans although they do all research"
    else:
        assert lab.workforce.active_researchers == 0, "AIs do research on their own before they can"
    kinds = [event.kind for event in events if isinstance(event, TaskAutomated)]
    first = lab.automation.kinds_automated - len(kinds) + 1
    assert kinds == list(range(first, first + len(kinds))), f"kinds of tasks are automated out of order: {kinds}"
    assert sum(isinstance(event, ResearchAutomated) for event in events) <= 1, "research is automated twice"


def _check_software(lab: Lab, events: Sequence[LabEvent]) -> None:
    rises = (PaperPublished, PapersReceived, SoftwareReceived)
    levels = [event.discovered for event in events if isinstance(event, rises)]
    assert levels == sorted(levels), "discovered software fell"
    deployed = [
        *(event.deployed for event in events if isinstance(event, Deployed)),
        lab.knowledge.software.deployed,
    ]
    assert deployed == sorted(deployed), "deployed software fell"
    assert lab.knowledge.software.deployed <= lab.knowledge.software.discovered + SUM_TOLERANCE, (
        "deployed before it was discovered"
    )


def _check_gpus(lab: Lab) -> None:
    uses = uses_of(lab)
    used = {use: lab.compute.datacenter.gpus_in_use(use) for use in uses}
    assert all(gpus >= 0 for gpus in used.values()), f"negative GPUs in use: {used}"
    datacenter = lab.compute.datacenter
    assert sum(used.values()) <= datacenter.capacity, f"more GPUs in use than there are: {used}"
    possible = lab.compute.gpus.total(lab.now)
    held = sum(datacenter.gpu_time(use) for use in uses)
    assert held <= possible * (1 + 1e-9), f"{held} GPU-days held of {possible} possible"
    slowest, fastest = datacenter.speed_range
    for job in datacenter.records:
        least, most = job.held * slowest, job.held * fastest
        assert least - _rounding(least) <= job.processed <= most + _rounding(most), job
        if job.outcome == "done":
            assert math.isclose(job.done, job.gpus * job.length, rel_tol=1e-9, abs_tol=1e-9), job


def _rounding(value: float) -> float:
    return 1e-9 + 1e-9 * value


def _check_population(lab: Lab) -> None:
    counted, population = lab.workforce.census.count, lab.workforce
    assert all(count >= 0 for count in counted.values()), counted
    others = lab.workforce.pool.anonymous_members if lab.workforce.pool is not None else 0
    housed = sum(each.active for each in population.researchers) + sum(each.active for each in population.cohorts)
    assert lab.workforce.active_researchers == others + housed, "active researchers are miscounted"
    assert sum(counted.values()) == population.size, "a researcher is nowhere or twice"
    for researcher in population.researchers:
        assert researcher.active or researcher.phase in (Phase.PAUSED, Phase.QUEUE, Phase.RUN), researcher.phase
    for cohort in population.cohorts:
        _check_cohort(cohort)
    running = sum(cohort.count[Phase.RUN] for cohort in population.cohorts)
    assert running <= lab.compute.datacenter.gpus_in_use(Use.EXPERIMENT), (
        "more experiments run than there are GPUs for them"
    )


def _check_cohort(cohort: Cohort) -> None:
    count = cohort.count
    assert all(number >= 0 for number in count.values()), count
    assert cohort.thinking.working == count[Phase.THINK], "the thinkers of a cohort are miscounted"
    assert cohort.writing.working == count[Phase.WRITE], "the writers of a cohort are miscounted"
    assert cohort.thinking.paused + cohort.writing.paused == count[Phase.PAUSED], (
        "the inactive researchers of a cohort are miscounted"
    )
    assert 0 <= cohort.inactive_pending <= count[Phase.QUEUE] + count[Phase.RUN], cohort.inactive_pending
