"""`asara fit`: the real series gives what it must, bad input one sentence, and forecasts are scored."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import backtest, results
from experiments.fit import Options, study, uncertainty
from experiments.fit_data import Columns, read
from experiments.published import above_one, content
from sim.priors import distribution
from sim.returns import fit
from sim.run import run

GOOD = "day,work,speed\n" + "".join(f"2025-01-{n:02},{n % 3 + 1},{(n + 3) ** 0.9:.4f}\n" for n in range(1, 25))


@pytest.fixture
def nanogpt() -> Path:
    beside = Path(__file__).parents[3] / "shared" / "data"
    path = Path(os.environ.get("ASARA_DATA", beside)) / "nanogpt_speedrun.csv"
    if not path.exists():
        pytest.skip(f"{path.name} not found: set ASARA_DATA to the folder that holds it")
    return path


def by_record(path: Path) -> list[str]:
    return [str(path), "--input", "record", "--cumulative", "--output", "minutes", "--lower-is-better"]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    return path


def test_the_speed_run_has_r_081_for_each_record(asara: Any, nanogpt: Path) -> None:
    answer = asara("fit", *by_record(nanogpt), "--date", "date", "--json")
    found = json.loads(answer.out)
    assert answer.code == 0
    assert found["r"] == pytest.approx(0.81, abs=0.005)
    assert found["intervals"]["0.95"] == pytest.approx([0.75, 0.84], abs=0.0075)
    assert (found["verdict"], found["rows"], found["effort"]) == ("fizzle", 91, 89)
    assert found["neighbours"] > 0.9
    assert found["advised"]["luck"] == "lasting"
    assert [warning.split(":")[0] for warning in found["warnings"]] == [
        "Rules may have changed", "Fixed target", "Imported ideas",
    ]  # fmt: skip


def test_the_speed_run_has_r_084_for_each_contributor(asara: Any, nanogpt: Path, tmp_path: Path) -> None:
    answer = asara("fit", nanogpt, "--input", "contributors", "--output", "minutes", "--lower-is-better", "--json")
    found = json.loads(answer.out)
    assert found["r"] == pytest.approx(0.84, abs=0.01)
    assert found["intervals"]["0.95"] == pytest.approx([0.79, 0.89], abs=0.015)
    # To the digit where the record that was there to begin with is left out, and nobody's row counts one.
    lines = nanogpt.read_text().splitlines()
    kept = [lines[0], *(line[:-2] + ",1" if line.endswith(",0") else line for line in lines[2:])]
    first = tmp_path / "from-the-second.csv"
    first.write_text("\n".join(kept))
    again = ["--before", "1", "--output", "minutes", "--lower-is-better", "--json"]
    found = json.loads(asara("fit", first, "--input", "contributors", *again).out)
    assert found["r"] == pytest.approx(0.84, abs=0.005)
    assert found["intervals"]["0.95"] == pytest.approx([0.79, 0.89], abs=0.005)


def test_a_falling_time_is_fitted_as_the_rising_speed_that_it_is(asara: Any, tmp_path: Path) -> None:
    """Minutes of 60 / (3 + n)^0.9 after n efforts of 1, with 3 before: r = 0.9, without any data of others."""
    minutes = [60 / (3.0 + n) ** 0.9 for n in range(30)]
    path = tmp_path / "minutes.csv"
    path.write_text("record,minutes\n" + "".join(f"{n},{value!r}\n" for n, value in enumerate(minutes)))
    options = ["--input", "record", "--cumulative", "--output", "minutes", "--before", "3", "--json"]
    found = json.loads(asara("fit", path, *options, "--lower-is-better").out)
    assert found["r"] == pytest.approx(0.9, abs=1e-6)
    assert json.loads(asara("fit", path, *options).out)["r"] < 0


def test_what_is_written_is_read_as_an_uncertainty_and_is_the_same_again(asara: Any, good: Path) -> None:
    command = ("fit", good, "--input", "work", "--output", "speed", "--date", "day")
    first, second = (asara(*command, "--out", name) for name in ("one", "two"))
    assert first.code == second.code == 0
    for name in ("fit.json", "fit.toml", "fit.png"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()
    table = tomllib.loads(Path("one/fit.toml").read_text())["uncertainties"]["growth__r"]
    drawn = distribution(table, "growth__r").ppf(np.array([0.1, 0.9]))
    assert drawn == pytest.approx(json.loads(Path("one/fit.json").read_text())["advised"]["intervals"]["0.8"], rel=1e-6)


def test_a_fitted_interval_is_an_uncertainty_of_a_sweep(asara: Any, good: Path) -> None:
    assert asara("fit", good, "--input", "work", "--output", "speed", "--out", ".").code == 0
    Path("mine.toml").write_text(
        'base = "lab"\nengine = "fluid"\nsampling = "sobol"\nn = 64\n'
        '[set]\nrun__max_doublings = 4\n[uncertainties.growth__r]\nfrom = "fit.toml"\n'
    )
    assert asara("sweep", "mine.toml", "--out", "swept", "--workers", "1").code == 0
    table = results.read(Path("swept"))
    fitted = tomllib.loads(Path("fit.toml").read_text())["uncertainties"]["growth__r"]
    quantiles = np.quantile(table["growth__r"].to_numpy(), [0.1, 0.5, 0.9])
    assert quantiles == pytest.approx(distribution(fitted, "growth__r").ppf(np.array([0.1, 0.5, 0.9])), rel=0.02)
    assert set(table["status"].to_pylist()) == {"ok"}


def test_the_terminal_tells_r_what_it_means_and_what_to_bear_in_mind(asara: Any, good: Path) -> None:
    text = " ".join(asara("fit", good, "--output", "speed").out.split())
    assert "for each doubling of cumulative effort" in text
    assert "luck that lasts, before: found" in text
    assert "Imported ideas" in text and "Fixed target" not in text


def test_warnings_say_few_points_and_an_unknown_beginning(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("speed\n" + "".join(f"{2.0 ** (0.1 * n)}\n" for n in range(10)))
    found = study(read(path, Columns("rows", "speed")), Options(before=None, draws=100))
    text = " ".join(found.warnings)
    assert "Few points: 10 rows" in text and "no upper bound" in text


def test_an_uncertainty_that_reaches_below_0_is_normal() -> None:
    rng = np.random.default_rng(0)
    from sim.returns import Series

    flat = fit(Series(np.ones(20), 2.0 ** rng.normal(0, 1, 20)), draws=200)
    table = uncertainty(flat)
    assert table["distribution"] == "normal"
    assert distribution(table, "growth__r").support[0] == 0.01


@pytest.mark.parametrize(("text", "options", "says"), [
    (GOOD, ["--input", "wrok", "--output", "speed"],
     "no column 'wrok'; there are day, work, speed; did you mean 'work'?"),
    (GOOD, ["--output", "sped"], "did you mean 'speed'?"),
    (GOOD.replace("2025-01-03,1", "2025-01-03,one"), ["--input", "work", "--output", "speed"],
     "line 4: work = 'one' is not a finite number"),
    (GOOD.replace("2025-01-05", "5.1.2025"), ["--output", "speed", "--date", "day"],
     "line 6: day = '5.1.2025' is not a date"),
    (GOOD.replace("2025-01-05", "2024-01-05"), ["--output", "speed", "--date", "day"], "in the order of time"),
    ("\n".join(GOOD.splitlines()[:5]), ["--output", "speed"], "4 rows, and at least 5 are needed"),
    ("x\n3\n2\n0\n4\n5\n", ["--output", "x"], "line 4: x = 0 must be above 0"),
    ("x,e\n3,1\n2,1\n1,-1\n4,1\n5,1\n", ["--output", "x", "--input", "e"], "line 4: e = -1 must be 0 or more"),
    ("x,e\n3,1\n2,0\n1,0\n4,0\n5,1\n", ["--output", "x", "--input", "e"], "e is above 0 in too few rows"),
    ("x,e\n3,0\n2,1\n1,1\n4,1\n5,1\n", ["--output", "x", "--input", "e"], "the first row has no effort"),
    ("x,e\n3,1\n2,2\n1,1\n4,4\n5,5\n", ["--output", "x", "--input", "e", "--cumulative"], "must not fall"),
    ("x\n3\n3\n3\n3\n3\n", ["--output", "x"], "x is 3 in every row"),
    ("e;x\n1;3\n", ["--output", "x"], "separated by semicolons; allowed: commas."),
    ("e\tx\n1\t3\n", ["--output", "x"], "separated by tabs; allowed: commas."),
    ("x\n3,5\n", ["--output", "x"], "line 2: 2 cells, and the header has 1; decimal commas split cells in two."),
    ('x\n"3,5"\n', ["--output", "x"], "line 2: x = '3,5' has a comma; allowed: digits with a decimal point."),
    ("x\n1_000\n", ["--output", "x"], "line 2: x = '1_000' has an underscore; allowed: digits"),
    ("x,x\n3,1\n", ["--output", "x"], "two columns are called 'x'"),
    ("x,y\n3\n", ["--output", "x"], "line 2: 1 cells, and the header has 2"),
    ("", ["--output", "x"], "empty"),
    (GOOD, [], "a CSV file and --output COLUMN are needed"),
    (GOOD, ["--output", "speed", "--before", "some"], "--before some: a number from 0 on, or `found`"),
    (GOOD, ["--output", "speed", "--published"], "leave out the file"),
    (GOOD, ["--output", "speed", "--backtest", "--share", "0.95"], "leave 23 to fit and 1 to forecast"),
])  # fmt: skip
def test_bad_input_gets_one_sentence(asara: Any, tmp_path: Path, text: str, options: list[str], says: str) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text)
    answer = asara("fit", path, *options)
    assert answer.code == 2
    assert says in answer.err
    assert answer.err.count("\n") == 1 and answer.out == ""


def test_files_that_are_none_get_one_sentence(asara: Any, tmp_path: Path) -> None:
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)))
    (tmp_path / "zeros.csv").write_bytes(b"\0\0\0\n\0")
    for name, says in (
        ("none.csv", "no such file"), (".", "that is a folder"), ("noise.csv", "not a CSV file"),
        ("zeros.csv", "not a CSV file"),
    ):  # fmt: skip
        answer = asara("fit", tmp_path / name, "--output", "speed", "--out", tmp_path / "written")
        assert answer.code == 2 and says in answer.err and answer.err.count("\n") == 1
    assert not (tmp_path / "written").exists()


def test_published_tables_are_whole_and_say_what_r_means(asara: Any) -> None:
    found = json.loads(asara("fit", "--published", "--json").out)
    assert found == json.loads(json.dumps(content()))
    assert len(found["doubling_times"]["rows"]) == 13
    rows = {row["domain"]: row for row in found["returns"]["rows"]}
    table_4 = ["image recognition", "computer chess", "reinforcement learning", "SAT solvers", "linear programming"]
    assert [rows[name]["r"][0] for name in table_4] == [1.4, 0.8, 1.6, 3.5, 1.1]
    assert rows["computer chess"]["as_seen"]["verdict"] == "fizzle"
    assert [rows["linear programming"][how]["verdict"] for how in ("as_seen", "halved")] == ["explosion", "fizzle"]
    assert rows["best guess, hardware fixed"]["as_seen"]["above_one"] == pytest.approx(0.5)
    assert "either (50% > 1)" in asara("fit", "--published").out


def test_a_range_is_read_as_a_lognormal_distribution() -> None:
    from scipy.stats import norm

    low, high = np.log([0.8, 2.4])
    expected = norm.sf(0, (low + high) / 2, (high - low) / 2 / norm.ppf(0.95))
    assert above_one(0.8, 2.4, 0.9) == pytest.approx(expected)


def test_the_world_of_a_back_test_keeps_its_team_and_follows_the_law() -> None:
    scenario = backtest.scenario(0.8, 20.0, 100.0, 30.0)
    ended = [run(scenario, seed) for seed in range(3)]
    assert {each.researchers for each in ended} == {1}
    for each in ended:
        assert each.software_doublings == pytest.approx(0.8 * np.log2(50 / 20), abs=0.05)


def test_a_back_test_of_a_series_that_keeps_the_law_beats_naive_guesses(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    total = np.cumsum(rng.poisson(6, 60)) / 6
    path = tmp_path / "law.csv"
    path.write_text("speed\n" + "".join(f"{value}\n" for value in (4 + total) ** 0.9))
    found = backtest.backtest(read(path, Columns("rows", "speed")), Options(before=4.0, draws=400), 0.6)
    scores = {each.forecast: each for each in found.scores}
    world = scores[backtest.AS_IT_CAME]
    assert world.crps < 0.5 * min(each.crps for each in found.scores if each is not world)
    assert world.coverage["0.9"] >= 0.8
    assert found.papers_per_effort == pytest.approx(6, rel=0.6)


def test_a_back_test_reads_dates_and_says_how_it_did(asara: Any, good: Path) -> None:
    answer = asara("fit", good, "--input", "work", "--output", "speed", "--date", "day", "--backtest", "--out", "b")
    assert answer.code == 0
    assert "past's pace" in answer.out and "one trial of a forecast" in " ".join(answer.out.split())
    stored = json.loads(Path("b/backtest.json").read_text())
    assert stored["pace"] == pytest.approx(1, abs=0.1)
    assert stored["fitted_rows"] == 14
