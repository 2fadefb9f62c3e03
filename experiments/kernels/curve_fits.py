"""What the searches of a trace amount to: the fitted curve, its ceiling, what a doubling of effort buys. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from experiments.kernels.result_tables import machine_name, sessions
from hardware.kernels.speedup_curve import (
    CurveInterval,
    FittedSpeedupCurve,
    MeasurementError,
    elasticities,
    estimate,
    measured_workloads,
)
from hardware.kernels.trace import Line, Source


class CurveFit(NamedTuple):
    """The curve of one workload on one machine, from repeated searches by one proposer in the same families."""

    machine: str
    workload: str
    searches: int
    tried: int
    """Candidates of the median search."""
    reached: CurveInterval
    """Speed-up over SDPA after all of them, as the winners gave it when they were measured afresh."""
    ceiling: float
    """Speed-up that ever more candidates would come to, by the fit."""
    cap: float | None
    """Speed-up at the roofline."""
    early: CurveInterval
    """Doublings of speed per doubling of candidates, over the first 20."""
    late: CurveInterval | None
    """The same from there on; None where no search went farther."""
    curve: FittedSpeedupCurve


def fits(lines: Sequence[Line]) -> list[CurveFit]:
    """Return the fit of every workload that was searched on every machine; none where its measurements are at odds."""
    machines = dict.fromkeys(machine_name(session) for session in sessions(lines).values())
    found = []
    for machine in machines:
        part = _of_machine(lines, machine)
        for workload in measured_workloads(part):
            with suppress(MeasurementError):
                found.append(_fit(part, machine, workload))
    return found


def _of_machine(lines: Sequence[Line], machine: str) -> list[Line]:
    here = {name for name, session in sessions(lines).items() if machine_name(session) == machine}
    return [line for line in lines if not isinstance(line, Source) and _session(line) in here]


def _session(line: Line) -> str:
    return line.session if not isinstance(line, Source) else ""


def _fit(lines: Sequence[Line], machine: str, workload: str) -> CurveFit:
    found = estimate(lines, workload)
    early, late = elasticities(found)
    curve = found.curve
    return CurveFit(
        machine=machine,
        workload=workload,
        searches=curve.searches,
        tried=curve.tried,
        reached=found.speedup_after(curve.tried),
        ceiling=math.exp(curve.ceiling),
        cap=curve.cap if math.isfinite(curve.cap) else None,
        early=early,
        late=late,
        curve=curve,
    )
