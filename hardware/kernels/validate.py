"""Validate candidates on new inputs and lengths, by their error against float64 compared with SDPA's error."""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from typing import Final, NamedTuple

import numpy as np

from hardware.kernels import reference
from hardware.kernels.buffer_layout import INPUTS, layout
from hardware.kernels.dtypes import STORAGE, Array, from_storage, to_storage
from hardware.kernels.problem import EPSILON, Problem, Shape, Workload
from hardware.kernels.random_inputs import KINDS, Kind, RandomInputs, make_input
from hardware.kernels.rounding_error import UNDERFLOW_ERROR, false_alarm_threshold, rounding_sources
from hardware.kernels.worker_client import SharedBuffer, WorkerClient, WorkerFailedError

LENGTHS: Final = (1, 2, 77, 200, 333)
"""Numbers of keys, and of queries unless the workload has one query: small, or not divisible by a tile size."""
_HEADS: Final = 2
TIMEOUT_FACTOR: Final = 50.0
"""Timeout of a candidate as a multiple of SDPA's time."""
CROSS_INPUT_FACTOR: Final = 6.0
"""Factor by which an error may be larger on other normal inputs than on the head where it was measured."""

Exact = dict[str, Array]
Errors = dict[str, tuple[float, float]]


class TestCase(NamedTuple):
    """One shape, with an input kind in each slot, the exact outputs and SDPA's errors."""

    shape: Shape
    kinds: tuple[Kind, ...]
    stored: list[dict[str, Array]]
    """Inputs of each slot, in storage."""
    head: tuple[int, int]
    """(batch, head) of which the exact outputs are known."""
    exact: list[Exact]
    rounding: list[Errors]
    """For each slot and output: root mean square error that rounding alone causes, over all and in the worst row."""
    sdpa: Sequence[Errors] = ()
    """For each slot and output: root mean square error of SDPA, over all and in the worst row."""
    seconds: float = 0.0
    """Time of SDPA for two calls of all slots [s]."""


def validation_shapes(workload: Workload) -> list[Shape]:
    """Return the small shapes on which candidates for a workload are validated."""
    first = workload.tuned[0]
    one = first.queries == 1
    return [Shape(1, _HEADS, 1 if one else length, length, first.head_size) for length in LENGTHS]


def outputs_of(problem: Problem) -> tuple[str, ...]:
    """Return the names of the outputs of a problem."""
    return ("out",) if problem.direction == "forward" else ("out", "dq", "dk", "dv")


def input_view(inputs: SharedBuffer, shape: Shape, problem: Problem, slot: int, slots: int, name: str) -> Array:
    """Return a view of an input in the shared buffer, in storage."""
    place = layout(shape, problem, slots).inputs[slot][name]
    stored: Array = inputs.bytes[place.offset : place.end].view(STORAGE[problem.dtype])
    return stored.reshape(place.sizes)


class Validator:
    """Test cases of one workload, drawn once, with exact outputs and SDPA's errors, for any number of candidates.

    ``sdpa``: a worker with SDPA loaded.
    """

    def __init__(self, workload: Workload, inputs: SharedBuffer, sdpa: WorkerClient) -> None:
        self._problem = workload.problem
        self._inputs = inputs
        self._random = RandomInputs(workload.problem.dtype)
        small = [self._draw_case(shape, KINDS) for shape in validation_shapes(workload)]
        timed = [self._draw_case(shape, ("normal",)) for shape in (*workload.tuned, *workload.held_out)]
        self.cases = [self._with_errors(case, sdpa) for case in (*small, *timed)]

    def _draw_case(self, shape: Shape, kinds: Sequence[Kind]) -> TestCase:
        problem = self._problem
        rows = {"q": shape.queries, "dout": shape.queries, "k": shape.keys, "v": shape.keys}
        head = self._random.randint(shape.batch), self._random.randint(shape.heads)
        stored, exact, least = [], [], []
        for kind in kinds:
            sizes = {name: (shape.batch, shape.heads, rows[name], shape.head_size) for name in INPUTS}
            slot = {
                name: to_storage(make_input(kind, name, self._random.normal(*sizes[name])), problem.dtype)
                for name in INPUTS
            }
            stored.append(slot)
            values = {name: from_storage(slot[name][head], problem.dtype) for name in INPUTS}
            exact.append(_exact_outputs(values, problem))
            least.append(rounding_floors(values, problem) if len(kinds) > 1 else {})
        return TestCase(shape, tuple(kinds), stored, head, exact, least)

    def _with_errors(self, case: TestCase, sdpa: WorkerClient) -> TestCase:
        started = time.monotonic()
        self._run_case(case, sdpa)
        case = case._replace(seconds=time.monotonic() - started)
        return case._replace(sdpa=[self._rms_errors(case, slot, sdpa) for slot in range(len(case.kinds))])

    def _run_case(self, case: TestCase, worker: WorkerClient) -> None:
        """Run a case twice on all its slots; both calls must give the same bits."""
        slots, problem = len(case.kinds), self._problem
        direction = "forward" if problem.direction == "forward" else "both"
        for slot, stored in enumerate(case.stored):
            for name, content in stored.items():
                input_view(self._inputs, case.shape, problem, slot, slots, name)[...] = content
        timeout = max(worker.timeout, TIMEOUT_FACTOR * case.seconds)
        worker.bind_buffers(case.shape, slots, timeout, direction)
        first: list[bytes] = []
        for _ in range(2):
            worker.poison()
            worker.prepare(timeout)
            worker.run(timeout)
            worker.store_outputs(timeout)
            found = [worker.output(slot, name).tobytes() for slot in range(slots) for name in outputs_of(problem)]
            if first and first != found:
                raise WorkerFailedError(
                    "unstable", f"{case.shape}: the second call gives other bits", "same bits twice"
                )
            first = found

    def _rms_errors(self, case: TestCase, slot: int, worker: WorkerClient) -> Errors:
        dtype = self._problem.dtype
        return {
            name: reference.rms_errors(
                from_storage(worker.output(slot, name)[case.head], dtype), case.exact[slot][name]
            )
            for name in outputs_of(self._problem)
        }

    def check(self, worker: WorkerClient, chosen: Set[Shape]) -> dict[Shape, float]:
        """Return the worst error of a candidate on each chosen shape, as a multiple of SDPA's error.

        Raises WorkerFailedError if it is larger than the problem allows, or if the candidate does not answer properly.
        """
        worst: dict[Shape, float] = {}
        unstable: WorkerFailedError | None = None
        for case in self.cases:
            if case.shape not in chosen:
                continue
            self._run_case(case, worker)
            multiples = [
                self._worst_error_ratio(case, slot, self._rms_errors(case, slot, worker))
                for slot in range(len(case.kinds))
            ]
            for kind, (multiple, name) in zip(case.kinds, multiples, strict=True):
                if multiple > 1 and kind == "normal":
                    raise WorkerFailedError(
                        "wrong", self._describe_error(case, kind, name, multiple), _length_label(case.shape)
                    )
                if multiple > 1 and unstable is None:
                    unstable = WorkerFailedError("unstable", self._describe_error(case, kind, name, multiple), kind)
            worst[case.shape] = max(multiple for multiple, _ in multiples) * self._problem.tolerance
        if unstable is not None:
            raise unstable
        return worst

    def _worst_error_ratio(self, case: TestCase, slot: int, errors: Errors) -> tuple[float, str]:
        """Return the largest ratio of an error to the allowed error, and its output."""
        return self._error_ratio(errors, case.sdpa[slot], case.rounding[slot])

    def _error_ratio(self, errors: Errors, sdpa: Errors, rounding_alone: Errors) -> tuple[float, str]:
        """Return the largest ratio of an error to the allowed error; outputs that are infinite in SDPA are skipped."""
        problem = self._problem
        found = [(0.0, "out")]
        for name, (rms, row) in errors.items():
            sdpa_rms, sdpa_row = sdpa[name]
            if np.isfinite(sdpa_rms):
                least, least_row = rounding_alone.get(name, (0.0, 0.0))
                found.append((_ratio(rms, problem.tolerance * max(sdpa_rms, least)), name))
                found.append((_ratio(row, problem.worst_row * max(sdpa_row, least_row)), name))
        return max(found)

    def _describe_error(self, case: TestCase, kind: Kind, name: str, multiple: float) -> str:
        allowed = self._problem.tolerance
        how = f"{multiple * allowed:.3g} times" if np.isfinite(multiple) else "without a finite number, against"
        return f"{name} on {case.shape}, {kind} inputs: {how} the error of SDPA; allowed: {allowed:g} times"

    def check_timed(self, candidate: WorkerClient, sdpa: WorkerClient | None, shape: Shape, slots: int) -> None:
        """Check the timed output of one random head by the same rule as all others.

        ``sdpa``: worker that has just run SDPA on the same inputs. If it is None, twice SDPA's error on other inputs is
        used instead. Raises WorkerFailedError.
        """
        slot, head = self._random.randint(slots), (self._random.randint(shape.batch), self._random.randint(shape.heads))
        problem = self._problem
        stored = {name: input_view(self._inputs, shape, problem, slot, slots, name)[head] for name in INPUTS}
        exact = _exact_outputs({name: from_storage(each, problem.dtype) for name, each in stored.items()}, problem)

        def errors(worker: WorkerClient) -> Errors:
            outputs = {name: from_storage(worker.output(slot, name)[head], problem.dtype) for name in exact}
            return {name: reference.rms_errors(got, exact[name]) for name, got in outputs.items()}

        if sdpa is None:
            case = next(case for case in self.cases if case.shape == shape)
            allowed = {name: (2 * rms, 2 * row) for name, (rms, row) in case.sdpa[0].items()}
        else:
            allowed = errors(sdpa)
        multiple, name = self._error_ratio(errors(candidate), allowed, {})
        if multiple > 1:
            times = multiple * problem.tolerance
            raise WorkerFailedError(
                "wrong", f"a timed {name} on {shape}: {times:.3g} times SDPA's error", "timed outputs"
            )

    def limits(self, shape: Shape, factor: float = CROSS_INPUT_FACTOR) -> Errors:
        """Return the allowed difference of two correct outputs on normal inputs of a timed shape, by output.

        It is the allowed error of the candidate plus SDPA's error, times ``factor`` for the variation between inputs.
        """
        case = next(case for case in self.cases if case.shape == shape)
        rms_times, row_times = self._problem.tolerance + 1, self._problem.worst_row + 1
        return {name: (factor * rms_times * rms, factor * row_times * row) for name, (rms, row) in case.sdpa[0].items()}


def _ratio(error: float, allowed: float) -> float:
    return error / allowed if allowed else float("inf") if error else 0.0


def rounding_floors(values: dict[str, Array], problem: Problem) -> Errors:
    """Return the errors that rounding alone causes, by output, over all numbers and in the worst row.

    They are allowed even if SDPA happens to be exact. ``values``: one head of the inputs by name, (rows, head size).
    With few keys, an error is one number and not a mean of many. One row may be one number at any length. Each size is
    therefore increased until the multiple that the problem allows has the false-alarm rate `FALSE_ALARM`.
    """
    q, k, v, dout = (values[name][None, None].astype(np.float64) for name in INPUTS)
    own, sums, least = EPSILON[problem.dtype], EPSILON["fp32"], UNDERFLOW_ERROR[problem.dtype]
    sizes, independent = rounding_sources(q, k, v, dout, problem.causal, own, sums, least)
    of_all, of_row = (
        max(1.0, false_alarm_threshold(independent) / problem.tolerance),
        max(1.0, false_alarm_threshold(1) / problem.worst_row),
    )
    found = {}
    for name in outputs_of(problem):
        size = getattr(sizes, name)
        rms, row = reference.rms_errors(size, np.zeros_like(size))
        found[name] = (of_all * rms, of_row * row)
    return found


def _exact_outputs(values: dict[str, Array], problem: Problem) -> Exact:
    q, k, v, dout = (values[name][None, None] for name in INPUTS)
    out, _ = reference.forward(q, k, v, problem.causal)
    exact = {"out": out[0, 0]}
    if problem.direction != "forward":
        grads = reference.backward(q, k, v, dout, problem.causal)
        exact |= {name: grad[0, 0] for name, grad in zip(("dq", "dk", "dv"), grads, strict=True)}
    return exact


def _length_label(shape: Shape) -> str:
    return f"length {shape.keys}"
