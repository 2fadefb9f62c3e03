"""Repeat the shipped measurements on this machine: `make measurements`, about an hour on two cores.

Each search is a separate call of `asara kernels tune` with its own trace in the folder. Interrupted searches continue;
complete searches are not repeated. Finally all traces are joined, in the order of the plan, into one file.
`asara kernels report FILE` reports it, and `asara run lab --set kernels__measurements=FILE` uses it.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("out/measurements")
MAX_ATTEMPTS = 4
"""Attempts for each search; a noisy machine may be quiet in the next attempt."""


class Search(NamedTuple):
    """Repeated searches: the options of one call of `asara kernels tune`."""

    workload: str
    dtype: str
    direction: str
    proposer: str
    budget: int
    searches: int = 1

    @property
    def trace(self) -> Path:
        """Path of the trace."""
        return FOLDER / f"{self.workload}-{self.dtype}-{self.direction}-{self.proposer}.jsonl"

    @property
    def command(self) -> list[str]:
        """Command line of the search."""
        options = {
            "--workload": self.workload,
            "--dtype": self.dtype,
            "--pass": self.direction,
            "--proposer": self.proposer,
            "--budget": str(self.budget),
            "--searches": str(self.searches),
            "--out": str(self.trace),
        }
        asara = Path(sys.executable).with_name("asara")
        return [str(asara), "kernels", "tune", *(word for option in options.items() for word in option)]


def plan() -> Iterator[Search]:
    """Yield the searches: long ones on one workload for the lab's curve, and all workloads for the article's table."""
    yield Search("causal", "bf16", "both", "hill-climb", 100, searches=3)
    yield Search("causal", "bf16", "both", "random", 100)
    for dtype, direction in (("bf16", "both"), ("bf16", "forward"), ("fp32", "forward")):
        if direction == "forward":
            yield Search("causal", dtype, direction, "hill-climb", 40)
        for workload in ("causal", "short", "long", "wide", "decode"):
            if direction == "forward" or workload != "decode":
                yield Search(workload, dtype, direction, "autotune", 40)


def run(search: Search) -> bool:
    """Run or resume a search; return whether it is complete."""
    for _ in range(MAX_ATTEMPTS):
        resume = ["--resume"] if search.trace.exists() else []
        if subprocess.run([*search.command, *resume], check=False).returncode == 0:
            return True
    return False


def main(name: str) -> int:
    """Run the plan, write ``name``.jsonl to the folder and return the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = [search for search in plan() if not run(search)]
    for search in failed:
        print(f"incomplete: {' '.join(search.command)}", file=sys.stderr)
    if failed:
        return 1
    whole = FOLDER / f"{name}.jsonl"
    whole.write_bytes(b"".join(search.trace.read_bytes() for search in plan()))
    print(f"written: {whole}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "this-machine"))
