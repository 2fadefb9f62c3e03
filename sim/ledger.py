"""What happened in a run: append-only, flat, frozen events, and the digest that two equal runs share."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple


class PaperPublished(NamedTuple):
    """A paper, or a lump of pooled work, became known."""

    day: float
    researcher: int
    paper: int
    """Its number in the literature; 0 for pooled work, which is no paper of its own."""
    papers: float
    duplicate: bool
    effective_papers: float
    discovered: float
    """Doublings of software after it."""


class SoftwareDoubled(NamedTuple):
    """Discovered software completed its n-th doubling."""

    day: float
    n: int
    papers: float
    """Papers published since day 0."""
    duplicates: int
    researchers: int
    """At work when it was completed."""


class TrainingStarted(NamedTuple):
    """A retraining run was asked for."""

    day: float
    generation: int
    gpus: int
    run_days: float


class Deployed(NamedTuple):
    """A new generation of software went to work."""

    day: float
    generation: int
    deployed: float
    """Doublings of deployed software after it."""


class ResearchersHoused(NamedTuple):
    """The number of researchers at work changed."""

    day: float
    researchers: int


class KernelsMeasured(NamedTuple):
    """The run is driven by measurements: on day 0, unless it is uncalibrated."""

    day: float
    measurements: str
    """SHA-256 of the file."""
    workload: str
    families: str
    """Of the candidates of the searches that the curve is made of, joined by +."""
    proposer: str
    searches: int


class KernelsDeployed(NamedTuple):
    """Faster attention went to work, or what it is worth to the cluster changed."""

    day: float
    candidates: float
    """Tried until then."""
    speedup: float
    """Of attention over the library of day 0."""
    work_rate: float
    """Of the cluster over that of day 0."""


class Ended(NamedTuple):
    """The run is over, for a named reason."""

    day: float
    ending: str
    sentence: str


Event = (
    PaperPublished
    | SoftwareDoubled
    | TrainingStarted
    | Deployed
    | ResearchersHoused
    | KernelsMeasured
    | KernelsDeployed
    | Ended
)


def digest(facts: Iterable[NamedTuple]) -> str:
    """Return the SHA-256 of facts in their order: equal for equal runs, in any process.

    Floats count with all their digits.
    """
    total = sha256()
    for fact in facts:
        total.update(repr(fact).encode())
        total.update(b"\n")
    return total.hexdigest()
