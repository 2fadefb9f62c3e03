"""What happened in a run: append-only, flat, frozen events, and the digest that two equal runs share."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple


class PaperPublished(NamedTuple):
    """A paper, or a lump of pooled work, became known."""

    day: float
    researcher: int
    """Its number, or that of a cohort; 0 for pooled work."""
    authors: int
    """Researchers of whom nobody says which one wrote it: 1, or those of a cohort that are at work."""
    paper: int
    """Its number in the literature, the last one where there are several; 0 for pooled work, which is no paper of its
    own."""
    papers: float
    duplicates: int
    """So many of them had been found by others meanwhile."""
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


class CohortFormed(NamedTuple):
    """So many researchers are a cohort from now on, in which nobody is followed alone."""

    day: float
    cohort: int
    """The number of its first researcher."""
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


class BackgroundLoaded(NamedTuple):
    """A job log loads the GPUs for experiments."""

    day: float
    digest: str
    """SHA-256 of the log."""
    jobs: int
    """Jobs of one period."""
    left_out: int
    """Jobs that ask for more GPUs than one job can have here, or for no time."""
    mean_gpus: float
    """GPUs that the jobs need in the mean."""


class Ended(NamedTuple):
    """The run stopped. The ending names the reason only: what the run did and where it leads are read from it later."""

    day: float
    ending: str
    """doublings, researchers, limit reached, horizon or starved."""
    sentence: str


Ending = tuple[str, str]
"""Name and sentence of a reason to stop."""

LIMIT_REACHED: Ending = ("limit reached", "Stopped with less than one doubling left below growth__limit_doublings.")
STARVED: Ending = ("starved", "Starved: nothing is under way and nothing more can happen.")


def enough_doublings(doublings: int) -> Ending:
    """Return the ending of a run that has as many doublings as it was to reach."""
    return "doublings", f"Stopped after {doublings} doublings (run__max_doublings)."


def enough_researchers(wanted: float) -> Ending:
    """Return the ending of a run that has as many researchers as it was to reach."""
    return "researchers", f"Stopped when {wanted:,.15g} researchers were active (run__until_researchers)."


def at_horizon(day: float) -> Ending:
    """Return the ending of a run that reached its horizon."""
    return "horizon", f"Stopped at the horizon, day {day:g} (run__horizon_days)."


Event = (
    PaperPublished
    | SoftwareDoubled
    | TrainingStarted
    | Deployed
    | ResearchersHoused
    | CohortFormed
    | KernelsMeasured
    | KernelsDeployed
    | BackgroundLoaded
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
