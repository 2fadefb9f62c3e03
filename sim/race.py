"""Run several labs together, and determine who leads: days to a level, the lead, shares and concentration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.events import (
    GpusDelivered,
    LabEnded,
    PaperPublished,
    PapersReceived,
    SafetyShareChanged,
    SoftwareReceived,
)
from sim.governance.record import GovernanceRecord
from sim.lab_factory import LabFactory
from sim.repeated_research import repeated_share, research_of
from sim.runner import RunResult, summarise
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

Floats = NDArray[np.float64]


class Place(NamedTuple):
    """A lab that reached a level."""

    lab: str
    day: float


class RaceResult(NamedTuple):
    """Result of a run with several labs."""

    scenario: Scenario
    """Scenario of all labs at the end of the run."""
    seed: int
    digest: str
    """SHA-256 of all events and job records."""
    day: float
    """Day on which the run stopped."""
    ending: str
    """Reason to stop: labs, horizon, stalled or interrupted."""
    sentence: str
    labs: dict[str, RunResult]
    """Result of each lab, by its name."""
    governance: GovernanceRecord | None = None
    """What the regulator of all labs measured and ordered; None without a regulator."""

    def day_of(self, lab: str, level: float) -> float:
        """Return the first day on which discovered software of a lab reached a level [doublings]; ``inf`` if never."""
        return day_of_level(self.labs[lab], level)

    def order(self, level: float) -> list[Place]:
        """Return the labs that reached a level [doublings], in the order of their days; labs of one day by name."""
        found = [Place(lab, self.day_of(lab, level)) for lab in self.labs]
        return sorted((place for place in found if place.day < math.inf), key=lambda place: (place.day, place.lab))

    def lead(self, level: float) -> float:
        """Return the days from the first lab to the second at a level; ``inf`` if only one reaches it.

        ``nan`` if no lab reaches it.
        """
        order = self.order(level)
        if not order:
            return math.nan
        return order[1].day - order[0].day if len(order) > 1 else math.inf

    def safety_of_first(self, level: float) -> float:
        """Return the share of its papers that the first lab at a level had spent on safety by then.

        ``nan`` if no lab reaches the level.
        """
        order = self.order(level)
        return safety_share_on(self.labs[order[0].lab], order[0].day) if order else math.nan

    def software_shares(self) -> dict[str, Floats]:
        """Return the share of each lab in the software of all labs, at each frame."""
        return shares({lab: 2.0 ** np.array(result.series["discovered"]) for lab, result in self.labs.items()})

    def gpu_shares(self) -> dict[str, Floats]:
        """Return the share of each lab in the GPUs of all labs, at each frame."""
        return shares({lab: gpus_over_time(result) for lab, result in self.labs.items()})

    def repeated_shares(self) -> Floats:
        """Return the share of the research of all labs that is done more than once, at each frame.

        See :mod:`sim.repeated_research`.
        """
        return self._repeated_share(next(iter(self.labs.values())).series["day"])

    def repeated_share_on(self, day: float) -> float:
        """Return the share of the research of all labs up to a day that is done more than once."""
        return float(self._repeated_share(day))

    def _repeated_share(self, days: ArrayLike) -> Floats:
        return repeated_share([research_of(result.events, days) for result in self.labs.values()])


def run_race(
    scenario: Scenario,
    seed: int = 0,
    watch: Callable[[World], bool | None] | None = None,
    make: LabFactory | None = None,
) -> RaceResult:
    """Run a scenario with several labs to its end.

    Arguments
    ---------
    scenario
        Scenario with labs (``[labs.NAME]``).
    seed
        Random seed, any integer.
    watch
        Function that is called with the world on day 0 and after each frame. If it returns True, the run stops early
        with the ending "interrupted".
    make
        Classes of all labs, as for :class:`World`.

    Raises ScenarioError if the scenario has fewer than two labs, or cannot be run.
    """
    require_labs(scenario)
    with World(scenario, seed, None, make) as world:
        while not (watch and watch(world)) and world.running:
            world.step()
        return summarise_race(world)


def require_labs(scenario: Scenario) -> None:
    """Refuse a scenario with fewer than two labs. Raises ScenarioError."""
    if len(scenario.labs) < 2:
        raise ScenarioError(
            f"the scenario '{scenario.name}' has {len(scenario.labs) or 'no'} named labs; allowed in a race: two or "
            "more. Add tables such as [labs.NAME.cluster], or choose the scenario two-labs"
        )


def summarise_race(world: World) -> RaceResult:
    """Return the result of a world with several labs so far."""
    ending, sentence = "interrupted", f"Interrupted at day {world.now:.6g}."
    if world.ending is not None:
        ending, sentence = world.ending.ending, world.ending.sentence
    digest = world.digest()
    return RaceResult(
        scenario=world.scenario,
        seed=world.run_seed,
        digest=digest,
        day=world.now,
        ending=ending,
        sentence=sentence,
        labs={lab: summarise(world, lab, digest) for lab in world.labs},
        governance=world.governance,
    )


def day_of_level(result: RunResult, level: float) -> float:
    """Return the first day on which discovered software reached a level [doublings]; ``inf`` if it never did."""
    if level <= result.scenario.entry.software_doublings:
        return result.scenario.entry.day
    for event in result.events:
        if isinstance(event, (PaperPublished, PapersReceived, SoftwareReceived)) and event.discovered >= level - 1e-9:
            return event.day
    return math.inf


def software_on(result: RunResult, day: float) -> float:
    """Return discovered software of a lab on a day [doublings]."""
    found = result.scenario.entry.software_doublings
    for event in result.events:
        if event.day > day:
            break
        if isinstance(event, (PaperPublished, PapersReceived, SoftwareReceived)):
            found = event.discovered
    return found


def safety_share_on(result: RunResult, day: float) -> float:
    """Return the share of a lab's papers up to a day that were on safety; its present share if there are no papers."""
    share = papers = safety_papers = 0.0
    for event in result.events:
        if event.day > day:
            break
        if isinstance(event, SafetyShareChanged):
            share = event.share
        elif isinstance(event, PaperPublished):
            papers += event.papers
            safety_papers += share * event.papers
    return safety_papers / papers if papers else share


def gpus_over_time(result: RunResult) -> Floats:
    """Return the GPUs of a lab at each frame, delivered ones included; 0 after it has closed or merged."""
    size, days = result.scenario.cluster.gpus_per_node, np.array(result.series["day"])
    found = np.full(len(days), float(result.scenario.cluster.gpus))
    for event in result.events:
        if isinstance(event, GpusDelivered):
            found[days >= event.day] += (event.inference + event.experiment + event.training) * size
        if isinstance(event, LabEnded) and event.ending in ("closed", "merged"):
            found[days >= event.day] = 0.0
    return found


def shares(values: dict[str, Floats]) -> dict[str, Floats]:
    """Return the share of each name in the sum of all, at each time; ``nan`` if the sum is 0."""
    total = np.sum(list(values.values()), axis=0)
    return {
        name: np.divide(each, total, out=np.full(total.shape, np.nan), where=total > 0) for name, each in values.items()
    }


def concentration(parts: ArrayLike) -> Floats:
    """Return the Herfindahl index of shares along the first axis: 1/n for n equal shares, 1 for one that has all."""
    return np.asarray(np.square(np.asarray(parts, dtype=float)).sum(axis=0))
