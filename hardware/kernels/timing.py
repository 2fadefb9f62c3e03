"""Time a candidate in pairs with a baseline, interleaved, on new inputs, with every output checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from hardware.kernels.buffer_layout import layout
from hardware.kernels.dtypes import Array, from_storage
from hardware.kernels.machine import Roofline
from hardware.kernels.problem import Problem, Shape, flops, traffic
from hardware.kernels.random_inputs import RandomInputs
from hardware.kernels.statistics import speedup
from hardware.kernels.validate import Errors, input_view, outputs_of
from hardware.kernels.worker_client import SharedBuffer, WorkerClient, WorkerFailedError

BATCH_NS: Final = 4_000_000
"""Duration of a batch [ns]."""
MAX_CALLS: Final = 64
"""Calls in a batch, at most."""
MAX_BYTES: Final = 128 << 20
"""Largest size of the inputs or outputs of one batch [bytes]."""
PRECISION: Final = 0.03
"""Half width of the interval, in log units, at which timing ends."""
TIMEOUT_FACTOR: Final = 50.0
"""Timeout of a candidate as a multiple of the baseline's time; it is at least two seconds."""
MAX_ATTEMPTS_PER_PAIR: Final = 2
"""Attempts to measure a pair, as a multiple of the largest number of pairs."""
FLOOR_NOISE: Final = 0.9
"""Share of the roofline time below which a measured time is impossible; allows for noise of the roofline."""


class TimingBudget(NamedTuple):
    """Number of rounds and pairs of a timing."""

    min_rounds: int
    """Rounds, at least. Each uses new processes, because memory addresses affect the speed of a process."""
    max_rounds: int
    """Rounds, at most; timing ends earlier if the mean over the shapes is known precisely enough."""
    min_pairs: int
    """Pairs in each round, at least."""
    max_pairs: int
    """Pairs in each round, at most."""


class TimingContext(NamedTuple):
    """Shared inputs, source of random numbers, problem and roofline of a timing."""

    inputs: SharedBuffer
    random: RandomInputs
    problem: Problem
    roofline: Roofline


TimePair = tuple[float, float]
"""Nanoseconds a call, (candidate, baseline)."""


class Round(NamedTuple):
    """Result of one round."""

    calls: int
    """Calls in each batch."""
    pairs: list[TimePair]


def time_pairs(
    candidate: WorkerClient,
    baseline: WorkerClient,
    context: TimingContext,
    shape: Shape,
    limits: Errors,
    budget: TimingBudget,
    inspect: Callable[[int], None],
    abandon_below: float = 0.0,
) -> Round:
    """Time one round of a candidate against a baseline on one shape.

    The two alternate in going first. The round ends when its interval is narrow, or wholly below the speed-up
    ``abandon_below``, or when the budget is spent. ``inspect`` is called with the number of calls after one random
    pair and after the last, while inputs and outputs are in the buffers. Raises WorkerFailedError if an output is
    wrong, or a call takes too long or less than the roofline allows. It is also raised if the candidate uses CPU time
    outside its calls.
    """
    calls, seconds = _plan_batch(candidate, baseline, context, shape)
    pairs: list[TimePair] = []
    inspected = context.random.randint(budget.min_pairs)
    _time_pair(candidate, baseline, context, shape, calls, seconds, limits, False)  # warms up caches and clocks
    for turn in range(MAX_ATTEMPTS_PER_PAIR * budget.max_pairs):
        pair = _time_pair(candidate, baseline, context, shape, calls, seconds, limits, turn % 2 == 1)
        if turn == inspected:
            inspect(calls)
        if min(pair) <= 0:  # the clock was read while the worker still ran: discard the pair
            continue
        pairs.append(pair)
        if len(pairs) >= budget.min_pairs:
            found = speedup(pairs)
            if len(pairs) == budget.max_pairs or found.half_width <= PRECISION or found.high < abandon_below:
                break
    if len(pairs) < budget.min_pairs:
        raise WorkerFailedError("inconclusive", "the CPU clock of the worker did not advance", "noise")
    inspect(calls)
    _check_roofline(pairs, context, shape)
    return Round(calls, pairs)


def _plan_batch(
    candidate: WorkerClient, baseline: WorkerClient, context: TimingContext, shape: Shape
) -> tuple[int, float]:
    """Return the number of calls in a batch, and the timeout of a batch [s]."""
    _read_outputs((baseline, candidate), shape, 1, baseline.timeout)
    _refresh_inputs(context, shape, 1)
    base = _time_call(baseline, context.problem, baseline.timeout)
    least = min(base, _time_call(candidate, context.problem, max(candidate.timeout, TIMEOUT_FACTOR * base / 1e9)))
    room = max(layout(shape, context.problem, 1).input_bytes, layout(shape, context.problem, 1).output_bytes)
    calls = min(MAX_CALLS, max(1, MAX_BYTES // room), math.ceil(BATCH_NS / max(1, least)))
    return calls, max(2.0, TIMEOUT_FACTOR * calls * base / 1e9)


def _time_call(worker: WorkerClient, problem: Problem, seconds: float) -> int:
    """Return the time of one call [ns]: the shorter of two, or one for a backward pass, which needs a forward pass."""
    worker.poison()
    worker.prepare(seconds)
    return min(worker.run(seconds) for _ in range(1 if problem.direction == "backward" else 2))


def _time_pair(
    candidate: WorkerClient,
    baseline: WorkerClient,
    context: TimingContext,
    shape: Shape,
    calls: int,
    seconds: float,
    limits: Errors,
    candidate_first: bool,
) -> TimePair:
    """Time one pair on the same new inputs, and compare the outputs."""
    workers = (candidate, baseline) if candidate_first else (baseline, candidate)
    _read_outputs(workers, shape, calls, seconds)
    _refresh_inputs(context, shape, calls, ("q", "k", "v"))
    for worker in workers:
        worker.poison()
        worker.prepare(seconds)
    _refresh_inputs(context, shape, calls, ("dout",))
    took = {id(worker): worker.run(seconds) for worker in workers}
    for worker in workers:
        worker.store_outputs(seconds)
    _compare_outputs(candidate, baseline, context.problem, calls, limits)
    late = candidate.cpu_ns_since_done()  # work after the reported end counts too
    return (took[id(candidate)] + late) / calls, took[id(baseline)] / calls


def _read_outputs(workers: tuple[WorkerClient, ...], shape: Shape, slots: int, seconds: float) -> None:
    for worker in workers:
        worker.bind_buffers(shape, slots, seconds)


def _refresh_inputs(
    context: TimingContext, shape: Shape, slots: int, names: tuple[str, ...] = ("q", "k", "v", "dout")
) -> None:
    if names == ("dout",) and context.problem.direction == "forward":
        return
    for slot in range(slots):
        for name in names:
            context.random.fill(input_view(context.inputs, shape, context.problem, slot, slots, name))


def _compare_outputs(
    candidate: WorkerClient, baseline: WorkerClient, problem: Problem, slots: int, limits: Errors
) -> None:
    for slot in range(slots):
        for name in outputs_of(problem):
            got, want = (from_storage(each.output(slot, name), problem.dtype) for each in (candidate, baseline))
            rms, row = rms_difference(got, want)
            allowed, allowed_row = limits[name]
            if not (rms <= allowed and row <= allowed_row):
                times = max(rms / allowed, row / allowed_row)
                reason = f"a timed {name} differs from SDPA's by {times:.3g} times the allowed difference"
                raise WorkerFailedError("wrong", reason, "timed outputs")


def rms_difference(got: Array, want: Array) -> tuple[float, float]:
    """Return the root mean square of the difference, over all numbers and in the worst row."""
    apart = got - want
    squares = np.einsum("...i,...i->...", apart, apart).astype(np.float64) / apart.shape[-1]
    return float(np.sqrt(squares.mean())), float(np.sqrt(squares.max()))


def _check_roofline(pairs: Sequence[TimePair], context: TimingContext, shape: Shape) -> None:
    least = 1e9 * context.roofline.seconds(
        flops(shape, context.problem), traffic(shape, context.problem), context.problem.dtype
    )
    took = float(np.median([pair[0] for pair in pairs]))
    if took < FLOOR_NOISE * least:
        raise WorkerFailedError(
            "implausible",
            f"{took / 1e3:.3g} µs a call on {shape}: the roofline allows at least {least / 1e3:.3g}",
            "roofline",
        )
