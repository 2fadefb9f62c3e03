"""The recursion against a plain restatement, the counts against theory, and the same worlds however they are run."""

import math

import numpy as np
import pytest
from scipy import stats

from experiments.mc import load_priors
from sim import growth, montecarlo
from sim.montecarlo import quantiles, run_study, share, simulate
from sim.study import Inputs
from tests.oracles import successor as oracle

WINDOWS = (1, 24, 26, 80)


def inputs_of(f, r0, years, p):
    return Inputs(3 / f, r0, p, 8 * years)


def endless(first, r, p=1.0):
    """Worlds without a limit."""
    first, r = np.broadcast_arrays(np.asarray(first, float), np.asarray(r, float))
    return Inputs(first.copy(), r.copy(), np.full(r.shape, p), np.full(r.shape, np.inf))


@pytest.mark.parametrize(("retraining", "rule"), [(False, oracle.plain), (True, oracle.by_its_text)])
def test_each_world_is_the_plain_recursion(retraining, rule):
    drawn = oracle.draws(400, seed=11)
    found = simulate(inputs_of(*drawn), WINDOWS, oracle.HORIZON, retraining=retraining)
    for world, (f, r0, years, p) in enumerate(zip(*drawn, strict=True)):
        dates = oracle.times(f, r0, years, p, rule)
        for window in WINDOWS:
            exact = oracle.shortest(dates, window)
            assert found.shortest_months[window][world] == pytest.approx(exact, rel=1e-9, abs=1e-12), (world, window)


def test_the_explosion_is_when_the_fastest_doubling_is_done():
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


def test_without_a_limit_it_is_the_closed_form():
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


def test_reports_doublings_come_out_of_the_recursion():
    """Papers 2, 3, ... by a team that doubles: 2, 1.5, 1.125, 0.84375 months (r = 1/log2 1.5)."""
    rows = np.empty((4, 1))
    worlds = endless([2.0], [1 / math.log2(1.5)])
    dates = [float(row[0]) for row in growth.doubling_times(*worlds, 100.0, rows=rows)]
    np.testing.assert_allclose(np.diff([0, *dates]), [2, 1.5, 1.125, 0.84375])


def test_retraining_damps_both_ways():
    r = np.array([0.01, 0.5, 1.0, 2.0, 1e9])
    damped, free = growth.ratio_exponent(r, 1.0, True), growth.ratio_exponent(r, 1.0)
    assert (np.abs(damped) <= np.abs(free)).all()
    assert (np.sign(damped) == np.sign(free)).all()
    assert (damped < 1).all()


def test_vectorised_closed_forms_are_the_scalar_ones():
    exponent = np.array([-0.4, -0.1, 0.0, 0.3])
    for time in (0.5, 3.0, 48.0):
        exact = [float(growth.software_at(time, 2.0, 2.0**each)) for each in exponent]
        np.testing.assert_allclose(growth.doublings_by(time, 2.0, exponent), exact)
    exact = [growth.explosion_time(2.0, 2.0**each) for each in exponent]
    np.testing.assert_allclose(growth.explosion_times(2.0, exponent), exact)


def test_a_limit_ends_the_doublings_and_the_last_one_begins_before_it():
    worlds = Inputs(np.array([0.1, 0.1]), np.array([2.0, 2.0]), np.array([0.3, 0.3]), np.array([10.0, 9.5]))
    found = simulate(worlds, (9, 10, 11), 1e6)
    assert [np.isfinite(found.shortest_months[window]).tolist() for window in (9, 10, 11)] == [
        [True, True], [True, True], [False, False]
    ]  # fmt: skip


def test_a_stretch_beyond_the_horizon_does_not_count():
    worlds = endless([10.0, 10.0], [1.0, 1.2])
    found = simulate(worlds, (3, 4, 5), 48.0)
    assert found.shortest_months[4].tolist()[0] == pytest.approx(40.0)
    assert found.shortest_months[5][0] == math.inf
    dates = [growth.time_of_doubling(n, 10.0, float(growth.doubling_ratio(1.2))) for n in range(20)]
    last = max(n for n, date in enumerate(dates) if date <= 48)
    assert found.shortest_months[3][1] == pytest.approx(dates[last] - dates[last - 3])


def test_worlds_that_are_left_while_they_get_faster_are_counted():
    found = simulate(endless([1.0, 1.0, 1.0], [1.001, 2.0, 0.5]), (1,), 48.0, most_doublings=5)
    assert found.cut.tolist() == [True, False, False], "the second explodes in time, the third slows down"
    assert not simulate(endless([1.0], [1.001]), (1,), 48.0).cut.any()


def test_the_same_worlds_whatever_the_threads_and_the_first_of_more(monkeypatch):
    monkeypatch.setattr(montecarlo, "CHUNK", 512)
    study = load_priors("successor").study
    one, found = run_study(study, 3000, seed=4, workers=1)
    for workers in (2, 5):
        other, again = run_study(study, 3000, seed=4, workers=workers)
        assert all((one[name] == other[name]).all() for name in one)
        assert all((found.shortest_months[k] == again.shortest_months[k]).all() for k in study.windows)
        assert all((left == right).all() for left, right in zip(found[1:], again[1:], strict=True))
    fewer, _ = run_study(study, 1300, seed=4)
    assert all((one[name][:1300] == fewer[name]).all() for name in one)
    other, _ = run_study(study, 1300, seed=5)
    assert (other["r"] != fewer["r"]).all()
    assert (one["r"][:512] != one["r"][512:1024]).all(), "each chunk has luck of its own"


def test_what_is_drawn_is_run():
    study = load_priors("successor-retraining").study
    drawn, found = run_study(study, 2000, seed=3)
    again = simulate(study.inputs_of(drawn), study.windows, study.horizon_months, retraining=True)
    assert all((left == right).all() for left, right in zip(found[1:], again[1:], strict=True))
    assert all((found.shortest_months[k] == again.shortest_months[k]).all() for k in study.windows)


def test_one_input_more_leaves_the_luck_of_the_others():
    study = load_priors("successor").study
    other = study._replace(inputs={name: study.inputs[name] for name in ("r", "speedup")})
    assert (study.draw(1, 0, 50)["speedup"] == other.draw(1, 0, 50)["speedup"]).all()


def test_somebody_who_looks_sees_it_end(monkeypatch):
    monkeypatch.setattr(montecarlo, "CHUNK", 256)
    seen = []
    run_study(load_priors("successor").study, 1000, tell=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1000


def test_an_error_within_a_thread_is_raised(monkeypatch):
    def broken(*_, **__):
        raise ArithmeticError("as if")

    monkeypatch.setattr(growth, "doubling_times", broken)
    with pytest.raises(ArithmeticError, match="as if"):
        simulate(endless([1.0], [2.0]), (1,), 48.0)


def test_inputs_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        simulate(Inputs(np.ones(2), np.ones(2), np.ones(3), np.ones(2)), (1,), 48.0)


def test_wilsons_interval():
    for hits, n in ((0, 20), (3, 20), (20, 20), (583, 1000)):
        found = share(np.arange(n) < hits)
        exact = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert (found.worlds, found.probability) == (hits, hits / n)
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_quantiles_are_values_and_infinity_mixes_with_none():
    values = np.array([3.0, 1.0, math.inf, 2.0])
    assert quantiles(values, (0.25, 0.5, 0.75, 0.95)) == [1.0, 2.0, 3.0, math.inf]
    assert all(math.isnan(value) for value in quantiles(np.array([]), (0.5, 0.9)))
