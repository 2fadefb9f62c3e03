"""Searches as the command asks for them: what is tuned by default, one session a search, and how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from experiments.errors import InputError
from experiments.kernels import measurement_sessions
from experiments.kernels.measurement_sessions import KernelEnvironment, SessionEvaluator
from experiments.kernels.result_tables import claim, fresh, held_out_gain
from hardware.kernels.candidate import ParameterSpace
from hardware.kernels.family import Family
from hardware.kernels.machine import Machine
from hardware.kernels.problem import Direction, Dtype, Workload, workload
from hardware.kernels.proposers.base import Proposer
from hardware.kernels.proposers.llm import LanguageModel
from hardware.kernels.registry import FOREIGN
from hardware.kernels.search import Progress, search
from hardware.kernels.trace import MeasurementSession, Trace, Trial, read

BEST_FIRST: Final = ("amx", "avx512", "portable", "tiled")
"""Families with parameters, the likely fastest first."""
_DTYPES: Final[tuple[Dtype, ...]] = ("fp32", "bf16", "fp16")
_DTYPES_OF: Final[dict[str, tuple[Dtype, ...]]] = {"amx": ("bf16", "fp16", "fp32")}
"""The dtypes that a family was made for, first."""

Watch = Callable[[str, Trial, Progress], None]
"""Is told of each trial: the name of the search, the trial, how far it is."""


class TuningRequest(NamedTuple):
    """A call of ``asara kernels tune``, with everything decided."""

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
    def command(self) -> str:
        """The command that goes on with it."""
        names = [word for name in self.workloads for word in ("--workload", name)]
        words = ["asara", "kernels", "tune", *names, "--dtype", self.dtype, "--pass", self.direction]
        words += ["--family", self.family, "--proposer", self.proposer, "--budget", str(self.budget)]
        if self.proposer == LanguageModel.name:
            words += ["--mode", self.mode, *(["--tape", str(self.tape)] if self.tape is not None else [])]
        words += ["--seed", str(self.seed), "--searches", str(self.searches), "--out", str(self.out), "--resume"]
        return shlex.join(words)

    def session(self, asked: Workload, number: int) -> str:
        """Return the name of the session of one search; ``number``: 0, 1, ..."""
        return f"{asked.full_name} {self.family} {self.proposer} seed {self.seed + number}"

    @property
    def sessions(self) -> list[str]:
        """The names of all."""
        asked = [workload(name, self.dtype, self.direction) for name in self.workloads]
        return [self.session(each, number) for each in asked for number in range(self.searches)]


class Sentence(NamedTuple):
    """What may be said of the winner of one search."""

    session: str
    winner: str
    sentence: str


def choose(
    lab: KernelEnvironment,
    machine: Machine,
    names: Sequence[str],
    dtype: Dtype | None,
    direction: Direction,
    family: str | None,
) -> tuple[Dtype, str]:
    """Return the dtype and the family to tune: those asked for, else the best that the machine has.

    Raises InputError, with the reason, where there is none.
    """
    if family is not None and (family == FOREIGN or family not in lab.families):
        raise InputError(f"--family {family}: there are {', '.join(each for each in lab.families if each != FOREIGN)}")
    families = (family,) if family else tuple(name for name in BEST_FIRST if name in lab.families)
    reasons: list[str] = []
    for candidate in families:
        for each in (dtype,) if dtype else _DTYPES_OF.get(candidate, _DTYPES):
            asked = [workload(name, each, direction) for name in names]
            lacking = [_lacking(lab.family(candidate), machine, one) for one in asked]
            if not any(lacking):
                return each, candidate
            reasons.append(next(reason for reason in lacking if reason))
    raise InputError(f"nothing to tune here: {'; '.join(dict.fromkeys(reasons))}")


def _lacking(family: Family, machine: Machine, asked: Workload) -> str | None:
    reason = family.missing(machine, asked.problem)
    if reason is not None:
        return f"{family.name} cannot do {asked.full_name} ({reason})"
    if not family.space(machine, asked.problem).choices:
        return f"{family.name} has no parameters to tune"
    return None


def check_place(out: Path, resume: bool) -> None:
    """Raises InputError where there is nothing to go on with, or something that would be mixed up."""
    if resume and not out.is_file():
        raise InputError(f"--resume: there is no trace {out} to go on with")
    if not resume and out.exists():
        raise InputError(f"--out {out}: it is there already; go on with it by --resume, or name another")


def check_sessions(asked: TuningRequest, machine: Machine) -> None:
    """Hold a trace against the searches that are to go on. Raises InputError where it has none of them, or others."""
    there = {line.session: line for line in read(asked.out) if isinstance(line, MeasurementSession)}
    ours = [there[name] for name in asked.sessions if name in there]
    if not ours:
        raise InputError(
            f"--resume: {asked.out} holds no search {asked.sessions[0]!r}; there are: {'; '.join(there) or 'none'}"
        )
    for session in ours:
        if session.budget != asked.budget:
            raise InputError(
                f"--resume: {session.session} was begun with --budget {session.budget}, not {asked.budget}"
            )
        if (where := session.machine.get("processor")) != machine.processor:
            raise InputError(f"--resume: {session.session} was begun on {where}, and this is {machine.processor}")


def run(
    asked: TuningRequest,
    trace: Trace,
    lab: KernelEnvironment,
    machine: Machine,
    proposer: Proposer,
    watch: Watch,
    note: measurement_sessions.Watch,
) -> list[Sentence]:
    """Search on every workload as often as asked for, and measure the winners afresh. Raises TooNoisyError."""
    said = []
    for name in asked.workloads:
        wanted = workload(name, asked.dtype, asked.direction)
        for number in range(asked.searches):
            session = asked.session(wanted, number)
            # A workbench of its own for each search: it knows how fast the best was, and gives up what is far from it.
            with lab.bench(wanted, machine) as bench:
                said.append(_one(asked, trace, lab, bench, wanted, session, number, proposer, watch, note))
    return said


def _one(
    asked: TuningRequest,
    trace: Trace,
    lab: KernelEnvironment,
    bench: SessionEvaluator,
    wanted: Workload,
    session: str,
    number: int,
    proposer: Proposer,
    watch: Watch,
    note: measurement_sessions.Watch,
) -> Sentence:
    family = lab.family(asked.family)
    space = family.space(bench.machine, wanted.problem)
    tasks = measurement_sessions.closing_tasks(trace.lines, session, space.candidate(family.name, {}), family.lines)
    over = trace.end(session) is not None
    if not over or not measurement_sessions.all_measured(trace.lines, session, tasks):
        note(f"{session}: sdpa against itself")
        quiet = measurement_sessions.check_noise(session, bench)
        begun = measurement_sessions.new_session(
            session, wanted, bench, proposer=asked.proposer, seed=asked.seed + number, budget=asked.budget
        )
        if trace.session(session) is None:
            trace.append(begun)
        trace.append(quiet)
        _search(trace, lab, begun, bench, space, family.name, proposer, watch)
        tasks = measurement_sessions.closing_tasks(trace.lines, session, space.candidate(family.name, {}), family.lines)
        measurement_sessions.measure_all(
            trace, session, bench, tasks, lambda text: note(f"{session}: measuring {text} afresh")
        )
    return sentence(trace, session)


def _search(
    trace: Trace,
    lab: KernelEnvironment,
    session: MeasurementSession,
    bench: SessionEvaluator,
    space: ParameterSpace,
    family: str,
    proposer: Proposer,
    watch: Watch,
) -> None:
    foreign = (
        proposer.name == LanguageModel.name
        and bench.isolation.foreign_allowed
        and lab.family(FOREIGN).missing(bench.machine, session.problem) is None
    )

    def tell(trial: Trial, progress: Progress) -> None:
        watch(session.session, trial, progress)

    search(trace, session, proposer, bench, {family: space}, tell, foreign)


def sentence(trace: Trace, session: str) -> Sentence:
    """Return what may be claimed after a search."""
    winner = measurement_sessions.winner_of(trace.lines, session)
    if winner is None:
        return Sentence(session, "", "No gain is proved: no candidate passed.")
    measured = [
        each
        for each in measurement_sessions.of_session(trace.lines, session)
        if each.role == "winner" and each.against == "sdpa"
    ]
    passed = [each for each in fresh(trace.lines) if each.session.session == session and each.role == "winner"]
    if passed:
        name, gain = passed[-1].name, held_out_gain(passed[-1].sdpa)
        return Sentence(session, name, claim(name, gain))
    if not measured:
        return Sentence(session, winner.family, "No gain is proved: the winner was not measured afresh.")
    last = measured[-1]
    again = "; --resume measures it again" if last.status == "inconclusive" else ""
    said = f"No gain is proved: measured afresh, the winner came out as {last.status} ({last.reason}){again}."
    return Sentence(session, winner.family, said)
