"""Read traces and derive the full report: all tables of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from experiments.errors import InputError
from experiments.kernels.curve_fits import CurveFit, fit_curves
from experiments.kernels.result_tables import (
    KernelGap,
    KernelRow,
    Noise,
    average_rows,
    kernel_gaps,
    kernel_rows,
    noise_rows,
    remeasured_kernels,
)
from experiments.kernels.search_tables import (
    Failures,
    PredictionAccuracy,
    SearchRow,
    failure_rows,
    forecast_rows,
    search_rows,
)
from hardware.kernels.speedup_curve import BUNDLED_MEASUREMENTS_DIR
from hardware.kernels.trace import CandidateSource, Line, MeasurementSession, read

REPORT_FILE: Final = "report.json"
PICTURE_FILE: Final = "searches.png"


class Report(NamedTuple):
    """All tables of a report; the field names are the keys of `report.json`."""

    averages: list[KernelRow]
    rows: list[KernelRow]
    gaps: list[KernelGap]
    fits: list[CurveFit]
    searches: list[SearchRow]
    failures: list[Failures]
    forecasts: list[PredictionAccuracy]
    noise: list[Noise]


def shipped_traces() -> list[Path]:
    """Return the traces that come with asara."""
    return sorted(BUNDLED_MEASUREMENTS_DIR.glob("*.jsonl"))


def read_traces(paths: Sequence[Path]) -> list[Line]:
    """Return the lines of traces. Raises OSError, TraceError, and InputError for an empty trace.

    With several traces, session names are prefixed with the name of their file.
    """
    found: list[Line] = []
    for at, path in enumerate(paths):
        lines = read(path)
        if not lines:
            raise InputError(f"{path} has no line; name a trace that `asara kernels` wrote")
        found += lines if len(paths) == 1 else [_prefix_session(line, f"{path.stem} {at + 1}: ") for line in lines]
    return found


def select_workloads(lines: Sequence[Line], only: Sequence[str]) -> list[Line]:
    """Return the lines of the named workloads, or all lines if no workload is named.

    Raises InputError for an unknown workload, with the list of workloads.
    """
    workloads = {line.session: line.full_name for line in lines if isinstance(line, MeasurementSession)}
    for name in only:
        if name not in workloads.values():
            raise InputError(f"--only {name} is unknown; allowed: {', '.join(dict.fromkeys(workloads.values()))}")
    return [
        line for line in lines if not only or isinstance(line, CandidateSource) or workloads.get(line.session) in only
    ]


def _prefix_session(line: Line, prefix: str) -> Line:
    return line if isinstance(line, CandidateSource) else line.model_copy(update={"session": prefix + line.session})


def build_report(lines: Sequence[Line]) -> Report:
    """Return all tables of a trace."""
    measured = remeasured_kernels(lines)
    table = kernel_rows(measured)
    return Report(
        average_rows(table),
        table,
        kernel_gaps(measured),
        fit_curves(lines),
        search_rows(lines),
        failure_rows(lines),
        forecast_rows(lines),
        noise_rows(lines),
    )
