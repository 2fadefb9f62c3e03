"""Test damaged files of a sweep: one error, the file is set aside, and its runs are repeated."""

import warnings

import duckdb
import pandas as pd
import pytest

from experiments.cli.app import main
from experiments.design.design import load_design
from experiments.sweep.part_files import SET_ASIDE, TABLES, parts
from experiments.sweep.query import read
from experiments.sweep.runner import manifest_of
from experiments.sweep.storage import MANIFEST, write_manifest, write_part
from experiments.sweep.workers.process import do_runs
from tests.support.sweep_damage import flip_bits, stored_files
from tests.support.sweep_runs import run_here, toy


@pytest.fixture
def swept(tmp_path):
    design, folder = toy(tmp_path, 8, engine="fluid"), tmp_path / "swept"
    folder.mkdir()
    write_manifest(folder, manifest_of(design))
    for runs in (range(9), range(9, 16)):
        write_part(folder, do_runs(design, list(runs)))
    return folder


def test_results_after_one_flipped_bit_are_the_same_values_or_refused(swept):
    noticed, same = flip_bits(swept, 200, seed=1)
    assert noticed > 20 * same


def _flipped_value(content: bytes) -> bytes:
    """Flip a bit of the first stored value."""
    return content[:400] + bytes([content[400] ^ 1]) + content[401:]


def _flipped_footer(content: bytes) -> bytes:
    """Make the name of a column invalid text, which is a UnicodeDecodeError of the reader."""
    at = len(content) * 9 // 10
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


DAMAGES = {
    "flipped value": _flipped_value,
    "flipped footer": _flipped_footer,
    "flipped middle": lambda content: (
        content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 0xFF]) + content[len(content) // 2 + 1 :]
    ),
    "truncated": lambda content: content[: len(content) * 3 // 4],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", [*TABLES, MANIFEST])
def test_sweep_with_a_damaged_file_repeats_its_runs_and_readers_refuse_it(swept, capsys, kind, damage):
    expected, said = read(swept), []
    path = stored_files(swept)[kind][-1]
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    readers = [["results", str(swept)], ["analyse", str(swept)]] if kind in ("runs", MANIFEST) else []
    readers.append(["results", str(swept), "--sql", f"select * from {kind if kind in TABLES else 'runs'}"])
    sentence = f"{path} is damaged: its content is not what was written. Run the same `asara sweep` again"
    for command in readers:
        assert main(command) == 2
        refusal = " ".join(capsys.readouterr().err.split())
        assert refusal.startswith(f"asara: {sentence}")
        assert "Traceback" not in refusal
    run_here(load_design(str(swept.parent / "toy.toml")), swept, said.append)
    assert [line.startswith(sentence) for line in said] == [True]
    assert read(swept).equals(expected)
    assert [each for each in (swept / SET_ASIDE).iterdir() if path.name in each.name]
    assert main(["results", str(swept)]) == 0


@pytest.mark.slow
def test_sweep_command_with_a_damaged_part_reports_it_and_ends_well(swept, capsys):
    path = parts(swept)[1]
    path.write_bytes(_flipped_footer(path.read_bytes()))
    assert main(["sweep", str(swept.parent / "toy.toml"), "--out", str(swept), "--workers", "1"]) == 0
    said = "".join(capsys.readouterr().out.split())
    assert f"{path.name}isdamaged" in said and "16of16runsaredone" in said


def test_other_readers_of_a_folder_see_neither_set_aside_nor_unfinished_parts(swept):
    for kind in TABLES:
        first = parts(swept, kind)[0]
        first.with_name(first.name.replace("part-000000", "part-000009")).write_bytes(first.read_bytes())
        path = parts(swept, kind)[1]
        path.write_bytes(path.read_bytes()[:-9])
    run_here(load_design(str(swept.parent / "toy.toml")), swept)
    for kind in TABLES:
        (swept / kind / ".part-000077-0123456789abcdef.parquet.partial").write_bytes(b"half")
    assert len(list((swept / SET_ASIDE).iterdir())) == 6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert sorted(pd.read_parquet(swept / "runs")["run"]) == list(range(16))
    for pattern in ("runs/*.parquet", "**/runs*/*.parquet"):
        found = duckdb.sql(f"select run from read_parquet('{swept}/{pattern}', union_by_name=true)").fetchall()
        assert sorted(found) == [(run,) for run in range(16)]
    assert not [path for path in swept.rglob("*.parquet") if path.parent.name not in TABLES]
