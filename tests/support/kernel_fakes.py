"""A fake machine: the parameters of a kernel fix its time, without a delay and without noise."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple, Self, cast

from experiments.kernels.measurement_sessions import KernelEnvironment
from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.compiler import BuildError
from hardware.kernels.family import Family
from hardware.kernels.machine import Machine
from hardware.kernels.problem import Problem, Workload
from hardware.kernels.trace import Status, TrialOutcome
from tests.support.synthetic_traces import MACHINE, session, timed

GAINS = {1: 0.8, 2: 0.9, 4: 1.3, 8: 1.6, 16: 1.1}
"""Tile → speed-up over SDPA on tuned shapes; on held-out ones it is a tenth less. A tile of 2 is wrong."""
OVER_EAGER = 3.0
"""SDPA's."""


class FakeIsolation(NamedTuple):
    name: str = "bubblewrap"
    detail: str = "bubblewrap: no network"
    untrusted_allowed: bool = True


class FakeFamily:
    summary = "For tests."
    backend = "native"

    def __init__(self, name: str, choices: dict[str, tuple[int, ...]], dtypes: tuple[str, ...], lines: int) -> None:
        self.name, self.lines = name, lines
        self.choices, self.dtypes = choices, dtypes

    def unavailable_reason(self, machine: Machine, problem: Problem) -> str | None:
        return None if problem.dtype in self.dtypes else f"it supports {', '.join(self.dtypes)}, not {problem.dtype}"

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        return ParameterSpace(self.choices, {name: values[0] for name, values in self.choices.items()})

    def library(self, candidate: Candidate, problem: Problem) -> str:
        raise NotImplementedError

    def kernel(self, candidate: Candidate, problem: Problem) -> Any:
        raise NotImplementedError


FAMILIES = {
    "eager": FakeFamily("eager", {}, ("fp32", "bf16", "fp16"), 5),
    "sdpa": FakeFamily("sdpa", {}, ("fp32", "bf16", "fp16"), 1),
    "avx512": FakeFamily("avx512", {"tile": tuple(GAINS)}, ("fp32",), 300),
    "portable": FakeFamily("portable", {"tile": tuple(GAINS)}, ("fp16",), 400),
    "foreign": FakeFamily("foreign", {}, ("fp32", "bf16", "fp16"), 0),
}


class FakeBench:
    """``on_call`` sees every candidate before it is tried, and may interrupt; where it is ``noisy`` A/A fails."""

    def __init__(self, workload: Workload, machine: Machine, world: "World") -> None:
        self.machine, self.isolation, self._world = machine, world.isolation, world
        self._noisy = world.noisy or workload.name in world.noisy_on
        problem = workload.problem
        self._session = session("fake", workload.name, dtype=problem.dtype, direction=problem.direction)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        self._world.see(candidate)
        if candidate.values.get("tile") == 2:
            return TrialOutcome("wrong", "error 9 times SDPA's", "ragged lengths", cpu_s=1.0)
        return TrialOutcome("passed", timed=tuple(timed(self._session, self._gain(candidate))), cpu_s=1.0)

    def measure(self, candidate: Candidate, against: str = "sdpa") -> TrialOutcome:
        self._world.see(candidate)
        if candidate.source:
            return self._foreign(candidate.source)
        gain = self._gain(candidate) * (OVER_EAGER if against == "eager" else 1)
        status: Status = "inconclusive" if candidate.values.get("tile") in self._world.restless else "passed"
        reason = "the machine is too noisy" if status != "passed" else ""
        return TrialOutcome(status, reason, timed=tuple(timed(self._session, gain, gain * 0.9, error=1.5)))

    def measure_self_noise(self) -> TrialOutcome:
        if self._noisy:
            return TrialOutcome("inconclusive", "SDPA against itself came out as 1.100 [1.050, 1.200]", "noise")
        return TrialOutcome("passed", timed=tuple(timed(self._session, 1.0)))

    def _foreign(self, source: str) -> TrialOutcome:
        if "fork" in source:
            return TrialOutcome("cheated", "it started a process", "system call")
        if "crash" in source:
            return TrialOutcome("wrong", "its process ended: it crashed (SIGSEGV)", "crash")
        if "forged" in source:
            return TrialOutcome("implausible", "1 µs a call: the machine needs 9", "roofline")
        if "broken" in source:
            return TrialOutcome("failed to build", "error: expected ';'", "compiler")
        if "slow" in source:
            return TrialOutcome("passed", timed=tuple(timed(self._session, 0.5, 0.5, error=1.0)))
        return TrialOutcome("passed", timed=tuple(timed(self._session, 2.0, 1.8, error=1.0)))

    def _gain(self, candidate: Candidate) -> float:
        if candidate.family == "eager":
            return 1 / OVER_EAGER
        return GAINS[int(candidate.values.get("tile", 1))] if candidate.family != "sdpa" else 1.0


class World:
    """Properties of the fake machine, and the candidates that it received."""

    def __init__(self) -> None:
        self.seen: list[Candidate] = []
        self.noisy = False
        self.noisy_on: tuple[str, ...] = ()
        self.restless: tuple[int, ...] = ()
        self.compiler = True
        self.isolation = FakeIsolation()
        self.on_call: Callable[[int], None] = lambda number: None

    def see(self, candidate: Candidate) -> None:
        self.on_call(len(self.seen) + 1)
        self.seen.append(candidate)

    def detect_machine(self, roofline: bool) -> Machine:
        if roofline and not self.compiler:
            raise BuildError("no C++ compiler: install g++, or name one in CXX")
        found = Machine.model_validate(MACHINE)
        return found if roofline else found.model_copy(update={"roofline": None})

    def environment(self) -> KernelEnvironment:
        return KernelEnvironment(
            detect_machine=self.detect_machine,
            detect_isolation=lambda: self.isolation,
            open_evaluator=lambda workload, machine: FakeBench(workload, machine, self),
            families=tuple(FAMILIES),
            family=lambda name: cast("Family", FAMILIES[name]),
        )


def no_such_number(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def from_json(answer: Any) -> Any:
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out, parse_constant=no_such_number)
