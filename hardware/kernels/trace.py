"""Read and write traces of searches: append-only JSON lines, from which all tables are derived.

Each line is written and synced before the search continues. An unfinished last line, left by a kill, is dropped when
the trace is opened again. Lines are never rewritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field, PositiveFloat, TypeAdapter, ValidationError

from hardware.kernels.candidate import Candidate, Value
from hardware.kernels.problem import Problem, Shape, Workload
from hardware.kernels.statistics import MIN_ROUNDS, Speedup, geomean, round_medians, speedup, student_t_interval

Status = Literal[
    "passed",
    "wrong",
    "unstable",
    "failed to build",
    "timed out",
    "cheated",
    "implausible",
    "inconclusive",
    "no proposal",
]
"""Outcome of a trial; "no proposal" means that the proposer gave no usable answer."""

_LINE_PREFIX: Final = b'{"kind":'
"""Start of every line."""


class TraceError(ValueError):
    """A file is not a trace; the message gives the line."""


class Timing(BaseModel, frozen=True, extra="forbid"):
    """Timing of one shape: pairs (candidate, baseline) of the time of a call [ns], in the order of measurement."""

    shape: Shape
    held_out: bool
    calls: int
    """Calls in each timed batch."""
    pairs: tuple[tuple[PositiveFloat, PositiveFloat], ...]
    rounds: tuple[int, ...] = ()
    """Number of pairs of each round of new processes, in order; empty if all pairs are from the same processes."""
    error: float | None = None
    """Error against float64 for the worst input kind, as a multiple of SDPA's error."""

    @property
    def speedup(self) -> Speedup:
        """Baseline time over candidate time."""
        return speedup(self.pairs, self.rounds)


def geomean_over_shapes(timed: Sequence[Timing]) -> Speedup:
    """Return the geometric mean of the speed-ups on some shapes, at least one.

    Shapes that were timed in the same rounds share processes. Their mean is taken for each round, and the interval is
    Student's over the rounds.
    """
    rounds = {len(each.rounds) for each in timed}
    if len(rounds) == 1 and min(rounds) >= MIN_ROUNDS:
        logs = [round_medians(each.pairs, each.rounds) for each in timed]
        return student_t_interval(np.mean(logs, axis=0))
    return geomean([each.speedup for each in timed])


class TrialOutcome(NamedTuple):
    """Outcome of trying a candidate."""

    status: Status
    reason: str = ""
    failed_on: str = ""
    """Validation check that failed: an input kind, a length, gradients, ..."""
    timed: tuple[Timing, ...] = ()
    cpu_s: float = 0.0
    """Processor time of the trial over all processes [s]."""


class MeasurementSession(BaseModel, frozen=True, extra="forbid"):
    """Start of a search or a measurement: problem, proposer and machine."""

    kind: Literal["session"] = "session"
    session: str
    """Name of the session, in all its lines."""
    date: str
    """Start of the session, ISO 8601, UTC."""
    workload: str
    """Name of the standard workload, without dtype and pass."""
    problem: Problem
    tuned: tuple[Shape, ...]
    held_out: tuple[Shape, ...]
    machine: dict[str, Any]
    """``Machine.model_dump()``: instruction sets, caches, versions, roofline."""
    isolation: str
    """Isolation of untrusted source."""
    proposer: str = ""
    seed: int = 0
    budget: int = 0

    @property
    def full_name(self) -> str:
        """Workload, dtype and pass: ``causal/bf16/both``."""
        return Workload(self.workload, self.problem, self.tuned, self.held_out).full_name


class CandidateSource(BaseModel, frozen=True, extra="forbid"):
    """The text of an untrusted candidate, stored once."""

    kind: Literal["source"] = "source"
    digest: str
    text: str


class Trial(BaseModel, frozen=True, extra="forbid"):
    """Trial of one candidate on the tuned shapes, against SDPA."""

    kind: Literal["trial"] = "trial"
    session: str
    number: int
    """Number of the trial in its session: 1, 2, ..."""
    family: str
    """Family; empty without a proposal, as are parameters and digest."""
    parameters: dict[str, Value]
    source: str = ""
    """Digest of the untrusted source; its text is in a separate line."""
    digest: str
    """Digest of the candidate."""
    expects: float | None = None
    """Speed-up over SDPA that the proposer predicted."""
    why: str = ""
    status: Status
    reason: str = ""
    failed_on: str = ""
    """Validation check that failed: an input kind, a length, gradients, ...

    Without a proposal: the part of the exchange that failed, such as an HTTP status, timeout, connection or answer.
    """
    timed: tuple[Timing, ...] = ()
    cpu_s: float = 0.0
    """Processor time of the trial over all processes [s]."""
    tokens: int = 0
    """Tokens that a language model read and wrote for this proposal."""

    @property
    def score(self) -> float | None:
        """Geometric mean of the speed-ups on the tuned shapes; None unless it passed and was timed on them."""
        tuned = [each for each in self.timed if not each.held_out]
        return geomean_over_shapes(tuned).ratio if tuned and self.status == "passed" else None


Role = Literal["A/A", "eager", "library", "naive", "winner", "family"]


class FinalMeasurement(BaseModel, frozen=True, extra="forbid"):
    """Re-measurement of one candidate on tuned and held-out shapes, on which conclusions are based."""

    kind: Literal["measured"] = "measured"
    session: str
    role: Role
    against: Literal["sdpa", "eager"] = "sdpa"
    family: str
    parameters: dict[str, Value]
    source: str = ""
    digest: str
    status: Status
    reason: str = ""
    timed: tuple[Timing, ...] = ()
    lines: int = 0
    """Lines of code to maintain; 0 if they were not counted."""


class SearchEnd(BaseModel, frozen=True, extra="forbid"):
    """End of a session: its budget was spent, or it ended early for a reason."""

    kind: Literal["end"] = "end"
    session: str
    reason: str
    trials: int


Line = MeasurementSession | CandidateSource | Trial | FinalMeasurement | SearchEnd
_LINE_ADAPTER: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


def read(path: Path) -> list[Line]:
    """Return the lines of a trace, without an unfinished last line.

    Raises TraceError with file and line for an invalid line.
    """
    content = path.read_bytes()
    return list(_read(path, content[: _complete_bytes(path, content)]))


def _read(path: Path, content: bytes) -> Iterator[Line]:
    for number, text in enumerate(content.removesuffix(b"\n").split(b"\n") if content else (), start=1):
        try:
            yield _LINE_ADAPTER.validate_json(text)
        except ValidationError as error:
            raise TraceError(f"{path}, line {number}: not a line of a trace{_error_location(error)}") from None


def _error_location(error: ValidationError) -> str:
    """Describe the invalid part of a line; empty if the line is not a record of any kind."""
    first = error.errors()[0]
    if first["type"] == "union_tag_invalid":
        return f" (there is no kind '{first['ctx']['tag']}')"
    kind, *part = first["loc"] or ("",)
    return f" ({kind}, {'.'.join(map(str, part))}: {first['msg']})" if part else ""


def _complete_bytes(path: Path, content: bytes) -> int:
    """Return the number of bytes in complete lines. Raises TraceError if the rest is not the start of a line."""
    end = content.rfind(b"\n") + 1
    rest = content[end:]
    if _is_line(rest):
        return len(content)  # only the newline is missing
    if rest[: len(_LINE_PREFIX)] != _LINE_PREFIX[: len(rest)]:
        raise TraceError(f"{path}, line {content.count(10) + 1}: not a line of a trace")
    return end


def _is_line(text: bytes) -> bool:
    try:
        _LINE_ADAPTER.validate_json(text)
    except ValueError:
        return False
    return True


class Trace:
    """An open trace: ``lines`` so far, and :meth:`append`.

    Opening a trace drops an unfinished last line. Raises TraceError, without a change, if the file is not a trace.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lines: list[Line] = read(path) if path.exists() else []
        if path.exists():
            self._truncate_partial_line()
        self._size = path.stat().st_size if path.exists() else 0
        """Size of the file after the last write [bytes]."""

    def _truncate_partial_line(self) -> None:
        content = self.path.read_bytes()
        whole = _complete_bytes(self.path, content)
        with self.path.open("r+b") as file:
            file.truncate(whole)
            if not content[:whole].endswith(b"\n") and whole:
                file.seek(whole)
                file.write(b"\n")

    def append(self, line: Line) -> None:
        """Add a line, and return when it is on disk.

        Raises ValueError for a number that is not finite, TraceError if another process has written to the file.
        """
        text = json.dumps(line.model_dump(mode="json"), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        written = text.encode(errors="replace")  # half a surrogate pair in a reply becomes "?"
        with self.path.open("ab") as file:
            try:
                flock(file, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                raise TraceError(f"{self.path}: another search is writing to it; use another file") from None
            if file.tell() != self._size:
                raise TraceError(f"{self.path}: another search has written to it; use another file")
            file.write(written + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._size = file.tell()
        self.lines.append(_LINE_ADAPTER.validate_json(written))

    def trials(self, session: str) -> list[Trial]:
        """Return the trials of a session, in order."""
        return [line for line in self.lines if isinstance(line, Trial) and line.session == session]

    def session(self, name: str) -> MeasurementSession | None:
        """Return the first line of a session, None if the trace has no session of that name."""
        return next(
            (line for line in self.lines if isinstance(line, MeasurementSession) and line.session == name), None
        )

    def end(self, session: str) -> SearchEnd | None:
        """Return the last line of a session, None if it has not ended."""
        return next((line for line in self.lines if isinstance(line, SearchEnd) and line.session == session), None)

    def sources(self) -> dict[str, str]:
        """Return the untrusted sources: digest → text."""
        return {line.digest: line.text for line in self.lines if isinstance(line, CandidateSource)}


def candidate_of(line: Trial | FinalMeasurement, sources: dict[str, str]) -> Candidate:
    """Return the candidate of a line; ``sources``: digest → text."""
    return Candidate(line.family, tuple(line.parameters.items()), sources[line.source] if line.source else "")


def source_of(candidate: Candidate) -> CandidateSource | None:
    """Return the line with the untrusted source of a candidate, None if it has none."""
    if not candidate.source:
        return None
    return CandidateSource(digest=sha256(candidate.source.encode()).hexdigest(), text=candidate.source)
