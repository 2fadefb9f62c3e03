"""Load the kernel measurements that a scenario names: the file, its digest and its speed-up curve."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from agents.kernel_model import amdahl
from agents.params import KernelParams, NoKernels
from hardware.kernels.problem import NAMES, workload
from hardware.kernels.speedup_curve import (
    FittedSpeedupCurve,
    MeasurementError,
    curve_of,
    digest_of,
    estimate,
    find_measurements,
    read_measurements,
)
from hardware.kernels.trace import Line


class MeasuredKernels(NamedTuple):
    """Kernel measurements of a scenario; without a curve if it is uncalibrated."""

    measurements: str
    """Name or path of the measurements in the scenario."""
    digest: str
    """SHA-256 of the file; empty if uncalibrated."""
    workload: str
    """Workload, written as problem/dtype/direction."""
    curve: FittedSpeedupCurve | None
    """Speed-up of attention against candidates tried; None if uncalibrated."""

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """SHA-256 of the file, workload, and families, proposer and number of the searches in the curve."""
        assert self.curve is not None, "uncalibrated"
        return self.digest, self.workload, self.curve.families, self.curve.proposer, self.curve.searches

    def largest_work_rate(self, attention_share: float) -> float:
        """Return the largest work rate that the cluster can reach, relative to day 0."""
        return amdahl(attention_share, self.curve.largest) if self.curve is not None else 1.0


def calibrate(params: KernelParams) -> MeasuredKernels:
    """Return the measurements that a scenario names.

    Raises MeasurementError for measurements or a workload that do not exist. Raises OSError for a file that cannot be
    read, and hardware.kernels.trace.TraceError for a file that is not a trace.
    """
    if isinstance(params, NoKernels):
        return MeasuredKernels(params.measurements, "", params.workload, None)
    _check_name(params.workload)
    digest = digest_of_measurements(params)
    curve = _curve(find_measurements(params.measurements), digest, params.workload)
    return MeasuredKernels(params.measurements, digest, params.workload, curve)


def digest_of_measurements(params: KernelParams) -> str:
    """Return the SHA-256 of the file as it is now, empty if uncalibrated; errors as of :func:`calibrate`."""
    return "" if isinstance(params, NoKernels) else digest_of(find_measurements(params.measurements))


def bootstrap_curves(found: MeasuredKernels) -> tuple[MeasuredKernels, ...]:
    """Return bootstrap replicates of the measurements: the same searches resampled with replacement.

    Their spread is the uncertainty that the repeated searches leave. With too few searches there are none. Errors as of
    :func:`calibrate`.
    """
    if found.curve is None:
        return ()
    lines = _lines(find_measurements(found.measurements), found.digest)
    return tuple(found._replace(curve=curve) for curve in estimate(lines, found.workload).resampled)


@lru_cache(maxsize=32)
def _curve(path: Path, digest: str, workload: str) -> FittedSpeedupCurve:
    return curve_of(_lines(path, digest), workload)


@lru_cache(maxsize=1)
def _lines(path: Path, digest: str) -> list[Line]:
    found, lines = read_measurements(path)
    if found != digest:
        raise MeasurementError(f"{path} is being written: wait until its search is over")
    return lines


def _check_name(full_name: str) -> None:
    parts = full_name.split("/")
    try:
        name, dtype, direction = parts
        workload(name, dtype, direction)  # type: ignore[arg-type]  # its error lists the allowed words
    except ValueError as error:
        why = f": {error}" if len(parts) == 3 else ""
        there = tuple(f"{each}/bf16/both" for each in NAMES if each != "decode")
        raise MeasurementError(f"a workload is written as {there[0]}{why}", full_name, there) from None
