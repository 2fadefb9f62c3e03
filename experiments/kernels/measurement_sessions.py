"""What the commands do with a workbench: measure families, end a search with claims, verify a foreign file."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Protocol

from experiments.errors import InputError
from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.family import Family
from hardware.kernels.machine import Machine
from hardware.kernels.problem import Problem, Workload
from hardware.kernels.registry import FOREIGN, SDPA
from hardware.kernels.search import geomean_speedup, improvements
from hardware.kernels.trace import (
    FinalMeasurement,
    Line,
    MeasurementSession,
    Role,
    SearchEnd,
    Source,
    Trial,
    TrialOutcome,
    candidate_of,
    source_of,
)

Against = Literal["sdpa", "eager"]


class IsolationChoice(Protocol):
    """What stands between foreign source and the machine."""

    @property
    def name(self) -> str:
        """One word."""

    @property
    def detail(self) -> str:
        """What there is and what is missing."""

    @property
    def foreign_allowed(self) -> bool:
        """Whether foreign source may run at all."""


class SessionEvaluator(Protocol):
    """Where candidates are tried; see ``hardware.kernels.evaluator.Workbench``."""

    @property
    def isolation(self) -> IsolationChoice:
        """Of foreign source."""

    @property
    def machine(self) -> Machine:
        """With its roofline."""

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """On the tuned shapes against SDPA, quickly."""

    def measure(self, candidate: Candidate, against: Against = "sdpa") -> TrialOutcome:
        """Afresh, on tuned and held-out shapes."""

    def aa(self) -> TrialOutcome:
        """SDPA against itself."""


class KernelEnvironment(NamedTuple):
    """All that the commands need of the machine and of the kernels; tests put another in its place."""

    survey: Callable[[bool], Machine]
    """With or without the roofline, which needs a compiler. Raises BuildError without one."""
    isolation: Callable[[], IsolationChoice]
    bench: Callable[[Workload, Machine], AbstractContextManager[SessionEvaluator]]
    families: tuple[str, ...]
    """Names, in the order of the tables."""
    family: Callable[[str], Family]


def real_lab() -> KernelEnvironment:
    """Return this machine. Raises InputError where torch is missing, and on other systems than Linux."""
    if (system := platform.system()) != "Linux":
        raise InputError(f"kernels are measured with clocks and limits that Linux alone has, and this is {system}")
    if find_spec("torch") is None:
        raise InputError("kernels are measured against torch's own, and torch is not installed: pip install torch")
    from hardware.kernels import evaluator, machine, registry, sandbox  # noqa: PLC0415

    return KernelEnvironment(
        machine.survey, sandbox.detect_isolation, evaluator.KernelEvaluator, registry.NAMES, registry.family
    )


Watch = Callable[[str], None]
"""Is told what begins."""


class TraceSink(Protocol):
    """A trace, or what stands for one where nothing is to be written."""

    lines: list[Line]

    def append(self, line: Line) -> None:
        """Add a line."""


class InMemoryTrace:
    """Lines that are kept in memory."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def append(self, line: Line) -> None:
        """Add a line."""
        self.lines.append(line)


class NoisyMachineError(Exception):
    """SDPA against itself did not come out as 1, nor near it: nothing that is measured now would be a result."""


class MeasurementTask(NamedTuple):
    """One candidate to be measured afresh, and what the lines say of it."""

    role: Role
    candidate: Candidate
    lines: int
    against: tuple[Against, ...] = ("sdpa", "eager")


def new_session(name: str, workload: Workload, bench: SessionEvaluator, **search: Any) -> MeasurementSession:
    """Return the line with which a session begins; ``search``: proposer, seed and budget."""
    return MeasurementSession(
        session=name,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        workload=workload.name,
        problem=workload.problem,
        tuned=workload.tuned,
        held_out=workload.held_out,
        machine=bench.machine.model_dump(mode="json"),
        isolation=bench.isolation.name,
        **search,
    )


def check_noise(session: str, bench: SessionEvaluator) -> FinalMeasurement:
    """Hold SDPA against itself. Raises TooNoisyError unless the interval holds 1, or is within 2% of it."""
    outcome = bench.aa()
    if outcome.status != "passed":
        reason = outcome.reason or "SDPA against itself does not hold still"
        raise NoisyMachineError(
            f"this machine is too noisy to resolve 3% now, so nothing that it says counts: {reason}"
        )
    return _measured(session, MeasurementTask("A/A", SDPA, 0), "sdpa", outcome)


def measure_all(
    lines: TraceSink, session: str, bench: SessionEvaluator, tasks: Iterable[MeasurementTask], watch: Watch
) -> None:
    """Measure candidates afresh, except those that the session has already."""
    known = _known(lines.lines, session)
    left = [
        (task, against)
        for task in tasks
        for against in task.against
        if (task.role, task.candidate.digest, against) not in known
    ]
    for number, (task, against) in enumerate(left, start=1):
        watch(f"{task.candidate} against {against} ({number} of {len(left)})")
        lines.append(_measured(session, task, against, bench.measure(task.candidate, against)))


def all_measured(lines: Iterable[Line], session: str, tasks: Iterable[MeasurementTask]) -> bool:
    """Whether a session has all of these already."""
    known = _known(lines, session)
    return all((task.role, task.candidate.digest, against) in known for task in tasks for against in task.against)


def _known(lines: Iterable[Line], session: str) -> set[tuple[str, str, str]]:
    # What the noise of the machine left open is measured again.
    found = (line for line in of_session(lines, session) if line.status != "inconclusive")
    return {(line.role, line.digest, line.against) for line in found}


def of_session(lines: Iterable[Line], session: str) -> list[FinalMeasurement]:
    """Return what was measured afresh in a session."""
    return [line for line in lines if isinstance(line, FinalMeasurement) and line.session == session]


def _measured(session: str, task: MeasurementTask, against: Against, outcome: TrialOutcome) -> FinalMeasurement:
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
    lines: TraceSink, workload: Workload, bench: SessionEvaluator, tasks: Sequence[MeasurementTask], watch: Watch
) -> None:
    """Measure families on a workload, as a session of its own. Raises TooNoisyError, and writes nothing then."""
    name = f"measure {workload.full_name} {datetime.now(UTC).isoformat(timespec='seconds')}"
    watch("sdpa against itself")
    quiet = check_noise(name, bench)
    lines.append(new_session(name, workload, bench))
    lines.append(quiet)
    measure_all(lines, name, bench, tasks, watch)
    lines.append(SearchEnd(session=name, reason="all families were measured", trials=0))


def usable(lab: KernelEnvironment, machine: Machine, problem: Problem) -> dict[str, str | None]:
    """Return for each family why it cannot do this problem on this machine, None if it can."""
    return {name: lab.family(name).missing(machine, problem) for name in lab.families}


def family_tasks(
    lab: KernelEnvironment, machine: Machine, workload: Workload, shipped: Sequence[Line]
) -> list[MeasurementTask]:
    """Return each usable family as somebody writes it who tunes nothing, and as the best that a shipped trace knows."""
    tasks = []
    for name, lacking in usable(lab, machine, workload.problem).items():
        if lacking is not None or name == FOREIGN:
            continue
        kind = lab.family(name)
        space = kind.space(machine, workload.problem)
        naive = space.candidate(name, {})
        tasks.append(_task(naive, kind.lines))
        known = best_known(shipped, workload.full_name, name)
        if known is not None and known != naive and _may_be(space, known):
            tasks.append(_task(known, kind.lines))
    return tasks


def _task(candidate: Candidate, lines: int) -> MeasurementTask:
    if candidate.family == "sdpa":
        return MeasurementTask("library", candidate, lines, ("eager",))
    if candidate.family == "eager":
        return MeasurementTask("eager", candidate, lines, ("sdpa",))
    return MeasurementTask("family", candidate, lines)


def _may_be(space: ParameterSpace, candidate: Candidate) -> bool:
    try:
        return space.candidate(candidate.family, candidate.values) == candidate
    except ValueError:
        return False


def best_known(lines: Sequence[Line], workload: str, family: str) -> Candidate | None:
    """Return the candidate of a family that a trace has as the fastest on the tuned shapes; None without any.

    The held-out shapes are left for saying how fast it is: the best of several on them is partly the luckiest.
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
    """Return the foreign sources of a trace: digest → text."""
    return {line.digest: line.text for line in lines if isinstance(line, Source)}


# --- asara kernels tune ----------------------------------------------------------------------------------


def winner_of(lines: Iterable[Line], session: str) -> Trial | None:
    """Return the best trial of a session, None if nothing passed."""
    found = improvements(line for line in lines if isinstance(line, Trial) and line.session == session)
    return found[-1][0] if found else None


def closing_tasks(lines: Sequence[Line], session: str, naive: Candidate, size: int) -> list[MeasurementTask]:
    """Return what is measured afresh at the end of a search: the standard, the naive candidate, the winner.

    ``size``: lines of code of the family.
    """
    tasks = [MeasurementTask("library", SDPA, 0, ("eager",)), MeasurementTask("naive", naive, size)]
    winner = winner_of(lines, session)
    if winner is not None:
        tasks.append(MeasurementTask("winner", candidate_of(winner, sources_of(lines)), 0 if winner.source else size))
    return tasks


# --- asara kernels verify --------------------------------------------------------------------------------


class TrialVerdict(NamedTuple):
    """What is known of a foreign source on one workload."""

    workload: str
    isolation: str
    status: str
    right: bool | None
    """It agrees with attention in float64; None where it did not come so far, or is too fast to have computed it."""
    safe: bool | None
    """It did nothing that a kernel has no business with; None where it was not run, or crashed, whatever it was at."""
    reason: str
    outcome: TrialOutcome


def verify(text: str, workload: Workload, bench: SessionEvaluator) -> TrialVerdict:
    """Try a foreign source, after SDPA was held against itself.

    Raises TooNoisyError, and InputError where nothing stands between the source and the machine.
    """
    if not bench.isolation.foreign_allowed:
        raise InputError(f"foreign source does not run here ({bench.isolation.detail})")
    check_noise("", bench)
    outcome = bench.measure(Candidate(FOREIGN, (), text))
    told = (_right(outcome), _safe(outcome), outcome.reason, outcome)
    return TrialVerdict(workload.full_name, bench.isolation.detail, outcome.status, *told)


def _right(outcome: TrialOutcome) -> bool | None:
    if outcome.status in ("failed to build", "timed out", "cheated", "implausible"):
        return None
    return outcome.status not in ("wrong", "unstable")


def _safe(outcome: TrialOutcome) -> bool | None:
    if outcome.status in ("cheated", "timed out", "implausible"):
        return False
    return None if outcome.status == "failed to build" or outcome.failed_on == "crash" else True
