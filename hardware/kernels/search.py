"""The loop of a search: a proposer proposes, an evaluator tries, the trace keeps both; and the replay of a trace."""

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
"""Proposals of what was tried before, in a row, that end a search."""
MAX_EMPTY_REPLIES: Final = 5
"""Trials without a proposal, in a row, that end a search."""
MAX_REJECTIONS: Final = 3
"""The same, where the endpoint refuses the key: that does not mend itself."""
_REFUSED: Final = ("401", "403")
_REASON: Final = 1000
"""Characters of a reason that the trace keeps."""


class SearchError(ValueError):
    """A search that does not fit its trace; the message says how."""


class NotMeasuredError(LookupError):
    """A candidate that a table does not hold: it is never guessed what it would have been."""


class SearchEvaluator(Protocol):
    """Whoever tries a candidate."""

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """Return what came of it; a candidate that fails in whatever way is an outcome, not an exception."""


class Progress(NamedTuple):
    """How far a search is."""

    trials: int
    budget: int
    best: Trial | None
    score: float | None
    """Speed-up over SDPA of the best so far."""
    statuses: Mapping[Status, int]
    cpu_s: float
    tokens: int


Watch = Callable[[Trial, Progress], bool | None]


def geomean_speedup(timed: Sequence[Timing], held_out: bool = False) -> float | None:
    """Return the speed-up over the tuned or the held-out shapes; None where there is none.

    For ordering: it is without the interval, which takes a bootstrap.
    """
    logs = [
        median(log(baseline / candidate) for candidate, baseline in each.pairs)
        for each in timed
        if each.held_out == held_out and each.pairs
    ]
    return exp(fmean(logs)) if logs else None


def improvements(trials: Iterable[Trial]) -> list[tuple[Trial, float]]:
    """Return the trials at which the best speed-up so far rose, with that; the last is the winner."""
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
    watch: Watch | None = None,
    foreign: bool = False,
) -> SearchEnd | None:
    """Try candidates until the budget is spent or there is nothing more to propose, and return why it ended.

    Every trial is in the trace before the next is proposed. ``watch`` sees each and interrupts with True: then None
    is returned, and the same call goes on from there, as it does after a kill, with trial k + 1. No candidate is tried
    twice in a session. ``foreign``: whether C++ source may be proposed. Raises SearchError if the trace holds another
    session of that name.
    """
    run = _Run(trace, _begun(trace, session, proposer), spaces, foreign)
    while (end := trace.end(session.session)) is None:
        made = run.over() or run.proposed(proposer)
        if isinstance(made, str):
            trace.append(SearchEnd(session=session.session, reason=made, trials=run.progress.trials))
            continue
        trial = run.tried(made, evaluator)
        if watch is not None and watch(trial, run.progress):
            return None
    return end


def _begun(trace: Trace, session: MeasurementSession, proposer: Proposer) -> MeasurementSession:
    """Return the session as its line has it; write the line if there is none yet."""
    if proposer.name != session.proposer:
        raise SearchError(f"session {session.session} is for proposer {session.proposer!r}, not {proposer.name!r}")
    stored = trace.session(session.session)
    if stored is None:
        trace.append(session)
        return session
    for name in ("workload", "problem", "tuned", "held_out", "proposer", "seed", "budget"):
        was, now = getattr(stored, name), getattr(session, name)
        if was != now:
            raise SearchError(f"{trace.path}: session {session.session} was begun with {name} {was!r}, not {now!r}")
    if stored.machine.get("processor") != session.machine.get("processor"):
        raise SearchError(f"{trace.path}: session {session.session} was begun on {stored.machine.get('processor')}")
    return stored


class _Run:
    """What a search knows while it runs; all of it follows from the trace."""

    def __init__(
        self, trace: Trace, session: MeasurementSession, spaces: Mapping[str, ParameterSpace], foreign: bool
    ) -> None:
        self.trace, self.session = trace, session
        self.history = history_of(session, SearchSpace(spaces), foreign)
        self.progress = Progress(0, session.budget, None, None, {}, 0.0, 0)
        self.last: list[Trial] = []
        for trial in trace.trials(session.session):
            self._learn(trial)

    def _learn(self, trial: Trial) -> None:
        self.history = with_trial(self.history, trial, self.trace.sources() if trial.source else {})
        self.progress = _progress(self.progress, trial)
        self.last = [*self.last, trial][-MAX_EMPTY_REPLIES:]

    def over(self) -> str | None:
        """Return why the search is over, None while it is not."""
        if self.progress.trials >= self.session.budget:
            return f"the budget of {self.session.budget} trials is spent"
        for most, codes in ((MAX_REJECTIONS, _REFUSED), (MAX_EMPTY_REPLIES, None)):
            last = self.last[-most:]
            silent = [each for each in last if each.status == "no proposal" and (not codes or each.failed_on in codes)]
            if len(silent) == most:
                return f"no proposal {most} times in a row: {silent[-1].reason}"
        return None

    def proposed(self, proposer: Proposer) -> Proposal | NoProposal | str:
        """Return a proposal that was not tried before, that there was none, or why there will be none."""
        known = {each.candidate.digest for each in self.history.tried}
        refused: tuple[Candidate, ...] = ()
        tokens = 0
        while len(refused) < MAX_REPEATS:
            try:
                proposal = proposer.propose(self.history._replace(refused=refused))
            except NoProposal as no:
                return NoProposal(no.reason, no.failed_on, no.tokens + tokens)
            if proposal is None:
                return "the proposer has nothing more to propose"
            tokens += proposal.tokens
            if proposal.candidate.digest not in known:
                return proposal._replace(tokens=tokens)
            refused = (*refused, proposal.candidate)
        return f"the proposer proposed what was tried before, {MAX_REPEATS} times in a row"

    def tried(self, made: Proposal | NoProposal, evaluator: SearchEvaluator) -> Trial:
        """Try a proposal, write it down, return its line."""
        if isinstance(made, NoProposal):
            trial = self._trial(None, TrialOutcome("no proposal", made.reason, made.failed_on), None, "", made.tokens)
        else:
            source = source_of(made.candidate)
            if source is not None and source.digest not in self.trace.sources():
                self.trace.append(source)  # before it is tried: it may take the whole process down
            outcome = evaluator.evaluate(made.candidate)
            trial = self._trial(made.candidate, outcome, made.expects, made.why, made.tokens)
        self.trace.append(trial)
        self._learn(trial)
        return trial

    def _trial(
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
            why=_tidy(why),
            status=outcome.status,
            reason=_tidy(outcome.reason),
            failed_on=outcome.failed_on,
            timed=outcome.timed,
            cpu_s=outcome.cpu_s,
            tokens=tokens,
        )


def _tidy(text: str) -> str:
    return text.encode(errors="replace").decode().strip()[:_REASON]


def _progress(before: Progress, trial: Trial) -> Progress:
    found = improvements([trial] if before.best is None else [before.best, trial])
    best, score = found[-1] if found else (None, None)
    return Progress(
        before.trials + 1,
        before.budget,
        best,
        score,
        Counter(before.statuses) + Counter([trial.status]),
        before.cpu_s + trial.cpu_s,
        before.tokens + trial.tokens,
    )


class TableEvaluator:
    """Replays what was measured, from the lines of a trace; what was not measured is an error, never a guess.

    ``workload``: full name, needed where the lines hold several. Of a candidate tried twice the first trial counts.
    """

    def __init__(self, lines: Iterable[Line], workload: str | None = None) -> None:
        lines = list(lines)
        names = {line.session: line.full_name for line in lines if isinstance(line, MeasurementSession)}
        trials = [line for line in lines if isinstance(line, Trial) and line.status != "no proposal"]
        present = sorted({names.get(each.session, each.session) for each in trials})
        if workload is None and len(present) > 1:
            raise SearchError(f"the trace holds several workloads, name one: {', '.join(present)}")
        if workload is not None and workload not in present:
            raise SearchError(f"the trace holds no trial of {workload}: there are {', '.join(present) or 'none'}")
        self.table: dict[str, Trial] = {}
        for each in trials:
            if workload in (None, names.get(each.session, each.session)):
                self.table.setdefault(each.digest, each)

    def evaluate(self, candidate: Candidate) -> TrialOutcome:
        """Return the stored outcome. Raises NotMeasuredError with the list of what there is."""
        found = self.table.get(candidate.digest)
        if found is None:
            raise NotMeasuredError(
                f"{candidate} was not measured: there are {', '.join(map(_name, self.known)) or 'none'}"
            )
        return TrialOutcome(found.status, found.reason, found.failed_on, found.timed, found.cpu_s)

    @property
    def known(self) -> list[Trial]:
        """One trial of each candidate that was measured, in the order of the trace."""
        return list(self.table.values())


def _name(trial: Trial) -> str:
    return str(Candidate(trial.family, tuple(trial.parameters.items()), trial.source))
