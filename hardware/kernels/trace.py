"""The trace of a search: append-only JSON lines, from which every table derives.

A line is written whole and synced before the search goes on; what a kill left of a half-written last line is dropped
when the trace is opened again. Nothing is ever rewritten.
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
from hardware.kernels.statistics import MIN_ROUNDS, Speedup, geomean, round_medians, speedup, student

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
"""What came of a trial; with "no proposal" there was nothing to try: whoever was asked gave no usable answer."""

_BEGINS: Final = b'{"kind":'
"""Every line begins so."""


class TraceError(ValueError):
    """A file that is no trace; the message says where."""


class Timing(BaseModel, frozen=True, extra="forbid"):
    """What one shape took: pairs of nanoseconds a call, (candidate, baseline), in the order of measurement."""

    shape: Shape
    held_out: bool
    calls: int
    """Calls in each timed batch."""
    pairs: tuple[tuple[PositiveFloat, PositiveFloat], ...]
    rounds: tuple[int, ...] = ()
    """How many of the pairs each round of new processes gave, in order; empty if all came from the same processes."""
    error: float | None = None
    """Error against float64 as a multiple of SDPA's own, worst input kind."""

    @property
    def speedup(self) -> Speedup:
        """Baseline time over candidate time."""
        return speedup(self.pairs, self.rounds)


def geomean_over_shapes(timed: Sequence[Timing]) -> Speedup:
    """Return the geometric mean of the speed-ups on some shapes, at least one.

    Shapes that were timed in the same rounds share their processes: their mean is taken round by round, and the
    interval is Student's over the rounds.
    """
    rounds = {len(each.rounds) for each in timed}
    if len(rounds) == 1 and min(rounds) >= MIN_ROUNDS:
        logs = [round_medians(each.pairs, each.rounds) for each in timed]
        return student(np.mean(logs, axis=0))
    return geomean([each.speedup for each in timed])


class TrialOutcome(NamedTuple):
    """What came of trying a candidate."""

    status: Status
    reason: str = ""
    failed_on: str = ""
    """The validation family that it failed: an input kind, a length, gradients, ..."""
    timed: tuple[Timing, ...] = ()
    cpu_s: float = 0.0
    """Processor seconds that it cost, all processes together."""


class MeasurementSession(BaseModel, frozen=True, extra="forbid"):
    """A search or a measurement begins: what is asked, of whom, on what machine."""

    kind: Literal["session"] = "session"
    session: str
    """Its name, which all its lines carry."""
    date: str
    """ISO 8601, UTC."""
    workload: str
    """Name of the standard workload, without dtype and pass."""
    problem: Problem
    tuned: tuple[Shape, ...]
    held_out: tuple[Shape, ...]
    machine: dict[str, Any]
    """``Machine.model_dump()``: instruction sets, caches, versions, roofline."""
    isolation: str
    """What stood between foreign source and the machine."""
    proposer: str = ""
    seed: int = 0
    budget: int = 0

    @property
    def full_name(self) -> str:
        """Workload, dtype and pass: ``causal/bf16/both``."""
        return Workload(self.workload, self.problem, self.tuned, self.held_out).full_name


class Source(BaseModel, frozen=True, extra="forbid"):
    """The text of a foreign candidate, once."""

    kind: Literal["source"] = "source"
    digest: str
    text: str


class Trial(BaseModel, frozen=True, extra="forbid"):
    """One candidate, tried: on the tuned shapes, against SDPA."""

    kind: Literal["trial"] = "trial"
    session: str
    number: int
    """1, 2, ... in its session."""
    family: str
    """Empty, as are parameters and digest, where there was no proposal."""
    parameters: dict[str, Value]
    source: str = ""
    """Digest of the foreign source; its text is in a line of its own."""
    digest: str
    """Of the candidate."""
    expects: float | None = None
    """Speed-up over SDPA that the proposer predicted."""
    why: str = ""
    status: Status
    reason: str = ""
    failed_on: str = ""
    """The validation family that it failed: an input kind, a length, gradients, ...; without a proposal, which part of
    the exchange: an HTTP status, timeout, connection, answer."""
    timed: tuple[Timing, ...] = ()
    cpu_s: float = 0.0
    """Processor seconds that this trial cost, all processes together."""
    tokens: int = 0
    """That a language model read and wrote for this proposal."""

    @property
    def score(self) -> float | None:
        """Geometric mean of the speed-ups over the tuned shapes; None unless it passed and was timed on them."""
        tuned = [each for each in self.timed if not each.held_out]
        return geomean_over_shapes(tuned).ratio if tuned and self.status == "passed" else None


Role = Literal["A/A", "eager", "library", "naive", "winner", "family"]


class FinalMeasurement(BaseModel, frozen=True, extra="forbid"):
    """One candidate measured afresh, on tuned and held-out shapes; the source of every claim."""

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
    """Of code that somebody would have to maintain; 0 where nobody counted."""


class SearchEnd(BaseModel, frozen=True, extra="forbid"):
    """A session is over: its budget was spent, or it was ended early for a reason."""

    kind: Literal["end"] = "end"
    session: str
    reason: str
    trials: int


Line = MeasurementSession | Source | Trial | FinalMeasurement | SearchEnd
_LINES: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


def read(path: Path) -> list[Line]:
    """Return the lines of a trace, less an unfinished last one.

    Raises TraceError with file and line for one that is not valid.
    """
    content = path.read_bytes()
    return list(_read(path, content[: _whole(path, content)]))


def _read(path: Path, content: bytes) -> Iterator[Line]:
    for number, text in enumerate(content.removesuffix(b"\n").split(b"\n") if content else (), start=1):
        try:
            yield _LINES.validate_json(text)
        except ValidationError as error:
            raise TraceError(f"{path}, line {number}: not a line of a trace{_where(error)}") from None


def _where(error: ValidationError) -> str:
    """Which part of a line is wrong, and how; nothing of what is not even a record of some kind."""
    first = error.errors()[0]
    if first["type"] == "union_tag_invalid":
        return f" (there is no kind '{first['ctx']['tag']}')"
    kind, *part = first["loc"] or ("",)
    return f" ({kind}, {'.'.join(map(str, part))}: {first['msg']})" if part else ""


def _whole(path: Path, content: bytes) -> int:
    """Return how many bytes are whole lines. Raises TraceError if the rest is not the beginning of one."""
    end = content.rfind(b"\n") + 1
    rest = content[end:]
    if _is_line(rest):
        return len(content)  # only its newline was lost
    if rest[: len(_BEGINS)] != _BEGINS[: len(rest)]:
        raise TraceError(f"{path}, line {content.count(10) + 1}: not a line of a trace")
    return end


def _is_line(text: bytes) -> bool:
    try:
        _LINES.validate_json(text)
    except ValueError:
        return False
    return True


class Trace:
    """An open trace: ``lines`` so far, and :meth:`append`.

    Opening drops an unfinished last line. Raises TraceError, and changes nothing, if the file is no trace.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lines: list[Line] = read(path) if path.exists() else []
        if path.exists():
            self._mend()
        self._size = path.stat().st_size if path.exists() else 0
        """Of the file as this trace left it."""

    def _mend(self) -> None:
        content = self.path.read_bytes()
        whole = _whole(self.path, content)
        with self.path.open("r+b") as file:
            file.truncate(whole)
            if not content[:whole].endswith(b"\n") and whole:
                file.seek(whole)
                file.write(b"\n")

    def append(self, line: Line) -> None:
        """Add a line; when this returns, it is on disk.

        Raises ValueError for a number that is not finite, TraceError if somebody else has written to the file.
        """
        text = json.dumps(line.model_dump(mode="json"), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        written = text.encode(errors="replace")  # half a surrogate pair, of a model's making, becomes "?"
        with self.path.open("ab") as file:
            try:
                flock(file, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                raise TraceError(f"{self.path}: another search writes to it") from None
            if file.tell() != self._size:
                raise TraceError(f"{self.path}: another search has written to it")
            file.write(written + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._size = file.tell()
        self.lines.append(_LINES.validate_json(written))

    def trials(self, session: str) -> list[Trial]:
        """Return the trials of a session, in order."""
        return [line for line in self.lines if isinstance(line, Trial) and line.session == session]

    def session(self, name: str) -> MeasurementSession | None:
        """Return the line with which a session began, None if there is none of that name."""
        return next(
            (line for line in self.lines if isinstance(line, MeasurementSession) and line.session == name), None
        )

    def end(self, session: str) -> SearchEnd | None:
        """Return the line with which a session ended, None if it has not."""
        return next((line for line in self.lines if isinstance(line, SearchEnd) and line.session == session), None)

    def sources(self) -> dict[str, str]:
        """Return digest → text of the foreign sources."""
        return {line.digest: line.text for line in self.lines if isinstance(line, Source)}


def candidate_of(line: Trial | FinalMeasurement, sources: dict[str, str]) -> Candidate:
    """Return the candidate of a line; ``sources``: digest → text."""
    return Candidate(line.family, tuple(line.parameters.items()), sources[line.source] if line.source else "")


def source_of(candidate: Candidate) -> Source | None:
    """Return the line that keeps a candidate's foreign source, None if it has none."""
    if not candidate.source:
        return None
    return Source(digest=sha256(candidate.source.encode()).hexdigest(), text=candidate.source)
