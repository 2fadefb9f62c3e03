"""Benchmark the kernels of the shipped measurements on this machine, against torch's own attention.

For each family, the best shipped kernels are validated and re-measured on the held-out shapes of all workloads. Their
geometric mean is compared with a limit. Families that this machine cannot run are reported and skipped. The exit code
is 1 if a limit is missed. The benchmark takes some minutes.
"""

import sys
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from experiments.kernels.full_report import read_traces, shipped_traces
from experiments.kernels.measurement_sessions import best_known_candidate
from hardware.kernels.evaluator import KernelEvaluator
from hardware.kernels.machine import Machine, detect_machine
from hardware.kernels.problem import NAMES, Direction, Dtype, workload
from hardware.kernels.registry import family
from hardware.kernels.statistics import Speedup, geomean
from hardware.kernels.trace import Line, geomean_over_shapes


class KernelCase(NamedTuple):
    """A family on all workloads of one dtype and pass, with its limit."""

    family: str
    dtype: Dtype
    direction: Direction
    limit: float
    """Smallest allowed speed-up over SDPA."""


CASES = (
    KernelCase("avx512", "fp32", "forward", 1.2),
    KernelCase("amx", "bf16", "forward", 1.6),
    KernelCase("amx", "bf16", "both", 1.5),
)


def gains(case: KernelCase, machine: Machine, shipped: list[Line], console: Console) -> list[Speedup]:
    """Return the speed-up of a case on each workload."""
    found = []
    for name in NAMES:
        if name == "decode" and case.direction != "forward":
            continue
        asked = workload(name, case.dtype, case.direction)
        candidate = best_known_candidate(shipped, asked.full_name, case.family)
        if candidate is None:
            console.print(f"{asked.full_name}: the shipped measurements contain no {case.family} kernel")
            continue
        with KernelEvaluator(asked, machine) as evaluator:
            outcome = evaluator.measure(candidate)
        held_out = [each for each in outcome.timed if each.held_out]
        console.print(f"{asked.full_name} {candidate}: {outcome.status} {outcome.reason}")
        if held_out and outcome.status in ("passed", "inconclusive"):
            found.append(geomean_over_shapes(held_out))
    return found


def main() -> int:
    """Measure, print the table, and return the exit code."""
    console, table = Console(stderr=True), Table("family", "problem", "over SDPA, held-out shapes", "limit", "")
    machine, shipped, missed = detect_machine(), read_traces(shipped_traces()), False
    for case in CASES:
        problem = f"{case.dtype} {case.direction}"
        lacking = family(case.family).unavailable_reason(machine, workload("long", case.dtype, case.direction).problem)
        measured = [] if lacking else gains(case, machine, shipped, console)
        if not measured:
            table.add_row(case.family, problem, lacking or "not measured", f"{case.limit:g}x", "skipped")
            continue
        gain = geomean(measured)
        is_met = gain.ratio >= case.limit
        missed = missed or not is_met
        shown = f"{gain.ratio:.2f}x [{gain.low:.2f}, {gain.high:.2f}] over {len(measured)} workloads"
        table.add_row(case.family, problem, shown, f"{case.limit:g}x", "met" if is_met else "missed")
    Console().print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
