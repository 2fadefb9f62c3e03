"""Is it fast? Paired and interleaved with a baseline, on fresh inputs, every output checked, until it is clear."""

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
MAX_CALLS: Final = 64
MAX_BYTES: Final = 128 << 20
"""Of inputs or outputs of one batch."""
PRECISION: Final = 0.03
"""Half width of the interval, in log units, at which measuring ends."""
TIMED_OUT_AFTER: Final = 50.0
"""Times the baseline's time, and never less than two seconds."""
MAX_TURNS: Final = 2
"""Times the pairs that are wanted: so often is it tried to get them."""
FLOOR_NOISE: Final = 0.9
"""Of the roofline's own time: faster than that cannot be."""


class TimingBudget(NamedTuple):
    """How many pairs are taken."""

    rounds: int
    """At the least; each with new processes, for where its memory lies makes a process faster or slower for good."""
    most_rounds: int
    """At the most; there are more until the mean over the shapes is known well enough."""
    least: int
    """Pairs in each round, at the least."""
    most: int
    """Pairs in each round, at the most."""


class TimingContext(NamedTuple):
    """Where both perform: the shared inputs, fresh numbers, what is asked, and the machine's roofline."""

    inputs: SharedBuffer
    fresh: RandomInputs
    problem: Problem
    roofline: Roofline


Pair = tuple[float, float]
"""Nanoseconds a call, (candidate, baseline)."""


class Round(NamedTuple):
    """What one round gave."""

    calls: int
    """In each batch."""
    pairs: list[Pair]


def time_pairs(
    candidate: WorkerClient,
    baseline: WorkerClient,
    stage: TimingContext,
    shape: Shape,
    limits: Errors,
    effort: TimingBudget,
    inspect: Callable[[int], None],
    hopeless_below: float = 0.0,
) -> Round:
    """Time one round of a candidate against a baseline on one shape.

    Which of the two goes first alternates. The round ends when its interval is narrow, or wholly below the speed-up
    ``hopeless_below``, or when the effort is spent. ``inspect`` is called, with the number of calls, after one pair
    that nobody can foresee and after the last, while inputs and outputs lie there. Raises FailedError if an output is
    wrong, a call takes far too long or less than the machine needs, or the candidate works when not asked.
    """
    calls, seconds = _calls(candidate, baseline, stage, shape)
    pairs: list[Pair] = []
    inspected = stage.fresh.pick(effort.least)
    _time_pair(candidate, baseline, stage, shape, calls, seconds, limits, False)  # caches and clocks warm up
    for turn in range(MAX_TURNS * effort.most):
        pair = _time_pair(candidate, baseline, stage, shape, calls, seconds, limits, turn % 2 == 1)
        if turn == inspected:
            inspect(calls)
        if min(pair) <= 0:  # a clock that was read while the worker still ran: such a pair tells nothing
            continue
        pairs.append(pair)
        if len(pairs) >= effort.least:
            found = speedup(pairs)
            if len(pairs) == effort.most or found.half_width <= PRECISION or found.high < hopeless_below:
                break
    if len(pairs) < effort.least:
        raise WorkerFailedError("inconclusive", "the clock of the worker stood still", "noise")
    inspect(calls)
    _check_floor(pairs, stage, shape)
    return Round(calls, pairs)


def _calls(candidate: WorkerClient, baseline: WorkerClient, stage: TimingContext, shape: Shape) -> tuple[int, float]:
    """How many calls make a batch, and when to give up."""
    _read_outputs((baseline, candidate), shape, 1, baseline.patience)
    _refresh_inputs(stage, shape, 1)
    base = _once(baseline, stage.problem, baseline.patience)
    least = min(base, _once(candidate, stage.problem, max(candidate.patience, TIMED_OUT_AFTER * base / 1e9)))
    room = max(layout(shape, stage.problem, 1).input_bytes, layout(shape, stage.problem, 1).output_bytes)
    calls = min(MAX_CALLS, max(1, MAX_BYTES // room), math.ceil(BATCH_NS / max(1, least)))
    return calls, max(2.0, TIMED_OUT_AFTER * calls * base / 1e9)


def _once(caller: WorkerClient, problem: Problem, seconds: float) -> int:
    """Nanoseconds of one call: the better of two, but one of a backward pass, which uses up its forward pass."""
    caller.poison()
    caller.prepare(seconds)
    return min(caller.run(seconds) for _ in range(1 if problem.direction == "backward" else 2))


def _time_pair(
    candidate: WorkerClient,
    baseline: WorkerClient,
    stage: TimingContext,
    shape: Shape,
    calls: int,
    seconds: float,
    limits: Errors,
    candidate_first: bool,
) -> Pair:
    """One pair: both on the same fresh inputs, their outputs compared."""
    callers = (candidate, baseline) if candidate_first else (baseline, candidate)
    _read_outputs(callers, shape, calls, seconds)
    _refresh_inputs(stage, shape, calls, ("q", "k", "v"))
    for caller in callers:
        caller.poison()
        caller.prepare(seconds)
    _refresh_inputs(stage, shape, calls, ("dout",))
    took = {id(caller): caller.run(seconds) for caller in callers}
    for caller in callers:
        caller.deliver(seconds)
    _compare(candidate, baseline, stage.problem, calls, limits)
    late = candidate.check_idle()  # whoever says that it is done and works on pays for that too
    return (took[id(candidate)] + late) / calls, took[id(baseline)] / calls


def _read_outputs(callers: tuple[WorkerClient, ...], shape: Shape, slots: int, seconds: float) -> None:
    for caller in callers:
        caller.take(shape, slots, seconds)


def _refresh_inputs(
    stage: TimingContext, shape: Shape, slots: int, names: tuple[str, ...] = ("q", "k", "v", "dout")
) -> None:
    if names == ("dout",) and stage.problem.direction == "forward":
        return
    for slot in range(slots):
        for name in names:
            stage.fresh.fill(input_view(stage.inputs, shape, stage.problem, slot, slots, name))


def _compare(candidate: WorkerClient, baseline: WorkerClient, problem: Problem, slots: int, limits: Errors) -> None:
    for slot in range(slots):
        for name in outputs_of(problem):
            got, want = (from_storage(each.output(slot, name), problem.dtype) for each in (candidate, baseline))
            rms, row = _difference(got, want)
            allowed, allowed_row = limits[name]
            if not (rms <= allowed and row <= allowed_row):
                times = max(rms / allowed, row / allowed_row)
                reason = f"a timed {name} differs from SDPA's by {times:.3g} times what is allowed"
                raise WorkerFailedError("wrong", reason, "timed outputs")


def _difference(got: Array, want: Array) -> tuple[float, float]:
    """Root mean squares of the difference, over all numbers and in the worst row."""
    apart = got - want
    squares = np.einsum("...i,...i->...", apart, apart).astype(np.float64) / apart.shape[-1]
    return float(np.sqrt(squares.mean())), float(np.sqrt(squares.max()))


def _check_floor(pairs: Sequence[Pair], stage: TimingContext, shape: Shape) -> None:
    least = 1e9 * stage.roofline.seconds(
        flops(shape, stage.problem), traffic(shape, stage.problem), stage.problem.dtype
    )
    took = float(np.median([pair[0] for pair in pairs]))
    if took < FLOOR_NOISE * least:
        raise WorkerFailedError(
            "implausible", f"{took / 1e3:.3g} µs a call on {shape}: the machine needs {least / 1e3:.3g}", "roofline"
        )
