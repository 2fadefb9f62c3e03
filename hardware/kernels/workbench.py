"""Where a candidate is tried: built, called in a process of its own, validated, timed against torch's own attention."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Self

from hardware.kernels import sandbox
from hardware.kernels.caller import Caller, FailedError, Memory
from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import BuildError
from hardware.kernels.inputs import KINDS, Fresh
from hardware.kernels.layout import layout
from hardware.kernels.machine import Machine, measure_roofline
from hardware.kernels.measure import MOST_BYTES, PRECISION, Effort, Pair, Stage, time_pairs
from hardware.kernels.problem import Shape, Workload
from hardware.kernels.registry import family
from hardware.kernels.statistics import Speedup, geomean
from hardware.kernels.trace import Outcome, Timed
from hardware.kernels.validate import LUCK, Validator, shapes

FOREIGN: Final = "foreign"
SDPA: Final = Candidate("sdpa")
EAGER: Final = Candidate("eager")
QUICK: Final = Effort(rounds=1, least=5, most=9)
"""While searching."""
AFRESH: Final = Effort(rounds=3, least=5, most=20)
"""For a claim."""
ROOM_FOR_EAGER: Final = 50.0
"""How much further from SDPA's answer one may be when timed against eager, whose own error is larger."""
HOPELESS: Final = 0.7
"""While searching: of the best so far on the same shape; what is surely below is not timed any further."""


class Workbench:
    """One workload on one machine. Use it as a context: it keeps a worker with torch's own attention at hand.

    ``machine``: its roofline is measured now if it has none. ``confine_foreign=False`` runs foreign source without
    bubblewrap, behind system-call filter and limits alone; it is for sources that one has written oneself.
    """

    def __init__(self, workload: Workload, machine: Machine, confine_foreign: bool = True) -> None:
        self.workload = workload
        self.problem = workload.problem
        roofline = machine.roofline or measure_roofline()
        self.machine = machine.model_copy(update={"roofline": roofline})
        self.isolation = sandbox.isolation()
        self._confine = confine_foreign
        self._inputs = Memory(self._capacity("inputs"))
        self._stage = Stage(self._inputs, Fresh(self.problem.dtype), self.problem, roofline)
        self._callers: dict[str, Caller] = {}
        self._loaded: dict[str, Candidate] = {}
        self._validator: Validator | None = None
        self._best: dict[Shape, float] = {}
        self._gone_ns = 0
        """Processor time of the workers that have ended."""

    def _capacity(self, side: Literal["inputs", "outputs"]) -> int:
        timed = (*self.workload.tuned, *self.workload.held_out)
        slots = [(shape, 1) for shape in timed] + [(shape, len(KINDS)) for shape in shapes(self.workload)]
        layouts = [layout(shape, self.problem, count) for shape, count in slots]
        return MOST_BYTES + max(each.input_bytes if side == "inputs" else each.output_bytes for each in layouts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._drop_all()
        self._inputs.close()

    # What it is asked

    def evaluate(self, candidate: Candidate) -> Outcome:
        """Try a candidate on the tuned shapes against SDPA: valid, and about how fast?"""
        return self._try(candidate, SDPA, self.workload.tuned, QUICK)

    def measure(self, candidate: Candidate, against: Literal["sdpa", "eager"] = "sdpa") -> Outcome:
        """Validate a candidate and time it afresh on tuned and held-out shapes, until the intervals are narrow.

        The status is "inconclusive" where the machine was too noisy to know the mean over either to 3%.
        """
        every = (*self.workload.tuned, *self.workload.held_out)
        return self._try(candidate, EAGER if against == "eager" else SDPA, every, AFRESH)

    def aa(self) -> Outcome:
        """Time SDPA against itself, in two processes: "passed" if that is 1 to within the precision of all claims."""
        outcome = self._try(SDPA, SDPA, self.workload.tuned[:1], AFRESH, key="sdpa again")
        if outcome.status != "passed":
            return outcome
        found = outcome.timed[0].speedup
        if abs(math.log(found.ratio)) > PRECISION:
            reason = f"SDPA against itself came out as {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]"
            return outcome._replace(status="inconclusive", reason=reason)
        return outcome

    # How it does it

    def _try(
        self, candidate: Candidate, baseline: Candidate, timed: Sequence[Shape], effort: Effort, key: str = "candidate"
    ) -> Outcome:
        before = self._cpu_ns()
        try:
            if lacking := self._missing(candidate):
                raise BuildError(lacking)
            result = self._valid_and_timed(candidate, baseline, timed, effort, key)
        except BuildError as error:
            result = Outcome("failed to build", str(error), "compiler")
        except FailedError as error:
            self._drop_unsound(key)
            result = Outcome(error.status, error.reason, error.failed_on)
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
        self, candidate: Candidate, baseline: Candidate, shapes_timed: Sequence[Shape], effort: Effort, key: str
    ) -> Outcome:
        validator = self.validator
        errors = validator.check(self._caller(key, candidate), {*shapes(self.workload), *shapes_timed})
        pairs: dict[Shape, list[Pair]] = {shape: [] for shape in shapes_timed}
        calls: dict[Shape, int] = {}
        for number in range(effort.rounds):
            if number:
                self._drop_all()
            against = self._caller(baseline.family, baseline)
            caller = self._caller(key, candidate)
            for shape in shapes_timed:
                hopeless = HOPELESS * self._best.get(shape, 0.0) if effort is QUICK else 0.0
                limits = validator.limits(shape, ROOM_FOR_EAGER if baseline == EAGER else LUCK)
                done = time_pairs(caller, against, self._stage, shape, limits, effort, pairs[shape], hopeless)
                if baseline == SDPA and (effort is not QUICK or candidate.family == FOREIGN):
                    validator.check_timed(caller, against, shape, done.calls)
                pairs[shape] += done.pairs
                calls[shape] = done.calls
        held_out = self.workload.held_out
        timed = tuple(
            Timed(shape=at, held_out=at in held_out, calls=calls[at], pairs=tuple(each), error=errors[at])
            for at, each in pairs.items()
        )
        return self._judged(timed, effort)

    def _judged(self, timed: tuple[Timed, ...], effort: Effort) -> Outcome:
        if effort is QUICK:
            for each in timed:
                self._best[each.shape] = max(self._best.get(each.shape, 0.0), each.speedup.ratio)
        elif wide := [name for name, each in _sides(timed) if geomean(each).half_width > PRECISION]:
            reason = f"the {wide[0]} shapes together are not within {PRECISION:.0%} after {effort.pairs} pairs each"
            return Outcome("inconclusive", f"too noisy: {reason}", "noise", timed)
        return Outcome("passed", timed=timed)

    @property
    def validator(self) -> Validator:
        """The cases of validation, drawn at first use."""
        if self._validator is None:
            self._validator = Validator(self.workload, self._inputs, self._caller("sdpa", SDPA))
        return self._validator

    def _caller(self, key: str, candidate: Candidate) -> Caller:
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
            self._callers[key] = Caller(
                kind.host, self._inputs, self._capacity("outputs"), self.problem,
                confined=foreign and self._confine, folders=folders, lock=foreign,
            )  # fmt: skip
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

    def _drop_unsound(self, key: str) -> None:
        """After a failure, end the process where it was, and any other that has not answered or has ended."""
        bad = [name for name, caller in self._callers.items() if name == key or not caller.sound or caller.child.ended]
        for name in bad:
            self._drop(name)

    def _drop_all(self) -> None:
        """Start over with new processes."""
        for name in list(self._callers):
            self._drop(name)

    def _cpu_ns(self) -> int:
        return self._gone_ns + time.process_time_ns() + sum(caller.cpu_ns for caller in self._callers.values())


def _sides(timed: Sequence[Timed]) -> list[tuple[str, list[Speedup]]]:
    """The speed-ups on tuned and on held-out shapes, where there are any: claims are about these together."""
    sides = (("tuned", False), ("held-out", True))
    found = [(name, [each.speedup for each in timed if each.held_out == held_out]) for name, held_out in sides]
    return [(name, each) for name, each in found if each]
