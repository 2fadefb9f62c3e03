"""Derive tables from a trace: speed-up by method, Kernel Gap and noise. Pure functions that do not need torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from statistics import median
from typing import Any, Final, NamedTuple, TypeVar

from hardware.kernels.candidate import Value
from hardware.kernels.families.compiled import count_lines
from hardware.kernels.machine import Roofline
from hardware.kernels.problem import Problem, Shape, flops, traffic
from hardware.kernels.search import geomean_speedup
from hardware.kernels.statistics import Speedup, geomean
from hardware.kernels.trace import (
    CandidateSource,
    FinalMeasurement,
    Line,
    MeasurementSession,
    Timing,
    geomean_over_shapes,
)

MIN_CLAIMED_GAIN: Final = 1.02
"""Speed-up that the lower end of an interval must exceed for a significant gain."""
LIBRARY: Final = "expert library"
NAIVE: Final = "naive"
_METHODS: Final = {"autotune": "auto-tuner", "random": "random search", "naive": "naive, one shot"}
"""Proposer → name of the method in the source article; every other proposer is a guided search."""
_METHOD_ORDER: Final = (LIBRARY, "auto-tuner", "guided search", "random search", "naive")

_Item = TypeVar("_Item")
_Key = TypeVar("_Key")


class KernelRow(NamedTuple):
    """Speed-up of one method on a workload; all gains are from re-measured kernels."""

    machine: str
    workload: str
    """Workload, dtype and pass: ``causal/bf16/both``."""
    method: str
    candidate: str
    """The candidate that is fastest on the tuned shapes, of all searches."""
    searches: int
    over_eager: Speedup | None
    """Speed-up over eager attention on the held-out shapes, as all gains except ``on_tuned``."""
    over_sdpa: Speedup | None
    on_tuned: Speedup | None
    """Speed-up over SDPA on the tuned shapes."""
    roofline: float | None
    """Fraction of the roofline rate of the machine, 0 to 1."""
    error: float | None
    """Error against float64 on the worst inputs, as a multiple of SDPA's error."""
    lines: int | None
    """Lines of code of the kernel."""
    parameters: int
    """Number of tunable parameters."""


class KernelGap(NamedTuple):
    """The Kernel Gap: speed-up of the best validated kernel over the framework's SDPA, on held-out shapes.

    The best kernel is chosen by the tuned shapes, so that its gain on the held-out shapes is not overestimated.
    """

    machine: str
    workload: str
    candidate: str
    gap: Speedup
    proved: bool
    """Whether the lower end of the interval is above 1.02."""


class Noise(NamedTuple):
    """The A/A test: SDPA timed against itself, which must give 1."""

    machine: str
    workload: str
    ratio: Speedup
    """Ratio of the two times; its interval contains 1 or lies within 2% of it, else the session is not started."""


class RemeasuredKernel(NamedTuple):
    """One candidate of one session, re-measured against SDPA and against eager attention."""

    session: MeasurementSession
    role: str
    family: str
    parameters: tuple[tuple[str, Value], ...]
    source: str
    digest: str
    lines: int
    sdpa: tuple[Timing, ...]
    eager: tuple[Timing, ...]

    @property
    def name(self) -> str:
        """Display name of the candidate."""
        return candidate_name(self.family, self.parameters, self.source)


def candidate_name(family: str, parameters: Sequence[tuple[str, Value]], source: str = "") -> str:
    """Format a candidate for display; ``source``: digest of an untrusted source."""
    inside = ", ".join(f"{name}={value}" for name, value in parameters) or source[:8]
    return f"{family}({inside})" if inside else family


def sessions(lines: Iterable[Line]) -> dict[str, MeasurementSession]:
    """Return the sessions of a trace by name."""
    return {line.session: line for line in lines if isinstance(line, MeasurementSession)}


def machine_name(session: MeasurementSession) -> str:
    """Return the name of the machine of a session: its processor, on which all kernels are timed."""
    return str(session.machine.get("processor") or "unknown machine")


def method_name(role: str, proposer: str, family: str) -> str:
    """Return the method of a measured kernel, as the source article names it."""
    if role == "winner":
        return _METHODS.get(proposer, f"guided search: {proposer}")
    return {"library": LIBRARY, "A/A": LIBRARY, "naive": NAIVE, "eager": "eager"}.get(role, f"untuned: {family}")


def remeasured_kernels(lines: Sequence[Line]) -> list[RemeasuredKernel]:
    """Return the re-measured kernels that passed; the lines of one candidate in one session are merged."""
    known = sessions(lines)
    counted = {line.digest: count_lines(line.text) for line in lines if isinstance(line, CandidateSource)}
    kept = [
        line
        for line in lines
        if isinstance(line, FinalMeasurement) and line.status == "passed" and line.session in known
    ]
    found: dict[tuple[str, str, str], list[FinalMeasurement]] = {}
    for line in kept:
        found.setdefault((line.session, line.role, line.digest), []).append(line)
    return [_merge_measurements(known[session], group, counted) for (session, _, _), group in found.items()]


def _merge_measurements(
    session: MeasurementSession, group: Sequence[FinalMeasurement], counted: Mapping[str, int]
) -> RemeasuredKernel:
    # After an interruption a kernel may be measured twice; the last measurement counts.
    timed: dict[str, tuple[Timing, ...]] = {line.against: line.timed for line in group}
    line = group[-1]
    size = counted.get(line.source, line.lines)
    inside = tuple(line.parameters.items())
    sdpa, eager = timed.get("sdpa", ()), timed.get("eager", ())
    return RemeasuredKernel(session, line.role, line.family, inside, line.source, line.digest, size, sdpa, eager)


def kernel_rows(measured: Sequence[RemeasuredKernel]) -> list[KernelRow]:
    """Return the table of the source article with measured values: a row for each workload, method and family."""
    keyed = sorted(measured, key=_row_key)
    return [_row(key, list(group)) for key, group in groupby(keyed, key=_row_key)]


def _row_key(each: RemeasuredKernel) -> tuple[str, str, int, str, str]:
    method = method_name(each.role, each.session.proposer, each.family)
    rank = next((at for at, name in enumerate(_METHOD_ORDER) if method.startswith(name)), len(_METHOD_ORDER))
    return machine_name(each.session), each.session.full_name, rank, method, each.family


def _row(key: tuple[str, str, int, str, str], group: list[RemeasuredKernel]) -> KernelRow:
    machine, workload, _, method, _ = key
    best = max(group, key=_tuned_gain)
    standard = method == LIBRARY
    itself = Speedup(1.0, 1.0, 1.0)
    timed = [timed for each in group for timed in (*each.sdpa, *each.eager)]
    fractions = [f for each in group if (f := fraction_of_roofline(each)) is not None]
    return KernelRow(
        machine=machine,
        workload=workload,
        method=method,
        candidate=best.name,
        searches=len({each.session.session for each in group}),
        over_eager=_mean_gain(each.eager for each in group),
        over_sdpa=itself if standard else _mean_gain(each.sdpa for each in group),
        on_tuned=itself if standard else _mean_gain((each.sdpa for each in group), held_out=False),
        roofline=math.exp(sum(map(math.log, fractions)) / len(fractions)) if fractions else None,
        error=max((each.error for each in timed if each.error is not None), default=None),
        lines=best.lines or None,
        parameters=len(best.parameters),
    )


def average_rows(table: Sequence[KernelRow]) -> list[KernelRow]:
    """Return the geometric mean of each method over the workloads of one dtype and pass, with the best family of each.

    The best family is chosen by the tuned shapes. A mean needs at least two workloads; ``workload`` gives their number.
    """

    def key(row: KernelRow) -> tuple[str, str, str]:
        return row.machine, row.workload.partition("/")[2], row.method

    found = []
    for (machine, kind, method), group in _group_by(table, key).items():
        by_workload = _group_by(group, lambda row: row.workload)
        best = [max(each, key=lambda row: row.on_tuned.ratio if row.on_tuned else 0) for each in by_workload.values()]
        if len(best) > 1:
            found.append(_average_row(machine, f"all {len(best)}/{kind}", method, best))
    return found


def _average_row(machine: str, workload: str, method: str, group: Sequence[KernelRow]) -> KernelRow:
    fractions = [row.roofline for row in group if row.roofline is not None]
    return KernelRow(
        machine=machine,
        workload=workload,
        method=method,
        candidate=", ".join(dict.fromkeys(row.candidate.partition("(")[0] for row in group)),
        searches=sum(row.searches for row in group),
        over_eager=_geomean_if_complete(row.over_eager for row in group),
        over_sdpa=_geomean_if_complete(row.over_sdpa for row in group),
        on_tuned=_geomean_if_complete(row.on_tuned for row in group),
        roofline=math.exp(sum(map(math.log, fractions)) / len(fractions)) if len(fractions) == len(group) else None,
        error=max((row.error for row in group if row.error is not None), default=None),
        lines=max((row.lines for row in group if row.lines is not None), default=None),
        parameters=max(row.parameters for row in group),
    )


def kernel_gaps(measured: Sequence[RemeasuredKernel]) -> list[KernelGap]:
    """Return the Kernel Gap of each workload; it is 1, with SDPA, if no kernel is faster."""
    found = []
    by_workload = _group_by(measured, lambda each: (machine_name(each.session), each.session.full_name))
    for (machine, workload), group in by_workload.items():
        others = [each for each in group if each.role not in ("A/A", "library") and _has_timings(each.sdpa)]
        best = max(others, key=_tuned_gain, default=None)
        gap = _mean_gain([best.sdpa]) if best else None
        if best is None or gap is None or gap.ratio <= 1:
            found.append(KernelGap(machine, workload, "sdpa", Speedup(1.0, 1.0, 1.0), proved=False))
        else:
            found.append(KernelGap(machine, workload, best.name, gap, proved=is_significant(gap)))
    return found


def noise_rows(lines: Sequence[Line]) -> list[Noise]:
    """Return the A/A test of each session; a session whose test fails is not written."""
    known = sessions(lines)
    found = []
    for line in lines:
        if isinstance(line, FinalMeasurement) and line.role == "A/A" and line.session in known and line.timed:
            session = known[line.session]
            found.append(Noise(machine_name(session), session.full_name, geomean_over_shapes(line.timed)))
    return found


def is_significant(gain: Speedup) -> bool:
    """Return whether a gain is significant."""
    return gain.low > MIN_CLAIMED_GAIN


def claim_sentence(name: str, gain: Speedup | None, standard: str = "torch's SDPA") -> str:
    """Describe the gain of a kernel that was re-measured on held-out shapes, and whether it is significant."""
    where = "on held-out shapes"
    if gain is None:
        return f"No significant gain: {name} was not measured {where}."
    times = f"{gain.ratio:.2f}x [{gain.low:.2f}, {gain.high:.2f}] as fast as {standard} {where}"
    if is_significant(gain):
        return f"{name} is {times}."
    return f"No significant gain: {name} is {times}; the lower end must be above {MIN_CLAIMED_GAIN:g}."


def held_out_gain(timed: Sequence[Timing], held_out: bool = True) -> Speedup | None:
    """Return the geometric mean over the held-out shapes, or over the tuned ones; None without any.

    Its interval is that of ``hardware.kernels.trace.geomean_over_shapes``: Student's over rounds of new processes.
    """
    return _mean_gain([timed], held_out)


def fraction_of_roofline(each: RemeasuredKernel) -> float | None:
    """Return the fraction of the roofline rate on held-out shapes, 0 to 1; None without a roofline."""
    timed = [timed for timed in each.sdpa or each.eager if timed.held_out and timed.pairs]
    floors = [roofline_seconds(each.session, timed.shape) for timed in timed]
    if not floors or None in floors:
        return None
    shares = [
        least / (median(pair[0] for pair in timed.pairs) * 1e-9)
        for least, timed in zip(floors, timed, strict=True)
        if least is not None
    ]
    return math.exp(sum(map(math.log, shares)) / len(shares))


def roofline_seconds(session: MeasurementSession, shape: Shape) -> float | None:
    """Return the shortest possible time on the machine of a session [s]; None without a roofline."""
    measured: Any = session.machine.get("roofline")
    problem: Problem = session.problem
    if not measured or problem.dtype not in measured["gflops"]:
        return None
    return Roofline.model_validate(measured).seconds(flops(shape, problem), traffic(shape, problem), problem.dtype)


def _group_by(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    found: dict[_Key, list[_Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def _has_timings(timed: Sequence[Timing], held_out: bool = True) -> bool:
    return any(each.held_out == held_out and each.pairs for each in timed)


def _tuned_gain(each: RemeasuredKernel) -> float:
    """Return the speed-up on the tuned shapes, by which the best is chosen; 0 without timings."""
    return geomean_speedup(each.sdpa) or 0.0


def _mean_gain(groups: Iterable[Sequence[Timing]], held_out: bool = True) -> Speedup | None:
    """Return the mean over several kernels, each over its shapes; kernels without such shapes are left out."""
    sides = ([each for each in timed if each.held_out == held_out and each.pairs] for timed in groups)
    found = [geomean_over_shapes(side) for side in sides if side]
    return geomean(found) if found else None


def _geomean_if_complete(gains: Iterable[Speedup | None]) -> Speedup | None:
    found = list(gains)
    known = [gain for gain in found if gain is not None]
    return geomean(known) if known and len(known) == len(found) else None
