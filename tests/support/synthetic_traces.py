"""Traces with known answers."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from hardware.kernels.candidate import Candidate, Value
from hardware.kernels.problem import Direction, Dtype, Shape, flops, workload
from hardware.kernels.trace import FinalMeasurement, Line, MeasurementSession, Role, SearchEnd, Status, Timing, Trial

GFLOPS = 100.0
MACHINE = {
    "processor": "Imaginary 9000",
    "architecture": "x86_64",
    "cores": 1,
    "memory_gib": 1.0,
    "caches_kib": {},
    "instructions": ["avx2"],
    "compiler": "none",
    "accelerator": "",
    "versions": {"torch": "0"},
    "roofline": {"gflops": {"fp32": GFLOPS, "bf16": GFLOPS}, "copy_gbs": 1e9},
}


def session(
    name: str,
    workload_name: str = "causal",
    proposer: str = "",
    budget: int = 0,
    seed: int = 0,
    dtype: Dtype = "fp32",
    direction: Direction = "forward",
) -> MeasurementSession:
    asked = workload(workload_name, dtype, direction)
    return MeasurementSession(
        session=name,
        date="2026-01-01T00:00:00Z",
        workload=asked.name,
        problem=asked.problem,
        tuned=asked.tuned,
        held_out=asked.held_out,
        machine=MACHINE,
        isolation="none",
        proposer=proposer,
        budget=budget,
        seed=seed,
    )


def standard_ns(of: MeasurementSession, shape: Shape) -> float:
    """Return the time of SDPA: twice the minimum of the machine."""
    return 2 * flops(shape, of.problem) / GFLOPS


def timed(
    of: MeasurementSession, tuned: float | None, held_out: float | None = None, error: float | None = None
) -> list[Timing]:
    """Three pairs a shape with this speed-up over a baseline that takes what SDPA takes, and no noise."""
    parts = ((of.tuned, tuned, False), (of.held_out, held_out, True))
    return [
        Timing(
            shape=shape,
            held_out=held,
            calls=1,
            pairs=((standard_ns(of, shape) / gain, standard_ns(of, shape)),) * 3,
            error=error,
        )
        for shapes, gain, held in parts
        if gain is not None
        for shape in shapes
    ]


def measured(
    of: MeasurementSession,
    role: Role,
    family: str,
    tuned: float,
    held_out: float,
    eager: float | None = None,
    error: float | None = None,
    status: Status = "passed",
    lines: int = 0,
    **parameters: Value,
) -> list[Line]:
    """A candidate against SDPA, and against eager where a gain over it is given."""
    digest = Candidate(family, tuple(parameters.items())).digest
    found: list[Line] = []
    baselines: tuple[tuple[Literal["sdpa", "eager"], tuple[float | None, float | None]], ...] = (
        ("sdpa", (tuned, held_out)),
        ("eager", (eager, eager)),
    )
    for against, gains in baselines:
        if gains[0] is not None:
            found.append(
                FinalMeasurement(
                    session=of.session,
                    role=role,
                    against=against,
                    family=family,
                    parameters=parameters,
                    digest=digest,
                    status=status,
                    timed=tuple(timed(of, *gains, error)),
                    lines=lines,
                )
            )
    return found


def trial(
    of: MeasurementSession,
    number: int,
    gain: float | None,
    status: Status = "passed",
    expects: float | None = None,
    failed_on: str = "",
    **more: Any,
) -> Trial:
    passed = tuple(timed(of, gain)) if gain is not None else ()
    return Trial(
        session=of.session,
        number=number,
        family="avx512",
        parameters={"tile": number},
        digest=f"{number:064}",
        expects=expects,
        status=status,
        failed_on=failed_on,
        timed=passed,
        cpu_s=1.0,
        **more,
    )


def trials(of: MeasurementSession, gains: Iterable[float | None]) -> list[Line]:
    """Return one trial for each gain; None stands for a wrong candidate."""
    return [
        trial(of, number, gain, "wrong" if gain is None else "passed", failed_on="" if gain else "ragged lengths")
        for number, gain in enumerate(gains, start=1)
    ]


def ended(of: MeasurementSession, trials: int) -> SearchEnd:
    """Return the end of a search with a spent budget."""
    return SearchEnd(session=of.session, reason="the budget is spent", trials=trials)


def write(path: Path, lines: Sequence[Line]) -> None:
    path.write_text("".join(line.model_dump_json() + "\n" for line in lines))
