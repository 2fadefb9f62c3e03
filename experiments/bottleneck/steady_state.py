"""A lab held at a moment of its path: software stands still, and what its researchers publish is counted.

Its Worlds have the scenario's researchers, queue and failures. What would move is left out: the first doubling of
software takes a trillion papers, no generation is trained, no kernel is tuned. Inference has one node (or GPU), which
houses however many researchers there are, and experiments have all the rest, so that each can be varied by itself.
A few researchers are followed one by one, many as a cohort.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Self

import mesa
from numpy.random import default_rng

from agents import work_model
from agents.kernel_engineer import UNCALIBRATED
from agents.researcher import ResearcherParams
from hardware.datacenter import SHARED, inference_node_sizes, pool_sizes
from sim.events import PaperPublished
from sim.feasibility import MAX_AGENTS
from sim.scenario.model import Scenario, ScenarioError, parameters
from sim.world import World

NEAR_BALANCE_LOADS: Final = (0.7, 1.5)
"""Loads between which a queue takes long to settle: with less there is hardly one, with more no GPU is idle at once."""


class ObservationWindow(NamedTuple):
    """How long a lab is watched, in the time that a paper takes whose author never waits."""

    warm_up: float
    """Before anything is counted. A share w of a paper's time going into writing, all settles as e^(-t/(w(1 - w)))
    where nobody queues; researchers who queue think no more, so that a queue settles as e^(-t/(1 - w))."""
    window: float
    """That is counted, at least: a shorter one would count whole leaps of a cohort that happen to fall into it."""


IDLE: Final = ObservationWindow(0.5, 1.0)
BALANCED: Final = ObservationWindow(2.0, 1.0)
FULL: Final = ObservationWindow(0.5, 0.25)
"""No GPU is ever idle: papers are work over cost, and luck has no part in them."""

PAPERS: Final = 1200
"""That the researchers would write in the window which is counted if they never waited."""
_DRAWS: Final = 4000

METHOD_NOTE: Final = (
    f"each counted after {IDLE.warm_up:g} to {BALANCED.warm_up:g} times what a paper takes, in a window in which "
    f"researchers who never wait would write at least {PAPERS:,}"
)


class LabState(NamedTuple):
    """What distinguishes a held lab from another of the same scenario."""

    doublings: float
    """Of software, from which the rest follows on the path; it names the moment, and no run reads it."""
    researchers: int
    gpus: int
    """For experiments."""
    gpu_days: float
    """Mean cost of an experiment."""
    paper_days: float
    """That a paper takes whose author never waits, its experiment included."""
    watching: ObservationWindow
    """The same for settings that are compared."""
    window_days: float
    """That is counted."""
    one_by_one: bool
    """Whether each researcher is an agent, or all are one cohort; the same for settings that are compared."""

    def settled(self) -> LabState:
        """Return the same as it is to be where labour and compute change places."""
        window = max(self.window_days, BALANCED.window * self.paper_days)
        return self._replace(watching=BALANCED, window_days=window)

    @property
    def crowded(self) -> bool:
        """Whether it is watched as where labour and compute change places."""
        return self.watching == BALANCED

    @property
    def alone(self) -> float:
        """Papers a day if nobody ever waited."""
        return self.researchers / self.paper_days

    @property
    def allowed(self) -> float:
        """Papers a day if no GPU was ever idle and experiments cost what is expected."""
        return self.gpus / self.gpu_days

    @property
    def load(self) -> float:
        """GPUs that would be busy if nobody ever waited, over those that there are."""
        return self.alone / self.allowed

    @property
    def warm_up_days(self) -> float:
        """That pass before anything is counted."""
        return self.paper_days * self.watching.warm_up

    @property
    def work(self) -> float:
        """How long a run takes to compute, in papers."""
        days = self.warm_up_days + self.window_days
        return self.researchers + days * self.alone * min(1.0, 1 / self.load)

    @property
    def told(self) -> str:
        """What it is, in words."""
        return f"{self.researchers:,} researchers on {self.gpus:,} GPUs"


def setting_at(scenario: Scenario, doublings: float, scaling: float) -> LabState:
    """Return the lab of a scenario once software, discovered and deployed, has doubled so often.

    ``scaling``: s, in place of the scenario's own. Its team is N0 2^doublings, an experiment costs
    2^(-(1 - s) doublings) of what it cost. Raises ScenarioError if it cannot be held there.
    """
    params, gpus = scenario.researcher, gpus_at_start(scenario)
    if params.experiment_gpu_days == 0:
        raise ScenarioError(
            f"{scenario.name}: researcher__experiment_gpu_days = 0, papers need no experiment: labour is all there is"
        )
    if gpus < 1:
        raise ScenarioError(
            f"{scenario.name}: cluster__inference_share = {scenario.cluster.inference_share:g} and "
            f"cluster__training_share = {scenario.cluster.training_share:g} leave no GPUs for experiments"
        )
    initial = scenario.initial_researchers
    most = math.log2(_most_researchers(params) / initial)
    if doublings > most:
        raise ScenarioError(
            f"{doublings:g} doublings make {initial:,} researchers of day 0 into more researchers than can be "
            f"run: at most {math.floor(most)} doublings"
        )
    team = initial * 2.0**doublings
    cost = params.experiment_gpu_days * 2.0 ** (-(1 - scaling) * doublings)
    days = 1 / params.papers_per_day + _mean_run_days(params, cost, gpus)
    window = PAPERS * days / team
    if BALANCED.warm_up * days + window > 1e6:
        raise ScenarioError(
            f"{scenario.name}: a paper takes {days:.3g} days, too long for {PAPERS:,} of them to be seen"
        )
    sizes = round(team), experiment_gpus(scenario, gpus)
    found = LabState(doublings, *sizes, cost, days, IDLE, window, _one_by_one(scenario, team))
    watching = IDLE if found.load <= NEAR_BALANCE_LOADS[0] else BALANCED if found.load < NEAR_BALANCE_LOADS[1] else FULL
    return found._replace(watching=watching, window_days=max(window, watching.window * days))


def _most_researchers(params: ResearcherParams) -> float:
    """How many there may be, so that a run can begin with half as many again and would hold twice those."""
    most = parameters()["researcher__initial"].high or math.inf
    return (MAX_AGENTS if params.timing == "pooled" else most) / 4


def _one_by_one(scenario: Scenario, team: float) -> bool:
    return scenario.researcher.timing == "pooled" or team <= scenario.run.max_individuals


def _mean_run_days(params: ResearcherParams, cost: float, gpus: int) -> float:
    """How long an experiment runs on average, over many drawn as researchers draw them."""
    stream = default_rng(0)
    drawn = [work_model.experiment_gpu_days(params, cost, stream) for _ in range(_DRAWS)]
    return math.fsum(each / work_model.gang_size(params, each, gpus) for each in drawn) / _DRAWS


def gpus_at_start(scenario: Scenario) -> int:
    """Return the GPUs that a scenario leaves for experiments, where all share one pool as if each had its share."""
    cluster = scenario.cluster
    sizes = pool_sizes(cluster)
    if SHARED not in sizes:
        return sizes.get("experiment", 0)
    training = int(cluster.training_share * cluster.gpus) if scenario.training.required else 0
    return cluster.gpus - sum(inference_node_sizes(cluster)) - training


def experiment_gpus(scenario: Scenario, wanted: float) -> int:
    """Return about so many GPUs: whole nodes under consolidated placement, and enough for the largest experiment."""
    unit = _unit(scenario)
    least = math.ceil(scenario.researcher.experiment_gpus / unit)
    return max(least, round(wanted / unit)) * unit


def _unit(scenario: Scenario) -> int:
    return scenario.cluster.gpus_per_node if scenario.cluster.placement == "consolidated" else 1


def held_scenario(scenario: Scenario, setting: LabState) -> Scenario:
    """Return the scenario of a held lab. Raises ScenarioError if it cannot be run."""
    unit, days = _unit(scenario), setting.warm_up_days + setting.window_days
    gpus = setting.gpus + unit
    changes: dict[str, Any] = {
        "growth__law": "papers",
        "growth__papers_first_doubling": 1e12,
        "growth__difficulty_growth": 2.0,
        "growth__limit_doublings": 0.0,
        "training__required": False,
        "training__gain": 1e6,
        "kernels__measurements": UNCALIBRATED,
        "cluster__partitioning": "static",
        "cluster__gpus": gpus,
        "cluster__inference_share": unit / gpus,
        "cluster__training_share": 0.0,
        "researcher__initial": setting.researchers,
        "researcher__experiment_gpu_days": setting.gpu_days,
        "run__max_doublings": 1,
        "run__horizon_days": days,
        "run__sample_days": setting.warm_up_days,
        "run__max_individuals": setting.researchers if setting.one_by_one else 0,
    }
    return scenario.replace(**changes)


class OutputSample(NamedTuple):
    """What was seen of a held lab in the window that is counted."""

    papers: float
    """Effective papers a day."""
    luck: float
    """GPU-days that experiments held for each paper, over their mean cost: 1 in the long run."""
    written: float
    """Papers a day, what others found at the same time included."""

    @classmethod
    def run(
        cls, scenario: Scenario, setting: LabState, seed: int, watch: Callable[[World], bool | None] | None = None
    ) -> Self | None:
        """Run a held lab; None if ``watch``, shown the world at the start and now and then, stops it.

        Raises ScenarioError if it cannot be run, or if not one paper is published.
        """
        with _without_collector():
            world = World(held_scenario(scenario, setting), seed)
            try:
                start: tuple[float, float] | None = None
                while not (watch and watch(world)) and world.running:
                    world.step()
                    if start is None:
                        start = world.papers, world.datacenter.gpu_time("experiment")
                return None if world.running or start is None else cls._of(world, setting, *start)
            finally:
                mesa.Agent._ids.pop(world, None)  # Mesa counts agents in a class attribute that would keep the world

    @classmethod
    def _of(cls, world: World, setting: LabState, papers: float, held: float) -> Self:
        written, days = world.papers - papers, setting.window_days
        events = (event for event in reversed(world.ledger) if isinstance(event, PaperPublished))
        effective = math.fsum(event.effective_papers for event in events if event.day > setting.warm_up_days)
        work = world.datacenter.gpu_time("experiment") - held
        if not effective > 0 or not work > 0:
            raise ScenarioError(
                f"{setting.told}: not one experiment or paper in {days:.3g} days, so nothing can be said"
            )
        return cls(effective / days, work / (written * setting.gpu_days), written / days)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Python's search for cycles takes a third of a run; once afterwards, among what the run has left, is enough."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()
        gc.unfreeze()
