"""Tests of a cohort in a small lab: it keeps all researchers, papers and experiments."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy import Event

from agents.cohort.cohort import Cohort, ExperimentBatch, draw_hypergeometric
from agents.phases import Phase
from agents.researcher import Researcher
from tests.support.cohorts import form_cohort
from tests.support.fake_ports import researcher_id
from tests.support.properties import examples
from tests.support.small_lab import SmallLab, check

FAST_PAPERS: dict[str, Any] = {"papers_per_month": 60.0, "experiment_gpu_days": 0.1, "experiment_days": 0.05}


def cohort_of(size: int, number: int = 1, **changes: Any) -> tuple[SmallLab, Cohort]:
    lab = SmallLab(**changes)
    cohort = Cohort(lab.model, researcher_id(number), lab.ports)
    cohort.grow(size)
    return lab, cohort


def run(lab: SmallLab, days: float, cohort: Cohort, individuals: list[Researcher]) -> None:
    """Advance the clock by ``days``, and check the cohort after every instant."""
    until = lab.now + days
    while lab.clock.peek() <= until:
        lab.clock.step()
        if lab.clock.peek() > lab.now:
            check(lab, cohort, individuals)
    lab.clock.advance(until)


# --- a cohort of one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{}, FAST_PAPERS, FAST_PAPERS | {"writing_share": 0.0}, FAST_PAPERS | {"timing": "whole"}]
)
@pytest.mark.parametrize("error", [0.0, 0.1])
def test_cohort_of_one_equals_the_individual_draw_by_draw(changes: dict[str, Any], error: float) -> None:
    lab, _ = cohort_of(1, number=7, leap_tolerance=error, **changes)
    other = SmallLab(leap_tolerance=error, **changes)
    Researcher(other.model, researcher_id(7), other.ports)
    for each in (lab, other):
        each.clock.advance(200.0)
    assert lab.knowledge.batches == other.knowledge.batches
    assert [(record.owner, record.started, record.ended) for record in lab.compute.cluster.records] == [
        (record.owner, record.started, record.ended) for record in other.compute.cluster.records
    ]
    assert {phase: lab.team.census.days(phase, 200.0) for phase in Phase} == pytest.approx(
        {phase: other.team.census.days(phase, 200.0) for phase in Phase}
    )


# --- many ----------------------------------------------------------------------------------------------

STEP = st.tuples(
    st.sampled_from(
        ["pause", "resume", "grow", "add individual", "advance", "advance", "absorb", "pause individual", "gpus"]
    ),
    st.integers(1, 25),
)


@pytest.mark.slow
@examples(100)
@given(
    st.lists(STEP, min_size=5, max_size=30),
    st.sampled_from([0.0, 0.1, 0.4]),
    st.sampled_from(["poisson", "whole"]),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([0.0, 0.02, 0.4]),
    st.integers(0, 3),
)
def test_cohort_keeps_researchers_papers_and_experiments(
    steps: list[tuple[str, int]], error: float, timing: str, writing: float, cost: float, seed: int
) -> None:
    changes = FAST_PAPERS | {
        "timing": timing,
        "writing_share": writing,
        "experiment_gpu_days": cost,
        "experiment_gpus": 2,
    }
    lab, cohort = cohort_of(20, seed=seed, leap_tolerance=error, gpus=6, **changes)
    individuals: list[Researcher] = []
    for name, number in steps:
        apply_step(lab, cohort, individuals, name, number)
        check(lab, cohort, individuals)
        assert cohort.size == cohort.active + cohort.count[Phase.PAUSED] + cohort.inactive_pending
    cohort.resume(cohort.size - cohort.active)
    for researcher in individuals:
        researcher.resume()
    run(lab, 5.0, cohort, individuals)
    assert cohort.active == cohort.size
    tasks = sum(record.tasks for record in lab.compute.cluster.records)
    done = tasks + sum(getattr(job, "tasks_before", 0) for job in lab.compute.cluster.jobs())
    writing_up = lab.team.census.count[Phase.WRITE]
    if cost and not any(name == "absorb" for name, _ in steps):
        assert done == lab.knowledge.papers + writing_up, "every paper but those that are written up had its experiment"


def apply_step(lab: SmallLab, cohort: Cohort, individuals: list[Researcher], name: str, number: int) -> None:
    if name == "pause":
        cohort.pause(min(number, cohort.active))
    elif name == "resume":
        cohort.resume(min(number, cohort.size - cohort.active))
    elif name == "grow":
        cohort.grow(number)
    elif name == "add individual":
        individuals.append(Researcher(lab.model, researcher_id(1000 + len(individuals) + number), lab.ports))
    elif name == "absorb" and individuals:
        cohort.absorb(individuals.pop(number % len(individuals)))
    elif name == "pause individual" and individuals:
        researcher = individuals[number % len(individuals)]
        researcher.pause() if researcher.active else researcher.resume()
    elif name == "gpus":
        lab.compute.cluster.reconfigure(lab.compute.cluster.params.model_copy(update={"gpus": 4 + number % 4}))
        lab.clock.advance(lab.now)
    elif name == "advance":
        run(lab, number / 25, cohort, individuals)


def test_cohort_pauses_and_resumes_entirely() -> None:
    lab, cohort = cohort_of(50, leap_tolerance=0.05, gpus=3, **FAST_PAPERS)
    run(lab, 2.0, cohort, [])
    cohort.pause(50)
    assert cohort.active == 0
    run(lab, 30.0, cohort, [])
    papers = lab.knowledge.papers
    assert cohort.count[Phase.PAUSED] == 50, "their experiments ended, and no paper was written"
    run(lab, 30.0, cohort, [])
    assert lab.knowledge.papers == papers
    cohort.resume(50)
    run(lab, 5.0, cohort, [])
    assert cohort.active == 50 and lab.knowledge.papers > papers


# --- choice of researchers ---------------------------------------------------------------------------------------


def paused_by_activity(cohort: Cohort) -> tuple[int, int, int]:
    """Numbers of researchers that lost their GPUs while they thought, wrote and waited for experiments."""
    return cohort.thinking.paused, cohort.writing.paused, cohort.inactive_pending


def mixed_cohort(size: int = 40) -> tuple[SmallLab, Cohort]:
    """A cohort of which some researchers think, some write and some wait for their experiments."""
    lab = SmallLab(gpus=6, experiment_gpu_days=0.5, experiment_days=0.5, papers_per_month=20.0, writing_share=0.4)
    cohort = Cohort(lab.model, researcher_id(1), lab.ports)
    cohort.grow(size)
    lab.clock.advance(2.0)
    return lab, cohort


def draws_of_pauses(lab: SmallLab) -> dict[str, Any]:
    """State of the random stream of pauses, which each draw changes."""
    return dict(lab.randomness.get("housing", 1).bit_generator.state)


def test_cohort_pause_without_alternatives_draws_nothing() -> None:
    lab, cohort = cohort_of(9)
    before = draws_of_pauses(lab)
    cohort.pause(3)
    assert paused_by_activity(cohort) == (3, 0, 0), "all researchers think"
    assert draws_of_pauses(lab) == before
    lab, cohort = mixed_cohort()
    cohort.pause(0)
    assert paused_by_activity(cohort) == (0, 0, 0)
    cohort.pause(40)
    assert min(paused_by_activity(cohort)) > 0 and sum(paused_by_activity(cohort)) == 40
    assert draws_of_pauses(lab) == before
    cohort.resume(40)
    cohort.pause(20)
    assert draws_of_pauses(lab) != before


def test_cohort_pause_chooses_researchers_uniformly() -> None:
    """Means and variances of a multivariate hypergeometric distribution, within 4.5 standard errors."""
    _, cohort = mixed_cohort()
    count = cohort.count
    groups, number, times = (
        (count[Phase.THINK], count[Phase.WRITE], count[Phase.QUEUE] + count[Phase.RUN]),
        12,
        20_000,
    )
    assert min(groups) >= 3, "the test needs three groups"
    found = []
    for _ in range(times):
        cohort.pause(number)
        found.append(paused_by_activity(cohort))
        cohort.resume(number)
    drawn = np.array(found)
    assert np.all(drawn.sum(1) == number)
    assert np.all((drawn >= 0) & (drawn <= groups))
    share = np.array(groups) / 40
    variance = number * share * (1 - share) * (40 - number) / 39
    assert np.all(np.abs(drawn.mean(0) - number * share) <= 4.5 * np.sqrt(variance / times))
    assert drawn.var(0) == pytest.approx(variance, rel=0.06)


@pytest.mark.parametrize("scale", [10**8, 10**10, 10**15])
def test_draw_hypergeometric_of_billions_has_the_right_moments(scale: int) -> None:
    stream = np.random.default_rng(1)
    good, bad, number = 3 * scale, 7 * scale, 2 * scale
    drawn = np.array([draw_hypergeometric(stream, good, bad, number) for _ in range(500)], dtype=float)
    sd = math.sqrt(number * 0.21)  # at most, and 0.89 of it if no one is drawn twice
    assert abs(drawn.mean() - 0.3 * number) < 5 * sd / math.sqrt(500)
    assert 0.8 * sd < drawn.std() < 1.1 * sd
    assert draw_hypergeometric(stream, good, 0, number) == number
    assert draw_hypergeometric(stream, 0, bad, number) == 0
    assert draw_hypergeometric(stream, good, bad, good + bad) == good


# --- several experiments as one job ------------------------------------------------------------------------


class Waiting:
    """A job array of ``count`` experiments."""

    def __init__(self, count: int, mean_gpu_days: float) -> None:
        self.count = count
        self.payload = ExperimentBatch(mean_gpu_days, 1.0, 0)


@examples(100)
@given(
    st.integers(1, 10**6), st.floats(1e-6, 100.0), st.sampled_from([0.0, 0.03, 0.5]), st.sampled_from([1.0, 5.5, 1e9])
)
def test_cohort_job_of_many_tasks_is_bounded(waiting: int, mean: float, error: float, step: float) -> None:
    lab, cohort = cohort_of(1, leap_tolerance=error, gpus=8, experiment_gpu_days=mean, experiment_variation="fixed")
    lab.knowledge.next_step = step
    cohort.count[Phase.QUEUE] = waiting
    gpus, days, tasks = cohort.next_task(Waiting(waiting, mean), 8)
    assert 1 <= tasks <= waiting
    assert 1 <= gpus <= 8
    if tasks > 1:
        longest = max(error * 365 / 12, mean)
        assert days <= longest * (1 + 1e-9), "no longer than the stated share of a paper's time, or one by itself"
        assert tasks <= math.ceil(step), "no more than bring the next step of software"
    assert gpus * days == pytest.approx(tasks * mean), "and no GPU-day is lost"


def test_cohort_without_leap_error_publishes_single_papers() -> None:
    lab, cohort = cohort_of(100, gpus=4, **FAST_PAPERS)
    run(lab, 10.0, cohort, [])
    assert lab.knowledge.papers > 100
    assert all(finding.papers == 1 for finding in lab.knowledge.batches)


# --- individuals and cohorts ----------------------------------------------------------------------------


def test_workforce_above_its_limit_becomes_a_cohort() -> None:
    lab = SmallLab(gpus=3, **FAST_PAPERS)
    population = lab.workforce(10)
    population.set_active(10)
    lab.clock.advance(2.0)
    phases = dict(lab.team.census.count)
    waiting = lab.compute.cluster.waiting
    population.set_active(12)
    assert (population.researchers, population.in_cohorts) == ([], 12)
    (cohort,) = population.cohorts
    assert cohort.number == 1
    check(lab, cohort, [])
    phases[Phase.THINK] += 2
    assert (lab.team.census.count, lab.compute.cluster.waiting) == (phases, waiting), "nothing that can be seen jumps"
    run(lab, 3.0, cohort, [])


def test_cohort_absorbs_paused_individuals_as_paused() -> None:
    lab = SmallLab(gpus=2, **FAST_PAPERS)
    population = lab.workforce(20)
    population.set_active(20)
    lab.clock.advance(2.0)
    population.set_active(5)
    lab.clock.advance(2.02)
    cohort = form_cohort(population, population.researchers)
    check(lab, cohort, [])
    assert (cohort.active, cohort.size, population.researchers) == (5, 20, [])
    population.set_active(20)
    assert cohort.active == 20
    run(lab, 3.0, cohort, [])


def test_cohort_start_over_relabels_only_dropped_papers() -> None:
    lab, cohort = cohort_of(10, timing="whole")
    lab.clock.advance(5.0)
    cohort.pause(4)
    lab.knowledge.literature.latest += 7
    cohort.start_over()
    assert cohort.ideas.count == 10
    labels, counts = zip(*cohort.ideas.by_label, strict=True)
    assert labels[-1] == lab.knowledge.literature.latest
    assert counts == pytest.approx((4.0, 6.0))
    check(lab, cohort, [])


def test_cohort_absorb_cancels_the_timer_of_the_individual() -> None:
    lab = SmallLab(timing="whole")
    researcher = Researcher(lab.model, researcher_id(1), lab.ports)
    cohort = Cohort(lab.model, researcher_id(5), lab.ports)
    lab.clock.advance(3.0)
    cohort.absorb(researcher)
    fired: list[Event] = []
    lab.clock.timeout(365 / 12).callbacks.append(fired.append)
    lab.clock.advance(100.0)
    assert {finding.researcher for finding in lab.knowledge.batches} == {5}
    assert researcher.papers == 0 and fired
