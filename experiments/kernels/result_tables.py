"""A trace in, tables out, as plain frozen records: how each way of getting a kernel did. Pure; needs no torch."""

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
from hardware.kernels.trace import FinalMeasurement, Line, MeasurementSession, Source, Timing, geomean_over_shapes

CLAIM: Final = 1.02
"""A gain is claimed only where the lower end of its interval is above this."""
LIBRARY: Final = "expert library"
NAIVE: Final = "naive"
_METHODS: Final = {"autotune": "auto-tuner", "random": "random search", "naive": "naive, one shot"}
"""Proposer → what the source article calls it; every other proposer is a guided search."""
_ORDER: Final = (LIBRARY, "auto-tuner", "guided search", "random search", "naive")

_Item = TypeVar("_Item")
_Key = TypeVar("_Key")


class KernelRow(NamedTuple):
    """How one way of getting a kernel did on a workload; all gains from kernels that were measured afresh."""

    machine: str
    workload: str
    """With dtype and pass: ``causal/bf16/both``."""
    method: str
    candidate: str
    """That of its searches which is the fastest on the tuned shapes."""
    searches: int
    over_eager: Speedup | None
    """On the held-out shapes, as all but ``on_tuned``."""
    over_sdpa: Speedup | None
    on_tuned: Speedup | None
    """Over SDPA on the shapes that the search saw."""
    roofline: float | None
    """Fraction of the machine's best possible rate, 0 to 1."""
    error: float | None
    """Against float64, as a multiple of SDPA's own, on the worst inputs."""
    lines: int | None
    """Of code."""
    parameters: int
    """That can be tuned."""


class KernelGap(NamedTuple):
    """The Kernel Gap: the best validated kernel over the framework's standard, on held-out shapes.

    The best is chosen by the tuned shapes, so that what the held-out ones say of it is not the luckiest of several.
    """

    machine: str
    workload: str
    candidate: str
    gap: Speedup
    proved: bool
    """The lower end is above 1.02."""


class Noise(NamedTuple):
    """The standard held against itself: what an honest machine shows as 1."""

    machine: str
    workload: str
    ratio: Speedup
    """Its interval holds 1, or both its ends are within 2% of that: else nothing was measured at all."""


class RemeasuredKernel(NamedTuple):
    """One candidate of one session, measured afresh against SDPA and against eager."""

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
        """The candidate, for people."""
        return candidate_name(self.family, self.parameters, self.source)


def candidate_name(family: str, parameters: Sequence[tuple[str, Value]], source: str = "") -> str:
    """Return a candidate as people read it; ``source``: the digest of a foreign one."""
    inside = ", ".join(f"{name}={value}" for name, value in parameters) or source[:8]
    return f"{family}({inside})" if inside else family


def sessions(lines: Iterable[Line]) -> dict[str, MeasurementSession]:
    """Return the sessions of a trace by name."""
    return {line.session: line for line in lines if isinstance(line, MeasurementSession)}


def machine_name(session: MeasurementSession) -> str:
    """Return where a session ran: the processor, which is all that is timed."""
    return str(session.machine.get("processor") or "unknown machine")


def method_of(role: str, proposer: str, family: str) -> str:
    """Return the row of the article's table to which a measured kernel belongs."""
    if role == "winner":
        return _METHODS.get(proposer, f"guided search: {proposer}")
    return {"library": LIBRARY, "A/A": LIBRARY, "naive": NAIVE, "eager": "eager"}.get(role, f"untuned: {family}")


def fresh(lines: Sequence[Line]) -> list[RemeasuredKernel]:
    """Return what was measured afresh and passed, the lines of one candidate in one session together."""
    known = sessions(lines)
    counted = {line.digest: count_lines(line.text) for line in lines if isinstance(line, Source)}
    kept = [
        line
        for line in lines
        if isinstance(line, FinalMeasurement) and line.status == "passed" and line.session in known
    ]
    found: dict[tuple[str, str, str], list[FinalMeasurement]] = {}
    for line in kept:
        found.setdefault((line.session, line.role, line.digest), []).append(line)
    return [_together(known[session], group, counted) for (session, _, _), group in found.items()]


def _together(
    session: MeasurementSession, group: Sequence[FinalMeasurement], counted: Mapping[str, int]
) -> RemeasuredKernel:
    # Measured twice after an interruption: the later one counts, as for every other value that is told again.
    timed: dict[str, tuple[Timing, ...]] = {line.against: line.timed for line in group}
    line = group[-1]
    size = counted.get(line.source, line.lines)
    inside = tuple(line.parameters.items())
    sdpa, eager = timed.get("sdpa", ()), timed.get("eager", ())
    return RemeasuredKernel(session, line.role, line.family, inside, line.source, line.digest, size, sdpa, eager)


def rows(measured: Sequence[RemeasuredKernel]) -> list[KernelRow]:
    """Return the table of the source article, measured: one row for each workload, method and family."""
    keyed = sorted(measured, key=_row_key)
    return [_row(key, list(group)) for key, group in groupby(keyed, key=_row_key)]


def _row_key(each: RemeasuredKernel) -> tuple[str, str, int, str, str]:
    method = method_of(each.role, each.session.proposer, each.family)
    rank = next((at for at, name in enumerate(_ORDER) if method.startswith(name)), len(_ORDER))
    return machine_name(each.session), each.session.full_name, rank, method, each.family


def _row(key: tuple[str, str, int, str, str], group: list[RemeasuredKernel]) -> KernelRow:
    machine, workload, _, method, _ = key
    best = max(group, key=_on_tuned)
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
        over_eager=_mean(each.eager for each in group),
        over_sdpa=itself if standard else _mean(each.sdpa for each in group),
        on_tuned=itself if standard else _mean((each.sdpa for each in group), held_out=False),
        roofline=math.exp(sum(map(math.log, fractions)) / len(fractions)) if fractions else None,
        error=max((each.error for each in timed if each.error is not None), default=None),
        lines=best.lines or None,
        parameters=len(best.parameters),
    )


def averages(table: Sequence[KernelRow]) -> list[KernelRow]:
    """Return the mean of each method over the workloads of one dtype and pass, a workload by its best family.

    The best is so on the tuned shapes. Nothing is averaged over fewer than two workloads; ``workload`` says how many
    they are.
    """

    def key(row: KernelRow) -> tuple[str, str, str]:
        return row.machine, row.workload.partition("/")[2], row.method

    found = []
    for (machine, kind, method), group in _grouped(table, key).items():
        by_workload = _grouped(group, lambda row: row.workload)
        best = [max(each, key=lambda row: row.on_tuned.ratio if row.on_tuned else 0) for each in by_workload.values()]
        if len(best) > 1:
            found.append(_average(machine, f"all {len(best)}/{kind}", method, best))
    return found


def _average(machine: str, workload: str, method: str, group: Sequence[KernelRow]) -> KernelRow:
    fractions = [row.roofline for row in group if row.roofline is not None]
    return KernelRow(
        machine=machine,
        workload=workload,
        method=method,
        candidate=", ".join(dict.fromkeys(row.candidate.partition("(")[0] for row in group)),
        searches=sum(row.searches for row in group),
        over_eager=_over_all(row.over_eager for row in group),
        over_sdpa=_over_all(row.over_sdpa for row in group),
        on_tuned=_over_all(row.on_tuned for row in group),
        roofline=math.exp(sum(map(math.log, fractions)) / len(fractions)) if len(fractions) == len(group) else None,
        error=max((row.error for row in group if row.error is not None), default=None),
        lines=max((row.lines for row in group if row.lines is not None), default=None),
        parameters=max(row.parameters for row in group),
    )


def gaps(measured: Sequence[RemeasuredKernel]) -> list[KernelGap]:
    """Return the Kernel Gap of each workload; where nothing beats the standard it is the standard, and 1."""
    found = []
    by_workload = _grouped(measured, lambda each: (machine_name(each.session), each.session.full_name))
    for (machine, workload), group in by_workload.items():
        others = [each for each in group if each.role not in ("A/A", "library") and _has(each.sdpa)]
        best = max(others, key=_on_tuned, default=None)
        gap = _mean([best.sdpa]) if best else None
        if best is None or gap is None or gap.ratio <= 1:
            found.append(KernelGap(machine, workload, "sdpa", Speedup(1.0, 1.0, 1.0), proved=False))
        else:
            found.append(KernelGap(machine, workload, best.name, gap, proved=proved(gap)))
    return found


def noise(lines: Sequence[Line]) -> list[Noise]:
    """Return how each session's A/A run came out; one that fails is not written, for the session is not begun."""
    known = sessions(lines)
    found = []
    for line in lines:
        if isinstance(line, FinalMeasurement) and line.role == "A/A" and line.session in known and line.timed:
            session = known[line.session]
            found.append(Noise(machine_name(session), session.full_name, geomean_over_shapes(line.timed)))
    return found


def proved(gain: Speedup) -> bool:
    """Whether a gain may be claimed."""
    return gain.low > CLAIM


def claim(name: str, gain: Speedup | None, standard: str = "torch's SDPA") -> str:
    """Return the sentence that may be said of a kernel after it was measured afresh on held-out shapes."""
    where = "on shapes that no search has seen"
    if gain is None:
        return f"No gain is proved: {name} was not measured {where}."
    times = f"{gain.ratio:.2f}x [{gain.low:.2f}, {gain.high:.2f}] as fast as {standard} {where}"
    if proved(gain):
        return f"{name} is {times}."
    return f"No gain is proved: {name} is {times}, and a gain counts where the lower end is above {CLAIM:g}."


def held_out_gain(timed: Sequence[Timing], held_out: bool = True) -> Speedup | None:
    """Return the geometric mean over the held-out shapes, or over the tuned ones; None without any.

    Its interval is that of ``hardware.kernels.trace.over_shapes``: Student's over rounds of new processes.
    """
    return _mean([timed], held_out)


def fraction_of_roofline(each: RemeasuredKernel) -> float | None:
    """Return the share of the best possible rate on held-out shapes; None where there is no roofline."""
    timed = [timed for timed in each.sdpa or each.eager if timed.held_out and timed.pairs]
    floors = [floor(each.session, timed.shape) for timed in timed]
    if not floors or None in floors:
        return None
    shares = [
        least / (median(pair[0] for pair in timed.pairs) * 1e-9)
        for least, timed in zip(floors, timed, strict=True)
        if least is not None
    ]
    return math.exp(sum(map(math.log, shares)) / len(shares))


def floor(session: MeasurementSession, shape: Shape) -> float | None:
    """Return the least seconds that the machine of a session could take; None where its roofline is not known."""
    measured: Any = session.machine.get("roofline")
    problem: Problem = session.problem
    if not measured or problem.dtype not in measured["gflops"]:
        return None
    return Roofline.model_validate(measured).seconds(flops(shape, problem), traffic(shape, problem), problem.dtype)


def _grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    found: dict[_Key, list[_Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def _has(timed: Sequence[Timing], held_out: bool = True) -> bool:
    return any(each.held_out == held_out and each.pairs for each in timed)


def _on_tuned(each: RemeasuredKernel) -> float:
    """By which the best is chosen; 0 where nothing was timed."""
    return geomean_speedup(each.sdpa) or 0.0


def _mean(groups: Iterable[Sequence[Timing]], held_out: bool = True) -> Speedup | None:
    """The mean over several that were measured, each over its shapes; those with no such shapes are left out."""
    sides = ([each for each in timed if each.held_out == held_out and each.pairs] for timed in groups)
    found = [geomean_over_shapes(side) for side in sides if side]
    return geomean(found) if found else None


def _over_all(gains: Iterable[Speedup | None]) -> Speedup | None:
    found = list(gains)
    known = [gain for gain in found if gain is not None]
    return geomean(known) if known and len(known) == len(found) else None
