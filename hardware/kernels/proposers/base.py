"""What a proposer is, what it may see, and what it answers."""

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
    """One candidate and what came of it, as far as a proposer may know."""

    number: int
    candidate: Candidate
    status: Status
    score: float | None
    """Speed-up over SDPA, geometric mean over the tuned shapes; None unless it passed."""
    by_shape: tuple[tuple[Shape, float], ...] = ()
    """The same for each tuned shape."""
    failed_on: str = ""
    """The validation family that it failed."""
    complaint: str = ""
    """The compiler's, if it could not be built; other reasons may speak of inputs, and are not told."""


class History(NamedTuple):
    """All that a proposer may know: never the inputs, nor a shape that is held out."""

    workload: str
    """Workload, dtype and pass: ``causal/bf16/both``."""
    problem: Problem
    shapes: tuple[Shape, ...]
    """Those that are tuned on."""
    machine: Machine
    pool: SearchSpace
    """What may be proposed."""
    foreign: bool
    """Whether C++ source may be proposed too."""
    budget: int
    seed: int
    """Of the proposer's own choices; it has nothing to do with inputs."""
    number: int = 1
    """Of the trial that is to be proposed: 1, 2, ..."""
    tried: tuple[TrialSummary, ...] = ()
    refused: tuple[Candidate, ...] = ()
    """What was already proposed for this trial, and refused because it had been tried before."""
    complaint: str = ""
    """Why there was no proposal for the trial before this one, if the answer was at fault."""

    @property
    def rng(self) -> Generator:
        """A fresh generator for this trial: the same seed, trial and refusals, the same numbers."""
        return np.random.default_rng([self.seed, self.number, len(self.refused)])

    @property
    def known(self) -> dict[Candidate, float | None]:
        """Candidate → score, in the order of trials; with what was refused."""
        return dict.fromkeys(self.refused) | {each.candidate: each.score for each in self.tried}

    @property
    def passed(self) -> list[tuple[Candidate, float]]:
        """Those with a score, the best first, the earlier first among equals."""
        scored = [(each.candidate, each.score) for each in self.tried if each.score is not None]
        return sorted(scored, key=lambda each: -each[1])


class Proposal(NamedTuple):
    """A candidate, and what its proposer expects of it."""

    candidate: Candidate
    expects: float | None = None
    """Speed-up over SDPA if it passes; None where there is nothing to go by."""
    why: str = ""
    """One sentence."""
    tokens: int = 0
    """That a language model read and wrote."""


class NoProposal(Exception):  # noqa: N818 - an answer, as StopIteration is
    """Whoever was asked gave no usable answer: a trial is spent and the search goes on.

    ``failed_on``: an HTTP status, ``timeout``, ``connection`` or ``answer``.
    """

    def __init__(self, reason: str, failed_on: str, tokens: int = 0) -> None:
        super().__init__(reason, failed_on, tokens)
        self.reason, self.failed_on, self.tokens = reason, failed_on, tokens

    def __str__(self) -> str:
        return self.reason


class Proposer(Protocol):
    """Who proposes the next candidate: a pure function of the history. One file each, and a line in ``registry.py``."""

    name: str
    summary: str
    """One line for people."""

    def propose(self, history: History) -> Proposal | None:
        """Return the next candidate, None if there is nothing more to propose. Raises NoProposal."""


def history_of(session: MeasurementSession, pool: SearchSpace, foreign: bool = False) -> History:
    """Return the history at the beginning of a search."""
    return History(
        session.full_name,
        session.problem,
        session.tuned,
        Machine.model_validate(session.machine),
        pool,
        foreign,
        session.budget,
        session.seed,
    )


def with_trial(history: History, trial: Trial, sources: dict[str, str]) -> History:
    """Return the history with one more trial; ``sources``: digest → text."""
    complaint = trial.reason if trial.status == "no proposal" and trial.failed_on == "answer" else ""
    history = history._replace(number=trial.number + 1, refused=(), complaint=complaint)
    if trial.status == "no proposal":
        return history
    return history._replace(tried=(*history.tried, _tried(trial, sources)))


def _tried(trial: Trial, sources: dict[str, str]) -> TrialSummary:
    return TrialSummary(
        trial.number,
        candidate_of(trial, sources),
        trial.status,
        trial.score,
        tuple((each.shape, each.speedup.ratio) for each in trial.timed if not each.held_out),
        trial.failed_on,
        trial.reason if trial.status == "failed to build" else "",
    )
