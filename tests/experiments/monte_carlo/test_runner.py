"""The recursion against a plain restatement, the counts against theory, and the same worlds however they are run."""

import math

import numpy as np
import pytest
from scipy import stats

from agents.params import TrainingParams
from experiments.monte_carlo import runner
from experiments.monte_carlo import spec as study_module
from experiments.monte_carlo.priors import load_priors
from experiments.monte_carlo.runner import estimate_probability, quantiles, run_study, simulate
from experiments.monte_carlo.spec import Inputs
from sim import growth
from sim.fluid.api import fluid, run_fluid
from sim.scenario.model import Scenario
from tests.oracles import successor as oracle

WINDOWS = (1, 24, 26, 80)


def inputs_of(f, r0, years, p):
    return Inputs(3 / f, r0, p, 8 * years)


def endless(first, r, p=1.0):
    """Worlds without a limit."""
    first, r = np.broadcast_arrays(np.asarray(first, float), np.asarray(r, float))
    return Inputs(first.copy(), r.copy(), np.full(r.shape, p), np.full(r.shape, np.inf))


@pytest.mark.parametrize(("retraining", "rule"), [("none", oracle.plain), ("damped", oracle.by_its_text)])
def test_simulate_equals_the_scalar_recursion(retraining, rule):
    drawn = oracle.draws(400, seed=11)
    found = simulate(inputs_of(*drawn), WINDOWS, oracle.HORIZON, retraining=retraining)
    for world, (f, r0, years, p) in enumerate(zip(*drawn, strict=True)):
        dates = oracle.times(f, r0, years, p, rule)
        for window in WINDOWS:
            exact = oracle.shortest(dates, window)
            assert found.shortest_months[window][world] == pytest.approx(exact, rel=1e-9, abs=1e-12), (world, window)


def test_simulate_explosion_is_the_end_of_the_fastest_doubling():
    drawn = oracle.draws(400, seed=12)
    found = simulate(inputs_of(*drawn), (1,), oracle.HORIZON)
    assert (found.explodes == (drawn[1] > 1)).all()
    for world, (f, r0, years, p) in enumerate(zip(*drawn, strict=True)):
        if r0 > 1:
            dates = oracle.times(f, r0, years, p)
            fastest = int(np.argmin(np.diff(dates))) + 1
            assert found.explosion_doublings[world] == fastest
            assert found.explosion_months[world] == pytest.approx(dates[fastest], rel=1e-9)
        else:
            assert found.explosion_months[world] == math.inf
    assert not found.cut.any()


def test_simulate_without_a_limit_equals_the_closed_form():
    first, r = 1.0, np.array([0.63, 0.9, 1.0, 1.0595, 1.4, 3.0])
    found = simulate(endless(first, r), (1, 5), 48.0)
    q = growth.doubling_ratio(r)
    for world, ratio in enumerate(q):
        explosion = growth.explosion_time(first, float(ratio))
        within = explosion if explosion <= 48 else math.inf
        assert found.explosion_months[world] == pytest.approx(within)
    slow = r <= 1
    five = [growth.time_of_doubling(5, first, float(ratio)) for ratio in q[slow]]
    np.testing.assert_allclose(found.shortest_months[5][slow], five, rtol=1e-12)
    np.testing.assert_allclose(found.shortest_months[5][4:], 0.0, atol=1e-12)


def test_doubling_times_of_the_toy_model_equal_the_report():
    """Papers 2, 3, ... by a team that doubles: 2, 1.5, 1.125, 0.84375 months (r = 1/log2 1.5)."""
    rows = np.empty((4, 1))
    worlds = endless([2.0], [1 / math.log2(1.5)])
    dates = [float(row[0]) for row in growth.doubling_times(*worlds, 100.0, rows=rows)]
    np.testing.assert_allclose(np.diff([0, *dates]), [2, 1.5, 1.125, 0.84375])


def test_ratio_exponent_with_damping_is_nearer_to_zero():
    r = np.array([0.01, 0.5, 1.0, 2.0, 1e9])
    damped, free = growth.ratio_exponent(r, 1.0, True), growth.ratio_exponent(r, 1.0)
    assert (np.abs(damped) <= np.abs(free)).all()
    assert (np.sign(damped) == np.sign(free)).all()
    assert (damped < 1).all()


PHI = 0.323


def world_chain(f, r0, years, p, phi):
    """Dates of doublings where n^p researchers with n = 2^((1 - phi) D) work, one doubling after the other."""
    dates, first, n = [0.0], 3 / f, 0
    while (r := r0 * (1 - n / (8 * years))) > 0:
        if n > 0:  # effort needed grows 2^(p/r)-fold, and researchers 2^(1 - phi)-fold
            first *= 2.0 ** min(1000.0, p / r) / (2.0 ** (1 - phi)) ** p
        if dates[-1] + first > oracle.HORIZON:
            break
        dates.append(dates[-1] + first)
        n += 1
    return dates


def test_share_simulate_equals_the_scalar_recursion():
    drawn = oracle.draws(300, seed=21)
    found = simulate(inputs_of(*drawn), WINDOWS, oracle.HORIZON, retraining="share", speed_share=PHI)
    for world, (f, r0, years, p) in enumerate(zip(*drawn, strict=True)):
        dates = world_chain(f, r0, years, p, PHI)
        for window in WINDOWS:
            exact = oracle.shortest(dates, window)
            assert found.shortest_months[window][world] == pytest.approx(exact, rel=1e-9, abs=1e-12), (world, window)
        explosive = r0 * (1 - PHI) > 1
        assert found.explodes[world] == explosive
        fastest = int(np.argmin(np.diff(dates))) + 1
        assert found.explosion_doublings[world] == (fastest if explosive else math.inf)
        assert found.explosion_months[world] == pytest.approx(dates[fastest] if explosive else math.inf, rel=1e-9)


def test_share_without_a_limit_explodes_at_the_closed_form_date():
    r = np.array([0.9, 1.4, 1.4770, 1.4772, 2.0, 3.0])
    found = simulate(endless(1.0, r), (1,), 1e5, retraining="share", speed_share=PHI)
    assert found.explodes.tolist() == [False, False, False, True, True, True]
    ratio = 2 ** (1 / r[4:] - (1 - PHI))
    assert found.explosion_months[4:] == pytest.approx(1 / (1 - ratio))
    assert np.isinf(found.explosion_months[:3]).all()


@pytest.mark.parametrize("phi", [0.0, 1.0])
def test_share_at_its_bounds_equals_no_retraining_or_never_explodes(phi):
    drawn = oracle.draws(300, seed=22)
    found = simulate(inputs_of(*drawn), (24,), oracle.HORIZON, retraining="share", speed_share=phi)
    if phi == 0:
        free = simulate(inputs_of(*drawn), (24,), oracle.HORIZON)
        assert (found.shortest_months[24] == free.shortest_months[24]).all()
        assert (found.explodes == free.explodes).all()
    else:
        assert not found.explodes.any()
        assert np.isinf(found.explosion_months).all()


@pytest.mark.parametrize(("rule", "worlds"), [("none", 2), ("damped", 2), ("share", 1)])
def test_explosions_depend_on_the_share_and_not_on_damping(rule, worlds):
    r = np.array([0.99, 1.2, 2.0])
    found = simulate(endless(1.0, r), (1,), 48.0, retraining=rule, speed_share=PHI)
    assert np.count_nonzero(found.explodes) == worlds
    assert (found.explodes == runner.explodes(r, rule, PHI)).all()


def test_share_of_a_study_equals_the_default_of_the_world():
    assert TrainingParams().speedup_exponent == study_module.SPEED_SHARE
    assert pytest.approx(math.log(3) / math.log(30), abs=5e-4) == study_module.SPEED_SHARE
    assert load_priors("successor").study.speed_share == study_module.SPEED_SHARE


LAB = Scenario.load("returns-3").replace(
    cluster__gpus=16,
    cluster__inference_share=0.5,
    cluster__training_share=0.5,
    training__required=True,
    training__first_run_days=1e-3,
    run__max_doublings=40,
    run__horizon_days=1e6,
)
"""A lab without experiments; its first training run takes a minute and a half."""


@pytest.mark.parametrize("p", [1.0, 0.6])
@pytest.mark.parametrize(("r", "phi"), [(0.9, 0.1), (1.2, 0.1), (0.9, 0.323), (1.2, 0.323), (2.0, 0.323)])
def test_share_recursion_equals_the_long_run_of_a_fluid_lab(r, phi, p):
    lab = LAB.replace(growth__r=r, growth__parallel_penalty=p, training__speedup_exponent=phi)
    days = [doubling.duration_days for doubling in run_fluid(lab).doublings]
    rows = np.empty((len(days), 1))
    one = [np.array([each]) for each in (1.0, r, p, math.inf)]
    dates = np.array(list(growth.doubling_times(*one, math.inf, speedup_exponent=phi, rows=rows)))[:, 0]
    durations = np.diff([0, *dates])
    half = len(days) // 2
    assert len(days) >= 20
    lab_ratio, ratio = days[-1] / days[half], durations[-1] / durations[half]
    assert lab_ratio == pytest.approx(ratio, rel=1e-3)
    assert (lab_ratio < 1) == bool(runner.explodes(np.array([r]), "share", phi)[0])


def test_share_with_slow_training_runs_slows_an_explosion():
    """Each doubling shortens training runs by 2^-phi; a lab with doublings that shrink faster waits for them."""
    lab = LAB.replace(growth__r=4.0, training__first_run_days=20.0)
    days = [doubling.duration_days for doubling in run_fluid(lab).doublings]
    waiting = math.log2(days[-1] / days[-21]) / 20
    assert 1 / 4 - (1 - PHI) + 0.02 < waiting < 0, "slower than the recursion, and still faster each time"


@pytest.mark.slow
def test_shipped_lab_explodes_only_if_r_exceeds_the_experiment_bound():
    """With s = 0.5 the GPUs for experiments bind in the end: r(1 - s) > 1, with and without training runs."""
    cases = [(r, needed) for r in (1.9, 2.1) for needed in (True, False)]
    lab = Scenario.load("lab").replace(run__max_doublings=40, run__horizon_days=1e6)
    days = fluid([lab.replace(growth__r=r, training__required=needed) for r, needed in cases]).doubling_days
    faster = days[:, 39] < days[:, 32]
    assert faster.tolist() == [r * (1 - lab.researcher.experiment_scaling) > 1 for r, _ in cases]


def test_vectorised_closed_forms_equal_the_scalar_ones():
    exponent = np.array([-0.4, -0.1, 0.0, 0.3])
    for time in (0.5, 3.0, 48.0):
        exact = [float(growth.software_at(time, 2.0, 2.0**each)) for each in exponent]
        np.testing.assert_allclose(growth.doublings_by(time, 2.0, exponent), exact)
    exact = [growth.explosion_time(2.0, 2.0**each) for each in exponent]
    np.testing.assert_allclose(growth.explosion_times(2.0, exponent), exact)


def test_simulate_with_a_limit_counts_doublings_begun_before_it():
    worlds = Inputs(np.array([0.1, 0.1]), np.array([2.0, 2.0]), np.array([0.3, 0.3]), np.array([10.0, 9.5]))
    found = simulate(worlds, (9, 10, 11), 1e6)
    assert [np.isfinite(found.shortest_months[window]).tolist() for window in (9, 10, 11)] == [
        [True, True],
        [True, True],
        [False, False],
    ]


def test_simulate_ignores_windows_beyond_the_horizon():
    worlds = endless([10.0, 10.0], [1.0, 1.2])
    found = simulate(worlds, (3, 4, 5), 48.0)
    assert found.shortest_months[4].tolist()[0] == pytest.approx(40.0)
    assert found.shortest_months[5][0] == math.inf
    dates = [growth.time_of_doubling(n, 10.0, float(growth.doubling_ratio(1.2))) for n in range(20)]
    last = max(n for n, date in enumerate(dates) if date <= 48)
    assert found.shortest_months[3][1] == pytest.approx(dates[last] - dates[last - 3])


def test_simulate_counts_worlds_truncated_while_speeding_up():
    found = simulate(endless([1.0, 1.0, 1.0], [1.001, 2.0, 0.5]), (1,), 48.0, most_doublings=5)
    assert found.cut.tolist() == [True, False, False], "the second explodes in time, the third slows down"
    assert not simulate(endless([1.0], [1.001]), (1,), 48.0).cut.any()


def test_run_study_draws_do_not_depend_on_threads_or_size(monkeypatch):
    monkeypatch.setattr(runner, "CHUNK", 512)
    study = load_priors("successor").study
    one, found = run_study(study, 3000, seed=4, workers=1)
    for workers in (2, 5):
        other, again = run_study(study, 3000, seed=4, workers=workers)
        assert all((one[name] == other[name]).all() for name in one)
        assert all((found.shortest_months[k] == again.shortest_months[k]).all() for k in study.doubling_counts)
        assert all((left == right).all() for left, right in zip(found[1:], again[1:], strict=True))
    fewer, _ = run_study(study, 1300, seed=4)
    assert all((one[name][:1300] == fewer[name]).all() for name in one)
    other, _ = run_study(study, 1300, seed=5)
    assert (other["r"] != fewer["r"]).all()
    assert (one["r"][:512] != one["r"][512:1024]).all(), "each chunk has its own random stream"


def test_run_study_simulates_its_draws():
    study = load_priors("successor-retraining").study
    drawn, found = run_study(study, 2000, seed=3)
    again = simulate(study.inputs_of(drawn), study.doubling_counts, study.horizon_months, retraining="damped")
    assert all((left == right).all() for left, right in zip(found[1:], again[1:], strict=True))
    assert all((found.shortest_months[k] == again.shortest_months[k]).all() for k in study.doubling_counts)


def test_study_with_another_input_keeps_the_draws_of_the_others():
    study = load_priors("successor").study
    other = study._replace(inputs={name: study.inputs[name] for name in ("r", "speedup")})
    assert (study.draw(1, 0, 50)["speedup"] == other.draw(1, 0, 50)["speedup"]).all()


def test_run_study_reports_its_progress_to_the_end(monkeypatch):
    monkeypatch.setattr(runner, "CHUNK", 256)
    seen = []
    run_study(load_priors("successor").study, 1000, on_progress=seen.append)
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert seen[-1].what == "1,000 of 1,000 worlds"


def test_simulate_raises_an_error_of_its_threads(monkeypatch):
    def broken(*_, **__):
        raise ArithmeticError("as if")

    monkeypatch.setattr(growth, "doubling_times", broken)
    with pytest.raises(ArithmeticError, match="as if"):
        simulate(endless([1.0], [2.0]), (1,), 48.0)


def test_simulate_with_inputs_of_different_lengths_raises():
    with pytest.raises(ValueError, match="differ in length"):
        simulate(Inputs(np.ones(2), np.ones(2), np.ones(3), np.ones(2)), (1,), 48.0)


def test_estimate_probability_has_the_wilson_interval_of_scipy():
    for hits, n in ((0, 20), (3, 20), (20, 20), (583, 1000)):
        found = estimate_probability(np.arange(n) < hits)
        exact = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert (found.worlds, found.probability) == (hits, hits / n)
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_quantiles_return_observed_values_including_infinity():
    values = np.array([3.0, 1.0, math.inf, 2.0])
    assert quantiles(values, (0.25, 0.5, 0.75, 0.95)) == [1.0, 2.0, 3.0, math.inf]
    assert all(math.isnan(value) for value in quantiles(np.array([]), (0.5, 0.9)))
