"""A whole report of a trace: read, derived, made plain for JSON, written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from experiments.errors import InputError
from experiments.kernels.curve_fits import CurveFit, fits
from experiments.kernels.result_tables import KernelGap, KernelRow, Noise, averages, fresh, gaps, noise, rows
from experiments.kernels.search_tables import Failures, Forecast, SearchRow, failures, forecasts, searches
from hardware.kernels.speedup_curve import BUNDLED_MEASUREMENTS_DIR
from hardware.kernels.trace import Line, MeasurementSession, Source, read

REPORT: Final = "report.json"
PICTURE: Final = "searches.png"


class Report(NamedTuple):
    """All tables."""

    averages: list[KernelRow]
    rows: list[KernelRow]
    gaps: list[KernelGap]
    fits: list[CurveFit]
    searches: list[SearchRow]
    failures: list[Failures]
    forecasts: list[Forecast]
    noise: list[Noise]


def shipped_traces() -> list[Path]:
    """Return the traces that come with asara."""
    return sorted(BUNDLED_MEASUREMENTS_DIR.glob("*.jsonl"))


def read_traces(paths: Sequence[Path]) -> list[Line]:
    """Return the lines of traces. Raises OSError, TraceError, and InputError for traces that hold nothing.

    Of several, sessions are told apart by the name of their file.
    """
    found: list[Line] = []
    for at, path in enumerate(paths):
        lines = read(path)
        if not lines:
            raise InputError(f"{path}: there is no line in it")
        found += lines if len(paths) == 1 else [_renamed(line, f"{path.stem} {at + 1}: ") for line in lines]
    return found


def of_workloads(lines: Sequence[Line], only: Sequence[str]) -> list[Line]:
    """Return the lines of some workloads, by their full names; all of them without any.

    Raises InputError for one that is not there, with those that are.
    """
    there = {line.session: line.full_name for line in lines if isinstance(line, MeasurementSession)}
    for name in only:
        if name not in there.values():
            raise InputError(f"--only {name}: there are {', '.join(dict.fromkeys(there.values()))}")
    return [line for line in lines if not only or isinstance(line, Source) or there.get(line.session) in only]


def _renamed(line: Line, prefix: str) -> Line:
    return line if isinstance(line, Source) else line.model_copy(update={"session": prefix + line.session})


def report(lines: Sequence[Line]) -> Report:
    """Return all tables of a trace."""
    measured = fresh(lines)
    table = rows(measured)
    return Report(
        averages(table),
        table,
        gaps(measured),
        fits(lines),
        searches(lines),
        failures(lines),
        forecasts(lines),
        noise(lines),
    )
