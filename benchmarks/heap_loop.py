"""Builds and runs ``heap_loop.c``, the least that the closed lab can cost."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-O2", "-std=c11", "-D_POSIX_C_SOURCE=199309L")


class NoCompilerError(Exception):
    """There is no C compiler, or it cannot build the program; says so in a sentence."""


class Counted(NamedTuple):
    """What the program printed. Times are in mean service times, waits those of jobs that started."""

    jobs: int
    """Jobs that finished after the warm-up."""
    seconds: float
    """CPU time that they took."""
    all_jobs: int
    """Jobs that finished at all."""
    waited: float
    last: float
    """When the last job finished."""


class HeapLoop(NamedTuple):
    """The program."""

    program: Path

    def run(self, researchers: int, gpus: int, warm: float, until: float, seed: int) -> Counted:
        """Run the lab to ``until``, and time it from ``warm`` on."""
        words = [str(self.program), *(repr(word) for word in (researchers, gpus, warm, until, seed))]
        printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        jobs, seconds, all_jobs, waited, last = printed
        return Counted(int(jobs), float(seconds), int(all_jobs), float(waited), float(last))


def build(folder: Path) -> HeapLoop:
    """Build the program into a folder, with CC or the system's cc; raises NoCompilerError."""
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None:
        raise NoCompilerError("no C compiler: there is no cc on the path, and CC names none")
    program = folder / "heap_loop"
    built = subprocess.run(
        [compiler, *FLAGS, "-o", str(program), str(SOURCE), "-lm"], check=False, capture_output=True, text=True
    )
    if built.returncode:
        raise NoCompilerError(f"{compiler} cannot build {SOURCE.name}: {built.stderr.strip()}")
    return HeapLoop(program)
