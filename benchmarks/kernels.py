"""How fast the kernels that come with asara are on this machine, against torch's own attention, in one run.

For each family the best kernels of the shipped measurements are validated and measured afresh on the held-out shapes of
all workloads; their geometric mean is held against a limit. What this machine cannot run is told and left out. Exits
with 1 if a limit is missed. Takes some minutes.
"""

import sys
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from experiments.kernels.full_report import read_traces, shipped_traces
from experiments.kernels.measurement_sessions import best_known
from hardware.kernels.evaluator import KernelEvaluator
from hardware.kernels.machine import Machine, survey
from hardware.kernels.problem import NAMES, Direction, Dtype, workload
from hardware.kernels.registry import family
from hardware.kernels.statistics import Speedup, geomean
from hardware.kernels.trace import Line, geomean_over_shapes


class Case(NamedTuple):
    """A family on all workloads of one dtype and pass."""

    family: str
    dtype: Dtype
    direction: Direction
    limit: float
    """How many times as fast as SDPA it must be."""


CASES = (Case("avx512", "fp32", "forward", 1.2), Case("amx", "bf16", "forward", 1.6), Case("amx", "bf16", "both", 1.5))


def gains(case: Case, machine: Machine, shipped: list[Line], told: Console) -> list[Speedup]:
    """Measure a case, workload by workload."""
    found = []
    for name in NAMES:
        if name == "decode" and case.direction != "forward":
            continue
        asked = workload(name, case.dtype, case.direction)
        candidate = best_known(shipped, asked.full_name, case.family)
        if candidate is None:
            told.print(f"{asked.full_name}: nothing of {case.family} is in the shipped measurements")
            continue
        with KernelEvaluator(asked, machine) as bench:
            outcome = bench.measure(candidate)
        held_out = [each for each in outcome.timed if each.held_out]
        told.print(f"{asked.full_name} {candidate}: {outcome.status} {outcome.reason}")
        if held_out and outcome.status in ("passed", "inconclusive"):
            found.append(geomean_over_shapes(held_out))
    return found


def main() -> int:
    """Measure, print the table, and return the exit code."""
    told, table = Console(stderr=True), Table("family", "problem", "over SDPA, held-out shapes", "limit", "")
    machine, shipped, missed = survey(), read_traces(shipped_traces()), False
    for case in CASES:
        problem = f"{case.dtype} {case.direction}"
        lacking = family(case.family).missing(machine, workload("long", case.dtype, case.direction).problem)
        measured = [] if lacking else gains(case, machine, shipped, told)
        if not measured:
            table.add_row(case.family, problem, lacking or "not measured", f"{case.limit:g}x", "left out")
            continue
        gain = geomean(measured)
        holds = gain.ratio >= case.limit
        missed = missed or not holds
        shown = f"{gain.ratio:.2f}x [{gain.low:.2f}, {gain.high:.2f}] over {len(measured)} workloads"
        table.add_row(case.family, problem, shown, f"{case.limit:g}x", "holds" if holds else "missed")
    Console().print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
