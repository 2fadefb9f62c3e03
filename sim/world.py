"""Simulate one lab: the World combines SimPy's clock, Mesa's agents and the growth law."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import mesa
from numpy.random import Generator
from simpy import Event, Timeout

from agents.cohort.cohort import Cohort
from agents.kernel_engineer import KernelEngineer, amdahl
from agents.literature import Literature
from agents.params import KernelParams, ResearcherParams, TrainingParams
from agents.phases import RESEARCHING, PhaseOccupancy
from agents.pooled_work import PooledWork
from agents.ports import ArrayTaskSource, JobListener, PaperBatch
from agents.researcher import Researcher
from agents.trainer import Trainer
from agents.work_model import mean_run_days
from agents.workforce import Workforce, class_without_cohort
from hardware.datacenter import Datacenter, inference_gpus
from hardware.uses import Use
from sim import events, reporters
from sim.background import BackgroundJobs
from sim.clock import Clock
from sim.feasibility import (
    check_failure_rate,
    check_jobs_end,
    check_jobs_fit,
    check_population_size,
    fastest_run_gpus,
    training_gpus,
)
from sim.growth import Law
from sim.inference_capacity import InferenceCapacity
from sim.interventions import cancel_training, change_cluster, check_change, check_resumable
from sim.kernel_calibration import MeasuredKernels
from sim.random_streams import RandomStreams
from sim.scenario.model import Scenario, ScenarioError, TeamSize
from sim.software import LEVEL_TOLERANCE, SoftwareState
from sim.time_weighted import TimeWeighted


class ImpossibleJobError(Exception):
    """Report that a submitted job can never run on the cluster."""


class Snapshot(NamedTuple):
    """State of a world at one moment, as bytes."""

    day: float
    """Day of the snapshot."""
    content: bytes


class World(mesa.Model):
    """Simulate one lab from day 0 to the end of its run.

    The run depends on the scenario and the seed only, not on the frames in which it is shown. ``step()`` moves the
    clock to the end of the next frame and collects the reporters; events happen between frames.

    Arguments
    ---------
    scenario
        The scenario, by default `lab`.
    seed
        Random seed, any integer.
    calibration
        Measurements that set the speed-up of the kernels, by default those of the scenario.
    researcher
        A subclass of Researcher. Its researchers are individual agents whatever their number, unless ``cohort`` is
        given.
    cohort
        A cohort class for these researchers.
    changes
        Parameters that differ from ``scenario``, by flat name.

    Raises ScenarioError if the scenario cannot be run. Agents use this object through the protocols in
    :mod:`agents.ports`.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        seed: int = 0,
        calibration: MeasuredKernels | None = None,
        researcher: type[Researcher] = Researcher,
        cohort: type[Cohort] | None = None,
        **changes: Any,
    ) -> None:
        super().__init__(seed=abs(seed))  # Mesa's generators are not used; they do not accept a negative seed
        self.scenario = (scenario or Scenario()).replace(**changes)
        self.calibration = calibration or self.scenario.calibration()
        """Measurements that set the speed-up of the kernels, as they were at the start of the run."""
        self.own_team = self.scenario.own_team
        """The lab's team of day 0; a branch does not change it."""
        self.reference_team = self.scenario.reference_team
        """The team to which `kernels__candidates_per_day` refers."""
        largest = self.calibration.largest_work_rate(self.scenario.kernels.attention_share)
        check_population_size(self.scenario, largest, own_class=class_without_cohort(researcher, cohort))
        self.run_seed = seed
        self.streams = RandomStreams(seed)
        self.clock = Clock()
        self.ledger: list[events.Event] = []
        self.ending: events.RunEnded | None = None
        self.software = SoftwareState(self.growth_law())
        self.literature = Literature(self.scenario.literature)
        self.census = PhaseOccupancy()
        self.papers = 0.0
        self.doublings = 0
        self._frame_origin = (0.0, 0)
        self.datacenter = Datacenter(self.clock, self.scenario.cluster, self.streams)
        check_jobs_fit(self.scenario, self.datacenter)
        check_jobs_end(self.scenario, self.datacenter)
        check_failure_rate(self.scenario)
        self.gpus = TimeWeighted()
        """Number of GPUs of the cluster."""
        self.gpus_for: dict[str, TimeWeighted] = {use: TimeWeighted() for use in Use}
        """Number of GPUs that each use can have."""
        self._record_gpu_capacities()
        self.research_pace = 1.0
        """Share of researchers' time that is spent on papers; the rest is spent on candidates for kernels."""
        self.pool = PooledWork(self) if self.scenario.researcher.timing == "pooled" else None
        self.population = Workforce(self, self, self.pool, researcher, cohort)
        self.trainer = Trainer(self, self)
        self.kernel_engineer = KernelEngineer(self, self, self.calibration.curve)
        if self.calibration.curve is not None:
            self.ledger.append(events.KernelCurveLoaded(self.now, *self.calibration.identity))
        self.background = self._start_background()
        """Jobs of other users; None if the scenario has no background load."""
        self.inference_capacity = InferenceCapacity(
            self.clock, self.datacenter, self.own_team.researchers, self._on_inference_changed
        )
        self.clock.advance(0.0)  # the inference jobs start, and with them the first researchers become active
        self.datacollector = mesa.DataCollector(model_reporters=reporters.REPORTERS)  # type: ignore[no-untyped-call]
        self._collect()

    # --- Running, saving and branching -------------------------------------------------------------------

    def step(self) -> None:
        """Run to the end of the next frame or of the run, and collect the reporters."""
        if self.ending is not None:
            return
        with self._end_if_job_is_impossible():
            self.clock.advance(self._frame_end(self.steps))
        if self.ending is None and self.clock.idle:
            self.clock.return_to_last_event()
            self._end(*events.STALLED)
        elif self.now >= self.scenario.run.horizon_days:
            self._end(*events.at_horizon(self.now))
        self._collect()

    def step_events(self, most: int = 1) -> bool:
        """Process at most ``most`` events of the next frame; return whether the frame is over.

        A frame with fewer events left is completed. Calls may be mixed with :meth:`step` in any order: the events and
        the series of the run stay the same.
        """
        frame, done = self.steps, most
        if self.ending is None:
            with self._end_if_job_is_impossible():
                done = self.clock.advance_events(self._frame_end(frame + 1), most)
            if self.ending is not None:
                self.steps += 1
                self._collect()
            elif done < most:
                self.step()
        return self.steps > frame or self.ending is not None

    def close(self) -> None:
        """Release a world that is no longer used: Mesa keeps every model in a class attribute, and so in memory."""
        mesa.Agent._ids.pop(self, None)

    def snapshot(self) -> Snapshot:
        """Return the present state, which can be restored any number of times."""
        return Snapshot(self.now, pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL))

    @staticmethod
    def restore(snapshot: Snapshot) -> World:
        """Return a world that continues from a snapshot exactly as the original does."""
        world = pickle.loads(snapshot.content)
        assert isinstance(world, World)
        return world

    def branch(self, **changes: Any) -> World:
        """Return a copy of this world that continues with the same random numbers and other parameters, by flat name.

        A run that stopped at its horizon, or at its number of doublings or researchers, continues if the branch raises
        that limit. Raises ScenarioError for a change that is not allowed, that needs a new run, or that comes too late.
        """
        copy = World.restore(self.snapshot())
        copy._apply_scenario(copy.scenario.replace(**changes))
        return copy

    def digest(self) -> str:
        """Return the SHA-256 of the run so far: its events and the records of its jobs."""
        return events.digest([*self.ledger, *self.datacenter.records])

    def effective_papers(self, papers: float) -> float:
        """Return the effective papers of papers written now: n researchers who do research achieve ``n^p``, not n."""
        penalty = self.scenario.growth.parallel_penalty
        return float(papers * max(1, self.doing_research) ** (penalty - 1)) if penalty < 1 else float(papers)

    @property
    def doing_research(self) -> float:
        """Number of researchers that the parallelization penalty counts: they think, run experiments or write.

        Researchers that wait for GPUs, or have none, are not counted. The number is also limited to the researchers
        that the GPUs can supply with experiments. k GPUs complete ``k/c`` experiments of c GPU-days per day. That is
        the work of ``k/c (T + R + W)`` researchers who never wait, with the times T of thinking, R of running and W of
        writing. By Little's law the mean of the count is papers per day times ``T + R + W``, so that researchers who
        only lengthen the queue do not change it. If papers need no experiment, all active researchers count.
        """
        params, pace = self.scenario.researcher, self.research_pace
        if params.experiment_gpu_days == 0:
            return self.active_researchers
        there = sum(self.census.count[phase] for phase in RESEARCHING)
        cost = self.experiment_gpu_days() / self.work_rate
        if there * cost <= self.gpus_for_experiments() / (params.papers_per_day * pace):
            return there  # the GPUs can supply more, even if experiments took no time
        run = mean_run_days(params, cost * self.work_rate, self.largest_gang(Use.EXPERIMENT)) / self.work_rate
        return min(there, self.gpus_for_experiments() / cost * (1 / (params.papers_per_day * pace) + run))

    @property
    def active_researchers(self) -> int:
        """Number of active researchers."""
        return self.population.active_researchers

    # --- Interface to the agents: agents.ports -----------------------------------------------------------

    @property
    def now(self) -> float:
        """Time since the start of the run [days]."""
        return float(self.clock.now)

    @property
    def researcher_params(self) -> ResearcherParams:
        """Parameters of researchers."""
        return self.scenario.researcher

    @property
    def training_params(self) -> TrainingParams:
        """Parameters of training runs."""
        return self.scenario.training

    @property
    def kernel_params(self) -> KernelParams:
        """Parameters of the kernels of attention."""
        return self.scenario.kernels

    @property
    def work_rate(self) -> float:
        """Work of the cluster per day, relative to its work with the kernels of day 0."""
        return amdahl(self.scenario.kernels.attention_share, self.kernel_engineer.speedup)

    @property
    def max_individuals(self) -> int:
        """Largest team that is simulated as individual agents."""
        return self.scenario.run.max_individuals

    @property
    def leap_tolerance(self) -> float:
        """Largest share of the researchers in one phase that may leave it together."""
        return self.scenario.run.leap_tolerance

    def after(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Call ``callback`` after ``days``."""
        timer = Timeout(self.clock, days)
        timer.callbacks.append(callback)
        return timer

    def after_in_background(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Call ``callback`` after ``days``, without keeping the run alive until then."""
        timer = self.clock.background(days)
        timer.callbacks.append(callback)
        return timer

    def at_end_of_instant(self, callback: Callable[[Event], None]) -> None:
        """Call ``callback`` after all other events of this instant."""
        self.clock.at_end_of_instant(callback)

    def rng_for(self, decision: str, who: int) -> Generator:
        """Return the random generator of one decision of one agent, by the agent's number."""
        return self.streams.get(decision, who)

    def growth_law(self, own_team: TeamSize | None = None) -> Law:
        """Return the growth law of the lab; override it to run a law of your own.

        It is called on day 0, and again with the lab's own team when a branch changes the growth.
        """
        return self.scenario.law(own_team)

    def experiment_gpu_days(self) -> float:
        """Return the mean cost of an experiment with the algorithms of now [GPU-days]."""
        params = self.scenario.researcher
        return float(params.experiment_gpu_days * 2.0 ** (-(1 - params.experiment_scaling) * self.software.discovered))

    def largest_gang(self, use: str) -> int:
        """Return the largest number of GPUs that one job of this use can have."""
        return self.datacenter.largest_gang(use)

    def gpus_for_experiments(self) -> int:
        """Return the number of GPUs that all experiments can have together."""
        pool = self.datacenter.pool(Use.EXPERIMENT)
        others = self.datacenter.inference_gpus_wanted if self.scenario.cluster.partitioning == "priority" else 0
        return max(1, pool.capacity - others) if pool is not None else 1

    def gpus_for_training(self, one_gpu_days: float) -> int:
        """Return the number of GPUs, within its limits, on which a training run ends soonest."""
        most = training_gpus(self.scenario, self.datacenter)
        return int(fastest_run_gpus(self.scenario, most, one_gpu_days / self.work_rate))

    def withdraw(self, job: Any) -> None:
        """Cancel a submitted job."""
        self.datacenter.cancel(job)

    def submit_job(self, use: str, gpus: int, days: float, owner: int, watcher: JobListener | None = None) -> Event:
        """Submit a job that needs ``gpus`` GPUs at once, for ``days`` of work with the kernels of day 0.

        The job runs with the kernels of the time of its submission. The returned event succeeds when the job is over.
        """
        try:
            return self.datacenter.submit(use, gpus, days / self.work_rate, owner=owner, watcher=watcher)
        except ValueError as error:
            raise ImpossibleJobError(str(error)) from None

    def submit_job_array(self, use: str, number: int, source: ArrayTaskSource, payload: Any, owner: int) -> None:
        """Submit an array of ``number`` jobs; each is drawn from ``source`` when it is about to start."""
        try:
            self.datacenter.submit_array(use, number, source, payload, owner=owner)
        except ValueError as error:
            raise ImpossibleJobError(str(error)) from None

    def discovered_doublings(self) -> float:
        """Return the doublings of discovered software, up to `run__max_doublings`."""
        return min(self.software.discovered, float(self.scenario.run.max_doublings))

    def papers_to_next_step(self, within: float = math.inf) -> float:
        """Return the number of papers until the next event of software.

        That is the next doubling, the gain that starts the next training run, or ``within`` more doublings, whichever
        comes first.
        """
        step = min(self.software.whole_doublings + 1, self.software.discovered + within)
        gain = self.trainer.next_gain_at
        if self.software.discovered + LEVEL_TOLERANCE < gain < step:
            step = gain
        effective = self.software.law.papers_between(self.software.effort, step)
        return effective / self.effective_papers(1.0)

    def publish(self, finding: PaperBatch) -> None:
        """Publish papers: they add to effort, so that software may double and training runs may start."""
        if self.ending is not None:
            return  # an earlier batch of the same instant ended the run
        number, duplicates = self._add_to_literature(finding)
        weight = 1 - (1 - self.scenario.literature.duplicate_weight) * duplicates / finding.papers
        effective = self.effective_papers(weight * finding.papers)
        self.papers += finding.papers
        self.software.add(effective)
        self.ledger.append(
            events.PaperPublished(
                self.now,
                finding.researcher,
                finding.team_size,
                number,
                finding.papers,
                duplicates,
                effective,
                self.software.discovered,
            )
        )
        self._record_doublings()
        self.trainer.start_due_generations()
        self._check_ending()

    def _add_to_literature(self, finding: PaperBatch) -> tuple[int, int]:
        """Add a batch to the literature; return the number of its latest paper and the number of duplicates.

        Pooled work is not in the literature: both numbers are 0.
        """
        if finding.known_at_start is None:
            return 0, 0
        stream = self.rng_for("references", finding.researcher)
        if finding.papers == 1:
            number, duplicate = self.literature.add(finding.known_at_start, stream)
            return number, int(duplicate)
        duplicates = self.literature.add_many(int(finding.papers), finding.known_at_start, stream)
        return self.literature.latest, duplicates

    def cohort_formed(self, cohort: int, researchers: int) -> None:
        """Record that a cohort of ``researchers`` was formed."""
        self.ledger.append(events.CohortFormed(self.now, cohort, researchers))

    def training_requested(self, generation: int, gpus: int, days: float) -> None:
        """Record that the training run of a generation was submitted."""
        self.ledger.append(events.TrainingRequested(self.now, generation, gpus, days / self.work_rate))

    def deploy(self, generation: int, doublings: float) -> None:
        """Deploy a new generation, ``doublings`` better than the one before.

        Raises ValueError if that is negative or more than what is discovered and not yet deployed.
        """
        if self.pool is not None:
            self.pool.flush()
        if self.ending is not None:
            return
        before = math.floor(self.software.deployed + LEVEL_TOLERANCE)
        self.software.deploy(doublings)
        self.ledger.append(events.Deployed(self.now, generation, self.software.deployed))
        doubled = math.floor(self.software.deployed + LEVEL_TOLERANCE) > before
        if doubled and self.scenario.researcher.timing == "whole":
            self.population.start_over()
        self._update_active_researchers()

    @property
    def reference_researchers(self) -> float:
        """Size of the reference team, to which `kernels__candidates_per_day` refers [researchers]."""
        return self.reference_team.researchers

    def team_growth(self) -> float:
        """Return the number of active researchers relative to the reference team."""
        return self.active_researchers / self.reference_team.researchers

    def set_research_pace(self, pace: float) -> None:
        """Set the share of their time that researchers spend on papers from now on, work in progress included."""
        if pace == self.research_pace:
            return
        if self.pool is not None:
            self.pool.accrue()
        stretch, self.research_pace = self.research_pace / pace, pace
        self.population.stretch(stretch)
        if self.pool is not None:
            self.pool.schedule_next()

    def deploy_kernels(self, candidates: float, speedup: float) -> None:
        """Deploy faster attention: later jobs take less time, and inference GPUs run more researchers."""
        self.ledger.append(events.KernelsDeployed(self.now, candidates, speedup, self.work_rate))
        if self.pool is not None:
            self.pool.flush()
        if self.ending is None:
            self._update_active_researchers()

    # --- Change of the scenario --------------------------------------------------------------------------

    def _apply_scenario(self, scenario: Scenario) -> None:
        """Apply other parameters from now on, with the same software and the same random numbers.

        Earlier work keeps its effect. Raises ScenarioError for a parameter that can no longer change.
        """
        if scenario == self.scenario:
            return
        check_change(self.scenario, scenario, self.now, self.pool is not None)
        growth = inference_gpus(scenario.cluster) / max(1, self.inference_capacity.gpus_at_start)
        largest = growth * self.calibration.largest_work_rate(scenario.kernels.attention_share)
        check_population_size(scenario, largest, self.own_team.researchers, self.population.without_cohort)
        if self.pool is not None:
            self.pool.flush()
        if self.ending is not None:
            self._resume(self.ending, scenario)
        old, self.scenario = self.scenario, scenario
        self._change_blocks(old, scenario)
        self.trainer.start_due_generations()
        self._update_active_researchers()

    def _resume(self, ending: events.RunEnded, scenario: Scenario) -> None:
        """Continue a run that has stopped, if the new scenario raises the limit that stopped it."""
        check_resumable(ending, scenario, self.now, self.doublings, self.active_researchers)
        self.ledger.remove(ending)
        self.ending, self.clock.halted, self.running = None, False, True

    def _change_blocks(self, old: Scenario, new: Scenario) -> None:
        if new.growth != old.growth:
            self._change_law()
        if new.cluster != old.cluster:
            change_cluster(new.cluster, self.datacenter, self.trainer)
            self._record_gpu_capacities()
            self.clock.advance(self.now)  # the changed cluster gives out its GPUs before they are counted
        check_jobs_fit(new, self.datacenter)
        check_jobs_end(new, self.datacenter)
        check_failure_rate(new)
        if new.run.sample_days != old.run.sample_days:
            self._frame_origin = (self.now, self.steps)
        if old.training.required and not new.training.required:
            cancel_training(self.datacenter)
        if new.kernels != old.kernels:
            self._change_kernels(old)
        self.literature.params = new.literature

    def _change_law(self) -> None:
        """Apply the new growth law, calibrated with the team of day 0, from now on."""
        try:
            self.software.change_law(self.growth_law(self.own_team))
        except ValueError as error:
            raise ScenarioError(str(error)) from None

    def _change_kernels(self, old: Scenario) -> None:
        """Keep the deployed kernels; change their value to the cluster and the rate of further candidates."""
        engineer = self.kernel_engineer
        if engineer.speedup > 1 and self.scenario.kernels.attention_share != old.kernels.attention_share:
            self.ledger.append(events.KernelsDeployed(self.now, engineer.candidates, engineer.speedup, self.work_rate))
        engineer.schedule_next()

    # --- Internal ----------------------------------------------------------------------------------------

    def _on_inference_changed(self) -> None:
        """Publish the pooled work, and activate or deactivate researchers, after a change of the inference GPUs."""
        if self.pool is not None:
            self.pool.flush()
        if self.ending is None:
            self._update_active_researchers()

    def _update_active_researchers(self) -> None:
        """Activate or deactivate researchers, so that their number matches the capacity of the inference GPUs."""
        target = self.inference_capacity.researchers(self.software.deployed, self.work_rate)
        if target != self.active_researchers:
            self.population.set_active(target)
            self.ledger.append(events.ActiveResearchersChanged(self.now, target))
            self.kernel_engineer.schedule_next()
        if self.pool is not None:
            self.pool.schedule_next()
        if target >= (self.scenario.run.stop_at_researchers or math.inf):
            self.at_end_of_instant(self._end_at_researcher_target)

    def _start_background(self) -> BackgroundJobs | None:
        load = self.scenario.background()
        if load is None:
            return None
        event = events.BackgroundLoaded(self.now, load.digest, len(load.gpus), load.left_out, load.mean_gpus)
        self.ledger.append(event)
        return BackgroundJobs(self.clock, self.datacenter, load)

    def _frame_end(self, steps: int) -> float:
        start, steps_before = self._frame_origin
        return min(start + (steps - steps_before) * self.scenario.run.sample_days, self.scenario.run.horizon_days)

    @contextmanager
    def _end_if_job_is_impossible(self) -> Iterator[None]:
        try:
            yield
        except ImpossibleJobError as error:
            self._end("stalled", f"Stalled: {error}.")

    def _collect(self) -> None:
        self.datacollector.collect(self)  # type: ignore[no-untyped-call]

    def _record_doublings(self) -> None:
        while self.doublings < min(self.software.whole_doublings, self.scenario.run.max_doublings):
            self.doublings += 1
            self.ledger.append(
                events.SoftwareDoubled(
                    self.now, self.doublings, self.papers, self.literature.duplicates, self.active_researchers
                )
            )

    def _check_ending(self) -> None:
        if self.software.discovered >= self.scenario.growth.limit - 1:
            self._end(*events.LIMIT_REACHED)
        elif self.doublings >= self.scenario.run.max_doublings:
            self._end(*events.enough_doublings(self.doublings))

    def _end(self, ending: str, sentence: str) -> None:
        if self.ending is None:
            self.ending = events.RunEnded(self.now, ending, sentence)
            self.ledger.append(self.ending)
            self.clock.halted = True
            self.running = False

    def _end_at_researcher_target(self, _: Event) -> None:
        self._end(*events.enough_researchers(self.scenario.run.stop_at_researchers))

    def _record_gpu_capacities(self) -> None:
        """Record the number of GPUs of the cluster and of each use from now on."""
        self.gpus.set(self.scenario.cluster.gpus, self.now)
        for use, meter in self.gpus_for.items():
            pool = self.datacenter.pool(use)
            meter.set(pool.capacity if pool is not None else 0, self.now)
