"""Test that commands write their files for any standard output, and that the exit code reports a failure to print."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.app import main
from experiments.cli.streams import SafeStream, safe_streams

ROOT = Path(__file__).parents[3]
FILES = {
    "log.csv": "job,submit_s,run_s,gpus\nfirst \u2192 \u00e4,0,10,4\nb,1,20,2\n",
    "series.csv": "speed\n" + "".join(f"{1.3**row * (1.1 if row % 3 else 1):.6f}\n" for row in range(20)),
    "design.toml": 'base = "toy-explosion"\nsampling = "grid"\n[levers]\nrun__max_doublings = [2, 3]\n',
}
COMMANDS = {
    "run": ("run toy-fizzle --set run__max_doublings=2 --out new", ["new/run.json", "new/run.png"]),
    "run --json": ("run toy-fizzle --set run__max_doublings=2 --json --out new", ["new/run.json"]),
    "replay": ("replay log.csv --gpus 4 --out new.csv", ["new.csv"]),
    "mc": ("mc report --n 200 --out new", ["new/mc.json", "new/mc.csv", "new/mc.png"]),
    "fit": ("fit series.csv --output speed --draws 100 --out new", ["new/fit.json", "new/fit.toml", "new/fit.png"]),
    "sweep": ("sweep design.toml --engine fluid --workers 1 --out new", ["new/runs/part-000000-*.parquet"]),
    "kernels report": ("kernels report --only causal/bf16/both --out new", ["new/report.json"]),
}
"""Commands that write files, and the files."""


def _prepare(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


def _without_reader() -> io.TextIOWrapper:
    reader, writer = os.pipe()
    os.close(reader)
    return io.TextIOWrapper(os.fdopen(writer, "wb"), encoding="utf-8")


def _full() -> io.TextIOWrapper:
    return io.TextIOWrapper(Path("/dev/full").open("wb"), encoding="utf-8")


def _encoded(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")


STREAMS = {
    "reader gone": (_without_reader, 0),
    "full": (_full, 2),
    "closed": (lambda: None, 0),
    "ascii": (lambda: _encoded("ascii"), 0),
    "latin-1": (lambda: _encoded("latin-1"), 0),
}
"""Standard output as it may be, and the exit code then."""


@pytest.fixture
def make() -> Iterator[Callable[[str], Any]]:
    """Make streams by their names in STREAMS, and close them after the test."""
    made = []

    def call(name: str) -> Any:
        made.append(STREAMS[name][0]())
        return made[-1]

    yield call
    for stream in made:
        with suppress(OSError):  # what could not be written before cannot be written at the end
            if stream is not None:
                stream.close()


@pytest.mark.parametrize(
    ("command", "stream"), [*((each, "full") for each in COMMANDS), *(("replay", each) for each in STREAMS)]
)
def test_command_writes_files_for_any_stdout(tmp_path, monkeypatch, capsys, make, command, stream):
    line, files = COMMANDS[command]
    _prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", make(stream))
    assert main(line.split()) == STREAMS[stream][1]
    assert [name for name in files if not list(tmp_path.glob(name))] == []
    said = capsys.readouterr().err
    assert "Traceback" not in said
    cannot_be_shown = "asara: the output cannot be printed (No space left on device); the"
    assert (cannot_be_shown in said) == (stream == "full")


@pytest.mark.parametrize("stream", STREAMS)
def test_command_writes_files_for_any_stderr(tmp_path, monkeypatch, capsys, make, stream):
    line, files = COMMANDS["replay"]
    _prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stderr", make(stream))
    assert main(line.split()) == 0
    assert [name for name in files if not list(tmp_path.glob(name))] == []
    assert capsys.readouterr().out


def test_analyse_with_a_full_stdout_writes_its_report(tmp_path, monkeypatch, capsys, make):
    _prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "design.toml", "--engine", "fluid", "--workers", "1", "--out", "new"]) == 0
    monkeypatch.setattr(sys, "stdout", make("full"))
    assert main(["analyse", "new"]) == 2
    assert (tmp_path / "new/analysis/report.html").is_file()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("line", ["scenarios", "explain cluster__gpus", "--help", "fit --published"])
@pytest.mark.parametrize("stream", STREAMS)
def test_printing_command_with_any_stdout_prints_no_traceback(tmp_path, monkeypatch, capsys, make, line, stream):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", make(stream))
    assert main(line.split()) == STREAMS[stream][1]
    assert "Traceback" not in capsys.readouterr().err


def test_json_on_an_ascii_terminal_is_escaped(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    out = make("ascii")
    monkeypatch.setattr(sys, "stdout", out)
    (tmp_path / "l\u00e4b.toml").write_text("[run]\nmax_doublings = 2\n", encoding="utf-8")
    assert main(["run", "l\u00e4b.toml", "--engine", "fluid", "--json"]) == 0
    assert json.loads(out.buffer.getvalue())["scenario"] == "l\u00e4b"  # type: ignore[attr-defined]


@pytest.mark.parametrize("columns", ["0", "40", "1", "-5", "many"])
@pytest.mark.parametrize("line", ["run toy-fizzle", "explain", "mc successor --n 1000", "scenarios", "fit --published"])
def test_output_at_any_width_truncates_no_value(tmp_path, monkeypatch, capsys, columns, line):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", columns)
    assert main(line.split()) == 0
    shown = capsys.readouterr().out
    assert len(shown) > 200
    assert "\u2026" not in shown


def test_safe_stream_after_a_failure_drops_text_and_keeps_the_reason(make):
    stream = SafeStream(make("full"))
    assert stream.write("lost") == 4
    stream.flush()
    assert stream.write("lost too") == 8
    assert stream.failure is not None
    assert stream.failure.strerror == "No space left on device"


def test_safe_stream_with_a_closed_reader_has_no_failure(make):
    stream = SafeStream(make("reader gone"))
    stream.write("not read")
    stream.flush()
    assert stream.failure is None


def test_safe_streams_restores_the_original_streams():
    before = sys.stdout, sys.stderr
    with safe_streams():
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before


SHELL = {
    "| true": 0,
    "| head -1": 0,
    ">&-": 0,
    "2>&-": 0,
    ">&- 2>&- <&-": 0,
    "> /dev/full": 2,
    "2> /dev/full": 0,
}


@pytest.mark.parametrize("redirection", SHELL)
def test_command_with_a_shell_redirection_writes_its_file(tmp_path, redirection):
    _prepare(tmp_path)
    log, out = tmp_path / "log.csv", tmp_path / "new.csv"
    line = f"{sys.executable} -m experiments.cli.app replay {log} --gpus 4 --out {out}"
    found = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line} {redirection}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    assert found.returncode == SHELL[redirection], found.stderr
    assert out.is_file()
    assert "Traceback" not in found.stderr
    assert "Exception" not in found.stderr


def test_run_in_the_posix_locale_replaces_unsupported_characters(tmp_path):
    environment = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-m", "experiments.cli.app", "run", "toy-explosion", "--out", str(tmp_path / "new")],
        capture_output=True,
        check=False,
        env=os.environ | environment,
        cwd=ROOT,
    )
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"Written to" in found.stdout
    assert (tmp_path / "new/run.json").is_file()
