"""Cohorts of 10^2 to 10^6 researchers who share GPUs equal the machine repairman.

N researchers think for an exponential time of mean one day and run an exponential experiment on one of c GPUs. The
time unit is that of thinking, which is also the time in which the lab settles. Seeds are fixed.
"""

from typing import NamedTuple

import numpy as np
import pytest

from agents.params import DAYS_PER_MONTH
from agents.phases import Phase
from sim.scenario.model import Scenario
from sim.world import World
from tests.oracles.queueing import repairman


class Observed(NamedTuple):
    """What a lab did, on average over a stretch of days."""

    throughput: float
    """Papers a day."""
    waiting: float
    """Mean number of researchers with a waiting experiment."""


def lab(team: int, gpus: int, service: float, seed: int, leap_tolerance: float) -> World:
    """Return a cohort that only thinks and experiments, with enough inference GPUs to be active."""
    return World(
        Scenario(),
        seed,
        growth__first_doubling_days=1e6,
        growth__calibrated_for=0,
        training__required=False,
        training__gain=1e6,
        kernels__measurements="none",
        cluster__gpus=2 * gpus,
        cluster__gpus_per_node=1,
        cluster__inference_share=0.5,
        cluster__training_share=0.0,
        cluster__queue="fcfs",
        cluster__gpu_hours_between_failures=0.0,
        researcher__initial=team,
        researcher__writing_share=0.0,
        researcher__papers_per_month=DAYS_PER_MONTH,
        researcher__experiment_gpu_days=service,
        researcher__experiment_variation="exponential",
        researcher__experiment_gpus=1,
        run__max_individuals=0,
        run__leap_tolerance=leap_tolerance,
        run__horizon_days=1e6,
    )


def observe(world: World, settling: int, days: int) -> Observed:
    """Let a lab settle for ``settling`` days, then observe it for ``days``."""
    for _ in range(settling):
        world.step()
    papers, waited, start = (
        world.lab.knowledge.papers,
        world.lab.workforce.census.days(Phase.QUEUE, world.now),
        world.now,
    )
    for _ in range(days):
        world.step()
    stretch = world.now - start
    return Observed(
        (world.lab.knowledge.papers - papers) / stretch,
        (world.lab.workforce.census.days(Phase.QUEUE, world.now) - waited) / stretch,
    )


def exact(team: int, gpus: int, service: float) -> Observed:
    throughput, thinking = repairman(team, gpus, 1.0, service)
    return Observed(throughput, team - thinking - throughput * service)


@pytest.mark.parametrize(
    ("team", "gpus", "service", "days", "seeds"),
    [
        (100, 25, 1.0, 250, 6),
        (1000, 2, 0.004, 80, 2),
        (10_000, 10, 0.002, 20, 1),
        (100_000, 20, 0.0004, 10, 1),
        (1_000_000, 40, 0.00008, 5, 1),
    ],
)
def test_cohort_throughput_of_a_crowded_lab_is_within_1_percent_of_theory(team, gpus, service, days, seeds):
    """The load is twice what the GPUs can do: half of the team waits.

    Standard errors are 1 / sqrt(papers) and sqrt(2 thinking / days), by theory: 0.05% to 0.52%.
    """
    expected = exact(team, gpus, service)
    seen = np.mean([observe(lab(team, gpus, service, seed, 0.02), 8, days) for seed in range(seeds)], axis=0)
    assert seen == pytest.approx(expected, rel=0.01)


LEAPS = (0.2, 0.1, 0.03, 0.01)
LOADED = {10_000: (25, 0.002, 9, 2), 1_000_000: (25, 0.00002, 3, 1)}
"""Team: GPUs, service, days watched, seeds. The GPUs are busy for 80% of the time, and almost no researcher waits."""


@pytest.mark.parametrize("team", LOADED)
def test_cohort_leap_error_falls_with_the_tolerance(team):
    """All runs have the same seeds; standard errors are about 0.3%.

    Researchers of one leap wait for one another. So papers are too few, by at most the share of the leap, and that
    share of the team waits in addition.
    """
    gpus, service, days, seeds = LOADED[team]
    expected = exact(team, gpus, service)
    fewer, more = [], []
    for leap in LEAPS:
        seen = [observe(lab(team, gpus, service, seed, leap), 3, days) for seed in range(seeds)]
        throughput, waiting = np.mean(seen, axis=0)
        fewer.append(1 - throughput / expected.throughput)
        more.append((waiting - expected.waiting) / team)
    for errors in (fewer, more):
        assert errors == sorted(errors, reverse=True)
        assert all(0 < error < leap for error, leap in zip(errors, LEAPS, strict=True))
        assert np.polyfit(np.log(LEAPS), np.log(errors), 1)[0] == pytest.approx(1, abs=0.2), "first order"
