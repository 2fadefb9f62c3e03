"""Measure the time of whole commands with a million or a billion researchers, over the start of Python alone.

Each command is a process, timed from its start to its last line. The other side is a process that imports the World and
ends, so the difference is the time of the command. Wall time; sides take turns. Exits with 1 if a limit is missed or a
command fails.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.progress import track

from benchmarks.ratio_table import Limit, Row, at_most, show, take_turns, wall_seconds

TURNS = 5
START = (sys.executable, "-c", "import sim.world")
ASARA = str(Path(sys.executable).with_name("asara"))


class Case(NamedTuple):
    """One command."""

    words: Sequence[str]
    limit: Limit | None

    @property
    def name(self) -> str:
        """What it compares, for the table."""
        return f"asara {' '.join(self.words)}: over the start"


CASES = (
    Case(("run", "toy-explosion", "--stop-at-researchers", "1e9"), at_most(2)),
    Case(("run", "lab", "--stop-at-researchers", "1048576"), at_most(2.5)),
    Case(("mc", "successor"), None),
    Case(("run", "lab"), None),
)


class FailedError(Exception):
    """A command failed; says which and how."""


def run(words: Sequence[str], folder: Path) -> None:
    """Run a command in a folder of its own; raises FailedError."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        raise FailedError(f"{' '.join(words[1:])}: {done.stderr.strip()}")


def compare(case: Case) -> Row:
    """Measure a command."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            run((ASARA, *case.words), folder)  # once for nothing: what it reads is in memory then
            pair = take_turns(
                lambda: wall_seconds(lambda: run((ASARA, *case.words), folder)),
                lambda: wall_seconds(lambda: run(START, folder)),
                TURNS,
            )
        except FailedError as error:
            return Row(case.name, "", "", None, case.limit, wrong=str(error))
    return Row(case.name, f"{pair.ours:.2f} s", f"{pair.other:.2f} s", pair.slower, case.limit)


def rows() -> Iterator[Row]:
    """Measure all commands."""
    for case in track(CASES, "measuring", transient=True):
        yield compare(case)


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    return int(show("whole commands, wall time", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
