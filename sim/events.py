"""Define the events of a run, the sentences of its endings, and the digest of a list of events.

Events are flat and frozen, and the list of a run is append-only.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NamedTuple


class PaperPublished(NamedTuple):
    """A paper, several papers of a cohort, or an amount of pooled work was published."""

    day: float
    researcher: int
    """Number of the researcher or cohort; 0 for pooled work."""
    team_size: int
    """Number of candidates for authorship: 1, or the active researchers of the cohort."""
    paper: int
    """Number of the (last) paper in the literature; 0 for pooled work, which has no papers of its own."""
    papers: float
    """Number of papers."""
    duplicates: int
    """Number of the papers whose finding others had published before."""
    effective_papers: float
    """Contribution to cumulative effort [effective papers]."""
    discovered: float
    """Discovered software after the event [doublings]."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class SoftwareDoubled(NamedTuple):
    """Discovered software completed its n-th doubling."""

    day: float
    n: int
    """Number of the doubling, from 1."""
    papers: float
    """Papers published since day 0."""
    duplicates: int
    """Duplicates among them."""
    researchers: int
    """Number of active researchers when it was completed."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class TrainingRequested(NamedTuple):
    """A training run was submitted."""

    day: float
    generation: int
    """Number of the generation that it trains."""
    gpus: int
    run_days: float
    """Duration without failures [days]."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class Deployed(NamedTuple):
    """A new generation of software was deployed."""

    day: float
    generation: int
    deployed: float
    """Deployed software after the event [doublings]."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class ActiveResearchersChanged(NamedTuple):
    """The number of active researchers changed."""

    day: float
    researchers: int
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class CohortFormed(NamedTuple):
    """Researchers became a cohort, in which they are counted rather than simulated as individuals."""

    day: float
    cohort: int
    """Number of its first researcher, which identifies the cohort."""
    researchers: int
    """Size of the cohort."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class HumansHired(NamedTuple):
    """Humans were hired."""

    day: float
    humans: int
    """Number of humans after the event."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class AssistantsChanged(NamedTuple):
    """The number of AIs that help humans changed."""

    day: float
    ais: int
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class TaskAutomated(NamedTuple):
    """AIs can do a further kind of task."""

    day: float
    kind: int
    """Number of the kind, from 1."""
    capability: float
    """Capability of AIs [doublings since day 0]."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class ResearchAutomated(NamedTuple):
    """AIs can do all kinds of tasks: from now on they write papers on their own (ASARA)."""

    day: float
    humans: int
    """Number of humans."""
    capability: float
    """Capability of AIs [doublings since day 0]."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class KernelCurveLoaded(NamedTuple):
    """The speed-up curve of the kernels was loaded, on day 0 of a calibrated run."""

    day: float
    measurements: str
    """SHA-256 of the file of measurements."""
    workload: str
    families: str
    """Kernel families of the searches in the curve, joined by +."""
    proposer: str
    """Method that proposed the candidates."""
    searches: int
    """Number of searches in the curve."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class KernelsDeployed(NamedTuple):
    """Faster attention was deployed, or its value to the cluster changed."""

    day: float
    candidates: float
    """Number of candidates tried so far."""
    speedup: float
    """Speed-up of attention, relative to the library of day 0."""
    work_rate: float
    """Work of the cluster per day, relative to day 0."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class GpusDivided(NamedTuple):
    """The policy of the lab divided the GPUs in another way."""

    day: float
    inference: int
    """GPUs for inference."""
    experiment: int
    """GPUs for experiments."""
    training: int
    """GPUs for training."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class SafetyShareChanged(NamedTuple):
    """The policy of the lab changed the share of research that goes to safety. Without an event, the share is 0."""

    day: float
    share: float
    """Share from this event on, of papers published later."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class BackgroundLoaded(NamedTuple):
    """A job log was loaded; its jobs share the GPUs for experiments."""

    day: float
    digest: str
    """SHA-256 of the log."""
    jobs: int
    """Number of jobs of one period."""
    left_out: int
    """Number of jobs that need more GPUs than one job can have here, or no time."""
    mean_gpus: float
    """Mean number of GPUs that the jobs need."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class PapersReceived(NamedTuple):
    """Papers that another lab published came into use in this lab."""

    day: float
    author: str
    """Lab that published them."""
    effective_papers: float
    """Contribution to the cumulative effort of this lab [effective papers]."""
    discovered: float
    """Discovered software of this lab after the event [doublings]."""
    lab: str = ""
    """Lab of the event."""


class SoftwareReceived(NamedTuple):
    """Software of another lab diffused to this lab."""

    day: float
    source: str
    """Lab from which it came."""
    gained: float
    """Software that this lab gained [doublings]."""
    discovered: float
    """Discovered software of this lab after the event [doublings]."""
    lab: str = ""
    """Lab of the event."""


class GpusDelivered(NamedTuple):
    """New nodes started to work."""

    day: float
    inference: int
    """Number of nodes for inference."""
    experiment: int
    """Number of nodes for experiments."""
    training: int
    """Number of nodes for training."""
    speed: float
    """Their speed, relative to the nodes of day 0."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class RestrictionsChanged(NamedTuple):
    """Orders of the regulator came into force in the lab, or ended. Neutral values of the fields restrict nothing."""

    day: float
    effort_share: float
    """Share of its AIs that can do research; neutral: 1."""
    most_copies: float
    """Largest number of AIs that can do research; neutral: ``inf``."""
    experiment_share: float
    """Share of the GPUs of experiments that they can use; neutral: 1."""
    is_training_paused: bool
    licence_gpus: float
    """GPUs above which a training run needs a licence; neutral: ``inf``."""
    permit_days: float
    """Time to a licence [days]."""
    release_days: float
    """Time from the end of a training run to its deployment [days]; neutral: 0."""
    rules: str
    """Names of the rules, joined by commas; empty when the last order has ended."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""


class LabEnded(NamedTuple):
    """One of several labs ended. It does no more research; the others go on."""

    day: float
    ending: str
    """Reason: doublings, researchers, limit reached, stalled, closed or merged."""
    sentence: str
    """The reason as a sentence."""
    lab: str = ""
    """Lab of the event."""


class RunEnded(NamedTuple):
    """The run stopped. The pace and the long-run growth are derived later; the event contains the reason only."""

    day: float
    ending: str
    """Reason: doublings, researchers, limit reached, horizon, stalled, or labs if each of several labs has ended."""
    sentence: str
    """The reason as a sentence."""


EVENT_FORMAT: Final = 2
"""Version of the names of events and their fields, which digests depend on. Version 1: until release 0.1."""

Ending = tuple[str, str]
"""Name and sentence of a reason to stop."""

LIMIT_REACHED: Ending = ("limit reached", "Stopped with less than one doubling left below growth__limit_doublings.")
ALL_LABS_ENDED: Ending = ("labs", "Stopped when every lab had ended.")
STALLED: Ending = ("stalled", "Stalled: nothing is under way and nothing more can happen.")


def enough_doublings(doublings: int) -> Ending:
    """Return the ending of a run that has reached its number of doublings."""
    return "doublings", f"Stopped after {doublings} doublings (run__max_doublings)."


def enough_researchers(wanted: float) -> Ending:
    """Return the ending of a run that has reached its number of researchers."""
    return "researchers", f"Stopped when {wanted:,.15g} researchers were active (run__stop_at_researchers)."


def at_horizon(day: float) -> Ending:
    """Return the ending of a run that reached its horizon."""
    return "horizon", f"Stopped at the horizon, day {day:g} (run__horizon_days)."


LabEvent = (
    PaperPublished
    | SoftwareDoubled
    | TrainingRequested
    | Deployed
    | ActiveResearchersChanged
    | CohortFormed
    | HumansHired
    | AssistantsChanged
    | TaskAutomated
    | ResearchAutomated
    | KernelCurveLoaded
    | KernelsDeployed
    | GpusDivided
    | SafetyShareChanged
    | BackgroundLoaded
    | PapersReceived
    | SoftwareReceived
    | GpusDelivered
    | RestrictionsChanged
    | LabEnded
)
Event = LabEvent | RunEnded


class LabLedger:
    """Record the events of one lab, by its name, among those of the run."""

    def __init__(self, ledger: list[Event], lab: str = "") -> None:
        self._ledger = ledger
        self._lab = lab

    def append(self, event: LabEvent) -> None:
        """Record an event of the lab."""
        self._ledger.append(event._replace(lab=self._lab) if self._lab else event)


_UNNAMED_LAB: Final = ", lab='')"


def digest_text(record: NamedTuple) -> str:
    """Return what a record contributes to the digest: its fields, without the lab if that has no name.

    A run of one lab thus has the same digest as before events named their lab.
    """
    text = repr(record)
    return f"{text.removesuffix(_UNNAMED_LAB)})" if text.endswith(_UNNAMED_LAB) else text


def digest(records: Iterable[NamedTuple]) -> str:
    """Return the SHA-256 of events or records in their order: equal for equal runs, in any process.

    Floats contribute all their digits.
    """
    total = sha256()
    for record in records:
        total.update(digest_text(record).encode())
        total.update(b"\n")
    return total.hexdigest()
