"""Is it right? On inputs and lengths that a candidate has never seen, held against float64 and SDPA's own error."""

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
from hardware.kernels.rounding_error import LEAST, reach, rounding_sources
from hardware.kernels.worker_client import SharedBuffer, WorkerClient, WorkerFailedError

LENGTHS: Final = (1, 2, 77, 200, 333)
"""Of keys, and of queries where the workload has more than one: tiny ones, and none that a tile divides."""
_HEADS: Final = 2
PATIENCE_TIMES: Final = 50.0
"""Times the seconds of SDPA that a candidate may take."""
CROSS_INPUT_FACTOR: Final = 6.0
"""How much larger an error may be on many other normal inputs than on the one head where it was measured."""

Exact = dict[str, Array]
Errors = dict[str, tuple[float, float]]


class TestCase(NamedTuple):
    """One shape, with an input kind in each slot, its exact answers and the errors of SDPA on them."""

    shape: Shape
    kinds: tuple[Kind, ...]
    stored: list[dict[str, Array]]
    """Inputs of each slot, as they are stored."""
    head: tuple[int, int]
    """The one (batch, head) whose exact answer is known."""
    exact: list[Exact]
    rounding: list[Errors]
    """Of each slot, by output: the root mean square error that rounding alone makes, and that of the worst row."""
    sdpa: Sequence[Errors] = ()
    """The same of SDPA."""
    seconds: float = 0.0
    """That SDPA took, twice over all slots."""


def shapes(workload: Workload) -> list[Shape]:
    """Return the small shapes on which candidates for a workload are validated."""
    first = workload.tuned[0]
    one = first.queries == 1
    return [Shape(1, _HEADS, 1 if one else length, length, first.head_size) for length in LENGTHS]


def outputs_of(problem: Problem) -> tuple[str, ...]:
    """Return the outputs that a problem asks for."""
    return ("out",) if problem.direction == "forward" else ("out", "dq", "dk", "dv")


def input_view(inputs: SharedBuffer, shape: Shape, problem: Problem, slot: int, slots: int, name: str) -> Array:
    """Return the place of an input in the shared memory, as it is stored."""
    place = layout(shape, problem, slots).inputs[slot][name]
    stored: Array = inputs.bytes[place.offset : place.end].view(STORAGE[problem.dtype])
    return stored.reshape(place.sizes)


class Validator:
    """The cases of one workload, drawn once, with the answers and SDPA's own errors; then any number of candidates.

    ``sdpa``: a worker with the library's kernel loaded.
    """

    def __init__(self, workload: Workload, inputs: SharedBuffer, sdpa: WorkerClient) -> None:
        self._problem = workload.problem
        self._inputs = inputs
        self._fresh = RandomInputs(workload.problem.dtype)
        small = [self._draw(shape, KINDS) for shape in shapes(workload)]
        timed = [self._draw(shape, ("normal",)) for shape in (*workload.tuned, *workload.held_out)]
        self.cases = [self._with_errors(case, sdpa) for case in (*small, *timed)]

    def _draw(self, shape: Shape, kinds: Sequence[Kind]) -> TestCase:
        problem = self._problem
        rows = {"q": shape.queries, "dout": shape.queries, "k": shape.keys, "v": shape.keys}
        head = self._fresh.pick(shape.batch), self._fresh.pick(shape.heads)
        stored, exact, least = [], [], []
        for kind in kinds:
            sizes = {name: (shape.batch, shape.heads, rows[name], shape.head_size) for name in INPUTS}
            slot = {
                name: to_storage(make_input(kind, name, self._fresh.normal(*sizes[name])), problem.dtype)
                for name in INPUTS
            }
            stored.append(slot)
            values = {name: from_storage(slot[name][head], problem.dtype) for name in INPUTS}
            exact.append(_exact(values, problem))
            least.append(rounding_floors(values, problem) if len(kinds) > 1 else {})
        return TestCase(shape, tuple(kinds), stored, head, exact, least)

    def _with_errors(self, case: TestCase, sdpa: WorkerClient) -> TestCase:
        started = time.monotonic()
        self._call(case, sdpa)
        case = case._replace(seconds=time.monotonic() - started)
        return case._replace(sdpa=[self._errors(case, slot, sdpa) for slot in range(len(case.kinds))])

    def _call(self, case: TestCase, caller: WorkerClient) -> None:
        """Run a case, twice, on all its slots; the same bits must come of it."""
        slots, problem = len(case.kinds), self._problem
        direction = "forward" if problem.direction == "forward" else "both"
        for slot, stored in enumerate(case.stored):
            for name, content in stored.items():
                input_view(self._inputs, case.shape, problem, slot, slots, name)[...] = content
        patience = max(caller.patience, PATIENCE_TIMES * case.seconds)
        caller.take(case.shape, slots, patience, direction)
        first: list[bytes] = []
        for _ in range(2):
            caller.poison()
            caller.prepare(patience)
            caller.run(patience)
            caller.deliver(patience)
            found = [caller.output(slot, name).tobytes() for slot in range(slots) for name in outputs_of(problem)]
            if first and first != found:
                raise WorkerFailedError("unstable", f"{case.shape}: other bits at the second call", "same bits twice")
            first = found

    def _errors(self, case: TestCase, slot: int, caller: WorkerClient) -> Errors:
        dtype = self._problem.dtype
        return {
            name: reference.rms_errors(
                from_storage(caller.output(slot, name)[case.head], dtype), case.exact[slot][name]
            )
            for name in outputs_of(self._problem)
        }

    def check(self, caller: WorkerClient, chosen: Set[Shape]) -> dict[Shape, float]:
        """Return the error of a candidate as a multiple of SDPA's own, the worst by shape, on the chosen shapes.

        Raises FailedError if it is more than the problem allows, or if the candidate does not answer as it should.
        """
        worst: dict[Shape, float] = {}
        unstable: WorkerFailedError | None = None
        for case in self.cases:
            if case.shape not in chosen:
                continue
            self._call(case, caller)
            multiples = [
                self._multiple(case, slot, self._errors(case, slot, caller)) for slot in range(len(case.kinds))
            ]
            for kind, (multiple, name) in zip(case.kinds, multiples, strict=True):
                if multiple > 1 and kind == "normal":
                    raise WorkerFailedError("wrong", self._reason(case, kind, name, multiple), _length(case.shape))
                if multiple > 1 and unstable is None:
                    unstable = WorkerFailedError("unstable", self._reason(case, kind, name, multiple), kind)
            worst[case.shape] = max(multiple for multiple, _ in multiples) * self._problem.tolerance
        if unstable is not None:
            raise unstable
        return worst

    def _multiple(self, case: TestCase, slot: int, errors: Errors) -> tuple[float, str]:
        """The worst error over what is allowed, and of which output."""
        return self._over_allowed(errors, case.sdpa[slot], case.rounding[slot])

    def _over_allowed(self, errors: Errors, sdpa: Errors, rounding_alone: Errors) -> tuple[float, str]:
        """The same, of errors held against SDPA's own; what SDPA itself cannot do is left out."""
        problem = self._problem
        found = [(0.0, "out")]
        for name, (rms, row) in errors.items():
            sdpa_rms, sdpa_row = sdpa[name]
            if np.isfinite(sdpa_rms):
                least, least_row = rounding_alone.get(name, (0.0, 0.0))
                found.append((_times(rms, problem.tolerance * max(sdpa_rms, least)), name))
                found.append((_times(row, problem.worst_row * max(sdpa_row, least_row)), name))
        return max(found)

    def _reason(self, case: TestCase, kind: Kind, name: str, multiple: float) -> str:
        allowed = self._problem.tolerance
        how = f"{multiple * allowed:.3g} times" if np.isfinite(multiple) else "without a finite number, against"
        return f"{name} on {case.shape}, {kind} inputs: {how} the error of SDPA, where {allowed:g} are allowed"

    def check_timed(self, candidate: WorkerClient, sdpa: WorkerClient | None, shape: Shape, slots: int) -> None:
        """Hold a timed answer itself, of one head that nobody could foresee, to the same rule as all others.

        ``sdpa`` has just run on the same inputs; None if it has not: then its error on others must do, twice. Raises
        FailedError.
        """
        slot, head = self._fresh.pick(slots), (self._fresh.pick(shape.batch), self._fresh.pick(shape.heads))
        problem = self._problem
        stored = {name: input_view(self._inputs, shape, problem, slot, slots, name)[head] for name in INPUTS}
        exact = _exact({name: from_storage(each, problem.dtype) for name, each in stored.items()}, problem)

        def errors(caller: WorkerClient) -> Errors:
            outputs = {name: from_storage(caller.output(slot, name)[head], problem.dtype) for name in exact}
            return {name: reference.rms_errors(got, exact[name]) for name, got in outputs.items()}

        if sdpa is None:
            case = next(case for case in self.cases if case.shape == shape)
            allowed = {name: (2 * rms, 2 * row) for name, (rms, row) in case.sdpa[0].items()}
        else:
            allowed = errors(sdpa)
        multiple, name = self._over_allowed(errors(candidate), allowed, {})
        if multiple > 1:
            times = multiple * problem.tolerance
            raise WorkerFailedError(
                "wrong", f"a timed {name} on {shape}: {times:.3g} times SDPA's error", "timed outputs"
            )

    def limits(self, shape: Shape, room: float = CROSS_INPUT_FACTOR) -> Errors:
        """Return what two right answers may differ by on normal inputs of a timed shape, by output.

        That is the candidate's allowance and SDPA's own error, times the ``room`` for the luck of more inputs.
        """
        case = next(case for case in self.cases if case.shape == shape)
        rms_times, row_times = self._problem.tolerance + 1, self._problem.worst_row + 1
        return {name: (room * rms_times * rms, room * row_times * row) for name, (rms, row) in case.sdpa[0].items()}


def _times(error: float, allowed: float) -> float:
    return error / allowed if allowed else float("inf") if error else 0.0


def rounding_floors(values: dict[str, Array], problem: Problem) -> Errors:
    """Return the size of the errors that rounding alone makes: where SDPA is exact by luck, others need not be.

    ``values``: one head of the inputs by name, (rows, head size). By output: of all numbers, and of the worst row.
    An error of few keys is one number and not a mean of many, and one row may be one number at any length: each size
    is larger by what the problem's multiple of it lacks for a false-alarm rate of `FALSE_ALARM`.
    """
    q, k, v, dout = (values[name][None, None].astype(np.float64) for name in INPUTS)
    own, sums, least = EPSILON[problem.dtype], EPSILON["fp32"], LEAST[problem.dtype]
    sizes, independent = rounding_sources(q, k, v, dout, problem.causal, own, sums, least)
    of_all, of_row = max(1.0, reach(independent) / problem.tolerance), max(1.0, reach(1) / problem.worst_row)
    found = {}
    for name in outputs_of(problem):
        size = getattr(sizes, name)
        rms, row = reference.rms_errors(size, np.zeros_like(size))
        found[name] = (of_all * rms, of_row * row)
    return found


def _exact(values: dict[str, Array], problem: Problem) -> Exact:
    q, k, v, dout = (values[name][None, None] for name in INPUTS)
    out, _ = reference.forward(q, k, v, problem.causal)
    exact = {"out": out[0, 0]}
    if problem.direction != "forward":
        grads = reference.backward(q, k, v, dout, problem.causal)
        exact |= {name: grad[0, 0] for name, grad in zip(("dq", "dk", "dv"), grads, strict=True)}
    return exact


def _length(shape: Shape) -> str:
    return f"length {shape.keys}"
