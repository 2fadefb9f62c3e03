"""Tests of the kernel engineer in a small lab, and of Amdahl's law."""

import math
from itertools import pairwise

import mesa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.identity import AgentId
from agents.kernel_engineer import KernelEngineer
from agents.kernel_model import amdahl
from agents.params import MeasuredKernelParams
from agents.ports.bundles import KernelEngineerPorts
from agents.work_model import gang_size
from sim.clock import Clock
from tests.support.fake_ports import FakeResearchTime, FakeSettings

shares = st.floats(0, 1)
speedups = st.floats(1, 1e6)


class Line:
    """A curve to which every candidate adds the same, up to a hundred."""

    largest = 2.0

    def speedup_after(self, candidates):
        return 1 + min(candidates, 100) / 100

    def candidates_to_reach(self, speedup):
        return 100 * (speedup - 1)


FREE = {"candidate_researcher_hours": 0.0, "candidate_gpu_hours": 0.0}
"""Candidates that cost nothing."""


class RunningClock(Clock):
    """A clock whose background timers fire although nothing else is scheduled; it counts them."""

    def __init__(self):
        super().__init__()
        self.timers = []

    def after_in_background(self, days, callback):
        self.timers.append(days)
        return self.after(days, callback)


class ImmediateCompute:
    """A cluster on which no job waits."""

    def __init__(self, clock):
        self.clock = clock
        self.gpus = 8
        self.submitted = []

    def largest_gang(self, use):
        return self.gpus

    def submit_job(self, use, gpus, days, owner, on_done, listener=None):
        self.submitted.append((self.clock.now, use, gpus * days, owner.number))
        return self.clock.after(days, on_done)


class SmallLab:
    """The ports of a kernel engineer, and a list of its deployments."""

    def __init__(self, curve, **params):
        self.clock = RunningClock()
        self.settings = FakeSettings(kernels=MeasuredKernelParams(**(FREE | params)))
        self.compute = ImmediateCompute(self.clock)
        self.research_time = FakeResearchTime(reference_researchers=10)
        self.deployed = []
        ports = KernelEngineerPorts(self.clock, self.compute, self.research_time, self, self.settings)
        self.engineer = KernelEngineer(mesa.Model(seed=1), AgentId("", "kernel engineer", -1), ports, curve)
        self.engineer.schedule_next()

    def deploy_kernels(self, candidates, speedup):
        self.deployed.append((self.clock.now, candidates, speedup))

    def set_team(self, team):
        self.research_time.growth = team
        self.engineer.schedule_next()


@given(shares, speedups)
def test_amdahl_equals_the_formula_of_amdahl(share, speedup):
    rate = amdahl(share, speedup)
    assert rate == pytest.approx(1 / ((1 - share) + share / speedup))
    assert 1 <= rate <= speedup * (1 + 1e-9)
    assert share == 1 or rate <= 1 / (1 - share)


def test_amdahl_limit_is_set_by_the_share_without_attention():
    assert amdahl(0.1, 1e15) == pytest.approx(1 / 0.9, rel=1e-12)
    assert amdahl(0.7, 1.0) == 1
    assert amdahl(0.0, 9.0) == 1
    assert amdahl(1.0, 9.0) == pytest.approx(9)


def attention_share_of_training(
    width: float, length: float, attention_peak: float = 0.35, dense_peak: float = 0.8
) -> float:
    """Return the share of causal attention in training time, from the operations of a transformer.

    ``width`` d of a layer with 12 d^2 parameters, ``length`` s in tokens; the shares of peak at which attention and
    dense products run. Dense: 3 · 24 d^2 operations a token; attention, whose backward pass computes the scores again:
    3.5 · 2 s d.
    """
    ratio = (3.5 * 2 * length * width / attention_peak) / (3 * 24 * width**2 / dense_peak)
    return ratio / (1 + ratio)


def test_attention_share_default_equals_its_source():
    assert attention_share_of_training(16_384, 8_192) == pytest.approx(MeasuredKernelParams().attention_share, rel=1e-9)
    assert attention_share_of_training(4_096, 8_192) == pytest.approx(0.31, abs=0.005)
    assert attention_share_of_training(16_384, 131_072) == pytest.approx(0.64, abs=0.005)
    assert attention_share_of_training(12_288, 2_048, 1.0, 1.0) == pytest.approx(
        1 / (1 + 12 * 6 * 3 / 3.5)
    )  # GPT-3, s/d = 1/6


def test_kernel_engineer_deploys_every_gain_and_then_the_largest():
    lab = SmallLab(Line(), candidates_per_day=10.0, deploy_step=0.25)
    lab.clock.advance(50)
    levels = [1.25, 1.25**2, 1.25**3, 2.0]
    assert [speedup for _, _, speedup in lab.deployed] == pytest.approx(levels)
    assert [candidates for _, candidates, _ in lab.deployed] == pytest.approx([100 * (s - 1) for s in levels])
    assert [day for day, _, _ in lab.deployed] == pytest.approx([10 * (s - 1) for s in levels])
    assert lab.engineer.candidates == 100, "it stops where nothing more was measured"


def test_kernel_engineer_schedules_one_deployment_after_another():
    lab = SmallLab(Line(), candidates_per_day=10.0, deploy_step=0.25)
    lab.clock.timers.clear()
    lab.clock.advance(3)
    assert lab.engineer.speedup == 1.25
    assert len(lab.clock.timers) == 1


def test_kernel_engineer_last_deployment_may_be_small():
    lab = SmallLab(Line(), candidates_per_day=10.0, deploy_step=0.9)
    lab.clock.advance(50)
    assert [speedup for _, _, speedup in lab.deployed] == pytest.approx([1.9, 2.0])


def test_kernel_engineer_effort_equals_the_integral_of_team_size():
    lab = SmallLab(Line(), candidates_per_day=10.0, deploy_step=0.25)
    for day, team in ((1, 2.0), (1.5, 0.0), (4, 0.5)):
        lab.clock.advance(day)
        lab.set_team(team)
    assert lab.engineer.candidates == pytest.approx(10 + 2 * 10 * 0.5)
    assert lab.deployed == []
    lab.clock.advance(30)
    day, candidates, _ = lab.deployed[0]
    assert candidates == pytest.approx(25)
    assert day == pytest.approx(4 + 5 / (10 * 0.5))


@given(st.lists(st.tuples(st.floats(0.01, 3), st.floats(0, 5)), max_size=8), st.floats(0.01, 1))
def test_kernel_engineer_changing_team_keeps_the_order_of_kernels(changes, step):
    lab, steady = (SmallLab(Line(), candidates_per_day=10.0, deploy_step=step) for _ in range(2))
    for days, team in changes:
        lab.clock.advance(lab.clock.now + days)
        lab.set_team(team)
    lab.set_team(1.0)
    lab.clock.advance(lab.clock.now + 11)
    steady.clock.run(until=11)
    assert [speedup for *_, speedup in lab.deployed] == [speedup for *_, speedup in steady.deployed]
    assert [tried for _, tried, _ in lab.deployed] == pytest.approx([tried for _, tried, _ in steady.deployed])
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(lab.deployed))


@pytest.mark.parametrize("case", [{"curve": None}, {"curve": Line(), "candidates_per_day": 0.0}])
def test_kernel_engineer_without_curve_or_effort_deploys_nothing(case):
    lab = SmallLab(**case)
    lab.clock.advance(1000)
    assert (lab.deployed, lab.engineer.speedup, lab.engineer.candidates) == ([], 1.0, 0.0)


def test_kernel_engineer_flat_curve_takes_no_effort():
    flat = Line()
    flat.largest = 1.0
    lab = SmallLab(flat)
    assert lab.clock.peek() == math.inf
    assert lab.engineer.candidates == 0


@pytest.mark.parametrize("hours", [0.0, 5.0])
def test_kernel_engineer_candidates_take_time_during_the_search(hours):
    """Ten candidates a day of 5 hours each take 50 of the 240 researcher-hours of a team of 10."""
    lab = SmallLab(Line(), candidates_per_day=10.0, deploy_step=0.25, candidate_researcher_hours=hours)
    assert lab.research_time.research_pace == pytest.approx(1 - 10 * hours / 240)
    lab.clock.advance(9.9)
    assert lab.research_time.research_pace == pytest.approx(1 - 10 * hours / 240)
    lab.clock.advance(10.1)
    assert lab.research_time.research_pace == 1, "the last candidate is written on day 10"


def test_kernel_engineer_candidates_are_limited_by_time():
    lab = SmallLab(Line(), candidates_per_day=1e8, candidate_researcher_hours=12.0, candidate_gpu_hours=0.0)
    assert lab.research_time.research_pace == pytest.approx(0.1)
    lab.clock.advance(50)
    assert lab.deployed[-1][0] == pytest.approx(100 * 12 / (0.9 * 240)), "100 candidates of 12 of 216 hours a day"
    assert lab.research_time.research_pace == 1


def test_kernel_engineer_times_candidates_as_one_job():
    lab = SmallLab(Line(), candidates_per_day=10.0, deploy_step=0.25, candidate_gpu_hours=0.24)
    lab.clock.advance(100)
    built = [100 * (1.25**n - 1) for n in range(4)] + [100]
    costs = [(later - earlier) * 0.01 for earlier, later in pairwise(built)]
    assert [cost for _, _, cost, _ in lab.compute.submitted] == pytest.approx(costs)
    assert {(use, owner) for _, use, _, owner in lab.compute.submitted} == {("experiment", -1)}
    for (asked, _, cost, _), (deployed, *_) in zip(lab.compute.submitted, lab.deployed, strict=True):
        assert deployed - asked == pytest.approx(cost / gang_size(lab.settings.researcher, cost, 8))
    assert lab.engineer.speedup == 2.0


def test_kernel_engineer_without_gpus_deploys_without_timing():
    lab = SmallLab(Line(), candidates_per_day=10.0, deploy_step=0.25)
    lab.compute.gpus = 0
    lab.clock.advance(50)
    assert (lab.compute.submitted, lab.deployed[0][0]) == ([], pytest.approx(2.5))
