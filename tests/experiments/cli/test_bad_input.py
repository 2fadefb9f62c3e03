"""Test that any error of the input prints one sentence on stderr, exits with code 2 and writes nothing."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.cli import app
from experiments.cli.arguments import load_scenario
from experiments.design.design import load_design
from experiments.errors import InputError
from experiments.monte_carlo.priors import BUNDLED_PRIORS_DIR
from experiments.storage.file_kinds import BLOCKS
from sim.scenario.model import parameters

ROOT = Path(__file__).parents[3]
LOG = "job,submit_s,run_s,gpus\na,0,10,4\n"
FILES = {
    "broken.toml": "[cluster]\ngpus = = 3\n",
    "unknown.toml": "[cluster]\ngpu = 3\n",
    "loose.toml": "gpus = 3\n",
    "design.toml": 'base = "lab"\nsampling = "grid"\n[levers]\ncluster__gpus = [64, 128]\n',
    "priors.toml": "[inputs.r]\ndistribution = 'constant'\nvalue = 1.2\n",
    "nothing.toml": "",
    "nothing.csv": "",
    "remarks.toml": "# nothing yet\n",
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
    "a design": ("run design.toml", ["design.toml is the design of a sweep", "Run `asara sweep design.toml`"]),
    "priors for a run": ("run priors.toml", ["priors.toml is a file of priors", "Run `asara mc priors.toml`"]),
    "a design for mc": ("mc design.toml", ["is the design of a sweep, not a file of priors", "`asara sweep design"]),
    "a scenario for mc": ("mc tight.toml", ["tight.toml is a scenario", "Run `asara run tight.toml`"]),
    "a scenario for a sweep": ("sweep tight.toml", ["tight.toml is a scenario", "Run `asara run tight.toml`"]),
    "priors for a sweep": ("sweep priors.toml", ["priors.toml is a file of priors", "`asara mc priors.toml`"]),
    "an empty file": ("run nothing.toml", ["nothing.toml: is empty", "under [cluster]"]),
    "only remarks": ("run remarks.toml", ["remarks.toml: is empty"]),
    "an empty CSV for a scenario": ("run nothing.csv", ["nothing.csv: is empty"]),
    "hexadecimal": ("run lab --set growth__r=0x2", ["growth__r = '0x2'", "a number from 0.01 to 100"]),
    "an underscore in a number": ("run lab --set cluster__gpus=1_0", ["cluster__gpus = '1_0'", "whole number"]),
    "a comma in the wrong place": ("run lab --set cluster__gpus=10,24", ["cluster__gpus = '10,24'", "whole number"]),
    "a decimal comma": ("run lab --set growth__r=1,5", ["growth__r = '1,5'", "a number from"]),
    "neither yes nor no": ("run lab --set training__required=perhaps", ["training__required = 'perhaps'"]),
    "an underscore in an option": ("run lab --seed 1_0", ["--seed", "'1_0'", "whole number"]),
    "hexadecimal in an option": ("mc successor --n 0x2", ["--n", "'0x2'", "whole number"]),
    "a part of a run": ("mc successor --n 2.5", ["--n", "'2.5'", "whole number"]),
    "a number that takes memory": ("mc successor --n 1e999999999", ["--n", "whole number"]),
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
    "out is a file": ("run toy-fizzle --out good.csv", ["good.csv", "is a file; allowed: a folder"]),
    "out is below a file": ("run toy-fizzle --out good.csv/run", ["good.csv/run", "cannot be written"]),
    "a moving division in equations": (
        "run lab --engine fluid --set policy__name=adaptive",
        ["policy__name = 'adaptive'", "allowed: 'fixed'. Change it, or use the World"],
    ),
    "a moving division to solve": (
        "solve lab --until doublings=1@100 --for growth__r --set policy__name=adaptive",
        ["policy__name = 'adaptive'", "allowed: 'fixed'. Change it, or use the World"],
    ),
    "a moving division at a fixed point": (
        "bottleneck lab --set policy__name=adaptive",
        ["policy__name = 'adaptive'", "allowed: 'fixed'. Set policy__name = fixed"],
    ),
    "unknown option": ("run lab --gpus 3", ["--gpus", "(`asara run --help` lists what is allowed)"]),
    "unknown option below": ("kernels tune --budgets 3", ["--budgets", "(`asara kernels tune --help` lists"]),
    "unknown command": ("rum lab", ["'rum'", "(`asara --help` lists what is allowed)"]),
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
    "a log without a size": ("replay good.csv", ["good.csv", "--gpus"]),
    "not even the SWF": ("replay headless.swf", ["headless.swf", "--gpus"]),
    "unknown format": ("replay good.csv --format cvs --gpus 4", ["cvs", "did you mean 'csv'"]),
    "unknown queue of a replay": ("replay good.csv --gpus 4 --queue fifo", ["cluster__queue = 'fifo'", "fcfs"]),
    "unknown placement": ("replay good.csv --gpus 4 --placement flatt", ["cluster__placement = 'flatt'", "flat"]),
    "waits into a folder": ("replay good.csv --gpus 4 --out .", ["is a folder; allowed: a file"]),
}


@pytest.mark.parametrize("case", BAD)
def test_command_with_bad_input_prints_one_sentence_and_exits_with_2(asara, tmp_path, case):
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
def test_command_with_an_unwritable_output_exits_before_the_run(asara, tmp_path, monkeypatch, line):
    def read_only(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    (tmp_path / "good.csv").write_text(LOG)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", read_only)
    answer = asara(*line.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: --out = new/")
    assert "Read-only file system" in answer.err
    assert not (tmp_path / "new").exists()


def test_command_with_another_agents_package_names_it(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from experiments.cli.app import main; sys.exit(main())"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", script, "scenarios"], capture_output=True, text=True, env=environment, check=False
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("asara: another package named 'agents'")
    assert str(tmp_path / "agents") in found.stderr
    assert found.stderr.count("\n") == 1


def test_command_with_an_internal_error_raises_it(monkeypatch):
    def fault(*_: object, **__: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(app, "command", lambda: fault)
    with pytest.raises(ValueError, match="a fault of ours"):
        app.main(["scenarios"])


def test_error_message_with_line_breaks_is_printed_as_one_line(capsys, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise InputError("two\nlines")

    monkeypatch.setattr(app, "command", lambda: refuse)
    assert app.main([]) == 2
    assert capsys.readouterr().err == "asara: two lines\n"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cluster__gpus=1,024", 1024),
        ("cluster__gpus=1e3", 1000),
        ("cluster__gpus=64.0", 64),
        ("cluster__gpus= 64 ", 64),
        ("growth__r=1", 1.0),
        ("growth__r=.5", 0.5),
        ("run__horizon_days=1,000.5", 1000.5),
        ("training__required=False", False),
        ("training__required=no", False),
        ("training__required=YES", True),
        ("training__required=true", True),
        ("cluster__queue=easy", "easy"),
        ("cluster__queue='easy'", "easy"),
    ],
)
def test_setting_in_any_number_format_is_parsed(setting, value):
    name = setting.partition("=")[0]
    found = load_scenario("lab", [setting]).flat()[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["1,000", "1e3", "1000", "+1000", "1000.0"])
def test_option_in_any_number_format_is_parsed(asara, text):
    assert json.loads(asara("mc", "successor", "--json", "--n", text).out)["n"] == 1000


def test_scenario_file_with_whole_numbers_in_exponent_form_is_read(asara, tmp_path):
    (tmp_path / "mine.toml").write_text("[cluster]\ngpus = 1e3\n")
    assert load_scenario(str(tmp_path / "mine.toml"), []).cluster.gpus == 1000
    (tmp_path / "design.toml").write_text(
        'base = "lab"\nsampling = "random"\nn = 1e1\n[levers]\ncluster__gpus = [1e3, 2e3]\n'
        "[uncertainties.growth__r]\ndistribution = 'uniform'\nlow = 1\nhigh = 2\n"
    )
    assert len(load_design(str(tmp_path / "design.toml"))) == 20


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("run mine.toml --engine fluid", "[run]\nmax_doublings = 2\n"),
        ("mc mine.toml --n 10", (BUNDLED_PRIORS_DIR / "successor.toml").read_text(encoding="utf-8")),
        ("sweep mine.toml", FILES["design.toml"].replace("[64, 128]", "[0]")),
    ],
)
def test_scenario_file_with_a_byte_order_mark_is_read(asara, tmp_path, line, text):
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8-sig")
    answer = asara(*line.split())
    assert "TOML" not in answer.err
    assert answer.code == 0 or "cluster__gpus = 0" in answer.err


def test_scenario_blocks_equal_those_of_the_parameters():
    assert dict.fromkeys(BLOCKS) == dict.fromkeys(parameter.block for parameter in parameters().values())


@pytest.mark.slow
def test_command_on_a_full_disk_prints_one_sentence_with_the_file_name(asara, monkeypatch, full_disk):
    lines = [
        "run toy-fizzle --set run__max_doublings=2 --out new",
        "mc successor --n 1000 --out new",
        "replay good.csv --gpus 4 --out new.csv",
        "kernels report --only causal/bf16/both --out new",
    ]
    Path("good.csv").write_text("job,submit_s,run_s,gpus\n" + "".join(f"job{n},{n},10,4\n" for n in range(500)))
    for line in lines:
        with full_disk():
            answer = asara(*line.split())
        assert (answer.code, answer.out) == (2, ""), line
        assert answer.err.startswith("asara: new"), line
        assert "cannot be written (File too large). Choose a place that has space" in answer.err, line
        assert answer.err.count("\n") == 1


@pytest.fixture
def full_disk(monkeypatch):
    """A context in which no file can grow beyond some bytes, as on a full disk."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python would keep the first bytes of a compiled module

    @contextmanager
    def full() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return full


@pytest.mark.slow
def test_command_with_a_missing_glyph_and_unwritable_home_prints_no_warning(tmp_path):
    (tmp_path / "my läb 🚀.toml").write_text("[run]\nmax_doublings = 2\n", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": "/proc/1", "MPLCONFIGDIR": "/proc/1"}
    found = subprocess.run(
        [sys.executable, "-m", "experiments.cli.app", "run", "my läb 🚀.toml", "--out", "new"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("run FILE --out new", "[run]\nmax_doublings = 2\n"),
        ("mc FILE --n 10 --out new", (BUNDLED_PRIORS_DIR / "successor.toml").read_text(encoding="utf-8")),
        ("fit FILE --output x --draws 100 --out new", "x\n" + "".join(f"{1.5**n:.4f}\n" for n in range(8))),
        ("replay FILE --gpus 4 --out new/waits.csv", LOG),
    ],
)
def test_scenario_file_with_a_name_not_in_utf_8_is_read(asara, tmp_path, line, text):
    name = os.fsdecode(b"my\xff.toml")
    (tmp_path / name).write_text(text, encoding="utf-8")
    answer = asara(*(word.replace("FILE", name) for word in line.split()))
    assert (answer.code, answer.err) == (0, "")
    assert list((tmp_path / "new").iterdir())
