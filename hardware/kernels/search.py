"""Run a search: a proposer proposes candidates, an evaluator tries them, a trace stores both; or replay a trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import exp, isfinite, log
from statistics import fmean, median
from typing import Final, NamedTuple, Protocol

from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.proposers.base import NoProposal, Proposal, Proposer, history_of, with_trial
from hardware.kernels.proposers.search_space import SearchSpace
from hardware.kernels.trace import (
    Line,
    MeasurementSession,
    SearchEnd,
    Status,
    Timing,
    Trace,
    Trial,
    TrialOutcome,
    source_of,
)

MAX_REPEATS: Final = 50
"""Consecutive proposals of known candidates that end a search."""
MAX_EMPTY_REPLIES: Final = 5
"""Consecutive trials without a proposal that end a search."""
MAX_REJECTIONS: Final = 3
"""Consecutive trials that end a search if the endpoint rejects the API key."""
_KEY_REJECTED_STATUSES: Final = ("401", "403")
_MAX_REASON_CHARACTERS: Final = 1000
"""Longest reason in a trace [characters]."""


class SearchError(ValueError):
    """A search does not match its trace; the message gives the difference."""


class NotMeasuredError(LookupError):
    """A candidate is not in the trace, so its outcome is unknown."""


class SearchEvaluator(Protocol):
    """Evaluates candidates."""

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """Return the outcome of a candidate; a failure is an outcome, not an exception."""


class SearchProgress(NamedTuple):
    """SearchProgress of a search."""

    trials: int
    budget: int
    best: Trial | None
    score: float | None
    """Speed-up over SDPA of the best candidate so far."""
    statuses: Mapping[Status, int]
    cpu_s: float
    tokens: int


TrialCallback = Callable[[Trial, SearchProgress], bool | None]


def geomean_speedup(timed: Sequence[Timing], held_out: bool = False) -> float | None:
    """Return the geometric mean of the speed-ups on the tuned or the held-out shapes; None without any.

    It has no interval, which would need a bootstrap, and serves for ordering.
    """
    logs = [
        median(log(baseline / candidate) for candidate, baseline in each.pairs)
        for each in timed
        if each.held_out == held_out and each.pairs
    ]
    return exp(fmean(logs)) if logs else None


def improvements(trials: Iterable[Trial]) -> list[tuple[Trial, float]]:
    """Return the trials that improved the best speed-up, with the speed-up; the last is the winner."""
    found: list[tuple[Trial, float]] = []
    for trial in trials:
        score = geomean_speedup(trial.timed) if trial.status == "passed" else None
        if score is not None and (not found or score > found[-1][1]):
            found.append((trial, score))
    return found


def search(
    trace: Trace,
    session: MeasurementSession,
    proposer: Proposer,
    evaluator: SearchEvaluator,
    spaces: Mapping[str, ParameterSpace],
    on_trial: TrialCallback | None = None,
    source_allowed: bool = False,
) -> SearchEnd | None:
    """Try candidates until the budget is spent or the proposer has no more, and return the end of the search.

    Every trial is in the trace before the next is proposed. ``on_trial`` is called after each trial and interrupts the
    search with True; then None is returned. The same call resumes the search with the next trial, also after a kill. No
    candidate is tried twice in a session. ``source_allowed``: whether C++ source may be proposed. Raises SearchError if
    the trace contains another session of that name.
    """
    run = _SearchState(trace, _open_session(trace, session, proposer), spaces, source_allowed)
    while (end := trace.end(session.session)) is None:
        proposal = run.stop_reason() or run.next_proposal(proposer)
        if isinstance(proposal, str):
            trace.append(SearchEnd(session=session.session, reason=proposal, trials=run.progress.trials))
            continue
        trial = run.evaluate(proposal, evaluator)
        if on_trial is not None and on_trial(trial, run.progress):
            return None
    return end


def _open_session(trace: Trace, session: MeasurementSession, proposer: Proposer) -> MeasurementSession:
    """Return the session in the trace; add its line if the trace has none."""
    if proposer.name != session.proposer:
        raise SearchError(f"session {session.session} is for proposer {session.proposer!r}, not {proposer.name!r}")
    stored = trace.session(session.session)
    if stored is None:
        trace.append(session)
        return session
    for name in ("workload", "problem", "tuned", "held_out", "proposer", "seed", "budget"):
        was, now = getattr(stored, name), getattr(session, name)
        if was != now:
            raise SearchError(f"{trace.path}: session {session.session} was started with {name} {was!r}, not {now!r}")
    if stored.machine.get("processor") != session.machine.get("processor"):
        raise SearchError(f"{trace.path}: session {session.session} was started on {stored.machine.get('processor')}")
    return stored


class _SearchState:
    """State of a running search, derived from its trace."""

    def __init__(
        self, trace: Trace, session: MeasurementSession, spaces: Mapping[str, ParameterSpace], source_allowed: bool
    ) -> None:
        self.trace, self.session = trace, session
        self.history = history_of(session, SearchSpace(spaces), source_allowed)
        self.progress = SearchProgress(0, session.budget, None, None, {}, 0.0, 0)
        self.last: list[Trial] = []
        for trial in trace.trials(session.session):
            self._record_trial(trial)

    def _record_trial(self, trial: Trial) -> None:
        self.history = with_trial(self.history, trial, self.trace.sources() if trial.source else {})
        self.progress = _progress(self.progress, trial)
        self.last = [*self.last, trial][-MAX_EMPTY_REPLIES:]

    def stop_reason(self) -> str | None:
        """Return the reason why the search ends, None while it continues."""
        if self.progress.trials >= self.session.budget:
            return f"the budget of {self.session.budget} trials is spent"
        for most, codes in ((MAX_REJECTIONS, _KEY_REJECTED_STATUSES), (MAX_EMPTY_REPLIES, None)):
            last = self.last[-most:]
            silent = [each for each in last if each.status == "no proposal" and (not codes or each.failed_on in codes)]
            if len(silent) == most:
                return f"no proposal {most} times in a row: {silent[-1].reason}"
        return None

    def next_proposal(self, proposer: Proposer) -> Proposal | NoProposal | str:
        """Return a new proposal, NoProposal for a failed attempt, or the reason why the search ends."""
        known = {each.candidate.digest for each in self.history.tried}
        refused: tuple[Candidate, ...] = ()
        tokens = 0
        while len(refused) < MAX_REPEATS:
            try:
                proposal = proposer.propose(self.history._replace(refused=refused))
            except NoProposal as no:
                return NoProposal(no.reason, no.failed_on, no.tokens + tokens)
            if proposal is None:
                return "the proposer has no more candidates"
            tokens += proposal.tokens
            if proposal.candidate.digest not in known:
                return proposal._replace(tokens=tokens)
            refused = (*refused, proposal.candidate)
        return f"the proposer proposed known candidates {MAX_REPEATS} times in a row"

    def evaluate(self, proposal: Proposal | NoProposal, evaluator: SearchEvaluator) -> Trial:
        """Try a proposal, and return its line after adding it to the trace."""
        if isinstance(proposal, NoProposal):
            trial = self._make_trial(
                None, TrialOutcome("no proposal", proposal.reason, proposal.failed_on), None, "", proposal.tokens
            )
        else:
            source = source_of(proposal.candidate)
            if source is not None and source.digest not in self.trace.sources():
                self.trace.append(source)  # stored before the trial, which may end the whole process
            outcome = evaluator.evaluate(proposal.candidate)
            trial = self._make_trial(proposal.candidate, outcome, proposal.expects, proposal.why, proposal.tokens)
        self.trace.append(trial)
        self._record_trial(trial)
        return trial

    def _make_trial(
        self, candidate: Candidate | None, outcome: TrialOutcome, expects: float | None, why: str, tokens: int
    ) -> Trial:
        source = source_of(candidate) if candidate else None
        return Trial(
            session=self.session.session,
            number=self.history.number,
            family=candidate.family if candidate else "",
            parameters=candidate.values if candidate else {},
            source=source.digest if source else "",
            digest=candidate.digest if candidate else "",
            expects=expects if expects is not None and isfinite(expects) else None,
            why=_clean_text(why),
            status=outcome.status,
            reason=_clean_text(outcome.reason),
            failed_on=outcome.failed_on,
            timed=outcome.timed,
            cpu_s=outcome.cpu_s,
            tokens=tokens,
        )


def _clean_text(text: str) -> str:
    return text.encode(errors="replace").decode().strip()[:_MAX_REASON_CHARACTERS]


def _progress(before: SearchProgress, trial: Trial) -> SearchProgress:
    found = improvements([trial] if before.best is None else [before.best, trial])
    best, score = found[-1] if found else (None, None)
    return SearchProgress(
        before.trials + 1,
        before.budget,
        best,
        score,
        Counter(before.statuses) + Counter([trial.status]),
        before.cpu_s + trial.cpu_s,
        before.tokens + trial.tokens,
    )


class ReplayEvaluator:
    """Replays the outcomes in a trace; a candidate that is not in the trace is an error.

    ``workload``: full name, required if the trace has several. If a candidate was tried twice, the first trial counts.
    """

    def __init__(self, lines: Iterable[Line], workload: str | None = None) -> None:
        lines = list(lines)
        names = {line.session: line.full_name for line in lines if isinstance(line, MeasurementSession)}
        trials = [line for line in lines if isinstance(line, Trial) and line.status != "no proposal"]
        present = sorted({names.get(each.session, each.session) for each in trials})
        if workload is None and len(present) > 1:
            raise SearchError(f"the trace contains several workloads; name one of: {', '.join(present)}")
        if workload is not None and workload not in present:
            raise SearchError(
                f"the trace contains no trial of {workload}; its workloads: {', '.join(present) or 'none'}"
            )
        self.table: dict[str, Trial] = {}
        for each in trials:
            if workload in (None, names.get(each.session, each.session)):
                self.table.setdefault(each.digest, each)

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """Return the stored outcome. Raises NotMeasuredError with the list of measured candidates."""
        found = self.table.get(candidate.digest)
        if found is None:
            raise NotMeasuredError(
                f"{candidate} was not measured; available: {', '.join(map(_candidate_name, self.known)) or 'none'}"
            )
        return TrialOutcome(found.status, found.reason, found.failed_on, found.timed, found.cpu_s)

    @property
    def known(self) -> list[Trial]:
        """The first trial of each candidate, in the order of the trace."""
        return list(self.table.values())


def _candidate_name(trial: Trial) -> str:
    return str(Candidate(trial.family, tuple(trial.parameters.items()), trial.source))
