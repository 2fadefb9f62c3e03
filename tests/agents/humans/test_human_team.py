"""Test the hiring of humans and their work."""

import pickle

import numpy as np
import pytest

from agents.humans.human_team import HumanTeam
from agents.params import HumansParams
from agents.ports.bundles import HumanPorts
from tests.support.small_human_team import SmallHumanTeam, by_human


class Hiring:
    """Hire humans of a small team whenever they are due."""

    def __init__(self, **params) -> None:
        self.small = SmallHumanTeam([by_human(1.0)], humans=0, humans_params=params)
        lab = self.small.lab
        ports = HumanPorts(lab.clock, lab.randomness, lab.settings)
        self.team = HumanTeam(lab.model, "", ports, self.small.line, self.on_due)
        self.days: list[float] = []
        self.team.hire()

    def on_due(self) -> None:
        """Hire at once."""
        self.days.append(self.small.lab.now)
        self.team.hire()

    def run_to(self, day: float) -> None:
        """Keep the run alive until a day, with all timers."""
        self.small.lab.clock.timeout(day - self.small.lab.now)
        self.small.lab.clock.advance(day)


def test_team_follows_its_schedule_rounded_down():
    hiring = Hiring(initial=10, growth_per_year=2.0)
    for day in (0.0, 100.0, 365.0, 500.0, 730.0):
        hiring.run_to(max(day, hiring.small.lab.now))
        assert hiring.team.size == int(10 * 2 ** (day / 365) * (1 + 1e-9))
    assert len(hiring.days) == 30
    assert [human.number for human in hiring.team.humans] == list(range(1, 41))


def test_constant_team_hires_only_on_day_0():
    hiring = Hiring(initial=7, growth_per_year=1.0)
    hiring.run_to(1000.0)
    assert (hiring.team.size, hiring.days) == (7, [])


def test_team_without_humans_stays_empty():
    hiring = Hiring(initial=0)
    hiring.run_to(1000.0)
    assert (hiring.team.size, hiring.small.line.drafts) == (0, 0)


def test_papers_in_progress_follow_the_number_of_humans():
    hiring = Hiring(initial=3, growth_per_year=2.0, papers_in_progress=1.5)
    assert hiring.small.line.drafts == 5
    hiring.run_to(365.0)
    assert hiring.small.line.drafts == 9


def test_lower_growth_keeps_the_team_until_the_schedule_exceeds_it():
    hiring = Hiring(initial=10, growth_per_year=4.0)
    hiring.run_to(365.0)
    assert hiring.team.size == 40
    hiring.small.lab.settings.humans = HumansParams(initial=10, growth_per_year=2.0)
    hiring.team.hire()
    hiring.run_to(729.0)
    assert hiring.team.size == 40
    hiring.run_to(800.0)
    assert hiring.team.size == int(10 * 2 ** (800 / 365))


def test_pickled_team_hires_as_before():
    hiring = Hiring(initial=5, growth_per_year=3.0)
    hiring.run_to(90.0)
    other = pickle.loads(pickle.dumps(hiring))
    for each in (hiring, other):
        each.run_to(400.0)
    assert other.days == hiring.days
    assert other.small.papers == hiring.small.papers > 0


def test_task_of_a_human_takes_an_exponential_time_with_poisson_timing():
    team = SmallHumanTeam([by_human(1.0)], humans=1, timing="poisson", seed=3)
    team.line.set_size(1)
    team.advance(4000.0)
    days = np.diff([0.0, 4000.0])[0] / team.papers
    assert days == pytest.approx(1.0, abs=2.6 / 4000**0.5)  # 99% of seeds


def test_working_hours_leave_the_papers_of_whole_weeks_alone():
    office = {"hours_per_day": 8.0, "days_per_week": 5}
    papers = []
    for params in ({}, office):
        team = SmallHumanTeam([by_human(0.5)] * 2, humans=3, humans_params=params)
        team.line.set_size(6)
        team.advance(70.0 + 1e-6)
        papers.append(team.papers)
    assert papers == [210, 210]
