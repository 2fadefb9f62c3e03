"""Control codes: only for a terminal that follows them, which neither a pipe nor the cell of a notebook does."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CELL = {"TERM": "xterm-color", "FORCE_COLOR": "1", "CLICOLOR": "1", "CLICOLOR_FORCE": "1", "JPY_PARENT_PID": "1"}
"""What ipykernel 7 adds to the environment of a command that is typed in a cell."""
RUN = "run toy-fizzle --set run__sample_days=0.1 --set run__max_doublings=4"
ESCAPE = b"\x1b"


def on_a_terminal(line: str, **environment: str) -> bytes:
    """Return what a command writes to a terminal, to both stdout and stderr."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "experiments.cli.app", *line.split()]
    plain = {name: value for name, value in os.environ.items() if name not in CELL and name != "NO_COLOR"}
    shown = b""
    with subprocess.Popen(
        command, stdout=theirs, stderr=theirs, cwd=ROOT, env=plain | {"TERM": "xterm", "COLUMNS": "100"} | environment
    ) as process:
        os.close(theirs)
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # Linux reports with this error that the other end was closed
            pass
    os.close(ours)
    assert process.returncode == 0, shown
    return shown


def test_run_on_a_terminal_shows_progress():
    shown = on_a_terminal(RUN)
    assert ESCAPE in shown
    assert b"GPUs busy" in shown


@pytest.mark.parametrize("environment", [CELL, {"TERM": "dumb"}], ids=["a cell", "a dumb terminal"])
def test_run_in_a_notebook_cell_prints_no_control_codes(environment):
    shown = on_a_terminal(RUN, **environment)
    assert ESCAPE not in shown
    assert b"GPUs busy" not in shown
    assert b"took days" in shown


@pytest.mark.parametrize("line", [RUN, "explain cluster__gpus", "mc successor --n 1000"])
def test_command_in_a_pipe_prints_no_control_codes_with_forced_colours(line):
    command = [sys.executable, "-m", "experiments.cli.app", *line.split()]
    found = subprocess.run(command, capture_output=True, cwd=ROOT, env=os.environ | CELL, check=True)
    assert ESCAPE not in found.stdout + found.stderr
    assert found.stdout
