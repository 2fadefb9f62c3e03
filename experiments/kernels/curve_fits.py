"""Fit speed-up curves to the searches of a trace: ceiling, and gain per doubling of candidates. Pure functions."""

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
from hardware.kernels.trace import CandidateSource, Line


class CurveFit(NamedTuple):
    """The curve of one workload on one machine, from repeated searches by one proposer in the same families."""

    machine: str
    workload: str
    searches: int
    tried: int
    """Candidates of the median search."""
    reached: CurveInterval
    """Speed-up over SDPA after all candidates, according to the re-measured winners."""
    ceiling: float
    """Limit of the fitted speed-up for many candidates."""
    cap: float | None
    """Speed-up at the roofline."""
    early: CurveInterval
    """Doublings of speed per doubling of candidates, over the first 20."""
    late: CurveInterval | None
    """Doublings of speed per doubling of candidates after the first 20; None if no search tried more."""
    curve: FittedSpeedupCurve


def fit_curves(lines: Sequence[Line]) -> list[CurveFit]:
    """Return one fit for each machine and workload; workloads with contradictory measurements are left out."""
    machines = dict.fromkeys(machine_name(session) for session in sessions(lines).values())
    found = []
    for machine in machines:
        part = _lines_on_machine(lines, machine)
        for workload in measured_workloads(part):
            with suppress(MeasurementError):
                found.append(_fit_workload(part, machine, workload))
    return found


def _lines_on_machine(lines: Sequence[Line], machine: str) -> list[Line]:
    here = {name for name, session in sessions(lines).items() if machine_name(session) == machine}
    return [line for line in lines if not isinstance(line, CandidateSource) and _session_name(line) in here]


def _session_name(line: Line) -> str:
    return line.session if not isinstance(line, CandidateSource) else ""


def _fit_workload(lines: Sequence[Line], machine: str, workload: str) -> CurveFit:
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
