"""Test designs and their runs, which depend neither on the order of calls nor on the folder of the file."""

import json
import math
import pickle
import random
import subprocess
import sys
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.design import design as designs
from experiments.design import sampling
from experiments.design.design import SEEDS, load_design, run_seed, shipped_designs, to_toml
from sim.long_run import long_run
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from tests.support.properties import examples

ROOT = Path(__file__).parents[3]
R = {"distribution": "lognormal", "ci80": [0.7, 3.0]}
GAIN = {"distribution": "uniform", "low": 1.5, "high": 4}
GPUS = {"distribution": "log-uniform", "low": 64, "high": 4096}


def design(folder, content, name="mine", **asked):
    path = folder / f"{name}.toml"
    path.write_text(tomli_w.dumps(content))
    return load_design(str(path), **asked)


def sampled(**more):
    return {"sampling": "sobol", "n": 32, "uncertainties": {"growth__r": R}} | more


def column(found, name):
    return [found.values(point)[name] for point in range(found.points)]


# --- what is drawn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["sobol", "latin-hypercube", "random"])
def test_draws_have_the_distribution_of_the_file(tmp_path, sampling):
    found = design(tmp_path, sampled(sampling=sampling, n=2048))
    sigma = math.log(3.0 / 0.7) / (2 * stats.norm.ppf(0.9))
    exact = stats.lognorm(sigma, scale=math.sqrt(0.7 * 3.0))
    assert stats.kstest(column(found, "growth__r"), exact.cdf).pvalue > 0.01


@pytest.mark.parametrize("sampling", ["sobol", "latin-hypercube", "random"])
def test_draws_have_the_rank_correlations_of_the_file(tmp_path, sampling):
    content = sampled(sampling=sampling, n=4096, uncertainties={"growth__r": R, "training__gain": GAIN})
    content["correlations"] = [{"between": ["training__gain", "growth__r"], "rank": -0.6}]
    found = design(tmp_path, content)
    seen = stats.spearmanr(column(found, "growth__r"), column(found, "training__gain")).statistic
    assert seen == pytest.approx(-0.6, abs=4 * (1 - 0.36) / math.sqrt(4096))


def test_draws_of_an_integer_parameter_are_rounded_and_uniform(tmp_path):
    dice = {"distribution": "uniform", "low": 0.5, "high": 6.5}
    found = design(tmp_path, sampled(sampling="latin-hypercube", n=60, uncertainties={"cluster__gpus_per_node": dice}))
    values = column(found, "cluster__gpus_per_node")
    assert {type(value) for value in values} == {int}
    assert sorted(values) == sorted(list(range(1, 7)) * 10)


def test_grid_has_the_midpoints_of_equal_shares(tmp_path):
    content = {"sampling": "grid", "uncertainties": {"training__gain": GAIN | {"levels": 5}}}
    content["levers"] = {"cluster__gpus": [64, 128], "training__required": [True, False]}
    found = design(tmp_path, content)
    np.testing.assert_allclose(column(found, "training__gain"), [1.75, 2.25, 2.75, 3.25, 3.75], rtol=1e-12)
    assert (found.points, found.combinations, len(found)) == (5, 4, 20)
    levers = [found.lever_values(number) for number in range(4)]
    assert levers == [{"cluster__gpus": g, "training__required": n} for g, n in product([64, 128], [True, False])]


def test_one_at_a_time_changes_one_parameter_with_common_random_numbers(tmp_path):
    content = {
        "sampling": "one-at-a-time",
        "replications": 2,
        "uncertainties": {"growth__r": R, "training__gain": GAIN},
    }
    content["levers"] = {"cluster__gpus": [256, 1024], "training__required": [True, False]}
    found = design(tmp_path, content)
    plans = [found.planned(number) for number in range(len(found))]
    middle = plans[0].changes
    assert middle == pytest.approx({"growth__r": math.sqrt(0.7 * 3.0), "training__gain": 2.75})
    moved = [{name: value for name, value in plan.changes.items() if middle.get(name) != value} for plan in plans[::2]]
    uncertain = [{"growth__r": 0.7}, {"growth__r": 3.0}, {"training__gain": 1.75}, {"training__gain": 3.75}]
    assert moved[0] == {} and moved[1:5] == [pytest.approx(each) for each in uncertain]
    assert moved[5:] == [{"cluster__gpus": 256}, {"training__required": False}], "the base has the other two"
    assert {plan.seed for plan in plans} == {plans[0].seed, plans[1].seed}
    assert [(plan.point, plan.lever) for plan in plans[::2]] == [*((point, 0) for point in range(5)), (0, 1), (0, 2)]


def test_range_of_a_lever_equals_its_list(tmp_path):
    ladders = {"researcher__experiment_scaling": {"low": 0, "high": 1, "count": 11}}
    ladders["cluster__gpus"] = {"low": 128, "high": 1024, "count": 4, "log": True}
    lists = {"researcher__experiment_scaling": [n / 10 for n in range(11)], "cluster__gpus": [128, 256, 512, 1024]}
    one, other = (design(tmp_path, {"sampling": "grid", "levers": levers}) for levers in (ladders, lists))
    assert one.levers == other.levers and one.digest == other.digest


# --- seeds -----------------------------------------------------------------------------------------------


def test_levers_have_common_random_numbers(tmp_path):
    found = design(tmp_path, sampled(replications=3, levers={"cluster__gpus": [256, 512], "training__gain": [2, 3, 4]}))
    plans = [found.planned(number) for number in range(len(found))]
    luck = {(plan.point, plan.replication): plan.seed for plan in plans}
    assert len(plans) == 32 * 6 * 3 and len(set(luck.values())) == len(luck) == 32 * 3
    for plan in plans:
        assert plan.seed == luck[plan.point, plan.replication] and 0 <= plan.seed < SEEDS
        assert plan.changes["growth__r"] == found.values(plan.point)["growth__r"]
    assert len({(plan.point, plan.lever, plan.replication) for plan in plans}) == len(plans)
    assert not {plan.seed for plan in plans} & {run_seed(1, point, 0) for point in range(1000)}


@pytest.mark.slow
def test_paired_seeds_reduce_the_variance_of_an_effect_tenfold(tmp_path):
    """Toy explosions with papers 1.5- and 1.6-fold; docs/reference/sweeps.md: 139-fold by doubling 7, 100 seeds."""
    content = {"base": "toy-explosion", "sampling": "grid", "replications": 40, "set": {"run__max_doublings": 5}}
    found = design(tmp_path, content | {"levers": {"growth__difficulty_growth": [1.5, 1.6]}})
    plans = [found.planned(number) for number in range(len(found))]
    days = np.array([run(found.scenario(plan), plan.seed).doublings[-1].day for plan in plans]).reshape(2, 40)
    assert np.var(days[1] - days[0], ddof=1) < np.var(days, axis=1, ddof=1).sum() / 10


def test_larger_design_starts_with_the_runs_of_the_smaller(tmp_path):
    small, large = (design(tmp_path, sampled(n=n, levers={"cluster__gpus": [64, 128]})) for n in (32, 128))
    assert [small.planned(number) for number in range(len(small))] == [large.planned(number) for number in range(64)]


# --- the same whoever asks -------------------------------------------------------------------------------


def test_planned_does_not_depend_on_earlier_calls(tmp_path, monkeypatch):
    for module in (designs, sampling):
        monkeypatch.setattr(module, "BLOCK", 64)
    content = sampled(sampling="random", n=64 + 50, uncertainties={"growth__r": R, "cluster__gpus": GPUS})
    found, again = (design(tmp_path, content) for _ in range(2))
    numbers = list(range(len(found)))
    plans = {number: found.planned(number) for number in numbers}
    random.Random(3).shuffle(numbers)
    assert all(again.planned(number) == plans[number] for number in numbers)
    assert pickle.loads(pickle.dumps(found)).planned(71) == plans[71]
    with pytest.raises(IndexError):
        found.planned(len(found))


@pytest.mark.slow
def test_planned_in_another_process_is_equal():
    code = "from experiments.design.design import load_design as l; d = l('report'); print(d.digest, d.planned(77))"
    asked, environment = [sys.executable, "-c", code], {"PYTHONHASHSEED": "12"}
    said = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    found = load_design("report")
    assert said == f"{found.digest} {found.planned(77)}\n"


NUMBERS = {"growth__r": R, "training__gain": GAIN, "cluster__gpus": GPUS}
LEVERS = {
    "training__required": st.just([True, False]),
    "cluster__queue": st.lists(st.sampled_from(["fcfs", "easy", "sjf"]), min_size=1, max_size=3, unique=True),
    "training__speedup_exponent": st.lists(st.floats(0, 1) | st.integers(0, 1), min_size=1, max_size=3, unique=True),
    "run__horizon_days": st.lists(st.floats(1, 1e6), min_size=1, max_size=2, unique=True),
}


@st.composite
def contents(draw):
    sampling = draw(st.sampled_from(["sobol", "latin-hypercube", "random", "grid", "one-at-a-time"]))
    chosen = draw(st.lists(st.sampled_from(list(NUMBERS)), min_size=1, unique=True))
    levers = draw(st.lists(st.sampled_from(list(LEVERS)), unique=True))
    content = {
        "description": draw(st.text(max_size=5)),
        "sampling": sampling,
        "seed": draw(st.integers(0, 2**63 - 1)),
        "uncertainties": {name: NUMBERS[name] | ({"levels": 2} if sampling == "grid" else {}) for name in chosen},
        "levers": {name: draw(LEVERS[name]) for name in levers},
        "replications": draw(st.integers(1, 3)),
        "set": {"run__max_doublings": draw(st.integers(1, 9))},
    }
    if sampling not in ("grid", "one-at-a-time"):
        content["n"] = 2 ** draw(st.integers(0, 5))
        if len(chosen) > 1 and draw(st.booleans()):
            content["correlations"] = [{"between": chosen[:2], "rank": draw(st.floats(-0.9, 0.9))}]
    return content


@pytest.mark.slow
@examples(30)
@given(contents(), st.data())
def test_to_toml_round_trip_returns_an_equal_design(tmp_path_factory, content, data):
    folder = tmp_path_factory.mktemp("designs")
    found = design(folder, content)
    path = folder / "written.toml"
    path.write_text(to_toml(found))
    again = load_design(str(path))
    assert (again.digest, again.content, len(again)) == (found.digest, found.content, len(found))
    assert json.loads(json.dumps(found.content)) == found.content
    number = data.draw(st.integers(0, len(found) - 1))
    assert again.planned(number) == found.planned(number)
    assert again.scenario(again.planned(number)).digest() == found.scenario(found.planned(number)).digest()


# --- the digest ------------------------------------------------------------------------------------------


def test_digest_depends_on_runs_and_not_on_names(tmp_path):
    levers = {"cluster__gpus": [256, 512], "training__required": [True, False]}
    first = design(tmp_path, sampled(levers=levers, **{"set": {"run__max_doublings": 5}}))
    backwards = dict(reversed(levers.items()))
    same = sampled(levers=backwards, description="Mine.", seed=0, engine="world", **{"set": {"run__max_doublings": 5}})
    assert design(tmp_path, same, "renamed").digest == first.digest
    (tmp_path / "five.toml").write_text("[run]\nmax_doublings = 5\n")
    assert design(tmp_path, sampled(levers=levers, base="five.toml")).digest == first.digest
    assert design(tmp_path, sampled(levers=levers), changes={"run__max_doublings": 5}).digest == first.digest
    others = [
        {"n": 64},
        {"seed": 1},
        {"replications": 2},
        {"engine": "fluid"},
        {"levers": {}},
        {"set": {"training__gain": 3}},
    ]
    digests = {design(tmp_path, sampled(levers=levers) | other).digest for other in others}
    assert len(digests) == len(others) and first.digest not in digests


def test_design_with_an_own_base_contains_its_parameters(tmp_path):
    (tmp_path / "own.toml").write_text("[cluster]\ngpus = 64\n[growth]\nr = 3.0\n")
    found = design(tmp_path, {"sampling": "grid", "base": "own.toml", "levers": {"training__gain": [2, 3]}})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.toml").write_text(to_toml(found))
    again = load_design(str(tmp_path / "elsewhere" / "a.toml"))
    assert again.digest == found.digest and again.base.cluster.gpus == 64
    assert (found.content["base"], found.content["set"]) == ("lab", {"cluster__gpus": 64, "growth__r": 3.0})


def test_uncertainty_with_from_reads_the_distribution_of_another_file(tmp_path):
    (tmp_path / "fit.toml").write_text(tomli_w.dumps({"description": "A fit.", "uncertainties": {"growth__r": R}}))
    (tmp_path / "bare.toml").write_text(tomli_w.dumps(R | {"source": "Somewhere."}))
    direct = design(tmp_path, sampled())
    for file in ("fit.toml", "bare.toml"):
        assert design(tmp_path, sampled(uncertainties={"growth__r": {"from": file}})).digest == direct.digest
    cut = design(tmp_path, sampled(uncertainties={"growth__r": {"from": "fit.toml", "max": 2.0}}))
    assert cut.uncertainties["growth__r"].support == (0.0, 2.0)
    assert cut.content["uncertainties"]["growth__r"] == R | {"max": 2.0}


def test_load_design_with_engine_fluid_has_one_replication(tmp_path):
    found = design(tmp_path, sampled(replications=4), engine="fluid")
    assert (found.engine, found.replications, len(found)) == ("fluid", 1, 32)


def test_scenario_of_an_invalid_draw_raises_error_for_that_run_only(tmp_path):
    limit = {"distribution": "uniform", "low": 0, "high": 40}
    found = design(tmp_path, sampled(sampling="random", n=200, uncertainties={"growth__limit_doublings": limit}))
    bad = 0
    for number in range(len(found)):
        planned = found.planned(number)
        if 0 < planned.changes["growth__limit_doublings"] < 2:
            bad += 1
            with pytest.raises(ScenarioError, match="at least 2 doublings"):
                found.scenario(planned)
        else:
            assert found.scenario(planned).growth.limit_doublings >= 2
    assert bad


# --- shipped ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_designs())
def test_shipped_designs_can_be_run(name):
    found = load_design(name)
    assert found.description.count("?") >= 1, "the description states the question"
    for number in np.linspace(0, len(found) - 1, 40).astype(int):
        assert isinstance(found.scenario(found.planned(int(number))), Scenario)


def test_shipped_designs_equal_those_of_the_docs():
    sizes = {name: len(load_design(name)) for name in shipped_designs()}
    assert sizes == {
        "bottlenecks": 308,
        "governance": 224,
        "quick": 128,
        "race": 192,
        "report": 512,
        "retraining": 187,
        "road": 64,
    }


@pytest.mark.slow
def test_retraining_design_has_the_border_of_the_closed_form():
    """Gains of g that are spent on runs k times as long leave g^(1-phi): doublings get faster if r (1 + log2 k) > 1."""
    found = load_design("retraining")
    plans = [found.planned(number) for number in range(len(found))]
    checked = 0
    for plan in plans:
        k, r = 2.0 ** -plan.changes["training__speedup_exponent"], plan.changes["growth__r"]
        margin = r * (1 + math.log2(k)) if k < 1 else 1.0
        if any(math.isclose(k, each) for each in (0.9, 0.75, 0.6)) and 0.75 < margin < 1.35 and margin != 1:
            checked += 1
            result = run(found.scenario(plan), plan.seed)
            assert (result.pace.ratio < 1) == (margin > 1)
            assert result.long_run.kind == ("singular" if margin > 1 else "fizzle")
    assert checked >= 6


def test_example_of_the_docs_can_be_loaded(tmp_path):
    page = (ROOT / "docs" / "reference" / "sweeps.md").read_text(encoding="utf-8")
    path = tmp_path / "example.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0])
    found = load_design(str(path))
    assert (found.points, found.combinations, len(found)) == (256, 2 * 5, 5120)
    for name in shipped_designs():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"| {len(load_design(name))} |" in row


# --- levers that move together ------------------------------------------------------------------------------


COMPUTE = {"zip": {"researcher__initial": [256, 512], "cluster__gpus": [1024, 2048]}}


def test_coupled_lever_pairs_its_lists(tmp_path):
    levers = {"compute": COMPUTE, "training__required": [True, False]}
    found = design(tmp_path, sampled(n=2, levers=levers))
    assert (len(found), found.combinations) == (8, 4)
    assert [found.lever_values(number) for number in range(4)] == [
        {"cluster__gpus": gpus, "researcher__initial": team, "training__required": needed}
        for gpus, team in ((1024, 256), (2048, 512))
        for needed in (True, False)
    ]
    assert found.lever_parameters == ["cluster__gpus", "researcher__initial", "training__required"]
    # Both steps of the lever are compared under the same random numbers, and a run is planned from its number alone.
    assert len({found.planned(number).seed for number in range(4)}) == 1
    assert found.scenario(found.planned(2)).cluster.gpus == 2048


def test_coupled_lever_one_at_a_time_changes_both_and_skips_the_base(tmp_path):
    content = {"sampling": "one-at-a-time", "uncertainties": {"growth__r": R}, "levers": {"compute": COMPUTE}}
    found = design(tmp_path, content)  # the lab has 1,024 GPUs, and so 256 researchers
    assert len(found) == 4
    middle = found.values(0)
    assert found.planned(3).changes == middle | {"cluster__gpus": 2048, "researcher__initial": 512}


def test_coupled_lever_round_trip_in_any_order_is_equal(tmp_path):
    found = design(tmp_path, sampled(levers={"compute": COMPUTE}))
    (tmp_path / "again.toml").write_text(to_toml(found))
    assert load_design(str(tmp_path / "again.toml")).digest == found.digest
    backwards = {"zip": dict(reversed(COMPUTE["zip"].items()))}
    assert design(tmp_path, sampled(levers={"compute": backwards})).digest == found.digest
    ladder = {"zip": COMPUTE["zip"] | {"cluster__gpus": {"low": 1024, "high": 2048, "count": 2}}}
    assert design(tmp_path, sampled(levers={"compute": ladder})).digest == found.digest
    crossed = design(tmp_path, sampled(levers=COMPUTE["zip"]))
    assert (crossed.combinations, found.combinations) == (4, 2)
    assert crossed.digest != found.digest


def test_digest_of_plain_levers_equals_that_of_their_lists():
    """The digest before coupled levers existed, written down apart: folders of earlier sweeps still go on."""
    found = load_design("quick")
    keys = ("engine", "sampling", "n", "replications", "seed", "uncertainties", "correlations", "levers")
    hashed = {key: found.content[key] for key in keys} | {"digest of the base": found.base.digest()}
    hashed["levers"] = {"training__required": [True, False]}
    assert sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest() == found.digest


@pytest.mark.slow
@pytest.mark.parametrize("design", ["quick", "report", "bottlenecks"])
def test_probability_of_an_explosion_does_not_depend_on_the_stopping_rule(design):
    """Compare rules of 6, 9 and 30 doublings: the long run follows from the parameters alone."""
    found = load_design(design)
    scenarios = [found.scenario(found.planned(number)) for number in range(len(found))]
    kinds = [
        [
            long_run(each.replace(run__max_doublings=doublings, run__horizon_days=365.0 * years)).kind
            for each in scenarios
        ]
        for doublings, years in ((6, 2), (9, 2), (30, 10))
    ]
    assert kinds[0] == kinds[1] == kinds[2]
    assert ("singular" in kinds[0]) == (design != "report")
