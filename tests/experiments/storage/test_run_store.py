"""Test stored runs: they are read back equal, have equal bytes for equal runs, and are complete or absent."""

import io
import json
import math
import random
from pathlib import Path

import pyarrow as pa
import pytest

from experiments.errors import InputError
from experiments.plotting.run_figure import run_picture
from experiments.storage import run_store
from experiments.workbook import workbook
from hardware.cluster.jobs import JobRecord
from sim.runner import RunResult, run
from sim.scenario.model import Scenario

FILES = ["events.parquet", "jobs.parquet", "run.json", "run.png", "series.parquet"]


@pytest.fixture(scope="module")
def lab() -> RunResult:
    return run(
        Scenario.load("lab").replace(run__horizon_days=30.0, researcher__initial=64, growth__calibrated_for=64), seed=2
    )


@pytest.fixture(scope="module")
def toy() -> RunResult:
    return run(Scenario.load("toy-explosion").replace(run__max_doublings=3), seed=2)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_read_run_returns_the_written_run(tmp_path, lab):
    run_store.write_run(tmp_path / "new" / "run", lab, b"picture")
    found = run_store.read_run(tmp_path / "new" / "run")
    assert found.summary == run_store.summary(lab) | {"parameters": lab.scenario.flat()}
    assert found.series.to_pydict() == lab.series
    assert [JobRecord(**row) for row in found.jobs.to_pylist()] == lab.jobs
    rows = found.events.to_pylist()
    assert len(rows) == len(lab.events) > 10
    for row, event in zip(rows, lab.events, strict=True):
        assert row["event"] == type(event).__name__
        assert {name: value for name, value in row.items() if value is not None} == {
            "event": row["event"],
            **event._asdict(),
        }


@pytest.mark.slow
def test_read_run_after_one_flipped_bit_is_the_same_run_or_refused(tmp_path, toy):
    run_store.write_run(tmp_path, toy, b"picture")
    expected, chance, noticed = run_store.read_run(tmp_path), random.Random(1), 0
    names = [name for name in FILES if name != "run.png"]
    for turn in range(400):
        path = tmp_path / names[turn % len(names)]
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            assert run_store.read_run(tmp_path) == expected
        except InputError as error:
            noticed += 1
            assert str(error).startswith(f"{path} is damaged: its content is not what was written")
        path.write_bytes(whole)
    assert noticed > 300


def test_write_run_has_a_schema_that_does_not_depend_on_the_run(lab, toy):
    assert not toy.jobs
    assert run_store.jobs_table(toy.jobs).schema == run_store.jobs_table(lab.jobs).schema
    assert (
        run_store.events_table(toy.events).schema
        == run_store.events_table(lab.events).schema
        == run_store.events_table([]).schema
    )
    assert run_store.series_table(toy.series).schema == run_store.series_table(lab.series).schema
    assert run_store.jobs_table([]).column_names == list(JobRecord._fields)


@pytest.mark.slow
def test_write_run_of_equal_runs_writes_equal_bytes(asara, tmp_path):
    arguments = ["run", "lab", "--until", 20, "--set", "researcher__initial=32", "--seed", 3]
    assert asara(*arguments, "--out", "a").code == 0
    assert asara(*arguments, "--out", "b/below").code == 0
    assert sorted(contents(tmp_path / "a")) == FILES
    assert contents(tmp_path / "a") == contents(tmp_path / "b" / "below")


def test_run_json_equals_the_printed_json(asara, tmp_path):
    printed = json.loads(asara("run", "toy-fizzle", "--until", 90, "--out", "here", "--json").out)
    written = json.loads((tmp_path / "here" / "run.json").read_text())
    assert sorted(written.pop("sha256")) == ["events.parquet", "jobs.parquet", "run.json", "series.parquet"]
    assert written.pop("parameters") == Scenario.load("toy-fizzle").replace(run__horizon_days=90).flat()
    assert written == printed


def test_write_run_replaces_an_older_run_and_no_other_file(tmp_path, toy, lab):
    (tmp_path / "notes.txt").write_text("mine")
    run_store.write_run(tmp_path, lab, b"picture")
    run_store.write_run(tmp_path, toy, b"picture")
    assert run_store.read_run(tmp_path).summary["scenario"] == "toy-explosion"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "notes.txt"])


def test_write_run_that_fails_leaves_no_file(tmp_path, toy, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_store, "series_table", full)
    with pytest.raises(OSError, match="No space"):
        run_store.write_run(tmp_path / "run", toy, b"picture")
    assert list(tmp_path.iterdir()) == []


def test_summary_has_null_for_numbers_that_are_not_finite(toy):
    endless = toy._replace(pace=toy.pace._replace(r_implied=math.inf), toes_exponent=math.nan)
    found = json.loads(run_store.to_json(run_store.summary(endless)))
    assert found["r_implied"] is None
    assert found["toes_exponent"] is None


def test_summary_has_whole_papers_as_integers(toy):
    assert run_store.summary(toy._replace(papers=3.0000000000000004))["papers"] == 3
    assert isinstance(run_store.summary(toy._replace(papers=3.0000000000000004))["papers"], int)
    assert run_store.summary(toy._replace(papers=3.25))["papers"] == 3.25


@pytest.mark.slow
def test_figure_is_a_png_without_a_date(lab):
    picture = run_picture(lab)
    assert picture.startswith(b"\x89PNG")
    assert b"tEXtSoftware" not in picture
    assert b"tIME" not in picture
    assert picture == run_picture(lab)


@pytest.mark.slow
def test_workbook_of_a_run_has_its_summary_and_tables_and_equal_bytes(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="the extra 'excel' is not installed")
    result = run(Scenario.load("toy-fizzle").replace(run__horizon_days=90.0), 1)
    written = run_store.write_run(tmp_path / "a", result, b"", as_xlsx=True)
    run_store.write_run(tmp_path / "b", result, b"", as_xlsx=True)
    assert "run.xlsx" in written
    assert (tmp_path / "a" / "run.xlsx").read_bytes() == (tmp_path / "b" / "run.xlsx").read_bytes()
    book = openpyxl.load_workbook(tmp_path / "a" / "run.xlsx")
    assert book.properties.created == book.properties.modified, "the workbook contains no time of writing"
    assert book.sheetnames == ["run", "doublings", "events", "jobs", "series"]
    rows = dict(book["run"].iter_rows(values_only=True))
    assert (rows["day"], rows["seed"], rows["parameters.growth__r"]) == (90, 1, result.scenario.flat()["growth__r"])
    series = list(book["series"].iter_rows(values_only=True))
    papers = series[0].index("papers")
    assert [row[papers] for row in series[1:]] == pytest.approx(result.series["papers"])
    run_store.write_run(tmp_path / "a", result, b"")
    assert not (tmp_path / "a" / "run.xlsx").exists(), "files of an earlier run go"


def test_workbook_omits_a_table_too_large_for_a_sheet(monkeypatch):
    openpyxl = pytest.importorskip("openpyxl", reason="the extra 'excel' is not installed")
    monkeypatch.setattr("experiments.workbook.MAX_ROWS", 3)
    content = workbook({"a": 1}, {"long": pa.table({"x": [1, 2, 3]}), "short": pa.table({"x": [1, 2]})})
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book["long"]["A1"].value == "3 rows are more than a sheet can have. Read long.parquet."
    assert [row[0] for row in book["short"].iter_rows(values_only=True)] == ["x", 1, 2]


def test_read_run_of_another_event_format_raises_error(asara, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.storage.run_store.EVENT_FORMAT", 1)
    assert asara("run", "toy-fizzle", "--set", "run__max_doublings=1", "--out", tmp_path / "old").code == 0
    monkeypatch.undo()
    with pytest.raises(InputError, match="event_format = 1 is not readable, because another release wrote it"):
        run_store.read_run(tmp_path / "old")
