"""Synthetic traces of searches along a known curve; ``synthetic-not-measured.jsonl`` is one of them.

Run as ``python -m tests.support.known_speedup_curve`` to write that file anew.
"""

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hardware.kernels.problem import Problem, Shape, flops, traffic, workload
from hardware.kernels.trace import FinalMeasurement, Line, MeasurementSession, SearchEnd, Status, Timing, Trial

FILE = Path(__file__).with_name("synthetic-not-measured.jsonl")
WORKLOAD = "causal/bf16/both"
ROOFLINE: dict[str, Any] = {"gflops": {"bf16": 1000.0, "fp32": 180.0}, "copy_gbs": 16.0}
FRACTION = 0.25
"""Share of the roofline that SDPA reaches, so that the cap is 4."""


def known(n: np.ndarray, ceiling: float, exponent: float, onset: float) -> np.ndarray:
    """Return log S(n)."""
    return ceiling * np.maximum(0.0, 1 - np.maximum(n / onset, 1.0) ** -exponent)


def session_of(
    name: str, full_name: str = WORKLOAD, processor: str = "Imagined", proposer: str = "imagined", **machine: object
) -> MeasurementSession:
    dtype: Any
    direction: Any
    short, dtype, direction = full_name.split("/")
    asked = workload(short, dtype, direction)
    return MeasurementSession(
        session=name,
        date="2000-01-01T00:00:00Z",
        workload=short,
        problem=asked.problem,
        tuned=asked.tuned,
        held_out=asked.held_out,
        machine={"processor": processor, "roofline": ROOFLINE} | machine,
        isolation="none: nothing ran",
        proposer=proposer,
    )


def timed(
    session: MeasurementSession, shapes: Iterable[Shape], log: float, held_out: bool, fraction: float = FRACTION
) -> tuple[Timing, ...]:
    """One pair a shape, with a baseline that reaches this fraction of the roofline."""
    return tuple(
        Timing(shape=shape, held_out=held_out, calls=1, pairs=((base / math.exp(log), base),))
        for shape, base in ((shape, standard_ns(shape, session.problem, fraction)) for shape in shapes)
    )


@cache
def standard_ns(shape: Shape, problem: Problem, fraction: float = FRACTION) -> float:
    """Return the time of SDPA [ns]."""
    rate: float
    copied: float
    rate, copied = ROOFLINE["gflops"][problem.dtype], ROOFLINE["copy_gbs"]
    return max(flops(shape, problem) / rate, traffic(shape, problem) / copied) / fraction


def search(
    session: MeasurementSession,
    logs: Iterable[float | None],
    winner: float | None = None,
    fresh_status: Status = "passed",
    family: str = "imagined",
    fraction: float = FRACTION,
) -> list[Line]:
    """A session that is over, whose candidates have these log speed-ups; None: one that failed validation.

    ``winner``: its log speed-up afresh, on held-out shapes, where SDPA reaches this fraction of the roofline; None:
    that of the best on the tuned ones.
    """
    lines: list[Line] = [session]
    logs = list(logs)
    for number, log in enumerate(logs, start=1):
        times = () if log is None else timed(session, session.tuned, log, held_out=False)
        lines.append(
            Trial(
                session=session.session,
                number=number,
                family=family,
                parameters={"n": number},
                digest=str(number),
                status="wrong" if log is None else "passed",
                timed=times,
            )
        )
    lines.append(SearchEnd(session=session.session, reason="the budget is spent", trials=len(logs)))
    found = [log for log in logs if log is not None]
    if found:
        fresh = max(found) if winner is None else winner
        times = timed(session, session.tuned, fresh + 0.1, False)
        times += timed(session, session.held_out, fresh, True, fraction)
        lines.append(
            FinalMeasurement(
                session=session.session,
                role="winner",
                family=family,
                parameters={},
                digest="1",
                timed=times,
                status=fresh_status,
            )
        )
    return lines


def searches(
    seed: int,
    count: int,
    length: int,
    curve: tuple[float, float, float],
    spread: float = 0.05,
    noise: float = 0.01,
    full_name: str = WORKLOAD,
) -> list[Line]:
    """Return repeated searches: each has its own variation, and each measurement has noise."""
    chance = np.random.default_rng(seed)
    n = np.arange(1, length + 1)
    lines: list[Line] = []
    for number in range(count):
        true = known(n, *curve) * math.exp(spread * chance.standard_normal())
        shown = true + noise * chance.standard_normal(length)
        fresh = float(true[-1] + noise * chance.standard_normal())
        lines += search(session_of(f"search-{seed}-{number}", full_name), shown.tolist(), winner=fresh)
    return lines


def write(path: Path, lines: Iterable[Line]) -> Path:
    path.write_text("".join(line.model_dump_json() + "\n" for line in lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    both = searches(1, 3, 24, (math.log(2.5), 0.6, 0.8)) + searches(
        2, 3, 24, (math.log(1.5), 0.6, 0.8), full_name="short/fp32/forward"
    )
    write(FILE, both)
