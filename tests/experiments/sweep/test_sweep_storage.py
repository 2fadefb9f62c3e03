"""Test the folder of a sweep: its files are complete, and every damage is reported."""

import errno
import itertools
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from experiments.design.design import load_design
from experiments.errors import InputError
from experiments.sweep.part_files import SET_ASIDE, TABLES, parts
from experiments.sweep.query import query, read, series, timings
from experiments.sweep.records import MAX_FRAMES, OBSERVED, run_schema
from experiments.sweep.runner import manifest_of
from experiments.sweep.storage import MANIFEST, completed_runs, locked, read_manifest, write_manifest, write_part
from experiments.sweep.workers.local import LocalWorkerPool
from experiments.sweep.workers.process import do_runs
from tests.support.properties import examples
from tests.support.sweep_runs import quietly, run_here, toy


@pytest.fixture
def swept(tmp_path):
    design = toy(tmp_path, 8, engine="fluid")
    folder = tmp_path / "swept"
    write_whole(design, folder, [list(range(0, 9)), list(range(9, 16))])
    return design, folder


def write_whole(design, folder: Path, parts) -> None:
    folder.mkdir()
    write_manifest(folder, manifest_of(design))
    for runs in parts:
        write_part(folder, do_runs(design, runs))


@pytest.mark.slow
@examples(25, HealthCheck.function_scoped_fixture)
@given(st.permutations(range(16)), st.lists(st.integers(1, 15), max_size=4), st.integers(0, 16))
def test_read_after_any_order_and_any_parts_returns_the_same_table(tmp_path_factory, order, cuts, first):
    place = tmp_path_factory.mktemp("order")
    design = toy(place, 8, engine="fluid")
    edges = sorted({0, first, *(cut for cut in cuts if cut < first)})
    parts = [order[low:high] for low, high in itertools.pairwise(edges)]
    write_whole(design, place / "some", [part for part in parts if part])
    run_here(design, place / "some")
    write_whole(design, place / "all", [list(range(16))])
    assert read(place / "some").equals(read(place / "all"))
    assert series(place / "some").equals(series(place / "all"))


def test_row_of_a_run_has_every_parameter_and_outcome(swept):
    design, folder = swept
    table = read(folder)
    assert table.schema.equals(run_schema())
    for row in table.to_pylist():
        planned = design.planned(row["run"])
        assert {name: row[name] for name in planned.changes} == planned.changes
        assert row["seed"] == planned.seed
        assert len(row["doubling_days"]) == 3 == round(row["software_doublings"])
        assert (row["status"], row["message"], row["limited_by"]) == ("ok", "", "researchers")
        # 10 times is beyond three doublings.
        assert row["days_to_10x"] is None
        assert row["day"] == pytest.approx(row["doubling_days"][-1])
    assert set(timings(folder)["run"].to_pylist()) == set(range(16))


def test_days_to_a_multiple_lie_between_the_doublings_about_it(tmp_path):
    design = toy(tmp_path, 1, engine="fluid")
    row = do_runs(_with_base(design, design.base.replace(run__max_doublings=11, run__horizon_days=1e6)), [0])[0].row
    days = row["doubling_days"]
    assert days[2] <= row["days_to_10x"] <= days[3]
    assert days[8] <= row["days_to_1000x"] <= days[9]
    assert row["days_to_1000000x"] is None


def _with_base(design, base):
    object.__setattr__(design, "base", base)
    return design


def test_series_of_a_long_run_is_downsampled_and_keeps_its_ends(tmp_path):
    design = toy(tmp_path, 4)
    seen = do_runs(_with_base(design, design.base.replace(run__max_doublings=9)), [0])[0]
    days = seen.series["day"]
    assert set(seen.series) == set(OBSERVED)
    assert len(days) == MAX_FRAMES
    assert days[0] == 0
    assert days[-1] == seen.row["day"]
    assert days == sorted(set(days))


def test_query_reads_tables_and_no_other_file(swept, tmp_path):
    _, folder = swept
    found = query(folder, "select count(*) as n, max(day) as last from runs join timings using (run)")
    assert found.to_pylist()[0]["n"] == 16
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"--sql: .*disabled"):
        query(folder, f"select * from '{tmp_path / 'secret.csv'}'")
    with pytest.raises(InputError, match=r'--sql: .*"verdic" not found'):
        query(folder, "select verdic from runs")
    for nothing in ("", "   ", "-- a remark"):
        with pytest.raises(InputError, match="--sql: the query returns no rows"):
            query(folder, nothing)
    with pytest.raises(InputError, match="two columns of the result have the same name"):
        query(folder, "select 1 as a, 2 as a")


# --- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["runs", "series", "timings"])
def test_sweep_with_a_truncated_part_sets_it_aside_and_repeats_its_runs(swept, table):
    design, folder = swept
    expected, said = read(folder), []
    victim = parts(folder, table)[1]
    victim.write_bytes(victim.read_bytes()[:100])
    if table == "runs":
        with pytest.raises(InputError, match=rf"{victim.name} is damaged: .*repeats the lost runs"):
            read(folder)
    run_here(design, folder, said.append)
    assert [line for line in said if victim.name in line and SET_ASIDE in line]
    assert (folder / SET_ASIDE / f"{table}-{victim.name}.broken").exists()
    assert read(folder).equals(expected)
    assert len(series(folder)) == 16 * 3


def test_sweep_with_a_part_of_other_columns_repeats_its_runs(swept):
    design, folder = swept
    expected = read(folder)
    pq.write_table(pa.table({"run": [0, 1], "weather": ["fair", "rain"]}), parts(folder)[0])
    with pytest.raises(InputError, match=r"part-000000-\w+.parquet is damaged"):
        read(folder)
    run_here(design, folder)
    assert read(folder).equals(expected)


def test_sweep_with_a_missing_file_repeats_its_runs(swept):
    design, folder = swept
    expected = series(folder)
    parts(folder, "series")[0].unlink()
    run_here(design, folder)
    assert series(folder).equals(expected)


def test_series_with_a_missing_file_raises_error(swept):
    _, folder = swept
    parts(folder, "series")[0].unlink()
    with pytest.raises(InputError, match=r"series/part-000000-\*.parquet is missing: .*the same"):
        series(folder)


def test_sweep_with_a_duplicate_part_sets_it_aside(swept):
    design, folder = swept
    expected, said = read(folder), []
    for kind in TABLES:
        first = parts(folder, kind)[0]
        for copy in ("part-000009", "part-copy"):
            first.with_name(first.name.replace("part-000000", copy)).write_bytes(first.read_bytes())
    with pytest.raises(InputError, match="some runs are stored twice"):
        read(folder)
    standing = run_here(design, folder, said.append)
    assert standing.done == 16
    assert sum(standing.outcomes.values()) == 16
    assert any("has runs that are stored in another part" in line for line in said)
    assert any("is not a part of the sweep" in line for line in said)
    assert read(folder).equals(expected)


def test_sweep_after_a_killed_start_over_repeats_all_runs(swept):
    design, folder = swept
    expected = read(folder)
    for kind in TABLES:
        for part in (folder / kind).iterdir():
            part.unlink()
    (folder / MANIFEST).rename(folder / f".{MANIFEST}.partial")
    run_here(design, folder)
    assert read(folder).equals(expected)


def test_sweep_with_other_libraries_raises_error(swept):
    design, folder = swept
    manifest = read_manifest(folder)
    write_manifest(folder, manifest | {"versions": manifest["versions"] | {"numpy": "1.0"}})
    with pytest.raises(InputError, match=r'numpy was "1.0", now "2'):
        run_here(design, folder)


def test_sweep_with_files_of_a_killed_writer_removes_them(swept):
    design, folder = swept
    leftover = folder / "runs" / ".part-000002-0123456789abcdef.parquet.partial"
    leftover.write_bytes(b"half")
    (folder / ".manifest.json.partial").write_text("{")
    orphan = parts(folder, "series")[1]
    orphan = orphan.with_name(orphan.name.replace("part-000001", "part-000002"))
    orphan.write_bytes(parts(folder, "series")[1].read_bytes())
    assert len(series(folder)) == 16 * 3, "series without their runs are not read"
    assert completed_runs(folder, quietly) == set(range(16))
    assert not leftover.exists() and not orphan.exists()
    run_here(design, folder)
    assert len(read(folder)) == 16


def test_sweep_on_a_full_disk_keeps_finished_runs(swept, monkeypatch):
    design, folder = swept
    for kind in ("runs", "series", "timings"):
        parts(folder, kind)[1].unlink()
    before = read(folder)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)\. Finished runs are kept"):
        run_here(design, folder)
    monkeypatch.undo()
    assert read(folder).equals(before)
    assert not list(folder.glob("*/.*.partial"))
    run_here(design, folder)
    assert len(read(folder)) == 16


def test_sweep_in_a_locked_folder_raises_error(swept):
    design, folder = swept
    with locked(folder), pytest.raises(InputError, match="is in use by another `asara sweep`"):
        run_here(design, folder)


def test_sweep_with_another_design_raises_error_and_fresh_replaces_it(swept, tmp_path):
    _, folder = swept
    before = read(folder)
    path = tmp_path / "toy.toml"
    path.write_text(path.read_text().replace("high = 4.0", "high = 5.0").replace("n = 8", "n = 4"))
    other = load_design(str(path))
    with pytest.raises(InputError, match=r"uncertainties.growth__difficulty_growth.high was 4.0, now 5.0"):
        run_here(other, folder)
    assert read(folder).equals(before)
    run_here(other, folder, fresh=True)
    assert len(read(folder)) == 8


def test_sweep_with_another_model_raises_error(swept):
    design, folder = swept
    manifest = read_manifest(folder)
    write_manifest(folder, manifest | {"model_digest": "0" * 64, "version": "0.0.9"})
    with pytest.raises(InputError, match=r"the source of the model has changed \(asara 0.0.9, now "):
        run_here(design, folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 7}', "format = 7 is not readable, because another release wrote it; allowed: 4"),
        ('{"form": 3}', "format = None is not readable, because another release wrote it; allowed: 4"),
        ('{"format": 3}', "format = 3 is not readable, because another release wrote it; allowed: 4"),
    ],
)
def test_sweep_with_another_format_raises_error_and_keeps_the_folder(swept, content, message):
    design, folder = swept
    (folder / MANIFEST).write_text(content)
    with pytest.raises(InputError, match=message):
        run_here(design, folder)
    assert (folder / MANIFEST).read_text() == content
    assert len(list((folder / "runs").iterdir())) == 2


def test_fresh_replaces_the_folder_of_another_version(swept):
    design, folder = swept
    (folder / MANIFEST).write_text('{"format": 7}')
    run_here(design, folder, fresh=True)
    assert '"format": 4' in (folder / MANIFEST).read_text()


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 4}', '{"digest": ""}', None])
def test_sweep_with_a_damaged_manifest_continues_if_its_parts_are_of_the_design(swept, tmp_path, content):
    design, folder = swept
    expected, said = read(folder), []
    (folder / MANIFEST).unlink()
    if content is not None:
        (folder / MANIFEST).write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json is "):
        read(folder)
    other = toy(tmp_path, 4, engine="fluid")
    with pytest.raises(InputError, match=r"may hold runs of another design\. Use --fresh to start over"):
        run_here(other, folder)
    run_here(design, folder, said.append)
    assert read(folder).equals(expected)
    assert len(parts(folder)) == 2, "nothing was run again"
    assert (folder / SET_ASIDE / "manifest.json.broken").exists() == bool(said) == (content is not None)


def test_sweep_part_of_another_design_is_set_aside(swept, tmp_path):
    design, folder = swept
    expected, said = read(folder), []
    write_whole(toy(tmp_path, 2, replications=1, engine="fluid"), tmp_path / "other", [[0, 1]])
    for kind in TABLES:
        parts(folder, kind)[0].unlink()
        parts(tmp_path / "other", kind)[0].rename(folder / kind / parts(tmp_path / "other", kind)[0].name)
    run_here(design, folder, said.append)
    assert "has runs of another design or version" in said[0]
    assert read(folder).equals(expected)


def test_sweep_in_a_folder_with_other_files_raises_error(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    design = toy(tmp_path, 2, engine="fluid")
    for fresh in (False, True):
        with pytest.raises(InputError, match="contains other files"):
            run_here(design, tmp_path, fresh=fresh)


@pytest.mark.slow
def test_sweep_with_invalid_runs_records_the_reason(tmp_path):
    design = toy(tmp_path, 2, engine="fluid")
    design.levers["researcher__initial"] = (1, 10**16)  # type: ignore[index]
    run_here(design, tmp_path / "rows")
    rows = read(tmp_path / "rows").to_pylist()
    assert [row["status"] for row in rows] == ["ok", "invalid"] * 2
    assert all("researcher__initial" in row["message"] for row in rows[1::2])
    with LocalWorkerPool(design, 1) as pool:
        again = [finished.row for finished in pool.run([row["run"] for row in rows]) if finished is not None]
    assert sorted(again, key=lambda row: row["run"]) == rows
