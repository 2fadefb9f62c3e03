"""Test `asara fit`: published values of the real series, one sentence for bad input, and scores of forecasts."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.estimation import backtest
from experiments.estimation.figure import fit_picture
from experiments.estimation.published_estimates import above_one, content
from experiments.estimation.report import Options, analyse_series
from experiments.estimation.series import SeriesColumns, read
from experiments.sweep import query
from experiments.uncertainty.parsing import distribution
from sim.events import PaperPublished
from sim.runner import run
from tests.support.shared_data import shared_file

GOOD = "day,work,speed\n" + "".join(f"2025-01-{n:02},{n % 3 + 1},{(n + 3) ** 0.9:.4f}\n" for n in range(1, 25))


@pytest.fixture
def nanogpt() -> Path:
    return shared_file("nanogpt_speedrun.csv")


def by_record(path: Path) -> list[str]:
    return [str(path), "--input", "record", "--cumulative", "--output", "minutes", "--lower-is-better"]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    return path


def comparison(found: Any, noise: str) -> Any:
    """The fit that published estimates use: one noise model, and the effort before that was stated."""
    return next(each for each in found["other_assumptions"] if each["noise"] == noise and not each["before_found"])


def test_fit_of_the_speed_run_per_record_has_r_0_81(asara: Any, nanogpt: Path) -> None:
    answer = asara("fit", *by_record(nanogpt), "--date", "date", "--hardware", "fixed", "--json")
    found = json.loads(answer.out)
    assert answer.code == 0
    published = comparison(found, "row")
    assert published["r"] == pytest.approx(0.81, abs=0.005)
    assert published["intervals"]["0.95"] == pytest.approx([0.75, 0.84], abs=0.0075)
    # The recommended interval is wider and contains the published one, because neighbouring records share errors.
    low, high = found["intervals"]["0.95"]
    assert 0.6 < low < 0.75 and 0.84 < high < 1
    assert (found["side_of_one"], found["rows"], found["effort"]) == ("below 1", 91, 89)
    assert found["neighbours"] > 0.9
    assert found["depends_on_before"] is None and found["refusal"] is None
    assert [warning.split(":")[0] for warning in found["warnings"]] == [
        "Rules may have changed",
        "Fixed target",
        "Imported ideas",
    ]


def test_fit_of_the_speed_run_per_contributor_has_r_0_84(asara: Any, nanogpt: Path, tmp_path: Path) -> None:
    answer = asara("fit", nanogpt, "--input", "contributors", "--output", "minutes", "--lower-is-better", "--json")
    found = comparison(json.loads(answer.out), "row")
    assert found["r"] == pytest.approx(0.84, abs=0.01)
    assert found["intervals"]["0.95"] == pytest.approx([0.79, 0.89], abs=0.015)
    # To the digit without the baseline record, and with one contributor for each row that credits none.
    lines = nanogpt.read_text().splitlines()
    kept = [lines[0], *(line[:-2] + ",1" if line.endswith(",0") else line for line in lines[2:])]
    first = tmp_path / "from-the-second.csv"
    first.write_text("\n".join(kept))
    again = ["--before", "1", "--output", "minutes", "--lower-is-better", "--json"]
    found = comparison(json.loads(asara("fit", first, "--input", "contributors", *again).out), "row")
    assert found["before"] == 1
    assert found["r"] == pytest.approx(0.84, abs=0.005)
    assert found["intervals"]["0.95"] == pytest.approx([0.79, 0.89], abs=0.005)


def test_fit_with_lower_is_better_uses_the_reciprocal(asara: Any, tmp_path: Path) -> None:
    """Minutes of 60 / (3 + n)^0.9 after n efforts of 1, with 3 before: r = 0.9, without any data of others."""
    minutes = [60 / (3.0 + n) ** 0.9 for n in range(30)]
    path = tmp_path / "minutes.csv"
    path.write_text("record,minutes\n" + "".join(f"{n},{value!r}\n" for n, value in enumerate(minutes)))
    options = ["--input", "record", "--cumulative", "--output", "minutes", "--before", "3", "--json"]
    found = json.loads(asara("fit", path, *options, "--lower-is-better").out)
    assert found["r"] == pytest.approx(0.9, abs=1e-6)
    assert json.loads(asara("fit", path, *options).out)["r"] < 0


def lab() -> str:
    """12 rows of a lab with effort 10 to 28 a month, performance 1 to 6.3, and 83.3 spent before; r = 1.55."""
    effort = np.linspace(10, 28, 12)
    noise = np.exp(np.random.default_rng(1).normal(0, 0.015, 12))
    speed = ((83.3 + np.cumsum(effort)) / 93.3) ** 1.55 * noise
    return "effort,gpus,speed\n" + "".join(f"{e:.3f},{e:.3f},{s:.4f}\n" for e, s in zip(effort, speed, strict=True))


@pytest.fixture
def short(tmp_path: Path) -> list[str]:
    path = tmp_path / "lab.csv"
    path.write_text(lab())
    return [str(path), "--input", "effort", "--output", "speed"]


def test_fit_sentence_reports_dependence_on_initial_effort(asara: Any, short: list[str]) -> None:
    found = json.loads(asara("fit", *short, "--json").out)
    low, high = found["depends_on_before"]
    assert low < 0.75 and high > 1.4
    assert f"between {low:.2f} and {high:.2f}, depending on the effort before the first row" in found["sentence"]
    assert "Give it with --before" in found["sentence"]
    assert found["intervals"]["0.95"][0] < 1.55 < found["intervals"]["0.95"][1]


def test_fit_recommends_no_initial_effort_that_its_test_rejects(asara: Any, short: list[str]) -> None:
    found = json.loads(asara("fit", *short, "--before", "0", "--json").out)
    assert found["before_rejected"] and found["before_found"]
    assert "The series contradicts --before 0 (p" in found["sentence"]
    low, high = found["intervals"]["0.95"]
    assert low < 1.55 < high
    values = found["uncertainty"]["growth__r"]["values"]
    assert values[0] > 1, "the prior is not that of the rejected fit, with r = 0.6 to 0.8"
    stated = json.loads(asara("fit", *short, "--before", "83.3", "--json").out)
    assert not stated["before_rejected"] and "depends" not in stated["sentence"]


def test_fit_sentence_states_fixed_hardware_only_if_given(asara: Any, short: list[str]) -> None:
    unknown, fixed, grew = (
        json.loads(asara("fit", *short, "--before", "83.3", *given, "--json").out)
        for given in ([], ["--hardware", "fixed"], ["--hardware", "grew"])
    )
    assert "on fixed hardware" not in unknown["sentence"]
    assert "not stated whether hardware grew" in unknown["sentence"]
    assert "on fixed hardware" in fixed["sentence"] and fixed["r_hardware_fixed"]["r"] == fixed["r"]
    assert grew["r_hardware_fixed"]["r"] == pytest.approx(grew["r"] / 2)
    assert "0.78" in grew["sentence"] and "below 1" in grew["r_hardware_fixed"]["side_of_one"]
    for found in (unknown, fixed, grew):
        assert "P(r > 1)" in found["sentence"] and "explosion" not in found["sentence"]
        middle = float(distribution(found["uncertainty"]["growth__r"], "r").ppf(np.array(0.5)))
        assert middle == pytest.approx(found["r"] * (0.5 if found is grew else 1), rel=1e-6)


def test_fit_with_a_hardware_column_uses_the_geometric_mean(asara: Any, short: list[str]) -> None:
    """With hardware equal to effort the mix is the effort itself."""
    plain = json.loads(asara("fit", *short, "--hardware", "grew", "--json").out)
    mixed = json.loads(asara("fit", *short, "--hardware-input", "gpus", "--json").out)
    assert mixed["input"] == "sqrt(effort x gpus)"
    assert mixed["r"] == pytest.approx(plain["r"], rel=1e-6)
    assert mixed["r_hardware_fixed"]["r"] == pytest.approx(plain["r"] / 2, rel=1e-6)
    answer = asara("fit", *short, "--hardware-input", "gpus", "--hardware", "fixed")
    assert answer.code == 2 and "allowed: unknown, grew" in answer.err


def test_fit_has_the_requested_number_of_sub_periods(asara: Any, short: list[str]) -> None:
    found = json.loads(asara("fit", *short, "--sub-periods", 2, "--draws", 100, "--json").out)
    assert [each["first_line"] for each in found["sub_periods"]] == [2, 8]


def test_fit_seed_and_draws_do_not_change_the_recommendation(asara: Any, short: list[str]) -> None:
    first, other, more = (
        json.loads(asara("fit", *short, "--seed", seed, "--draws", draws, "--json").out)
        for seed, draws in ((1, 100), (2, 100), (1, 101))
    )
    for found in (other, more):
        assert found["r"] == first["r"]
        assert found["other_assumptions"] != first["other_assumptions"]


def test_fit_without_a_usable_prior_gives_the_reason(asara: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    cases = {
        "noise": (rng.lognormal(0, 1, 30), "The data do not constrain r: P(r <= 0) ="),
        "falling": (np.arange(1, 21) ** -0.5 * rng.lognormal(0, 0.05, 20), "Performance did not grow"),
        "straight": (2.0 ** (0.1 * np.arange(20) + rng.normal(0, 0.01, 20)), "do not bound r from above"),
    }
    for name, (values, says) in cases.items():
        path = tmp_path / f"{name}.csv"
        path.write_text("x\n" + "".join(f"{value}\n" for value in values))
        answer = asara("fit", path, "--output", "x", "--out", name)
        text = " ".join(answer.out.split())
        assert answer.code == 0
        assert says in text and "fit.toml has no prior" in text
        assert "than the one before" not in text and "explosion" not in text and "fizzle" not in text
        written = Path(name, "fit.toml").read_text()
        assert tomllib.loads(written) == {} and says in written
    Path("mine.toml").write_text(
        'base = "lab"\nsampling = "random"\nn = 4\n[uncertainties.growth__r]\nfrom = "fit.toml"\n'
    )
    Path("fit.toml").write_text(Path("noise/fit.toml").read_text())
    refused = asara("sweep", "mine.toml", "--out", "swept")
    assert refused.code == 2 and "fit.toml has no 'distribution'" in refused.err


def test_fit_reports_bounds_that_truncate_the_prior(asara: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "weak.csv"
    path.write_text("x\n" + "".join(f"{value}\n" for value in np.arange(1, 9) ** 0.5 * rng.lognormal(0, 0.2, 8)))
    found = json.loads(asara("fit", path, "--output", "x", "--before", "0", "--json").out)
    assert 1 - found["intervals"]["0.95"][0] > 0.0005 and found["refusal"] is None
    assert any("left out of fit.toml" in warning for warning in found["warnings"])
    assert found["uncertainty"]["growth__r"]["values"][0] >= 0.01


def test_fit_forecast_equals_the_law(asara: Any, tmp_path: Path) -> None:
    path = tmp_path / "exact.csv"
    path.write_text("x\n" + "".join(f"{(10.0 + n) ** 0.7}\n" for n in range(1, 31)))
    found = json.loads(asara("fit", path, "--output", "x", "--before", "10", "--json").out)
    for row in found["forecast"]:
        exact = ((10 + row["effort"] * 30) / 40) ** 0.7
        assert [row["times_better"], *row["interval"]] == pytest.approx([exact] * 3, rel=1e-4)


def test_fit_writes_a_reproducible_uncertainty_file(asara: Any, good: Path) -> None:
    command = ("fit", good, "--input", "work", "--output", "speed", "--date", "day")
    first, second = (asara(*command, "--out", name) for name in ("one", "two"))
    assert first.code == second.code == 0
    for name in ("fit.json", "fit.toml", "fit.png"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()
    table = tomllib.loads(Path("one/fit.toml").read_text())["uncertainties"]["growth__r"]
    drawn = distribution(table, "growth__r").ppf(np.array([0.1, 0.9]))
    assert drawn == pytest.approx(json.loads(Path("one/fit.json").read_text())["intervals"]["0.8"], rel=1e-3)


def test_sweep_accepts_the_uncertainty_file_of_a_fit(asara: Any, good: Path) -> None:
    assert asara("fit", good, "--input", "work", "--output", "speed", "--out", ".").code == 0
    Path("mine.toml").write_text(
        'base = "returns-0.7"\nengine = "fluid"\nsampling = "sobol"\nn = 16\n'
        '[set]\nrun__max_doublings = 1\n[uncertainties.growth__r]\nfrom = "fit.toml"\n'
    )
    assert asara("sweep", "mine.toml", "--out", "swept", "--workers", "1").code == 0
    table = query.read(Path("swept"))
    fitted = tomllib.loads(Path("fit.toml").read_text())["uncertainties"]["growth__r"]
    ends = distribution(fitted, "growth__r").ppf(np.linspace(0, 1, 17))
    drawn = np.sort(table["growth__r"].to_numpy())
    assert np.all((ends[:-1] <= drawn) & (drawn <= ends[1:])), "of 16 Sobol' points one lies in each sixteenth"
    assert set(table["status"].to_pylist()) == {"ok"}


def test_fit_prints_r_assumptions_and_warnings(asara: Any, good: Path) -> None:
    answer = asara("fit", good, "--output", "speed", "--luck", "lasting")
    text = " ".join(answer.out.split())
    assert "for each doubling of cumulative effort" in text or "depending on the effort before" in text
    assert "cumulative; best fit" in text and "averaged; averaged (recommended)" in text
    assert "Imported ideas" in text and "Fixed target" not in text
    assert "`--luck` is deprecated" in answer.err


def test_fit_of_few_points_warns(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("speed\n" + "".join(f"{2.0 ** (0.1 * n)}\n" for n in range(10)))
    found = analyse_series(read(path, SeriesColumns("rows", "speed")), Options(draws=100))
    assert "Few points: 10 rows" in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        (
            GOOD,
            ["--input", "wrok", "--output", "speed"],
            "column 'wrok' is missing; allowed: day, work, speed; did you mean 'work'?",
        ),
        (GOOD, ["--output", "sped"], "did you mean 'speed'?"),
        (
            GOOD.replace("2025-01-03,1", "2025-01-03,one"),
            ["--input", "work", "--output", "speed"],
            "line 4: work = 'one' is not a number",
        ),
        (
            GOOD.replace("2025-01-05", "5.1.2025"),
            ["--output", "speed", "--date", "day"],
            "line 6: day = '5.1.2025' is not a date",
        ),
        (GOOD.replace("2025-01-05", "2024-01-05"), ["--output", "speed", "--date", "day"], "in order of time"),
        ("\n".join(GOOD.splitlines()[:5]), ["--output", "speed"], "4 rows are too few; allowed: at least 5"),
        ("x\n3\n2\n0\n4\n5\n", ["--output", "x"], "line 4: x = 0 is out of bounds; allowed: above 0"),
        (
            "x,e\n3,1\n2,1\n1,-1\n4,1\n5,1\n",
            ["--output", "x", "--input", "e"],
            "line 4: e = -1 is out of bounds; allowed: 0 or more",
        ),
        ("x,e\n3,1\n2,0\n1,0\n4,0\n5,1\n", ["--output", "x", "--input", "e"], "e is above 0 in too few rows"),
        (
            "x,e\n3,0\n2,1\n1,1\n4,1\n5,1\n",
            ["--output", "x", "--input", "e", "--before", "0"],
            "the first row has no effort",
        ),
        (
            "x,e\n3,1\n2,2\n1,1\n4,4\n5,5\n",
            ["--output", "x", "--input", "e", "--cumulative"],
            "allowed with --cumulative: no decrease",
        ),
        ("x\n3\n3\n3\n3\n3\n", ["--output", "x"], "x is 3 in every row"),
        ("e;x\n1;3\n", ["--output", "x"], "separated by semicolons; allowed: commas."),
        ("e\tx\n1\t3\n", ["--output", "x"], "separated by tabs; allowed: commas."),
        ("x\n3,5\n", ["--output", "x"], "line 2: 2 cells, and the header has 1; decimal commas split cells in two."),
        ('x\n"3,5"\n', ["--output", "x"], "line 2: x = '3,5' has a comma; allowed: digits with a decimal point."),
        ("x\n1_000\n", ["--output", "x"], "line 2: x = '1_000' has an underscore; allowed: digits"),
        ("x,x\n3,1\n", ["--output", "x"], "two columns are called 'x'"),
        ("x,y\n3\n", ["--output", "x"], "line 2: 1 cells, and the header has 2"),
        ("", ["--output", "x"], "empty"),
        (GOOD, [], "a CSV file with --output COLUMN"),
        (
            GOOD,
            ["--output", "speed", "--before", "some"],
            "--before = some is not an effort; allowed: a number from 0 on, or `unknown`",
        ),
        (GOOD, ["--output", "speed", "--published"], "allowed: without FILE"),
        (GOOD, ["--output", "speed", "--backtest", "--share", "0.95"], "leave 23 to fit and 1 to forecast"),
    ],
)
def test_fit_of_bad_input_prints_one_sentence(
    asara: Any, tmp_path: Path, text: str, options: list[str], says: str
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text)
    answer = asara("fit", path, *options)
    assert answer.code == 2
    assert says in answer.err
    assert answer.err.count("\n") == 1 and answer.out == ""


def test_fit_of_an_unreadable_file_prints_one_sentence(asara: Any, tmp_path: Path) -> None:
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)))
    (tmp_path / "zeros.csv").write_bytes(b"\0\0\0\n\0")
    for name, says in (
        ("none.csv", "does not exist"),
        (".", "is a folder"),
        ("noise.csv", "not a text file in UTF-8"),
        ("zeros.csv", "not a text file in UTF-8"),
    ):
        answer = asara("fit", tmp_path / name, "--output", "speed", "--out", tmp_path / "written")
        assert answer.code == 2 and says in answer.err and answer.err.count("\n") == 1
    assert not (tmp_path / "written").exists()


def test_fit_published_prints_all_rows_and_the_meaning_of_r(asara: Any) -> None:
    found = json.loads(asara("fit", "--published", "--json").out)
    assert found == json.loads(json.dumps(content()))
    assert len(found["doubling_times"]["rows"]) == 13
    rows = {row["domain"]: row for row in found["returns"]["rows"]}
    table_4 = ["image recognition", "computer chess", "reinforcement learning", "SAT solvers", "linear programming"]
    assert [rows[name]["r"][0] for name in table_4] == [1.4, 0.8, 1.6, 3.5, 1.1]
    assert rows["computer chess"]["as_seen"]["side_of_one"] == "below 1"
    assert [rows["linear programming"][how]["side_of_one"] for how in ("as_seen", "halved")] == ["above 1", "below 1"]
    assert rows["best guess, hardware fixed"]["as_seen"]["above_one"] == pytest.approx(0.5)
    assert "P(r > 1) = 50%" in asara("fit", "--published").out


def test_above_one_of_a_range_uses_a_lognormal_distribution() -> None:
    from scipy.stats import norm

    low, high = np.log([0.8, 2.4])
    expected = norm.sf(0, (low + high) / 2, (high - low) / 2 / norm.ppf(0.95))
    assert above_one(0.8, 2.4, 0.9) == pytest.approx(expected)


def test_backtest_world_keeps_its_team_and_follows_the_law() -> None:
    ended = [run(backtest.scenario(100.0, 30.0), seed) for seed in range(3)]
    law = backtest.growth_law(0.8, 20.0, 100.0, 30.0)
    assert {(each.researchers, each.software_doublings) for each in ended} == {(1, 0)}
    for each in ended:
        published = [event for event in each.events if isinstance(event, PaperPublished)]
        levels = backtest.software_levels(law, published)
        assert len(levels) == 1 + len(published)
        assert levels[-1] == pytest.approx(0.8 * np.log2(50 / 20), abs=0.05)


def test_back_test_has_the_software_of_a_world_that_follows_the_law() -> None:
    frozen = backtest.scenario(100.0, 30.0)
    moving = frozen.replace(
        growth__law="returns",
        growth__r=0.8,
        growth__calibrated_for=0,
        growth__first_doubling_days=1000 / 30 * 20 * (2 ** (1 / 0.8) - 1),
        training__gain=1e6,
    )
    papers = [
        [event for event in run(scenario, 5).events if isinstance(event, PaperPublished)]
        for scenario in (frozen, moving)
    ]
    assert [event.day for event in papers[0]] == [event.day for event in papers[1]]
    levels = backtest.software_levels(backtest.growth_law(0.8, 20.0, 100.0, 30.0), papers[0])
    assert levels[1:] == pytest.approx([event.discovered for event in papers[1]], rel=1e-12)


def test_backtest_of_a_series_by_the_law_beats_naive_forecasts(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    total = np.cumsum(rng.poisson(6, 60)) / 6
    path = tmp_path / "law.csv"
    path.write_text("speed\n" + "".join(f"{value}\n" for value in (4 + total) ** 0.9))
    found = backtest.backtest(read(path, SeriesColumns("rows", "speed")), Options(before=4.0, draws=100), 0.6)
    scores = {each.forecast: each for each in found.scores}
    world = scores[backtest.OBSERVED_INPUT]
    assert world.crps < 0.5 * min(each.crps for each in found.scores if each is not world)
    assert world.coverage["0.9"] >= 0.8
    assert found.papers_per_effort == pytest.approx(6, rel=0.6)


def test_backtest_reads_dates_and_reports_its_scores(asara: Any, good: Path) -> None:
    answer = asara(
        "fit", good, "--input", "work", "--output", "speed", "--date", "day", "--backtest", "--draws", 200, "--out", "b"
    )
    assert answer.code == 0
    assert "past's pace" in answer.out and "one trial of a forecast" in " ".join(answer.out.split())
    stored = json.loads(Path("b/backtest.json").read_text())
    assert stored["pace"] == pytest.approx(1, abs=0.1)
    assert stored["fitted_rows"] == 14


def test_fit_picture_names_columns_and_origin(good: Path) -> None:
    found = analyse_series(read(good, SeriesColumns("work", "speed", "day")), Options(draws=50, seed=7))
    drawn = fit_picture(found, "svg").decode()
    for words in ("cumulative work", "speed, times that of the first row", "50 bootstrap draws, seed 7 · asara 0."):
        assert words in drawn
    assert "performance, from" not in drawn
    slower = found._replace(data=found.data._replace(columns=found.data.columns._replace(lower_is_better=True)))
    assert "speed, first row’s over each row’s" in fit_picture(slower, "svg").decode()
