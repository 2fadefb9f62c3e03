"""Define the interface of proposers: their input (the history of a search) and their output (a proposal)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.random import Generator

from hardware.kernels.candidate import Candidate
from hardware.kernels.machine import Machine
from hardware.kernels.problem import Problem, Shape
from hardware.kernels.proposers.search_space import SearchSpace
from hardware.kernels.trace import MeasurementSession, Status, Trial, candidate_of


class TrialSummary(NamedTuple):
    """One candidate and its outcome, as visible to a proposer."""

    number: int
    candidate: Candidate
    status: Status
    score: float | None
    """Speed-up over SDPA, geometric mean over the tuned shapes; None unless it passed."""
    by_shape: tuple[tuple[Shape, float], ...] = ()
    """Speed-up over SDPA on each tuned shape."""
    failed_on: str = ""
    """Validation check that failed."""
    complaint: str = ""
    """Error of the compiler, if the build failed; other reasons may reveal inputs and are not shown."""


class History(NamedTuple):
    """The information that a proposer gets; it excludes inputs and held-out shapes."""

    workload: str
    """Workload, dtype and pass: ``causal/bf16/both``."""
    problem: Problem
    shapes: tuple[Shape, ...]
    """Tuned shapes."""
    machine: Machine
    search_space: SearchSpace
    """Candidates that may be proposed."""
    source_allowed: bool
    """Whether C++ source may be proposed."""
    budget: int
    seed: int
    """Random seed of the choices of the proposer; the inputs do not depend on it."""
    number: int = 1
    """Number of the next trial: 1, 2, ..."""
    tried: tuple[TrialSummary, ...] = ()
    """Trials so far, in order."""
    refused: tuple[Candidate, ...] = ()
    """Proposals for this trial that were refused because they had been tried before."""
    complaint: str = ""
    """Error in the answer for the previous trial, if it gave no proposal."""

    @property
    def rng(self) -> Generator:
        """A new generator for this trial; equal seed, trial and refusals give equal numbers."""
        return np.random.default_rng([self.seed, self.number, len(self.refused)])

    @property
    def known(self) -> dict[Candidate, float | None]:
        """Candidate → score, for refused proposals and for trials, in order."""
        return dict.fromkeys(self.refused) | {each.candidate: each.score for each in self.tried}

    @property
    def passed(self) -> list[tuple[Candidate, float]]:
        """Candidates with a score, best first; equal scores in the order of trials."""
        scored = [(each.candidate, each.score) for each in self.tried if each.score is not None]
        return sorted(scored, key=lambda each: -each[1])


class Proposal(NamedTuple):
    """A candidate with the prediction of its proposer."""

    candidate: Candidate
    expects: float | None = None
    """Predicted speed-up over SDPA if it passes; None without a prediction."""
    why: str = ""
    """Reason for the proposal, one sentence."""
    tokens: int = 0
    """Tokens that a language model read and wrote."""


class NoProposal(Exception):  # noqa: N818 - a regular result, like StopIteration
    """A proposer gave no usable answer; it counts as a trial, and the search continues.

    ``failed_on``: an HTTP status, ``timeout``, ``connection``, ``endpoint`` or ``answer``.
    """

    def __init__(self, reason: str, failed_on: str, tokens: int = 0) -> None:
        super().__init__(reason, failed_on, tokens)
        self.reason, self.failed_on, self.tokens = reason, failed_on, tokens

    def __str__(self) -> str:
        return self.reason


class Proposer(Protocol):
    """Proposes the next candidate, as a pure function of the history.

    Each proposer has a file in this folder and a line in ``registry.py``.
    """

    name: str
    summary: str
    """Description in one line."""

    def propose(self, history: History) -> Proposal | None:
        """Return the next candidate, None if there are no more candidates. Raises NoProposal."""


def history_of(session: MeasurementSession, search_space: SearchSpace, source_allowed: bool = False) -> History:
    """Return the history at the start of a search."""
    return History(
        session.full_name,
        session.problem,
        session.tuned,
        Machine.model_validate(session.machine),
        search_space,
        source_allowed,
        session.budget,
        session.seed,
    )


def with_trial(history: History, trial: Trial, sources: dict[str, str]) -> History:
    """Return the history with one more trial; ``sources``: digest → text."""
    complaint = trial.reason if trial.status == "no proposal" and trial.failed_on == "answer" else ""
    history = history._replace(number=trial.number + 1, refused=(), complaint=complaint)
    if trial.status == "no proposal":
        return history
    return history._replace(tried=(*history.tried, _summarize(trial, sources)))


def _summarize(trial: Trial, sources: dict[str, str]) -> TrialSummary:
    return TrialSummary(
        trial.number,
        candidate_of(trial, sources),
        trial.status,
        trial.score,
        tuple((each.shape, each.speedup.ratio) for each in trial.timed if not each.held_out),
        trial.failed_on,
        trial.reason if trial.status == "failed to build" else "",
    )
