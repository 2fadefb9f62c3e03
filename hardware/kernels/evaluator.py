"""Where a candidate is tried: built, called in a process of its own, validated, timed against torch's own attention."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Self

from hardware.kernels import sandbox
from hardware.kernels.buffer_layout import layout
from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import BuildError
from hardware.kernels.machine import Machine, measure_roofline
from hardware.kernels.problem import Shape, Workload
from hardware.kernels.random_inputs import KINDS, RandomInputs
from hardware.kernels.registry import EAGER, FOREIGN, SDPA, family
from hardware.kernels.sandbox import SandboxError
from hardware.kernels.timing import MAX_BYTES, PRECISION, Round, TimingBudget, TimingContext, time_pairs
from hardware.kernels.trace import Timing, TrialOutcome, geomean_over_shapes
from hardware.kernels.validate import CROSS_INPUT_FACTOR, Validator, shapes
from hardware.kernels.worker_client import SharedBuffer, WorkerClient, WorkerFailedError

NO_CLAIM: Final = 1.02
"""A gain is claimed only where the whole interval is above this."""
QUICK: Final = TimingBudget(rounds=1, most_rounds=1, least=5, most=9)
"""While searching."""
AFRESH: Final = TimingBudget(rounds=5, most_rounds=8, least=4, most=7)
"""For a claim."""
ROUGH: Final = TimingBudget(rounds=3, most_rounds=3, least=4, most=5)
"""Against eager, which nobody claims to beat: the interval is as wide as it comes."""
EAGER_ERROR_FACTOR: Final = 50.0
"""How much further from SDPA's answer one may be when timed against eager, whose own error is larger."""
ABANDON_BELOW: Final = 0.7
"""While searching: of the best so far on the same shape; what is surely below is not timed any further."""


class KernelEvaluator:
    """One workload on one machine. Use it as a context: it keeps a worker with torch's own attention at hand.

    ``machine``: its roofline is measured now if it has none. ``confine_foreign=False`` runs foreign source without
    bubblewrap, behind system-call filter and limits alone; it is for sources that one has written oneself.
    """

    def __init__(self, workload: Workload, machine: Machine, confine_foreign: bool = True) -> None:
        self.workload = workload
        self.problem = workload.problem
        roofline = machine.roofline or measure_roofline()
        self.machine = machine.model_copy(update={"roofline": roofline})
        self.isolation = sandbox.detect_isolation()
        self._confine = confine_foreign
        self._inputs = SharedBuffer(self._capacity("inputs"))
        self._stage = TimingContext(self._inputs, RandomInputs(self.problem.dtype), self.problem, roofline)
        self._callers: dict[str, WorkerClient] = {}
        self._loaded: dict[str, Candidate] = {}
        self._validator: Validator | None = None
        self._best: dict[Shape, float] = {}
        self._cores: set[int] = set()
        self._gone_ns = 0
        """Processor time of the workers that have ended."""

    def _capacity(self, side: Literal["inputs", "outputs"]) -> int:
        timed = (*self.workload.tuned, *self.workload.held_out)
        slots = [(shape, 1) for shape in timed] + [(shape, len(KINDS)) for shape in shapes(self.workload)]
        layouts = [layout(shape, self.problem, count) for shape, count in slots]
        return MAX_BYTES + max(each.input_bytes if side == "inputs" else each.output_bytes for each in layouts)

    def __enter__(self) -> Self:
        """Hold this process, and the workers that it starts, to one core.

        On shared machines no two cores have the same neighbours. And a clock that is read from outside lags behind
        while its process runs: on one core this process only runs when the worker does not.
        """
        self._cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(self._cores)})
        return self

    def __exit__(self, *error: object) -> None:
        self._drop_all()
        self._inputs.close()
        os.sched_setaffinity(0, self._cores)

    # What it is asked

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """Try a candidate on the tuned shapes against SDPA: valid, and about how fast?"""
        return self._try(candidate, SDPA, self.workload.tuned, QUICK)

    def measure(self, candidate: Candidate, against: Literal["sdpa", "eager"] = "sdpa") -> TrialOutcome:
        """Validate a candidate and time it afresh on tuned and held-out shapes, until the intervals are narrow.

        The status is "inconclusive" where the machine was too noisy to know the mean over the shapes to 3%, and not
        even whether it is above or below 1; against SDPA.
        """
        every = (*self.workload.tuned, *self.workload.held_out)
        if against == "eager":
            return self._try(candidate, EAGER, every, ROUGH)
        return self._try(candidate, SDPA, every, AFRESH)

    def measure_self_noise(self) -> TrialOutcome:
        """Time SDPA against itself, in two processes: "passed" if that is 1 to within 3%, or too near for any claim."""
        outcome = self._try(SDPA, SDPA, self.workload.tuned[:1], AFRESH, key="sdpa again")
        if outcome.status != "passed":
            return outcome
        found = geomean_over_shapes(outcome.timed)
        if not (found.low <= 1 <= found.high or 1 / NO_CLAIM < found.low <= found.high < NO_CLAIM):
            reason = f"SDPA against itself came out as {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]"
            return outcome._replace(status="inconclusive", reason=reason)
        return outcome

    # How it does it

    def _try(
        self,
        candidate: Candidate,
        baseline: Candidate,
        timed: Sequence[Shape],
        effort: TimingBudget,
        key: str = "candidate",
        again: bool = True,
    ) -> TrialOutcome:
        before = self._cpu_ns()
        try:
            if lacking := self._missing(candidate):
                raise BuildError(lacking)
            result = self._valid_and_timed(candidate, baseline, timed, effort, key)
        except BuildError as error:
            result = TrialOutcome("failed to build", str(error), "compiler")
        except SandboxError as error:
            result = TrialOutcome("failed to build", str(error), "sandbox")
        except WorkerFailedError as error:
            if self._drop_unsound(key):  # not the candidate's fault: once more, with a new worker for the baseline
                if again:
                    return self._try(candidate, baseline, timed, effort, key, again=False)
                error = WorkerFailedError("inconclusive", f"torch's own attention failed: {error.reason}", "harness")
            result = TrialOutcome(error.status, error.reason, error.failed_on)
        if candidate.family == FOREIGN:
            self._drop(key)
        return result._replace(cpu_s=round((self._cpu_ns() - before) / 1e9, 3))

    def _missing(self, candidate: Candidate) -> str | None:
        try:
            kind = family(candidate.family)
        except ValueError as error:
            return str(error)
        if candidate.family == FOREIGN and not self._confine:
            return None
        return kind.missing(self.machine, self.problem)

    def _valid_and_timed(
        self, candidate: Candidate, baseline: Candidate, shapes_timed: Sequence[Shape], effort: TimingBudget, key: str
    ) -> TrialOutcome:
        validator = self.validator
        errors = validator.check(self._caller(key, candidate), {*shapes(self.workload), *shapes_timed})
        done: dict[Shape, list[Round]] = {shape: [] for shape in shapes_timed}
        timed: tuple[Timing, ...] = ()
        for number in range(1, effort.most_rounds + 1):
            if number > 1:
                self._drop_all()
            against = self._caller(baseline.family, baseline)
            caller = self._caller(key, candidate)
            for shape in shapes_timed:
                done[shape].append(self._time(candidate, baseline, caller, against, shape, effort))
            timed = tuple(self._timed(shape, rounds, errors[shape]) for shape, rounds in done.items())
            if number >= effort.rounds and not _needs_more_pairs(timed):
                break
        return self._judged(timed, effort)

    def _timed(self, shape: Shape, rounds: Sequence[Round], error: float) -> Timing:
        pairs = tuple(pair for each in rounds for pair in each.pairs)
        sizes = tuple(len(each.pairs) for each in rounds)
        held_out = shape in self.workload.held_out
        return Timing(shape=shape, held_out=held_out, calls=rounds[-1].calls, pairs=pairs, rounds=sizes, error=error)

    def _time(
        self,
        candidate: Candidate,
        baseline: Candidate,
        caller: WorkerClient,
        against: WorkerClient,
        shape: Shape,
        effort: TimingBudget,
    ) -> Round:
        """One round on one shape. What is claimed, or foreign, is looked at more closely."""
        quick = effort is QUICK
        limits = self.validator.limits(shape, EAGER_ERROR_FACTOR if baseline == EAGER else CROSS_INPUT_FACTOR)

        def inspect(calls: int) -> None:
            if not quick or candidate.family == FOREIGN:
                self.validator.check_timed(caller, against if baseline == SDPA else None, shape, calls)

        hopeless = ABANDON_BELOW * self._best.get(shape, 0.0) if quick else 0.0
        return time_pairs(caller, against, self._stage, shape, limits, effort, inspect, hopeless)

    def _judged(self, timed: tuple[Timing, ...], effort: TimingBudget) -> TrialOutcome:
        if effort is QUICK:
            for each in timed:
                self._best[each.shape] = max(self._best.get(each.shape, 0.0), each.speedup.ratio)
        elif effort is AFRESH and (unclear := _needs_more_pairs(timed)) and _is_inconclusive(timed):
            reason = (
                f"the {unclear[0]} shapes together are not known to {PRECISION:.0%} after {effort.most_rounds} rounds"
            )
            return TrialOutcome("inconclusive", f"too noisy: {reason}", "noise", timed)
        return TrialOutcome("passed", timed=timed)

    @property
    def validator(self) -> Validator:
        """The cases of validation, drawn at first use."""
        if self._validator is None:
            self._validator = Validator(self.workload, self._inputs, self._caller("sdpa", SDPA))
        return self._validator

    def _caller(self, key: str, candidate: Candidate) -> WorkerClient:
        """A worker that has the candidate loaded; a new one for foreign source, and for another family than before."""
        kind = family(candidate.family)
        if candidate.family == FOREIGN and not self._confine:
            library = str(sandbox.compile_foreign(candidate.source, confined=False))
        else:
            library = kind.library(candidate, self.problem)
        old = self._loaded.get(key)
        if old is not None and (candidate.family == FOREIGN or old.family != candidate.family):
            self._drop(key)
        if key not in self._callers:
            foreign = candidate.family == FOREIGN
            folders = [Path(library).parent] if library else []
            self._callers[key] = WorkerClient(
                kind.host,
                self._inputs,
                self._capacity("outputs"),
                self.problem,
                confined=foreign and self._confine,
                folders=folders,
                lock=foreign,
            )
        self._loaded[key] = candidate
        parameters = [int(value) for _, value in candidate.parameters] if library else []
        self._callers[key].load(
            family=candidate.family,
            values=candidate.values,
            problem=self.problem,
            library=library,
            parameters=parameters,
        )
        return self._callers[key]

    def _drop(self, key: str) -> None:
        self._loaded.pop(key, None)
        caller = self._callers.pop(key, None)
        if caller is not None:
            caller.close()
            self._gone_ns += int(caller.child.cpu_s * 1e9)

    def _drop_unsound(self, key: str) -> bool:
        """After a failure, end the process where it was, and any other that has not answered or has ended.

        Return whether there was any such other.
        """
        others = [name for name, caller in self._callers.items() if not caller.sound or caller.child.ended]
        for name in {key, *others}:
            self._drop(name)
        return bool({*others} - {key})

    def _drop_all(self) -> None:
        """Start over with new processes."""
        for name in list(self._callers):
            self._drop(name)

    def _cpu_ns(self) -> int:
        return self._gone_ns + time.process_time_ns() + sum(caller.cpu_ns for caller in self._callers.values())


def _is_inconclusive(timed: Sequence[Timing]) -> bool:
    """Whether it is open which of the two is faster, on the shapes that claims are about."""
    found = geomean_over_shapes([each for each in timed if each.held_out] or timed)
    return found.low <= 1 <= found.high


def _needs_more_pairs(timed: Sequence[Timing]) -> list[str]:
    """Where the mean over the shapes is not known well enough: claims are about the tuned or the held-out ones."""
    sides = {"tuned": False, "held-out": True}
    found = {name: [each for each in timed if each.held_out == held_out] for name, held_out in sides.items()}
    return [name for name, each in found.items() if each and geomean_over_shapes(each).half_width > PRECISION]
