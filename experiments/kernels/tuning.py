"""Run the searches of `asara kernels tune`: default family, one session for each search, resume command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from experiments.errors import InputError
from experiments.kernels import measurement_sessions
from experiments.kernels.measurement_sessions import KernelEnvironment, SessionEvaluator
from experiments.kernels.result_tables import claim_sentence, held_out_gain, remeasured_kernels
from experiments.progress import OnProgress, Progress
from hardware.kernels.candidate import ParameterSpace
from hardware.kernels.family import Family
from hardware.kernels.machine import Machine
from hardware.kernels.problem import Direction, Dtype, Workload, workload
from hardware.kernels.proposers.base import Proposer
from hardware.kernels.proposers.llm import LanguageModelProposer
from hardware.kernels.registry import UNTRUSTED
from hardware.kernels.search import SearchProgress, search
from hardware.kernels.trace import MeasurementSession, Trace, Trial, read

FAMILY_PREFERENCE: Final = ("amx", "avx512", "portable", "tiled")
"""Families with parameters, in order of expected speed, fastest first."""
_DTYPES: Final[tuple[Dtype, ...]] = ("fp32", "bf16", "fp16")
_PREFERRED_DTYPES: Final[dict[str, tuple[Dtype, ...]]] = {"amx": ("bf16", "fp16", "fp32")}
"""Family → dtypes to try, its best dtype first."""


class TuningRequest(NamedTuple):
    """The complete options of ``asara kernels tune``."""

    workloads: tuple[str, ...]
    dtype: Dtype
    direction: Direction
    family: str
    proposer: str
    budget: int
    seed: int
    searches: int
    out: Path
    mode: str = "live"
    tape: Path | None = None

    @property
    def resume_command(self) -> str:
        """Command line that continues the searches."""
        names = [word for name in self.workloads for word in ("--workload", name)]
        words = ["asara", "kernels", "tune", *names, "--dtype", self.dtype, "--pass", self.direction]
        words += ["--family", self.family, "--proposer", self.proposer, "--budget", str(self.budget)]
        if self.proposer == LanguageModelProposer.name:
            words += ["--mode", self.mode, *(["--tape", str(self.tape)] if self.tape is not None else [])]
        words += ["--seed", str(self.seed), "--searches", str(self.searches), "--out", str(self.out), "--resume"]
        return shlex.join(words)

    def session_name(self, request: Workload, number: int) -> str:
        """Return the session name of one search; ``number``: 0, 1, ..."""
        return f"{request.full_name} {self.family} {self.proposer} seed {self.seed + number}"

    @property
    def session_names(self) -> list[str]:
        """Session names of all searches."""
        workloads = [workload(name, self.dtype, self.direction) for name in self.workloads]
        return [self.session_name(each, number) for each in workloads for number in range(self.searches)]


class SearchConclusion(NamedTuple):
    """The conclusion of one search about its winner."""

    session: str
    winner: str
    sentence: str


def choose_family(
    environment: KernelEnvironment,
    machine: Machine,
    names: Sequence[str],
    dtype: Dtype | None,
    direction: Direction,
    family: str | None,
) -> tuple[Dtype, str]:
    """Return the dtype and the family to tune: the requested ones, or the best that are available.

    Raises InputError with the reasons if none is available.
    """
    if family is not None and (family == UNTRUSTED or family not in environment.families):
        raise InputError(
            f"--family {family} is unknown; "
            f"allowed: {', '.join(each for each in environment.families if each != UNTRUSTED)}"
        )
    families = (family,) if family else tuple(name for name in FAMILY_PREFERENCE if name in environment.families)
    reasons: list[str] = []
    for candidate in families:
        for each in (dtype,) if dtype else _PREFERRED_DTYPES.get(candidate, _DTYPES):
            request = [workload(name, each, direction) for name in names]
            problems = [_untunable_reason(environment.family(candidate), machine, one) for one in request]
            if not any(problems):
                return each, candidate
            reasons.append(next(reason for reason in problems if reason))
    raise InputError(f"nothing to tune here: {'; '.join(dict.fromkeys(reasons))}")


def _untunable_reason(family: Family, machine: Machine, request: Workload) -> str | None:
    reason = family.unavailable_reason(machine, request.problem)
    if reason is not None:
        return f"{family.name} is not available for {request.full_name} ({reason})"
    if not family.space(machine, request.problem).choices:
        return f"{family.name} has no parameters to tune"
    return None


def check_trace_file(out: Path, resume: bool) -> None:
    """Raise InputError if the trace to resume is missing, or if a new trace already exists."""
    if resume and not out.is_file():
        raise InputError(f"--resume: there is no trace {out}; name the trace by --out")
    if not resume and out.exists():
        raise InputError(f"--out {out} already exists; continue its searches with --resume, or name another file")


def check_sessions(request: TuningRequest, machine: Machine) -> None:
    """Raise InputError unless the trace contains searches that match the request and the machine."""
    recorded = {line.session: line for line in read(request.out) if isinstance(line, MeasurementSession)}
    matching = [recorded[name] for name in request.session_names if name in recorded]
    if not matching:
        raise InputError(
            f"--resume: {request.out} contains no search {request.session_names[0]!r}; "
            f"its searches: {'; '.join(recorded) or 'none'}"
        )
    for session in matching:
        if session.budget != request.budget:
            raise InputError(
                f"--resume: {session.session} was started with --budget {session.budget}, not {request.budget}"
            )
        if (where := session.machine.get("processor")) != machine.processor:
            raise InputError(
                f"--resume: {session.session} was started on {where}, and this machine is {machine.processor}"
            )


def run_searches(
    request: TuningRequest,
    trace: Trace,
    environment: KernelEnvironment,
    machine: Machine,
    proposer: Proposer,
    on_progress: OnProgress,
) -> list[SearchConclusion]:
    """Run all searches on all workloads and re-measure the winners. Raises NoisyMachineError."""
    conclusions = []
    for name in request.workloads:
        target = workload(name, request.dtype, request.direction)
        for number in range(request.searches):
            session = request.session_name(target, number)
            # Each search needs a new evaluator, because an evaluator abandons candidates that are far below its best.
            with environment.open_evaluator(target, machine) as evaluator:
                conclusions.append(
                    _run_search(request, trace, environment, evaluator, target, session, number, proposer, on_progress)
                )
    return conclusions


def _run_search(
    request: TuningRequest,
    trace: Trace,
    environment: KernelEnvironment,
    evaluator: SessionEvaluator,
    target: Workload,
    session: str,
    number: int,
    proposer: Proposer,
    on_progress: OnProgress,
) -> SearchConclusion:
    family = environment.family(request.family)
    space = family.space(evaluator.machine, target.problem)
    tasks = measurement_sessions.final_tasks(trace.lines, session, space.candidate(family.name, {}), family.lines)
    over = trace.end(session) is not None
    if not over or not measurement_sessions.has_measured_all(trace.lines, session, tasks):
        on_progress(Progress(None, 1, "sdpa against itself", session))
        quiet = measurement_sessions.check_noise(session, evaluator)
        begun = measurement_sessions.new_session(
            session, target, evaluator, proposer=request.proposer, seed=request.seed + number, budget=request.budget
        )
        if trace.session(session) is None:
            trace.append(begun)
        trace.append(quiet)
        _search(trace, environment, begun, evaluator, space, family.name, proposer, on_progress)
        tasks = measurement_sessions.final_tasks(trace.lines, session, space.candidate(family.name, {}), family.lines)
        measurement_sessions.measure_all(trace, session, evaluator, tasks, on_progress, f"{session}: re-measuring")
    return conclude_search(trace, session)


def _search(
    trace: Trace,
    environment: KernelEnvironment,
    session: MeasurementSession,
    evaluator: SessionEvaluator,
    space: ParameterSpace,
    family: str,
    proposer: Proposer,
    on_progress: OnProgress,
) -> None:
    foreign = (
        proposer.name == LanguageModelProposer.name
        and evaluator.isolation.untrusted_allowed
        and environment.family(UNTRUSTED).unavailable_reason(evaluator.machine, session.problem) is None
    )

    def on_trial(trial: Trial, progress: SearchProgress) -> None:
        on_progress(Progress(progress.trials, progress.budget, describe_search(progress), session.session))

    search(trace, session, proposer, evaluator, {family: space}, on_trial, foreign)


def describe_search(progress: SearchProgress) -> str:
    """Describe the progress of a search: best speed-up, counts by status, tokens and CPU time."""
    best = "none passed yet" if progress.score is None else f"best {progress.score:.2f}x"
    counts = ", ".join(f"{number} {status}" for status, number in progress.statuses.items())
    tokens = f" · {progress.tokens:,} tokens" if progress.tokens else ""
    return f"{progress.trials} of {progress.budget} · {best} · {counts}{tokens} · {progress.cpu_s:,.0f} CPU-s"


def conclude_search(trace: Trace, session: str) -> SearchConclusion:
    """Return the conclusion of a search."""
    winner = measurement_sessions.find_winner(trace.lines, session)
    if winner is None:
        return SearchConclusion(session, "", "No significant gain: no candidate passed.")
    measured = [
        each
        for each in measurement_sessions.session_measurements(trace.lines, session)
        if each.role == "winner" and each.against == "sdpa"
    ]
    passed = [
        each for each in remeasured_kernels(trace.lines) if each.session.session == session and each.role == "winner"
    ]
    if passed:
        name, gain = passed[-1].name, held_out_gain(passed[-1].sdpa)
        return SearchConclusion(session, name, claim_sentence(name, gain))
    if not measured:
        return SearchConclusion(session, winner.family, "No significant gain: the winner was not re-measured.")
    last = measured[-1]
    again = "; --resume repeats the measurement" if last.status == "inconclusive" else ""
    conclusions = f"No significant gain: the re-measured winner is {last.status} ({last.reason}){again}."
    return SearchConclusion(session, winner.family, conclusions)
