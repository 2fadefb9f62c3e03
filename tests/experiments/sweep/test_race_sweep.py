"""Test sweeps of several labs: tables long by lab and wide, files, analysis, and designs that are refused."""

import json
import math

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from experiments.cli.app import main
from experiments.design.design import load_design, to_toml
from experiments.errors import InputError
from experiments.sweep.analysis.race_outcomes import summarize
from experiments.sweep.analysis.report import files, summary
from experiments.sweep.analysis.sweep_data import load
from experiments.sweep.part_files import DamageError
from experiments.sweep.query import labs, query, read, series, table, wide
from experiments.sweep.workers.process import do_runs
from sim.race import run_race
from tests.support.sweep_runs import run_here, toy
from tests.support.sweep_tables import as_bytes

LABS = """
[growth]
calibrated_for = 8
first_doubling_days = 20.0
[cluster]
gpus = 64
inference_share = 0.5
training_share = 0.25
[researcher]
gpus_each = 4.0
experiment_gpu_days = 0.0
[training]
required = false
[kernels]
measurements = "none"
[run]
max_doublings = 3
horizon_days = 200.0
[labs.ada]
[labs.bob.policy]
name = "fixed"
"""
DESIGN = """
base = "labs.toml"
sampling = "sobol"
n = {n}
{more}

[uncertainties.growth__r]
distribution = "uniform"
low = 0.8
high = 2.0

[uncertainties.ada.entry__software_doublings]
distribution = "uniform"
low = 0.0
high = 0.5

[levers]
commons__publication_share = {shares}
bob.cluster__gpus = [64, 80]
"""


def design_of(folder, n=2, shares=(0.0, 0.5), more=""):
    (folder / "labs.toml").write_text(LABS)
    path = folder / "rivals.toml"
    path.write_text(DESIGN.format(n=n, shares=list(shares), more=more))
    return load_design(str(path))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Return a design of 8 runs with two labs, and its folder."""
    place = tmp_path_factory.mktemp("race")
    design = design_of(place, more="level = 2")
    run_here(design, place / "out")
    return design, place / "out"


def test_rows_equal_the_race_of_their_scenario_and_seed(swept):
    design, folder = swept
    long = labs(folder).to_pylist()
    assert [(row["run"], row["lab"]) for row in long] == [(run, lab) for run in range(8) for lab in ("ada", "bob")]
    for row in read(folder).to_pylist():
        planned = design.planned(row["run"])
        assert {name: row[name] for name in planned.changes} == planned.changes
        result = run_race(design.scenario(planned), row["seed"])
        order = result.order(2.0)
        tied = result.lead(2.0) == 0
        assert (row["first_lab"], row["lead_days"]) == (None if tied else order[0].lab, result.lead(2.0))
        assert (row["day"], row["ending"], row["decided_day"]) == (result.day, "labs", order[0].day)
        of_run = {each["lab"]: each for each in long if each["run"] == row["run"]}
        assert [of_run[place.lab]["place"] for place in order] == ([1, 1] if tied else [1, 2])
        assert [of_run[place.lab]["level_day"] for place in order] == [place.day for place in order]
        for lab, there in of_run.items():
            assert there["doubling_days"] == [each.day for each in result.labs[lab].doublings]
            assert there["software_doublings"] == result.labs[lab].software_doublings
            assert there["cluster__gpus"] == result.labs[lab].scenario.cluster.gpus == there["gpus_at_end"]
        software = {lab: there["software_share"] for lab, there in of_run.items()}
        assert sum(software.values()) == pytest.approx(1)
        assert row["majority_lab"] == max(software, key=software.get)
        assert row["herfindahl_software"] == pytest.approx(sum(share**2 for share in software.values()))
        assert of_run["bob"]["gpu_share"] == planned.changes["bob.cluster__gpus"] / (
            64 + planned.changes["bob.cluster__gpus"]
        )
        assert row["limited_by"] is None and "in the table labs" in row["why_empty"]
    frames = series(folder)
    assert {*frames["lab"].to_pylist()} == {"ada", "bob"} and {*frames["run"].to_pylist()} == set(range(8))


def test_wide_table_has_the_outcomes_of_each_lab_beside_the_run(swept):
    _, folder = swept
    found = wide(folder)
    assert found.num_rows == 8
    for lab in ("ada", "bob"):
        of_lab = labs(folder).filter(pc.equal(labs(folder)["lab"], lab))
        assert found[f"{lab}.level_day"].to_pylist() == of_lab["level_day"].to_pylist()
    joined = query(
        folder, "select run, \"bob.place\" - labs.place as gap from wide join labs using (run) where lab = 'bob'"
    )
    assert joined["gap"].to_pylist() == [0] * 8


def test_sweep_with_a_lost_or_damaged_table_of_labs_repeats_its_runs(swept, tmp_path):
    design, whole = swept
    folder, notes = tmp_path / "out", []
    run_here(design, folder)
    (path,) = (folder / "labs").iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamageError, match="labs"):
        labs(folder)
    run_here(design, folder, notes.append)
    assert "is damaged" in notes[0]
    (path,) = (folder / "labs").iterdir()
    path.unlink()
    run_here(design, folder, notes.append)
    assert "is missing" in notes[1]
    for name in ("runs", "labs", "series"):
        assert as_bytes(table(folder, name)) == as_bytes(table(whole, name))


def test_extended_sweep_of_labs_equals_a_fresh_one(swept, tmp_path):
    run_here(design_of(tmp_path, 2, (0.0, 0.5), "level = 2"), tmp_path / "grown")
    larger = design_of(tmp_path, 4, (0.5, 0.25, 0.0), "level = 2")
    notes = []
    run_here(larger, tmp_path / "grown", notes.append)
    assert len(notes) == 1 and "extended from 8 to 24 runs; 8 are kept" in notes[0]
    run_here(larger, tmp_path / "fresh")
    for name in ("runs", "labs", "series"):
        assert as_bytes(table(tmp_path / "grown", name)) == as_bytes(table(tmp_path / "fresh", name))


def test_level_is_by_default_the_lowest_of_all_combinations(tmp_path):
    assert design_of(tmp_path, shares=[0.0]).level == 3, "labs that share nothing race to the end"
    assert design_of(tmp_path, shares=[0.0, 0.5]).level == 1
    with pytest.raises(InputError, match=r"level = 4 doublings is not a level .* Write level = 3, or raise"):
        design_of(tmp_path, more="level = 4")


def test_run_that_begins_at_the_level_is_invalid(tmp_path):
    design = design_of(tmp_path, more="level = 0.4")
    records = do_runs(design, range(8))
    for number, record in enumerate(records):
        begins = design.planned(number).changes["ada.entry__software_doublings"]
        assert record.row["status"] == ("invalid" if begins >= 0.4 else "ok")
    assert {record.row["status"] for record in records} == {"invalid", "ok"}


def test_design_written_again_has_the_same_digest_and_labs(tmp_path):
    design = design_of(tmp_path, more="level = 2")
    (tmp_path / "again.toml").write_text(to_toml(design))
    again = load_design(str(tmp_path / "again.toml"))
    assert (again.digest, again.base.labs, again.level) == (design.digest, ("ada", "bob"), 2)


def test_one_at_a_time_design_moves_each_value_of_a_lab_that_differs(tmp_path):
    text = DESIGN.format(n=1, shares=[0.0, 0.5], more="").replace("n = 1\n", "").replace("sobol", "one-at-a-time")
    (tmp_path / "labs.toml").write_text(LABS)
    (tmp_path / "single.toml").write_text(text)
    design = load_design(str(tmp_path / "single.toml"))
    moves = [design.lever_values(number) for number in range(1, design.combinations)]
    assert moves == [{"bob.cluster__gpus": 80}, {"commons__publication_share": 0.5}]
    run_here(design, tmp_path / "out")
    assert read(tmp_path / "out")["bob.cluster__gpus"].to_pylist() == [64] * 5 + [80, 64]
    assert summarize(load(tmp_path / "out")).runs == 7
    assert "one-at-a-time design" in files(load(tmp_path / "out"))["report.html"].decode()


def test_analysis_estimates_the_first_lab_and_the_lead(swept, capsys):
    _, folder = swept
    sweep = load(folder)
    found, rows = summarize(sweep), read(folder).to_pylist()
    count = sum(row["first_lab"] == "bob" for row in rows)
    assert 0 < count < 8, "both labs win"
    assert found.first["bob"].share == count / 8
    assert found.first["bob"].low < count / 8 < found.first["bob"].high
    assert found.lead.p50 == sorted(row["lead_days"] for row in rows)[3]
    assert [len(each["first"]) for each in summary(sweep)["combinations"]] == [2] * 4
    content = files(sweep)
    assert {"race-first.png", "race-first.csv", "race-lead.csv", "race-concentration.csv"} <= content.keys()
    report = content["report.html"].decode()
    assert "Which lab is first?" in report and "are left out, because they need one lab" in report
    assert main(["analyse", str(folder), "--outcome", "explosion"]) == 2
    assert "--outcome = explosion is an outcome of one lab" in capsys.readouterr().err


def test_leads_that_are_not_reached_are_counted_apart(swept):
    _, folder = swept
    sweep = load(folder)
    reached = sweep.runs["lead_days"].to_pylist()
    alone = sweep.with_column("lead_days", pa.array([*reached[:3], None, None, *reached[5:]]))
    first = ["ada", "ada", "bob", "ada", None, "ada", None, "bob"]
    found = summarize(alone.with_column("first_lab", pa.array(first)))
    assert (found.undecided, found.tied) == (1, 1)
    known = sorted([*reached[:3], *reached[5:], math.inf])
    assert tuple(found.lead) == (known[0], known[3], known[6])


def test_results_command_prints_each_table(swept, capsys):
    _, folder = swept
    assert main(["results", str(folder), "--table", "labs", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 16
    assert main(["results", str(folder), "--table", "wide"]) == 0
    assert "bob.level_day" in capsys.readouterr().out
    assert main(["results", str(folder)]) == 0
    assert "first_lab" in capsys.readouterr().out


def test_sweep_of_one_lab_has_no_table_of_labs(tmp_path, capsys):
    run_here(toy(tmp_path, 1, engine="fluid"), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {"runs", "series", "timings"}
    assert main(["results", str(tmp_path / "out"), "--table", "wide"]) == 2
    assert "has no table of labs, because its runs have one lab; allowed: runs, series" in capsys.readouterr().err
    assert main(["results", str(tmp_path / "out"), "--sql", "select * from labs"]) == 2
    assert "no table 'labs'; allowed: runs, series, timings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("bob.cluster__gpus", "bop.cluster__gpus", "no lab 'bop'; allowed: ada, bob; did you mean 'bob'?"),
        ("bob.cluster__gpus", "bob.cluster__gpu", "no parameter 'cluster__gpu'"),
        ("bob.cluster__gpus", "bob.run__max_doublings", "run__max_doublings is not a parameter of one lab ('bob')"),
        ("n = 2", 'n = 2\nengine = "fluid"', "engine = 'fluid' cannot run the 2 labs of 'labs'"),
        ('"labs.toml"', '"toy-explosion"', "'ada.entry__software_doublings' is a parameter of one of several labs"),
    ],
)
def test_design_with_a_wrong_name_or_engine_exits_with_one_sentence(old, new, sentence, tmp_path, capsys):
    design_of(tmp_path)
    path = tmp_path / "rivals.toml"
    path.write_text(path.read_text().replace(old, new))
    assert main(["sweep", str(path), "--out", str(tmp_path / "out")]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_goal_and_level_are_refused_where_nothing_reads_them(tmp_path, capsys):
    design_of(tmp_path)
    assert main(["sweep", str(tmp_path / "rivals.toml"), "--goal", "10x", "--out", str(tmp_path / "out")]) == 2
    assert "--goal = 10x is a goal of one lab" in capsys.readouterr().err
    toy(tmp_path, 1)
    path = tmp_path / "toy.toml"
    path.write_text(f"level = 2\n{path.read_text()}")
    with pytest.raises(InputError, match="level is not read, because the scenario 'toy-explosion'"):
        load_design(str(path))
