"""Whatever is wrong with the input is one sentence on stderr and exit code 2, and nothing is written."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from experiments import cli
from experiments.errors import InputError

ROOT = Path(__file__).parents[2]
LOG = "job,submit_s,run_s,gpus\na,0,10,4\n"
FILES = {
    "broken.toml": "[cluster]\ngpus = = 3\n",
    "unknown.toml": "[cluster]\ngpu = 3\n",
    "loose.toml": "gpus = 3\n",
    "design.toml": 'base = "lab"\nsampling = "grid"\n[levers]\ncluster__gpus = [64, 128]\n',
    "tight.toml": "[cluster]\ngpus = 64\n",
    "good.csv": LOG,
    "good.csv.jsonl": LOG,
    "bad.csv": LOG + "b,soon,10,4\n",
    "empty.csv": "job,submit_s,run_s,gpus\n",
    "columns.csv": "job,submit_s\na,0\n",
    "bad.swf": "; MaxProcs: 4\n1 0 -1 10 4\n2 0 -1\n",
    "headless.swf": "1 0 -1 10 4\n",
    "not.swf.gz": "this is no gzip file",
}

BAD = {
    "unknown parameter": ("run toy-fizzle --set cluster__gpu=64", ["'cluster__gpu'", "did you mean 'cluster__gpus'"]),
    "below its bounds": ("run toy-fizzle --set cluster__gpus=0", ["cluster__gpus = 0", "GPUs", "from 1 to"]),
    "above its bounds": ("run lab --set growth__r=101", ["growth__r = 101", "from 0.01 to 100"]),
    "a word for a number": ("run lab --set cluster__gpus=many", ["cluster__gpus = 'many'", "whole number"]),
    "a part of a GPU": ("run lab --set cluster__gpus=1.5", ["cluster__gpus = 1.5", "whole number"]),
    "not a number": ("run lab --set growth__r=nan", ["growth__r = nan"]),
    "unknown queue": ("run lab --set cluster__queue=eazy", ["cluster__queue = 'eazy'", "did you mean 'easy'"]),
    "a parameter that nothing reads": ("run toy-fizzle --set growth__r=2", ["growth__r is not read"]),
    "a setting without =": ("run lab --set cluster__gpus", ["--set cluster__gpus", "NAME=VALUE"]),
    "a setting without a name": ("run lab --set =3", ["--set =3", "NAME=VALUE"]),
    "broken TOML": ("run broken.toml", ["broken.toml", "line 2"]),
    "unknown name in a file": ("run unknown.toml", ["unknown.toml", "'cluster__gpu'", "'cluster__gpus'"]),
    "a name outside its block": (
        "run loose.toml",
        ["loose.toml", "'gpus'", "'cluster__gpus' or", "under [cluster]"],
    ),
    "a setting without its block": ("run lab --set horizon_days=3", ["'horizon_days'", "mean 'run__horizon_days' ("]),
    "missing file": ("run missing.toml", ["missing.toml: cannot be read (No such file or directory)"]),
    "no text": ("run latin.toml", ["latin.toml: is not text in UTF-8"]),
    "a design": ("run design.toml", ["design.toml: the design of a sweep", "`asara sweep design.toml` runs it"]),
    "a file without its ending": ("run tight", ["no scenario 'tight'", "did you mean 'tight.toml'?"]),
    "unknown scenario": ("run toy-explode", ["'toy-explode'", "did you mean 'toy-explosion'"]),
    "until before the start": ("run lab --until -5", ["run__horizon_days = -5"]),
    "until some day": ("run lab --until soon", ["--until", "valid number"]),
    "negative seed": ("run lab --seed -1", ["--seed"]),
    "a job larger than its share": ("run lab --set cluster__gpus=8", ["researcher__experiment_gpus = 8"]),
    "more agents than fit": ("run lab --set run__max_doublings=300", ["run__max_doublings = 300"]),
    "shares beyond the whole": ("run lab --set cluster__inference_share=0.9", ["inference_share 0.9"]),
    "unknown measurements": ("run lab --set kernels__measurements=nome", ["= 'nome'", "did you mean 'none'"]),
    "missing measurements": ("run lab --set kernels__measurements=no.jsonl", ["no.jsonl", "cannot be read"]),
    "no measurements": ("run lab --set kernels__measurements=good.csv.jsonl", ["good.csv.jsonl", "line 1"]),
    "unknown workload": ("run lab --set kernels__workload=casual/bf16/both", ["did you mean 'causal/bf16/both'"]),
    "out is a file": ("run toy-fizzle --out good.csv", ["good.csv", "a folder is needed"]),
    "out is below a file": ("run toy-fizzle --out good.csv/run", ["good.csv/run", "cannot be written"]),
    "unknown option": ("run lab --gpus 3", ["--gpus"]),
    "unknown command": ("rum lab", ["'rum'"]),
    "no command": ("", ["Missing command"]),
    "unknown parameter to explain": ("explain cluster__gpsu", ["'cluster__gpsu'", "did you mean 'cluster__gpus'"]),
    "unknown bare name to explain": ("explain horizon_dayz", ["'horizon_dayz'", "did you mean 'horizon_days'"]),
    "missing log": ("replay missing.csv --gpus 4", ["missing.csv"]),
    "a log that is a folder": ("replay . --gpus 4", ["directory"]),
    "bad line of a CSV": ("replay bad.csv --gpus 4", ["bad.csv", "line 3", "submit_s", "soon"]),
    "bad line of an SWF": ("replay bad.swf", ["bad.swf", "line 3"]),
    "missing columns": ("replay columns.csv --gpus 4", ["columns.csv", "run_s"]),
    "no gzip file": ("replay not.swf.gz --gpus 4", ["not.swf.gz", "gzip"]),
    "no jobs": ("replay empty.csv --gpus 4", ["empty.csv", "no jobs"]),
    "a job larger than the cluster": ("replay good.csv --gpus 2", ["job a", "4 GPUs", "at most 2"]),
    "no GPUs": ("replay good.csv --gpus 0", ["cluster__gpus = 0"]),
    "nobody says how large": ("replay good.csv", ["good.csv", "--gpus"]),
    "not even the SWF": ("replay headless.swf", ["headless.swf", "--gpus"]),
    "unknown format": ("replay good.csv --format cvs --gpus 4", ["'cvs'", "did you mean 'csv'"]),
    "unknown queue of a replay": ("replay good.csv --gpus 4 --queue fifo", ["cluster__queue = 'fifo'", "fcfs"]),
    "unknown placement": ("replay good.csv --gpus 4 --placement flatt", ["cluster__placement = 'flatt'", "flat"]),
    "waits into a folder": ("replay good.csv --gpus 4 --out .", ["a file is needed"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(asara, tmp_path, case):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.toml").write_bytes(b'description = "caf\xe9"\n')
    line, fragments = BAD[case]
    before = sorted(tmp_path.rglob("*"))
    outs = [] if "--out" in line or line.split()[:1] not in (["run"], ["replay"]) else ["--out", "new/result"]
    answer = asara(*line.split(), *outs)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: ")
    assert answer.err.count("\n") == 1
    for fragment in fragments:
        assert fragment in answer.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("line", ["run toy-fizzle --out new/run", "replay good.csv --gpus 4 --out new/waits.csv"])
def test_a_place_that_cannot_be_written_is_found_before_the_run(asara, tmp_path, monkeypatch, line):
    def read_only(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    (tmp_path / "good.csv").write_text(LOG)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", read_only)
    answer = asara(*line.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: --out new/")
    assert "Read-only file system" in answer.err
    assert not (tmp_path / "new").exists()


def test_another_package_called_agents_is_named(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from experiments.cli import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", script, "scenarios"], capture_output=True, text=True, env=environment, check=False
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("asara: another package called 'agents'")
    assert str(tmp_path / "agents") in found.stderr
    assert found.stderr.count("\n") == 1


def test_an_error_of_ours_is_not_called_the_users(monkeypatch):
    def fault(*_: object, **__: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(cli, "app", fault)
    with pytest.raises(ValueError, match="a fault of ours"):
        cli.main(["scenarios"])


def test_a_sentence_is_one_line_whatever_was_typed(capsys, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise InputError("two\nlines")

    monkeypatch.setattr(cli, "app", refuse)
    assert cli.main([]) == 2
    assert capsys.readouterr().err == "asara: two lines\n"
