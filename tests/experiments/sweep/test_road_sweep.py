"""Test the day of full automation in the results of a sweep, and the shipped design `road` at a small size."""

from pathlib import Path

import pytest

from experiments.design.design import BUNDLED_DESIGNS_DIR
from experiments.sweep.analysis import report
from experiments.sweep.analysis.sweep_data import has_road, load
from experiments.sweep.part_files import write_table
from experiments.sweep.query import query, read
from experiments.sweep.records import ADDED_COLUMNS
from experiments.sweep.run_many import run_many
from experiments.sweep.storage import identity_of, write_manifest
from sim.fluid.api import run_fluid
from sim.runner import run
from sim.scenario.model import Scenario
from tests.support.sweep_tables import drawn, manifest

SMALL = Scenario.load("road-to-asara").replace(
    automation__kinds=4, automation__last_threshold=2.0, growth__first_doubling_days=20.0, run__max_doublings=5
)


@pytest.mark.parametrize("engine", ["world", "fluid"])
def test_row_of_a_road_has_the_day_of_full_automation(engine):
    unfinished = SMALL.replace(automation__last_threshold=50.0)
    found = run_many([SMALL, unfinished], [3], engine=engine, workers=1)
    result = run(SMALL, 3) if engine == "world" else run_fluid(SMALL)
    complete = [
        day for day, share in zip(result.series["day"], result.series["share_automated"], strict=True) if share == 1
    ]
    first = result.road.asara_day if result.road is not None else complete[0]
    assert found["asara_day"][0] == first > 0
    assert found["share_automated"].tolist() == [1.0, 0.25]
    assert found["asara_day"].isna().tolist() == [False, True]
    assert "asara_day: AIs can do 25% of the tasks at the end" in found["why_empty"][1]


@pytest.mark.parametrize("engine", ["world", "fluid"])
def test_row_of_an_automated_lab_has_day_0(engine):
    found = run_many("toy-explosion", [0], engine=engine, workers=1)
    assert found[["asara_day", "share_automated"]].to_numpy().tolist() == [[0.0, 1.0]]
    assert "elasticity_humans: no humans" in found["why_empty"][0]


def test_folder_of_an_earlier_version_is_read_without_the_day(tmp_path):
    before = drawn(4)
    assert not {*ADDED_COLUMNS} & {*before.column_names}
    folder, content = tmp_path / "before", manifest(4)
    folder.mkdir()
    write_manifest(folder, content)
    write_table(folder, "runs", 0, before, identity_of(content))
    table = read(folder)
    assert table.select(before.column_names).equals(before)
    assert [table[name].null_count for name in ADDED_COLUMNS] == [4] * len(ADDED_COLUMNS)
    assert query(folder, "select count(asara_day) as days, count(*) as runs from runs").to_pylist() == [
        {"days": 0, "runs": 4}
    ]
    assert not has_road(load(folder))


def test_sweep_road_in_a_small_size_prints_what_moves_the_day(tmp_path, asara):
    text = (BUNDLED_DESIGNS_DIR / "road.toml").read_text(encoding="utf-8")
    (tmp_path / "road.toml").write_text(text.replace("\nn = 64\n", "\nn = 4\n"), encoding="utf-8")
    command = ("sweep", "road.toml", "--workers", "1", "--set", "growth__first_doubling_days=4")
    answer = asara(*command)
    said = " ".join(answer.out.split())
    assert answer.code == 0
    assert "4 of 4 runs are done." in said
    assert "What moves ASARA's day most: “" in said
    assert "0 of 4 runs do not reach it by the horizon." in said
    again = asara(*command)
    assert said.partition("4 of 4 runs are done.")[2] in " ".join(again.out.split())
    swept = load(Path("out/sweeps/road"))
    section = next(report.parts(swept))
    assert section.name == "tornado-asara_day"
    assert section.table.num_rows == 6
    page = report.html(swept, [section])
    assert "What moves the day of full automation most?" in page
    assert "<svg" in page
