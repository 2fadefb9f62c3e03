"""Evaluate candidates: build, call in a separate process, validate, and time against torch's attention."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Self

from hardware.kernels import sandbox
from hardware.kernels.buffer_layout import layout
from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import BuildError
from hardware.kernels.machine import Machine, measure_roofline
from hardware.kernels.problem import Shape, Workload
from hardware.kernels.random_inputs import KINDS, RandomInputs
from hardware.kernels.registry import EAGER, SDPA, UNTRUSTED, family
from hardware.kernels.sandbox import SandboxError
from hardware.kernels.timing import MAX_BYTES, PRECISION, Round, TimingBudget, TimingContext, time_pairs
from hardware.kernels.trace import Timing, TrialOutcome, geomean_over_shapes
from hardware.kernels.validate import CROSS_INPUT_FACTOR, Validator, validation_shapes
from hardware.kernels.worker_client import SharedBuffer, WorkerClient, WorkerFailedError

MIN_CLAIMED_GAIN: Final = 1.02
"""Speed-up that the lower end of an interval must exceed for a significant gain."""
QUICK_BUDGET: Final = TimingBudget(min_rounds=1, max_rounds=1, min_pairs=5, max_pairs=9)
"""Timing budget of a trial in a search."""
FULL_BUDGET: Final = TimingBudget(min_rounds=5, max_rounds=8, min_pairs=4, max_pairs=7)
"""Timing budget of a re-measurement, on which conclusions are based."""
ROUGH_BUDGET: Final = TimingBudget(min_rounds=3, max_rounds=3, min_pairs=4, max_pairs=5)
"""Timing budget against eager attention, whose intervals may be wide."""
EAGER_ERROR_FACTOR: Final = 50.0
"""Factor on the allowed difference when timed against eager attention, whose error is larger than SDPA's."""
ABANDON_BELOW: Final = 0.7
"""Share of the best speed-up on a shape below which the timing of a trial is stopped."""


class KernelEvaluator:
    """Evaluates candidates for one workload on one machine. Use it as a context: it keeps worker processes.

    ``machine``: its roofline is measured now if it is missing. ``confine_untrusted=False`` runs untrusted source
    without bubblewrap, with the system-call filter and resource limits only. Use it only for source that you wrote.
    """

    def __init__(self, workload: Workload, machine: Machine, confine_untrusted: bool = True) -> None:
        self.workload = workload
        self.problem = workload.problem
        roofline = machine.roofline or measure_roofline()
        self.machine = machine.model_copy(update={"roofline": roofline})
        self.isolation = sandbox.detect_isolation()
        self._confine = confine_untrusted
        self._inputs = SharedBuffer(self._capacity("inputs"))
        self._context = TimingContext(self._inputs, RandomInputs(self.problem.dtype), self.problem, roofline)
        self._workers: dict[str, WorkerClient] = {}
        self._loaded: dict[str, Candidate] = {}
        self._validator: Validator | None = None
        self._best: dict[Shape, float] = {}
        self._cores: set[int] = set()
        self._ended_cpu_ns = 0
        """Processor time of ended workers [ns]."""

    def _capacity(self, side: Literal["inputs", "outputs"]) -> int:
        timed = (*self.workload.tuned, *self.workload.held_out)
        slots = [(shape, 1) for shape in timed] + [(shape, len(KINDS)) for shape in validation_shapes(self.workload)]
        layouts = [layout(shape, self.problem, count) for shape, count in slots]
        return MAX_BYTES + max(each.input_bytes if side == "inputs" else each.output_bytes for each in layouts)

    def __enter__(self) -> Self:
        """Pin this process, and the workers that it starts, to one core.

        On shared machines, other load differs between cores. A CPU clock that is read from another process also lags
        while its process runs. On one core, this process runs only while the worker does not.
        """
        self._cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(self._cores)})
        return self

    def __exit__(self, *error: object) -> None:
        self._stop_workers()
        self._inputs.close()
        os.sched_setaffinity(0, self._cores)

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """Validate a candidate and time it quickly against SDPA on the tuned shapes."""
        return self._evaluate_on(candidate, SDPA, self.workload.tuned, QUICK_BUDGET)

    def measure(self, candidate: Candidate, against: Literal["sdpa", "eager"] = "sdpa") -> TrialOutcome:
        """Validate a candidate and time it on tuned and held-out shapes until the intervals are narrow.

        Against SDPA, the status is "inconclusive" if the machine is too noisy: the mean over the shapes is not known to
        3%, and its interval contains 1.
        """
        every = (*self.workload.tuned, *self.workload.held_out)
        if against == "eager":
            return self._evaluate_on(candidate, EAGER, every, ROUGH_BUDGET)
        return self._evaluate_on(candidate, SDPA, every, FULL_BUDGET)

    def measure_self_noise(self) -> TrialOutcome:
        """Time SDPA against itself in two processes (A/A test).

        The status is "passed" if the interval contains 1 or lies within 2% of it.
        """
        outcome = self._evaluate_on(SDPA, SDPA, self.workload.tuned[:1], FULL_BUDGET, key="sdpa again")
        if outcome.status != "passed":
            return outcome
        found = geomean_over_shapes(outcome.timed)
        if not (found.low <= 1 <= found.high or 1 / MIN_CLAIMED_GAIN < found.low <= found.high < MIN_CLAIMED_GAIN):
            reason = f"SDPA against itself came out as {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]"
            return outcome._replace(status="inconclusive", reason=reason)
        return outcome

    def _evaluate_on(
        self,
        candidate: Candidate,
        baseline: Candidate,
        timed: Sequence[Shape],
        budget: TimingBudget,
        key: str = "candidate",
        again: bool = True,
    ) -> TrialOutcome:
        before = self._cpu_ns()
        try:
            if reason := self._unavailable_reason(candidate):
                raise BuildError(reason)
            result = self._validate_and_time(candidate, baseline, timed, budget, key)
        except BuildError as error:
            result = TrialOutcome("failed to build", str(error), "compiler")
        except SandboxError as error:
            result = TrialOutcome("failed to build", str(error), "sandbox")
        except WorkerFailedError as error:
            if self._stop_failed_workers(key):  # the baseline failed, not the candidate: repeat with a new worker
                if again:
                    return self._evaluate_on(candidate, baseline, timed, budget, key, again=False)
                error = WorkerFailedError("inconclusive", f"torch's own attention failed: {error.reason}", "harness")
            result = TrialOutcome(error.status, error.reason, error.failed_on)
        if candidate.family == UNTRUSTED:
            self._stop_worker(key)
        return result._replace(cpu_s=round((self._cpu_ns() - before) / 1e9, 3))

    def _unavailable_reason(self, candidate: Candidate) -> str | None:
        try:
            kind = family(candidate.family)
        except ValueError as error:
            return str(error)
        if candidate.family == UNTRUSTED and not self._confine:
            return None
        return kind.unavailable_reason(self.machine, self.problem)

    def _validate_and_time(
        self, candidate: Candidate, baseline: Candidate, shapes_timed: Sequence[Shape], budget: TimingBudget, key: str
    ) -> TrialOutcome:
        validator = self.validator
        errors = validator.check(
            self._loaded_worker(key, candidate), {*validation_shapes(self.workload), *shapes_timed}
        )
        done: dict[Shape, list[Round]] = {shape: [] for shape in shapes_timed}
        timed: tuple[Timing, ...] = ()
        for number in range(1, budget.max_rounds + 1):
            if number > 1:
                self._stop_workers()
            against = self._loaded_worker(baseline.family, baseline)
            worker = self._loaded_worker(key, candidate)
            for shape in shapes_timed:
                done[shape].append(self._time_round(candidate, baseline, worker, against, shape, budget))
            timed = tuple(self._merge_rounds(shape, rounds, errors[shape]) for shape, rounds in done.items())
            if number >= budget.min_rounds and not imprecise_means(timed):
                break
        return self._decide_outcome(timed, budget)

    def _merge_rounds(self, shape: Shape, rounds: Sequence[Round], error: float) -> Timing:
        pairs = tuple(pair for each in rounds for pair in each.pairs)
        sizes = tuple(len(each.pairs) for each in rounds)
        held_out = shape in self.workload.held_out
        return Timing(shape=shape, held_out=held_out, calls=rounds[-1].calls, pairs=pairs, rounds=sizes, error=error)

    def _time_round(
        self,
        candidate: Candidate,
        baseline: Candidate,
        worker: WorkerClient,
        against: WorkerClient,
        shape: Shape,
        budget: TimingBudget,
    ) -> Round:
        """Time one round on one shape; the outputs of re-measurements and untrusted candidates get more checks."""
        quick = budget is QUICK_BUDGET
        limits = self.validator.limits(shape, EAGER_ERROR_FACTOR if baseline == EAGER else CROSS_INPUT_FACTOR)

        def inspect(calls: int) -> None:
            if not quick or candidate.family == UNTRUSTED:
                self.validator.check_timed(worker, against if baseline == SDPA else None, shape, calls)

        abandon_below = ABANDON_BELOW * self._best.get(shape, 0.0) if quick else 0.0
        return time_pairs(worker, against, self._context, shape, limits, budget, inspect, abandon_below)

    def _decide_outcome(self, timed: tuple[Timing, ...], budget: TimingBudget) -> TrialOutcome:
        if budget is QUICK_BUDGET:
            for each in timed:
                self._best[each.shape] = max(self._best.get(each.shape, 0.0), each.speedup.ratio)
        elif budget is FULL_BUDGET and (unclear := imprecise_means(timed)) and is_inconclusive(timed):
            mean = f"the mean over the {unclear[0]} shapes"
            reason = f"{mean} is not known to {PRECISION:.0%} after {budget.max_rounds} rounds"
            return TrialOutcome("inconclusive", f"too noisy: {reason}", "noise", timed)
        return TrialOutcome("passed", timed=timed)

    @property
    def workers(self) -> Mapping[str, WorkerClient]:
        """Running workers by their role: "candidate", or the family of a baseline."""
        return MappingProxyType(self._workers)

    @property
    def validator(self) -> Validator:
        """Validator of the workload, created at first use."""
        if self._validator is None:
            self._validator = Validator(self.workload, self._inputs, self._loaded_worker("sdpa", SDPA))
        return self._validator

    def _loaded_worker(self, key: str, candidate: Candidate) -> WorkerClient:
        """Return a worker with the candidate loaded; untrusted source and a change of family need a new worker."""
        kind = family(candidate.family)
        if candidate.family == UNTRUSTED and not self._confine:
            library = str(sandbox.compile_untrusted(candidate.source, confined=False))
        else:
            library = kind.library(candidate, self.problem)
        old = self._loaded.get(key)
        if old is not None and (candidate.family == UNTRUSTED or old.family != candidate.family):
            self._stop_worker(key)
        if key not in self._workers:
            untrusted = candidate.family == UNTRUSTED
            folders = [Path(library).parent] if library else []
            self._workers[key] = WorkerClient(
                kind.backend,
                self._inputs,
                self._capacity("outputs"),
                self.problem,
                confined=untrusted and self._confine,
                folders=folders,
                lock=untrusted,
            )
        self._loaded[key] = candidate
        parameters = [int(value) for _, value in candidate.parameters] if library else []
        self._workers[key].load(
            family=candidate.family,
            values=candidate.values,
            problem=self.problem,
            library=library,
            parameters=parameters,
        )
        return self._workers[key]

    def _stop_worker(self, key: str) -> None:
        self._loaded.pop(key, None)
        worker = self._workers.pop(key, None)
        if worker is not None:
            worker.close()
            self._ended_cpu_ns += int(worker.process.cpu_s * 1e9)

    def _stop_failed_workers(self, key: str) -> bool:
        """After a failure, stop its worker and all workers that have ended or have not answered.

        Return whether other workers than that of the failure were stopped.
        """
        others = [
            name for name, worker in self._workers.items() if not worker.is_responsive or worker.process.has_ended
        ]
        for name in {key, *others}:
            self._stop_worker(name)
        return bool({*others} - {key})

    def _stop_workers(self) -> None:
        """Stop all workers."""
        for name in list(self._workers):
            self._stop_worker(name)

    def _cpu_ns(self) -> int:
        return self._ended_cpu_ns + time.process_time_ns() + sum(worker.cpu_ns for worker in self._workers.values())


def is_inconclusive(timed: Sequence[Timing]) -> bool:
    """Return whether the interval on the held-out shapes (without them, on all shapes) contains 1."""
    found = geomean_over_shapes([each for each in timed if each.held_out] or timed)
    return found.low <= 1 <= found.high


def imprecise_means(timed: Sequence[Timing]) -> list[str]:
    """Return which means, over the tuned or the held-out shapes, are not known precisely enough."""
    sides = {"tuned": False, "held-out": True}
    found = {name: [each for each in timed if each.held_out == held_out] for name, held_out in sides.items()}
    return [name for name, each in found.items() if each and geomean_over_shapes(each).half_width > PRECISION]
