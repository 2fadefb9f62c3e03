"""Test the compute bottleneck: elasticities against the machine repairman, the growth path, variance reduction."""

import json
import math
import signal

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy import stats

from experiments.bottleneck import study as bottleneck
from experiments.bottleneck.actions import parse_doublings
from experiments.bottleneck.figure import bottleneck_figure, bottleneck_picture
from experiments.bottleneck.steady_state import (
    BALANCED,
    FULL,
    IDLE,
    ObservationWindow,
    OutputSample,
    experiment_gpus,
    gpus_at_start,
    setting_at,
    steady_state_scenario,
)
from experiments.bottleneck.study import STEP, cost_adjusted_papers, estimate, study
from experiments.bottleneck.table import PUBLISHED, conclusion, sentence
from sim import ces
from sim.scenario.model import Scenario, ScenarioError
from tests.oracles.ces import WHITFILL_WU, repairman_elasticities

REPAIRMAN = {
    "cluster__gpus": 16,
    "cluster__gpus_per_node": 1,
    "cluster__placement": "flat",
    "cluster__queue": "fcfs",
    "cluster__gpu_hours_between_failures": 0.0,
    "cluster__inference_share": 0.5,
    "cluster__training_share": 0.0,
    "researcher__initial": 24,
    "researcher__papers_per_month": 365 / 12,
    "researcher__writing_share": 0.0,
    "researcher__experiment_variation": "exponential",
    "researcher__experiment_gpus": 1,
    "kernels__measurements": "none",
    "growth__calibrated_for": 0,
}
"""Changes to `lab`: a researcher thinks for a day, and each experiment runs on one of 8 GPUs."""


def repairman(cost: float, **changes) -> Scenario:
    return Scenario().replace(**(REPAIRMAN | {"researcher__experiment_gpu_days": cost} | changes))


@pytest.fixture(scope="module")
def small():
    """Return a lab whose study takes a second or two."""
    return repairman(0.3, researcher__initial=32, cluster__gpus=24)


@pytest.fixture(scope="module")
def measured(small):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.bottleneck.steady_state.PAPERS", 150)
        return study(small, [0.0, 2.0], range(3))


SHARP = ces.CesFit(log_labour=0.0, log_compute=0.0, log_scale=0.0, alpha=0.5, rho=-15.0, error=0.0)
"""A CES of the papers that researchers alone allow and that GPUs alone allow."""


@pytest.mark.parametrize("cost", [0.1, 0.45, 2.0])
def test_elasticities_equal_those_of_the_machine_repairman(cost, monkeypatch):
    """Load far below balance, at balance and far beyond; exact values are differences of the rate of the chain."""
    monkeypatch.setattr("experiments.bottleneck.steady_state.PAPERS", 800)
    scenario = repairman(cost)
    plan = bottleneck.plan_elasticities(scenario, setting_at(scenario, 0.0, 1.0))
    owners, servers = [each.researchers for each in plan.labour], [each.gpus for each in plan.compute]
    assert (owners, servers) == ([19, 32], [6, 10])
    runs = [{each: OutputSample.run(scenario, each, seed) for each in plan.settings} for seed in range(6)]
    found = bottleneck.summarize_point(plan, bottleneck.OutputLaw(SHARP, 1.0), runs)
    exact = repairman_elasticities(owners, servers, (24, 8), think=1.0, service=cost)
    for each, truth in zip((found.labour, found.compute), exact, strict=True):
        half = stats.t.ppf(0.995, 5) * np.std(each.each, ddof=1) / math.sqrt(6)
        assert half < 0.2, "too wide for a test"
        assert abs(each.value - truth) < half + 0.003


def test_elasticities_of_cohorts_and_individuals_equal_those_of_the_machine_repairman(monkeypatch):
    """At the balance point, with ten times as many of both: a cohort then moves in leaps."""
    monkeypatch.setattr("experiments.bottleneck.steady_state.BALANCED", ObservationWindow(1.5, 1.2))
    scenario = repairman(0.45, researcher__initial=240, cluster__gpus=160)
    base, seeds = setting_at(scenario, 0.0, 1.0), range(5)
    assert (base.one_by_one, base.gpus) == (True, 80)
    exact = repairman_elasticities((190, 305), (63, 101), (240, 80), think=1.0, service=0.45)
    for one_by_one in (True, False):
        plan = bottleneck.plan_elasticities(scenario, base._replace(one_by_one=one_by_one))
        assert [each[:3] for each in plan.settings[:4]] == [(0, 190, 80), (0, 305, 80), (0, 240, 63), (0, 240, 101)]
        runs = [{each: OutputSample.run(scenario, each, seed) for each in plan.settings} for seed in seeds]
        found = bottleneck.summarize_point(plan, bottleneck.OutputLaw(SHARP, 1.0), runs)
        for each, truth in zip((found.labour, found.compute), exact, strict=True):
            half = stats.t.ppf(0.995, 4) * np.std(each.each, ddof=1) / math.sqrt(5)
            assert half < 0.15, "too wide for a test"
            assert abs(each.value - truth) < half


def test_setting_of_a_large_team_is_a_cohort_in_all_compared_labs():
    lab = Scenario()
    for doublings, one_by_one in ((1.5, True), (2.0, False), (8.0, False)):
        base = setting_at(lab, doublings, 0.5)
        for setting in bottleneck.plan_elasticities(lab, base).settings:
            assert setting.one_by_one is one_by_one
            followed = setting.researchers <= steady_state_scenario(lab, setting).run.max_individuals
            assert followed is one_by_one
    pooled = lab.replace(researcher__timing="pooled")
    assert setting_at(pooled, 8.0, 0.5).one_by_one, "pooled work has no cohorts"


def test_quasi_static_lab_has_fixed_software_and_the_given_gpus(monkeypatch):
    monkeypatch.setattr("experiments.bottleneck.steady_state.PAPERS", 60)
    for scenario in (Scenario(), repairman(0.3), Scenario().replace(cluster__partitioning="priority")):
        setting = setting_at(scenario, 0.0, 0.5)
        worlds = []
        held = OutputSample.run(scenario, setting, 1, lambda world, worlds=worlds: worlds.append(world))
        world = worlds[-1]
        assert world.lab.workforce.active_researchers == setting.researchers
        assert world.lab.compute.datacenter.pool("experiment").capacity == setting.gpus == gpus_at_start(scenario)
        assert world.lab.knowledge.experiment_gpu_days() == pytest.approx(setting.gpu_days, rel=1e-6)
        assert world.now == pytest.approx(setting.warm_up_days + setting.window_days)
        assert held.papers * setting.window_days < world.lab.knowledge.papers
        assert held.papers == pytest.approx(
            held.written * world.lab.workforce.active_researchers ** (scenario.growth.parallel_penalty - 1)
        )
        # Little's law: the mean number of busy GPUs is papers per day times the GPU-days of a paper
        assert 0 < held.written * held.cost_ratio * setting.gpu_days < setting.gpus


def test_setting_of_a_lab_whose_policy_moves_gpus_is_refused():
    with pytest.raises(ScenarioError, match=r"policy__name = 'adaptive' moves GPUs.*allowed: 'fixed'\. Set"):
        setting_at(Scenario().replace(policy__name="adaptive"), 0.0, 0.5)


def test_setting_along_the_path_scales_researchers_and_costs_by_s():
    lab = Scenario()
    for s, cost in ((0.0, 4.17 / 8), (0.5, 4.17 / 8**0.5), (1.0, 4.17)):
        setting = setting_at(lab, 3.0, s)
        assert (setting.researchers, setting.gpus) == (2048, 256)
        assert setting.gpu_days == pytest.approx(cost)
    assert setting_at(lab, 3.0, 1.0).load == pytest.approx(8 * setting_at(lab, 0.0, 1.0).load)
    assert gpus_at_start(lab.replace(cluster__partitioning="priority")) == 256
    assert gpus_at_start(lab.replace(cluster__partitioning="priority", training__required=False)) == 512
    assert [experiment_gpus(lab, wanted) for wanted in (1, 203, 322.5)] == [8, 200, 320], "whole nodes"
    flat = lab.replace(cluster__placement="flat")
    assert [experiment_gpus(flat, wanted) for wanted in (1, 203, 322.5)] == [8, 203, 322]


def test_quasi_static_scenario_switches_growth_off():
    changed = steady_state_scenario(Scenario(), setting_at(Scenario(), 1.0, 0.0)).flat()
    assert changed["kernels__measurements"] == "none"
    assert (changed["training__required"], changed["growth__law"]) == (False, "frozen")


def test_balance_point_depends_on_s(measured):
    fixed, middle, frontier = measured.cases
    assert [case.scaling for case in measured.cases] == [0.0, 0.5, 1.0]
    assert fixed.corner_at is None
    assert middle.corner_at == pytest.approx(2 * frontier.corner_at)
    assert fixed.points[0] == middle.points[0] == frontier.points[0], "on day 0 there is one lab"
    assert (fixed.points[1].labour.value, fixed.points[1].compute.value) == pytest.approx((1, 0), abs=0.2)
    assert (frontier.points[-1].labour.value, frontier.points[-1].compute.value) == pytest.approx((0, 1), abs=0.2)
    for case in measured.cases:
        for point in case.points:
            assert point.ceiling == pytest.approx(1 / point.utilisation)
            assert point.total.each == pytest.approx(np.add(point.labour.each, point.compute.each))
            assert point.total.value == pytest.approx(1, abs=0.12), "constant returns to scale"
    assert 1 < fixed.apparent < 1.35, "as researchers multiply, and a little more: their experiments get shorter"
    assert frontier.apparent < 0.6, "the cluster fills up on the way"


def test_sigma_of_a_small_lab_is_near_zero(measured):
    for case in measured.cases:
        corner = case.corner
        at = 1 if case.scaling else 2
        assert (corner.doublings, corner.researchers) == (at, 32 * 2**at), "of those near load 1 the nearest"
        assert 0 < corner.sigma.value < 0.35
        assert corner.rho.value == pytest.approx(ces.rho_from_sigma(corner.sigma.value))
        assert corner.sigma.low <= corner.sigma.value <= corner.sigma.high
        least = np.minimum(1.0, 1 / np.array(corner.loads))
        assert corner.outputs / least == pytest.approx(np.ones(len(least)), abs=0.3)
        assert sorted(corner.loads) == list(corner.loads)
    assert "hardly substitute" in conclusion(measured)


def test_study_with_a_penalty_has_consistent_table_sentence_and_ceiling(small, monkeypatch):
    """p = .5: beyond the balance point more researchers add nothing; below it the ceiling is that of papers^p."""
    monkeypatch.setattr("experiments.bottleneck.steady_state.PAPERS", 300)
    found = study(small.replace(growth__parallel_penalty=0.5), [0.0, 4.0], range(2))
    fixed, _, frontier = found.cases
    full = frontier.points[-1]
    assert full.labour.value == pytest.approx(0, abs=0.02)
    assert full.papers_per_day == pytest.approx(full.gpus / full.gpu_days, rel=0.05)
    at_balance = full.papers_per_day * (1 + full.gpu_days)
    assert full.effective_per_day == pytest.approx(full.papers_per_day * at_balance**-0.5, rel=0.05)
    shown = max(0.0, round(full.labour.value, 2)) if full.labour.value > -0.005 else round(full.labour.value, 2)
    assert f"1% more researchers bring {shown:.2f}%" in sentence(frontier, 0.5)
    for case in found.cases:
        for point in case.points:
            assert point.ceiling == pytest.approx(point.utilisation**-0.5)
    assert fixed.points[-1].labour.value == pytest.approx(0.5, abs=0.1)
    assert found.reading


def test_common_random_numbers_and_cost_correction_reduce_variance(measured):
    assert measured.pairing > 1.5
    assert measured.taken_out > 1


def test_cost_adjusted_papers_corrects_only_if_gpus_limit_output():
    lab = Scenario()
    idle, balanced, full = (setting_at(lab, each, 1.0) for each in (0.0, 3.0, 5.0))
    fewer = full._replace(gpus=full.gpus // 2)
    for cost_ratio in (0.5, 1.0, 2.0):
        assert cost_adjusted_papers(7.0, full, cost_ratio, SHARP, full) == pytest.approx(7 * cost_ratio, rel=1e-4), (
            "work over cost"
        )
        assert cost_adjusted_papers(7.0, idle, cost_ratio, SHARP, idle) == pytest.approx(7, rel=1e-4), (
            "GPUs idle at any cost of experiments"
        )
    assert cost_adjusted_papers(7.0, fewer, 2.0, SHARP, full, 0.5) == pytest.approx(7 * 2 * 2**0.5, rel=1e-3)
    assert 8 < cost_adjusted_papers(7.0, balanced, 1.25, SHARP, balanced) < 7 * 1.25
    assert cost_adjusted_papers(7.0, balanced, 0.1, SHARP, balanced) > 6, (
        "cheap ones bring no more than researchers can do"
    )
    assert cost_adjusted_papers(7.0, fewer, 1.0, SHARP, full) == pytest.approx(14, rel=1e-3)
    assert cost_adjusted_papers(7.0, idle._replace(gpus=128), 1.0, SHARP, idle) == pytest.approx(7, rel=1e-4)


def test_path_has_an_additional_point_near_balance():
    lab, asked = Scenario(), [0.0, 2.0, 4.0, 6.0, 8.0]
    found = {s: bottleneck.path_settings(lab, asked, s) for s in (0.0, 0.5, 1.0)}
    assert [[each.doublings for each in path] for path in found.values()] == [asked, asked, [0, 2, 3, 4, 6, 8]]
    assert [bottleneck.nearest_to_balance(path).doublings for path in found.values()] == [4, 6, 3]
    assert [each.window for each in found[1.0]] == [IDLE, IDLE, BALANCED, FULL, FULL, FULL]
    assert [each.doublings for each in bottleneck.path_settings(lab, [0.0, 2.0], 1.0)] == [0, 2], (
        "never beyond the path"
    )
    assert [each.doublings for each in bottleneck.path_settings(lab, [4.0, 8.0], 1.0)] == [4, 8]


def test_estimate_returns_students_interval():
    assert estimate([0.3]) == (0.3, None, None, (0.3,))
    found = estimate([1.0, 2.0, 3.0])
    assert found.value == 2
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 2) / math.sqrt(3))


def test_published_elasticities_equal_the_sources():
    assert [each.sigma for each in PUBLISHED[:2]] == list(WHITFILL_WU.values())
    assert PUBLISHED[1].rho == -math.inf
    assert [each.rho for each in PUBLISHED[2:]] == pytest.approx([-0.1, -0.5, -1.0])


def test_study_of_one_seed_has_no_interval_and_is_reproducible(small, monkeypatch):
    monkeypatch.setattr("experiments.bottleneck.steady_state.PAPERS", 60)
    seen = []

    def should_stop(world):
        return len(found) > 0

    found: list = []
    whole = study(small, [0.0], [5], seen.append, should_stop)
    assert (whole.seeds, whole.pairing) == ((5,), None)
    assert whole.cases[0].points[0].labour.low is None
    shares = [progress.share for progress in seen]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] < 1
    assert seen[0].task == "seed 1 of 1"
    assert seen[0].what.startswith("26 researchers on 12 GPUs")
    assert study(small, [0.0], [5]) == whole, "the same bytes for the same seed"
    found.append(True)
    assert study(small, [0.0], [5, 6], seen.append, should_stop) is None


BAD = {
    "no experiments": ("toy-fizzle", ["researcher__experiment_gpu_days = 0"]),
    "no GPUs": ("lab --set cluster__training_share=0.5", ["leave no GPUs for experiments; allowed"]),
    "too far": ("lab --doublings 0,20", ["20 doublings", "at most 19 doublings"]),
    "no doublings": ("lab --doublings many", ["--doublings = many", "--doublings 0,2,4"]),
    "backwards": ("lab --doublings 2,1", ["--doublings = 2,1"]),
    "below 0": ("lab --doublings=-1", ["--doublings = -1"]),
    "one researcher": ("lab --set researcher__initial=1 --doublings 0", ["1 researchers are too few"]),
    "one node": ("lab --set cluster__gpus=32 --doublings 0", ["8 GPUs for experiments are too few"]),
    "no corner": ("lab --set researcher__initial=8 --doublings 0", ["at load 1 8 researchers", "too few"]),
    "unknown scenario": ("lap", ["'lap'"]),
    "no seeds": ("lab --seeds 0", ["--seeds"]),
    "slow": ("lab --set researcher__papers_per_month=1e-5 --doublings 0", ["too long"]),
}


@pytest.mark.parametrize("case", BAD)
def test_command_with_bad_input_prints_one_error_and_writes_nothing(asara, tmp_path, case):
    command, words = BAD[case]
    answer = asara("bottleneck", *command.split(), "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: ")
    assert answer.err.count("\n") == 1
    for word in words:
        assert word in answer.err
    assert list(tmp_path.iterdir()) == []


CHANGES = REPAIRMAN | {"researcher__experiment_gpu_days": 0.4}
SMALL = ["--doublings", "0,1", *(word for name, value in CHANGES.items() for word in ("--set", f"{name}={value}"))]


@pytest.fixture
def brief(monkeypatch):
    """Use short windows, which are enough to test the output."""
    monkeypatch.setattr("experiments.bottleneck.steady_state.PAPERS", 25)
    monkeypatch.setattr("experiments.bottleneck.steady_state.BALANCED", ObservationWindow(1.0, 0.5))


def test_command_prints_tables_and_writes_files(asara, tmp_path, brief):
    answer = asara("bottleneck", *SMALL, "--seeds", 2, "--out", "kept")
    assert answer.code == 0
    for words in ("dlnY/dlnL", "dlnY/dlnK", "Whitfill and Wu", "s = 0: at 1 doublings", "s = 1:", "sigma ="):
        assert words in answer.out
    assert sorted(each.name for each in (tmp_path / "kept").iterdir()) == ["bottleneck.json", "bottleneck.png"]
    written = (tmp_path / "kept" / "bottleneck.json").read_text()
    assert (tmp_path / "kept" / "bottleneck.png").read_bytes().startswith(b"\x89PNG")
    again = asara("bottleneck", *SMALL, "--seeds", 2, "--json")
    assert again.out == written
    found = json.loads(written)
    assert [case["scaling"] for case in found["cases"]] == [0.0, 0.5, 1.0]
    assert len(found["sentences"]) == 3
    assert found["step"] == STEP
    assert found["published"][1] == {
        "what": PUBLISHED[1].what,
        "sigma": -0.1,
        "rho": None,
        "source": PUBLISHED[1].source,
    }


def test_command_interrupted_prints_completed_seeds_only(asara, tmp_path, monkeypatch, brief):
    run, calls = OutputSample.run, []

    def stopping_at(call):
        def stopping(*arguments):
            calls.append(arguments)
            if len(calls) == call:
                signal.raise_signal(signal.SIGINT)
            return run(*arguments)

        calls.clear()
        monkeypatch.setattr(OutputSample, "run", stopping)

    stopping_at(3)
    answer = asara("bottleneck", *SMALL, "--seeds", 2, "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert "interrupted before the first results were complete" in answer.err
    assert list(tmp_path.iterdir()) == []
    stopping_at(None)
    whole = asara("bottleneck", *SMALL, "--seeds", 1, "--json")
    stopping_at(len(calls) + 2)
    answer = asara("bottleneck", *SMALL, "--seeds", 2, "--json")
    assert (answer.code, answer.out) == (2, whole.out)
    assert "interrupted after 1 of 2 seeds" in answer.err


def test_parse_doublings_returns_numbers():
    assert parse_doublings("0") == [0.0]
    assert parse_doublings("0, 1.5,4") == [0.0, 1.5, 4.0]


def test_sentence_names_the_limiting_input(measured):
    fixed, _, frontier = (sentence(case) for case in measured.cases)
    assert "experiments get cheaper as fast as the researchers multiply" in fixed
    assert "More researchers alone can multiply output by at most" in fixed
    assert "More researchers alone cannot raise output, because no GPU is idle." in frontier
    assert "The load reaches 1 at " in frontier


def test_run_without_papers_raises_error(monkeypatch):
    monkeypatch.setattr("experiments.bottleneck.steady_state.PAPERS", 1e-3)
    monkeypatch.setattr("experiments.bottleneck.steady_state.IDLE", ObservationWindow(0.5, 1e-6))
    scenario = repairman(0.3)
    with pytest.raises(ScenarioError, match="there is no estimate"):
        OutputSample.run(scenario, setting_at(scenario, 0.0, 1.0), 0)


def test_figure_has_its_legend_above_the_panel_and_explains_its_terms(measured):
    figure = bottleneck_figure(measured)
    FigureCanvasAgg(figure).draw()
    first = figure.axes[0]
    assert first.get_legend().get_window_extent().y0 > first.get_window_extent().y1
    title = next(text for text in figure.subfigs[0].texts if text.get_text().startswith("What 1% more"))
    assert not title.get_window_extent().overlaps(first.get_legend().get_window_extent())
    found = bottleneck_picture(measured, "svg").decode()
    for words in ("The balance point is at 1", "Sigma (σ), the elasticity of substitution", "Load: the GPUs that"):
        assert words in found
    assert "seeds 0 to 2 · engine world · asara" in found
    assert f"scenario digest {measured.digest[:12]}" in found
