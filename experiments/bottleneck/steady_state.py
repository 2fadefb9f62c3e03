"""Simulate a quasi-static lab: software is fixed at a point of the growth path, and published papers are counted.

The World has the scenario's researchers, queue and failures. Nothing changes over time: software is frozen, and no
kernel is tuned. Inference has one node (or GPU), which hosts any number of researchers. Experiments have all other
GPUs, so that each input can be varied separately. Small teams are simulated as individuals, large ones as a cohort.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Self

from numpy.random import default_rng

from agents import work_model
from agents.params import UNCALIBRATED, ResearcherParams
from hardware.datacenter import SHARED, inference_node_sizes, pool_sizes
from sim.events import PaperPublished
from sim.feasibility import MAX_AGENTS
from sim.scenario.model import Scenario, ScenarioError, parameters
from sim.world import World

NEAR_BALANCE_LOADS: Final = (0.7, 1.5)
"""Loads between which the queue is slow to converge. Below, the queue is short; above, all GPUs fill at once."""


class ObservationWindow(NamedTuple):
    """Times of warm-up and observation, in units of the time for a paper whose author never waits."""

    warm_up: float
    """Warm-up before papers are counted.

    Let w be the share of a paper's time that is writing. Without a queue the lab converges as e^(-t/(w(1 - w))).
    Researchers who queue do not think, so that a queue converges as e^(-t/(1 - w)).
    """
    window: float
    """Minimum time in which papers are counted; in a shorter one a few leaps of a cohort would dominate the count."""


IDLE: Final = ObservationWindow(0.5, 1.0)
"""Window for loads below `NEAR_BALANCE_LOADS`."""
BALANCED: Final = ObservationWindow(2.0, 1.0)
"""Window for loads within `NEAR_BALANCE_LOADS`."""
FULL: Final = ObservationWindow(0.5, 0.25)
"""Window for loads above `NEAR_BALANCE_LOADS`: no GPU is idle, so papers are GPU-time over cost, without randomness."""

PAPERS: Final = 1200
"""Minimum number of papers in the counted window for researchers who never wait."""
_MAX_DAYS: Final = 1e6
"""Maximum length of a run [days]."""
_DRAWS: Final = 4000
"""Number of drawn experiments from which the mean run time is estimated."""

METHOD_NOTE: Final = (
    f"with a warm-up of {IDLE.warm_up:g} to {BALANCED.warm_up:g} times the time for a paper and a window in which "
    f"researchers who never wait write at least {PAPERS:,} papers"
)


class LabState(NamedTuple):
    """The state of a quasi-static lab: what distinguishes it from other labs of the same scenario."""

    doublings: float
    """Doublings of software at this point of the path; only a label, which no run reads."""
    researchers: int
    gpus: int
    """GPUs for experiments."""
    gpu_days: float
    """Mean cost of an experiment [GPU-days]."""
    paper_days: float
    """Time for a paper whose author never waits, with its experiment [days]."""
    window: ObservationWindow
    """Times of warm-up and observation; the same for states that are compared."""
    window_days: float
    """Time in which papers are counted [days]."""
    one_by_one: bool
    """Whether each researcher is an agent, or all are one cohort; the same for states that are compared."""

    def with_long_window(self) -> LabState:
        """Return the same lab with the warm-up and window for loads near the balance point."""
        window = max(self.window_days, BALANCED.window * self.paper_days)
        return self._replace(window=BALANCED, window_days=window)

    @property
    def is_near_balance(self) -> bool:
        """Whether its warm-up and window are those for loads near the balance point."""
        return self.window == BALANCED

    @property
    def labour_limited_output(self) -> float:
        """Output if no researcher ever waited [papers/day]."""
        return self.researchers / self.paper_days

    @property
    def compute_limited_output(self) -> float:
        """Output if no GPU was ever idle and experiments had their expected cost [papers/day]."""
        return self.gpus / self.gpu_days

    @property
    def load(self) -> float:
        """GPUs that would be busy if no researcher ever waited, over the existing GPUs."""
        return self.labour_limited_output / self.compute_limited_output

    @property
    def warm_up_days(self) -> float:
        """Time before papers are counted [days]."""
        return self.paper_days * self.window.warm_up

    @property
    def simulation_cost(self) -> float:
        """Estimated cost of simulating the lab, in units of the cost of a paper."""
        days = self.warm_up_days + self.window_days
        return self.researchers + days * self.labour_limited_output * min(1.0, 1 / self.load)

    @property
    def description(self) -> str:
        """Short text with its researchers and GPUs."""
        return f"{self.researchers:,} researchers on {self.gpus:,} GPUs"


def setting_at(scenario: Scenario, doublings: float, scaling: float) -> LabState:
    """Return the lab of a scenario after ``doublings`` doublings of discovered and deployed software.

    ``scaling``: s, in place of the scenario's own. The team is N0 2^doublings, and the cost of an experiment is
    multiplied by 2^(-(1 - s) doublings). Raises ScenarioError if no lab can be simulated there.
    """
    if not scenario.is_automated:
        raise ScenarioError(
            "humans and tasks that AIs learn are not possible in a lab that does not change; allowed: "
            "humans__initial = 0 and automation__last_threshold of at most 0. Change them"
        )
    params, gpus = scenario.researcher, gpus_at_start(scenario)
    if params.experiment_gpu_days == 0:
        raise ScenarioError(
            f"{scenario.name}: researcher__experiment_gpu_days = 0 means that papers need no experiment, so compute "
            "cannot limit output; allowed: above 0. Set researcher__experiment_gpu_days."
        )
    if scenario.policy.name != "fixed":
        raise ScenarioError(
            f"{scenario.name}: policy__name = '{scenario.policy.name}' moves GPUs, and each lab here keeps "
            "its GPUs; allowed: 'fixed'. Set policy__name = fixed."
        )
    if gpus < 1:
        raise ScenarioError(
            f"{scenario.name}: cluster__inference_share = {scenario.cluster.inference_share:g} and "
            f"cluster__training_share = {scenario.cluster.training_share:g} leave no GPUs for experiments; allowed: "
            "a sum below 1. Lower one of them."
        )
    initial = scenario.initial_researchers
    most = math.log2(_max_researchers(params) / initial)
    if doublings > most:
        raise ScenarioError(
            f"{doublings:g} doublings of {initial:,} initial researchers are more researchers than can be simulated; "
            f"allowed: at most {math.floor(most)} doublings. Lower --doublings."
        )
    team = initial * 2.0**doublings
    cost = params.experiment_gpu_days * 2.0 ** (-(1 - scaling) * doublings)
    days = 1 / params.papers_per_day + _mean_experiment_days(params, cost, gpus)
    window = PAPERS * days / team
    if BALANCED.warm_up * days + window > _MAX_DAYS:
        raise ScenarioError(
            f"{scenario.name}: a paper takes {days:.3g} days, which is too long to observe {PAPERS:,} papers. "
            "Raise researcher__papers_per_month or researcher__initial."
        )
    sizes = round(team), experiment_gpus(scenario, gpus)
    found = LabState(doublings, *sizes, cost, days, IDLE, window, _is_one_by_one(scenario, team))
    low, high = NEAR_BALANCE_LOADS
    chosen = IDLE if found.load <= low else BALANCED if found.load < high else FULL
    return found._replace(window=chosen, window_days=max(window, chosen.window * days))


def _max_researchers(params: ResearcherParams) -> float:
    """Return the maximum team: a run must be able to start with 1.5 times, and to hold 3 times as many."""
    most = parameters()["researcher__initial"].high or math.inf
    return (MAX_AGENTS if params.timing == "pooled" else most) / 4


def _is_one_by_one(scenario: Scenario, team: float) -> bool:
    return scenario.researcher.timing == "pooled" or team <= scenario.run.max_individuals


def _mean_experiment_days(params: ResearcherParams, cost: float, gpus: int) -> float:
    """Return the mean run time of an experiment [days], over many drawn as researchers draw them."""
    stream = default_rng(0)
    drawn = [work_model.experiment_gpu_days(params, cost, stream) for _ in range(_DRAWS)]
    return math.fsum(each / work_model.gang_size(params, each, gpus) for each in drawn) / _DRAWS


def gpus_at_start(scenario: Scenario) -> int:
    """Return the GPUs for experiments on day 0; in a shared pool, each use is assumed to have its share.

    The study uses the scenario only: nodes that a run adds later do not count.
    """
    cluster = scenario.cluster
    sizes = pool_sizes(cluster)
    if SHARED not in sizes:
        return sizes.get("experiment", 0)
    training = int(cluster.training_share * cluster.gpus) if scenario.training.required else 0
    return cluster.gpus - sum(inference_node_sizes(cluster)) - training


def experiment_gpus(scenario: Scenario, wanted: float) -> int:
    """Return about ``wanted`` GPUs: whole nodes if placement is consolidated, and enough for the largest experiment."""
    unit = _allocation_unit(scenario)
    least = math.ceil(scenario.researcher.experiment_gpus / unit)
    return max(least, round(wanted / unit)) * unit


def _allocation_unit(scenario: Scenario) -> int:
    return scenario.cluster.gpus_per_node if scenario.cluster.placement == "consolidated" else 1


def steady_state_scenario(scenario: Scenario, setting: LabState) -> Scenario:
    """Return the scenario of a quasi-static lab. Raises ScenarioError if it cannot be run."""
    unit, days = _allocation_unit(scenario), setting.warm_up_days + setting.window_days
    gpus = setting.gpus + unit
    changes: dict[str, Any] = {
        "growth__law": "frozen",
        "training__required": False,
        "kernels__measurements": UNCALIBRATED,
        "cluster__partitioning": "static",
        "cluster__gpus": gpus,
        "cluster__inference_share": unit / gpus,
        "cluster__training_share": 0.0,
        "researcher__initial": setting.researchers,
        "researcher__experiment_gpu_days": setting.gpu_days,
        "run__horizon_days": days,
        "run__sample_days": setting.warm_up_days,
        "run__max_individuals": setting.researchers if setting.one_by_one else 0,
    }
    return scenario.replace(**changes)


class OutputSample(NamedTuple):
    """Output of a quasi-static lab in the counted window."""

    papers: float
    """Effective papers [1/day]."""
    cost_ratio: float
    """GPU-days that experiments used for each paper, over their mean cost: 1 in the long run."""
    written: float
    """Written papers, duplicates included [1/day]."""

    @classmethod
    def run(
        cls, scenario: Scenario, setting: LabState, seed: int, should_stop: Callable[[World], bool] | None = None
    ) -> Self | None:
        """Run a quasi-static lab; return None if ``should_stop``, called with the world at each frame, stops it.

        Raises ScenarioError if the lab cannot be run, or if no paper is published.
        """
        with _gc_disabled(), World(steady_state_scenario(scenario, setting), seed) as world:
            start: tuple[float, float] | None = None
            while not (should_stop and should_stop(world)) and world.running:
                world.step()
                if start is None:
                    start = world.lab.knowledge.papers, world.lab.compute.datacenter.gpu_time("experiment")
            return None if world.running or start is None else cls._from_world(world, setting, *start)

    @classmethod
    def _from_world(cls, world: World, setting: LabState, papers: float, held: float) -> Self:
        written, days = world.lab.knowledge.papers - papers, setting.window_days
        events = (event for event in reversed(world.ledger) if isinstance(event, PaperPublished))
        effective = math.fsum(event.effective_papers for event in events if event.day > setting.warm_up_days)
        work = world.lab.compute.datacenter.gpu_time("experiment") - held
        if not effective > 0 or not work > 0:
            raise ScenarioError(
                f"{setting.description}: no experiment or no paper in {days:.3g} days, so there is no estimate. "
                "Raise researcher__papers_per_month or researcher__initial."
            )
        return cls(effective / days, work / (written * setting.gpu_days), written / days)


@contextmanager
def _gc_disabled() -> Iterator[None]:
    """Disable Python's garbage collector, which takes a third of a run, and collect once at the end."""
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
