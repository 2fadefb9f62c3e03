"""Make the measurements that come with asara again, on this machine: `make measurements`, an hour on two cores.

Every search is an `asara kernels tune` of its own, with a trace of its own in the folder; one that was broken off goes
on, one that is over is left alone. At the end all traces are put together, in the order of the plan, into one file,
which `asara kernels report FILE` shows and `asara run lab --set kernels__measurements=FILE` uses.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("out/measurements")
TRIES = 4
"""A machine that is too noisy now may be quiet in a minute."""


class Search(NamedTuple):
    """Some searches of one kind: the options of `asara kernels tune`."""

    workload: str
    dtype: str
    direction: str
    proposer: str
    budget: int
    searches: int = 1

    @property
    def trace(self) -> Path:
        """Where its trace lies."""
        return FOLDER / f"{self.workload}-{self.dtype}-{self.direction}-{self.proposer}.jsonl"

    @property
    def words(self) -> list[str]:
        """The command."""
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
    """What is searched: one workload at length, for the lab's curve, and all workloads for the article's table."""
    yield Search("causal", "bf16", "both", "hill-climb", 100, searches=3)
    yield Search("causal", "bf16", "both", "random", 100)
    for dtype, direction in (("bf16", "both"), ("bf16", "forward"), ("fp32", "forward")):
        if direction == "forward":
            yield Search("causal", dtype, direction, "hill-climb", 40)
        for workload in ("causal", "short", "long", "wide", "decode"):
            if direction == "forward" or workload != "decode":
                yield Search(workload, dtype, direction, "autotune", 40)


def run(search: Search) -> bool:
    """Run or go on with a search; return whether it came to its end."""
    for _ in range(TRIES):
        resume = ["--resume"] if search.trace.exists() else []
        if subprocess.run([*search.words, *resume], check=False).returncode == 0:
            return True
    return False


def main(name: str) -> int:
    """Run the plan and write ``name``.jsonl into the folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = [search for search in plan() if not run(search)]
    for search in failed:
        print(f"not done: {' '.join(search.words)}", file=sys.stderr)
    if failed:
        return 1
    whole = FOLDER / f"{name}.jsonl"
    whole.write_bytes(b"".join(search.trace.read_bytes() for search in plan()))
    print(f"written: {whole}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "this-machine"))
