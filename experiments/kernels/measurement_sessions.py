"""Run measurement sessions with an evaluator: measure families, re-measure winners, verify an untrusted kernel."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Protocol

from experiments.errors import InputError
from experiments.progress import OnProgress, Progress
from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.family import Family
from hardware.kernels.machine import Machine
from hardware.kernels.problem import Problem, Workload
from hardware.kernels.registry import SDPA, UNTRUSTED
from hardware.kernels.search import geomean_speedup, improvements
from hardware.kernels.trace import (
    CandidateSource,
    FinalMeasurement,
    Line,
    MeasurementSession,
    Role,
    SearchEnd,
    Trial,
    TrialOutcome,
    candidate_of,
    source_of,
)

Against = Literal["sdpa", "eager"]


class IsolationChoice(Protocol):
    """The isolation between untrusted source and the machine."""

    @property
    def name(self) -> str:
        """Return the name of the isolation, one word."""

    @property
    def detail(self) -> str:
        """Return the parts of the isolation, and what is missing."""

    @property
    def untrusted_allowed(self) -> bool:
        """Return whether untrusted source may run."""


class SessionEvaluator(Protocol):
    """Evaluates candidates; see ``hardware.kernels.evaluator.KernelEvaluator``."""

    @property
    def isolation(self) -> IsolationChoice:
        """Return the isolation of untrusted source."""

    @property
    def machine(self) -> Machine:
        """Return the machine with its roofline."""

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """Validate a candidate and time it quickly against SDPA on the tuned shapes."""

    def measure(self, candidate: Candidate, against: Against = "sdpa") -> TrialOutcome:
        """Validate a candidate and time it precisely on tuned and held-out shapes."""

    def measure_self_noise(self) -> TrialOutcome:
        """Time SDPA against itself (A/A test)."""


class KernelEnvironment(NamedTuple):
    """Machine and kernel families that the commands use; tests replace it."""

    detect_machine: Callable[[bool], Machine]
    """Detect the machine, with or without the roofline. The roofline needs a compiler, else BuildError is raised."""
    detect_isolation: Callable[[], IsolationChoice]
    open_evaluator: Callable[[Workload, Machine], AbstractContextManager[SessionEvaluator]]
    families: tuple[str, ...]
    """Names of the families, in the order of the tables."""
    family: Callable[[str], Family]


def local_environment() -> KernelEnvironment:
    """Return the environment of this machine. Raises InputError without torch, and on systems other than Linux."""
    if (system := platform.system()) != "Linux":
        raise InputError(f"kernels can be measured only on Linux, and this system is {system}")
    if find_spec("torch") is None:
        raise InputError(
            "torch is not installed, and kernels are measured against its attention; run: pip install torch"
        )
    from hardware.kernels import evaluator, machine, registry, sandbox  # noqa: PLC0415

    return KernelEnvironment(
        machine.detect_machine, sandbox.detect_isolation, evaluator.KernelEvaluator, registry.NAMES, registry.family
    )


class TraceSink(Protocol):
    """A trace, or an object in memory that replaces it."""

    lines: list[Line]

    def append(self, line: Line) -> None:
        """Add a line."""


class InMemoryTrace:
    """A trace that is kept in memory."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def append(self, line: Line) -> None:
        """Add a line."""
        self.lines.append(line)


class NoisyMachineError(Exception):
    """SDPA timed against itself differs from 1, so measurements on this machine would not be reliable."""


class MeasurementTask(NamedTuple):
    """One candidate to re-measure, with its role and lines of code."""

    role: Role
    candidate: Candidate
    lines: int
    against: tuple[Against, ...] = ("sdpa", "eager")


def new_session(name: str, workload: Workload, evaluator: SessionEvaluator, **search: Any) -> MeasurementSession:
    """Return the first line of a session; ``search``: proposer, seed and budget."""
    return MeasurementSession(
        session=name,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        workload=workload.name,
        problem=workload.problem,
        tuned=workload.tuned,
        held_out=workload.held_out,
        machine=evaluator.machine.model_dump(mode="json"),
        isolation=evaluator.isolation.name,
        **search,
    )


def check_noise(session: str, evaluator: SessionEvaluator) -> FinalMeasurement:
    """Time SDPA against itself. Raises NoisyMachineError unless the interval contains 1 or lies within 2% of it."""
    outcome = evaluator.measure_self_noise()
    if outcome.status != "passed":
        reason = outcome.reason or "SDPA timed against itself varies"
        raise NoisyMachineError(
            f"this machine is too noisy to resolve 3%: {reason}; stop other processes and try again"
        )
    return _measurement_line(session, MeasurementTask("A/A", SDPA, 0), "sdpa", outcome)


def measure_all(
    lines: TraceSink,
    session: str,
    evaluator: SessionEvaluator,
    tasks: Iterable[MeasurementTask],
    on_progress: OnProgress,
    task_name: str,
) -> None:
    """Re-measure candidates, except those that the session already contains.

    ``task_name``: name of the task in reports of progress.
    """
    known = _measured_keys(lines.lines, session)
    left = [
        (task, against)
        for task in tasks
        for against in task.against
        if (task.role, task.candidate.digest, against) not in known
    ]
    for number, (task, against) in enumerate(left, start=1):
        text = f"{task.candidate} against {against} ({number} of {len(left)})"
        on_progress(Progress(None, len(left), text, task_name))
        lines.append(_measurement_line(session, task, against, evaluator.measure(task.candidate, against)))


def has_measured_all(lines: Iterable[Line], session: str, tasks: Iterable[MeasurementTask]) -> bool:
    """Return whether a session contains all measurements of these tasks."""
    known = _measured_keys(lines, session)
    return all((task.role, task.candidate.digest, against) in known for task in tasks for against in task.against)


def _measured_keys(lines: Iterable[Line], session: str) -> set[tuple[str, str, str]]:
    # Inconclusive measurements are repeated.
    found = (line for line in session_measurements(lines, session) if line.status != "inconclusive")
    return {(line.role, line.digest, line.against) for line in found}


def session_measurements(lines: Iterable[Line], session: str) -> list[FinalMeasurement]:
    """Return the re-measurements of a session."""
    return [line for line in lines if isinstance(line, FinalMeasurement) and line.session == session]


def _measurement_line(session: str, task: MeasurementTask, against: Against, outcome: TrialOutcome) -> FinalMeasurement:
    candidate = task.candidate
    source = source_of(candidate)
    return FinalMeasurement(
        session=session,
        role=task.role,
        against=against,
        family=candidate.family,
        parameters=candidate.values,
        source=source.digest if source else "",
        digest=candidate.digest,
        status=outcome.status,
        reason=outcome.reason,
        timed=outcome.timed,
        lines=task.lines,
    )


# --- asara kernels measure -------------------------------------------------------------------------------


def measure_families(
    lines: TraceSink,
    workload: Workload,
    evaluator: SessionEvaluator,
    tasks: Sequence[MeasurementTask],
    on_progress: OnProgress,
) -> None:
    """Measure families on a workload, as a separate session. Raises NoisyMachineError before anything is written."""
    name = f"measure {workload.full_name} {datetime.now(UTC).isoformat(timespec='seconds')}"
    on_progress(Progress(None, 1, "sdpa against itself", workload.full_name))
    quiet = check_noise(name, evaluator)
    lines.append(new_session(name, workload, evaluator))
    lines.append(quiet)
    measure_all(lines, name, evaluator, tasks, on_progress, workload.full_name)
    lines.append(SearchEnd(session=name, reason="all families were measured", trials=0))


def unavailable_reasons(environment: KernelEnvironment, machine: Machine, problem: Problem) -> dict[str, str | None]:
    """Return the reason why each family cannot solve this problem on this machine; None if it can."""
    return {name: environment.family(name).unavailable_reason(machine, problem) for name in environment.families}


def family_tasks(
    environment: KernelEnvironment, machine: Machine, workload: Workload, shipped: Sequence[Line]
) -> list[MeasurementTask]:
    """Return two tasks for each available family: the default candidate, and the best one in a shipped trace."""
    tasks = []
    for name, reason in unavailable_reasons(environment, machine, workload.problem).items():
        if reason is not None or name == UNTRUSTED:
            continue
        kind = environment.family(name)
        space = kind.space(machine, workload.problem)
        default = space.candidate(name, {})
        tasks.append(_measurement_task(default, kind.lines))
        known = best_known_candidate(shipped, workload.full_name, name)
        if known is not None and known != default and _is_in_space(space, known):
            tasks.append(_measurement_task(known, kind.lines))
    return tasks


def _measurement_task(candidate: Candidate, lines: int) -> MeasurementTask:
    if candidate.family == "sdpa":
        return MeasurementTask("library", candidate, lines, ("eager",))
    if candidate.family == "eager":
        return MeasurementTask("eager", candidate, lines, ("sdpa",))
    return MeasurementTask("family", candidate, lines)


def _is_in_space(space: ParameterSpace, candidate: Candidate) -> bool:
    try:
        return space.candidate(candidate.family, candidate.values) == candidate
    except ValueError:
        return False


def best_known_candidate(lines: Sequence[Line], workload: str, family: str) -> Candidate | None:
    """Return the fastest candidate of a family in a trace, by the tuned shapes; None without any.

    The held-out shapes are not used for the choice: the best of several on them would be overestimated.
    """
    here = {line.session for line in lines if isinstance(line, MeasurementSession) and line.full_name == workload}
    sources = sources_of(lines)
    found = [
        (gain, line)
        for line in lines
        if isinstance(line, FinalMeasurement)
        and line.session in here
        and line.family == family
        and line.status == "passed"
        and line.against == "sdpa"
        and (gain := geomean_speedup(line.timed)) is not None
    ]
    return candidate_of(max(found, key=lambda each: each[0])[1], sources) if found else None


def sources_of(lines: Iterable[Line]) -> dict[str, str]:
    """Return the untrusted sources of a trace: digest → text."""
    return {line.digest: line.text for line in lines if isinstance(line, CandidateSource)}


# --- asara kernels tune ----------------------------------------------------------------------------------


def find_winner(lines: Iterable[Line], session: str) -> Trial | None:
    """Return the best trial of a session, None if no candidate passed."""
    found = improvements(line for line in lines if isinstance(line, Trial) and line.session == session)
    return found[-1][0] if found else None


def final_tasks(lines: Sequence[Line], session: str, default: Candidate, size: int) -> list[MeasurementTask]:
    """Return the tasks at the end of a search: re-measure SDPA, the default candidate and the winner.

    ``size``: lines of code of the family.
    """
    tasks = [MeasurementTask("library", SDPA, 0, ("eager",)), MeasurementTask("naive", default, size)]
    winner = find_winner(lines, session)
    if winner is not None:
        tasks.append(MeasurementTask("winner", candidate_of(winner, sources_of(lines)), 0 if winner.source else size))
    return tasks


# --- asara kernels verify --------------------------------------------------------------------------------


class TrialVerdict(NamedTuple):
    """Result of checking an untrusted source on one workload."""

    workload: str
    isolation: str
    status: str
    right: bool | None
    """Whether it agrees with attention in float64.

    None if it was not run to the end, or is too fast to have computed the result.
    """
    safe: bool | None
    """Whether it did only what a kernel needs; None if it was not run or crashed."""
    reason: str
    outcome: TrialOutcome


def verify_source(text: str, workload: Workload, evaluator: SessionEvaluator) -> TrialVerdict:
    """Check an untrusted source, after an A/A test of SDPA.

    Raises NoisyMachineError, and InputError if the machine has no sandbox.
    """
    if not evaluator.isolation.untrusted_allowed:
        raise InputError(f"untrusted source cannot run on this machine ({evaluator.isolation.detail})")
    check_noise("", evaluator)
    outcome = evaluator.measure(Candidate(UNTRUSTED, (), text))
    verdict = (_is_correct(outcome), _is_safe(outcome), outcome.reason, outcome)
    return TrialVerdict(workload.full_name, evaluator.isolation.detail, outcome.status, *verdict)


def _is_correct(outcome: TrialOutcome) -> bool | None:
    if outcome.status in ("failed to build", "timed out", "cheated", "implausible"):
        return None
    return outcome.status not in ("wrong", "unstable")


def _is_safe(outcome: TrialOutcome) -> bool | None:
    if outcome.status in ("cheated", "timed out", "implausible"):
        return False
    return None if outcome.status == "failed to build" or outcome.failed_on == "crash" else True
