"""The World: one simulated lab. SimPy's clock, Mesa's population and the growth law meet in this file alone."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import mesa
from numpy.random import Generator
from simpy import Event, Timeout
from simpy.events import EventPriority

from agents.cohort.cohort import Cohort
from agents.kernel_engineer import KernelEngineer, KernelParams, amdahl
from agents.literature import Literature
from agents.phases import RESEARCHING, PhaseOccupancy
from agents.pooled_work import PooledWork
from agents.ports import ArrayTaskSource, JobListener, PaperBatch
from agents.researcher import Researcher, ResearcherParams
from agents.trainer import Trainer, TrainingParams
from agents.work_model import mean_run_days
from agents.workforce import Workforce, class_without_cohort
from hardware.datacenter import Datacenter
from sim import events, reporters
from sim.background import BackgroundJobs
from sim.clock import Clock
from sim.feasibility import (
    check_ends,
    check_failures,
    check_jobs_fit,
    check_population_size,
    gpus_of_run,
    training_gpus,
)
from sim.inference_capacity import InferenceCapacity
from sim.interventions import apply_scenario_change
from sim.kernel_calibration import MeasuredKernels
from sim.random_streams import RandomStreams
from sim.scenario.model import Scenario
from sim.software import LEVEL_TOLERANCE, SoftwareState
from sim.time_weighted import TimeWeighted

_LAST_OF_INSTANT = EventPriority(3)
"""SimPy priority behind the cluster's dispatch (2): what follows from who got GPUs."""


class ImpossibleJobError(Exception):
    """A job was asked for that the cluster can never run."""


class Snapshot(NamedTuple):
    """A moment of a world, as bytes."""

    day: float
    content: bytes


class World(mesa.Model):
    """One lab from day 0 to its ending: a pure function of (scenario, seed), whatever the frame.

    ``changes``: parameters that differ from ``scenario``, by flat name. ``step()`` moves the clock by one frame
    and looks; agents live by events between frames. ``calibration``: of the kernels, by default as the scenario's
    measurements have it. ``researcher``: a subclass of Researcher, whose researchers are simulated one by one however
    many they are, unless ``cohort`` is a cohort of them. Raises ScenarioError if the scenario cannot be run.

    Agents see this object as :class:`agents.ports.Lab`.
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
        super().__init__(seed=abs(seed))  # Mesa's own generators, which nobody here draws from, take no sign
        self.scenario = (scenario or Scenario()).replace(**changes)
        self.calibration = calibration or self.scenario.calibration()
        """The measurements that drive the kernels, as they were at the start."""
        self.own_team = self.scenario.own_team
        """The team of day 0, which no branch changes."""
        self.reference_team = self.scenario.reference_team
        """The team of which `kernels__candidates_per_day` are."""
        largest = self.calibration.largest_work_rate(self.scenario.kernels.attention_share)
        check_population_size(self.scenario, largest, own_class=class_without_cohort(researcher, cohort))
        self.run_seed = seed
        self.streams = RandomStreams(seed)
        self.clock = Clock()
        self.ledger: list[events.Event] = []
        self.ending: events.Ended | None = None
        self.frontier = SoftwareState(self.scenario.law())
        self.literature = Literature(self.scenario.literature)
        self.census = PhaseOccupancy()
        self.papers = 0.0
        self.doublings = 0
        self._frames_from = (0.0, 0)
        self.datacenter = Datacenter(self.clock, self.scenario.cluster, self.streams)
        check_jobs_fit(self.scenario, self.datacenter)
        check_ends(self.scenario, self.datacenter)
        check_failures(self.scenario)
        self.gpus = TimeWeighted()
        """GPUs that there are."""
        self.gpus_for = {use: TimeWeighted() for use in reporters.USES}
        """GPUs that each use can have."""
        self.meter_gpus()
        self.research_pace = 1.0
        """Share of researchers' time that goes into papers; candidates for kernels take the rest."""
        self.pool = PooledWork(self) if self.scenario.researcher.timing == "pooled" else None
        self.population = Workforce(self, self, self.pool, researcher, cohort)
        self.trainer = Trainer(self, self)
        self.kernel_engineer = KernelEngineer(self, self, self.calibration.curve)
        if self.calibration.curve is not None:
            self.ledger.append(events.KernelsMeasured(self.now, *self.calibration.identity))
        self.background = self._start_background()
        """Jobs of other users, if the cluster has any."""
        self.housing = InferenceCapacity(self)
        self.clock.advance(0.0)  # the cluster gives out its first GPUs, which house the first researchers
        self.datacollector = mesa.DataCollector(model_reporters=reporters.REPORTERS)  # type: ignore[no-untyped-call]
        self._look()

    # --- the window's side -------------------------------------------------------------------------------

    def step(self) -> None:
        """Run the clock to the end of the next frame, or of the run, and look."""
        if self.ending is not None:
            return
        with self._ends_if_starved():
            self.clock.advance(self._frame_end(self.steps))
        if self.ending is None and self.clock.idle:
            self.clock.return_to_last_event()
            self._end(*events.STARVED)
        elif self.now >= self.scenario.run.horizon_days:
            self._end(*events.at_horizon(self.now))
        self._look()

    def step_events(self, most: int = 1) -> bool:
        """Process up to so many events of the next frame, and end it where they are fewer; return whether it is over.

        In any mixture with :meth:`step` it leaves the same ledger and the same series.
        """
        frame, done = self.steps, most
        if self.ending is None:
            with self._ends_if_starved():
                done = self.clock.advance_events(self._frame_end(frame + 1), most)
            if self.ending is not None:
                self.steps += 1
                self._look()
            elif done < most:
                self.step()
        return self.steps > frame or self.ending is not None

    def snapshot(self) -> Snapshot:
        """Return this moment, so that it can be restored any number of times."""
        return Snapshot(self.now, pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL))

    @staticmethod
    def restore(snapshot: Snapshot) -> World:
        """Return a world that runs on from a snapshot as if nothing had happened."""
        world = pickle.loads(snapshot.content)
        assert isinstance(world, World)
        return world

    def branch(self, **changes: Any) -> World:
        """Return a copy of this moment with the same luck ahead and other parameters, by flat name.

        A run that stopped by its clock or its number of doublings goes on if the branch has more of them. Raises
        ScenarioError for a change that is not allowed, that only a new world can have, or that comes too late.
        """
        copy = World.restore(self.snapshot())
        apply_scenario_change(copy, copy.scenario.replace(**changes))
        return copy

    def restart_frames(self) -> None:
        """Let the frames of a new length begin at this moment."""
        self._frames_from = (self.now, self.steps)

    def digest(self) -> str:
        """Return the SHA-256 of all that has happened: the ledger and the cluster's records."""
        return events.digest([*self.ledger, *self.datacenter.records])

    def effective_papers(self, papers: float) -> float:
        """Return what papers written now count: n researchers who do research achieve ``n^p`` instead of n."""
        penalty = self.scenario.growth.parallel_penalty
        return float(papers * max(1, self.doing_research) ** (penalty - 1)) if penalty < 1 else float(papers)

    @property
    def doing_research(self) -> float:
        """Return the researchers whom the parallelization penalty counts: those who think, run experiments or write.

        Researchers who wait for GPUs, or have none, are not counted, nor are more than the GPUs can keep supplied
        with experiments: k GPUs end ``k/c`` experiments of c GPU-days a day, which is the work of ``k/c (T + R + W)``
        researchers who never wait (T thinking, R running, W writing). By Little's law the mean of the count is papers
        a day times that time, so researchers who only lengthen the queue change nothing. Where papers need no
        experiment, all active researchers count.
        """
        params, pace = self.scenario.researcher, self.research_pace
        if params.experiment_gpu_days == 0:
            return self.active_researchers
        there = sum(self.census.count[phase] for phase in RESEARCHING)
        cost = self.experiment_gpu_days() / self.work_rate
        if there * cost <= self.gpus_for_experiments() / (params.papers_per_day * pace):
            return there  # fewer than the GPUs could supply even if experiments took no time
        run = mean_run_days(params, cost * self.work_rate, self.largest_gang("experiment")) / self.work_rate
        return min(there, self.gpus_for_experiments() / cost * (1 / (params.papers_per_day * pace) + run))

    @property
    def active_researchers(self) -> int:
        """Researchers at work."""
        return self.population.active_researchers

    # --- the agents' side: agents.ports.Lab --------------------------------------------------------------

    @property
    def now(self) -> float:
        """The day."""
        return float(self.clock.now)

    @property
    def researcher_params(self) -> ResearcherParams:
        """How researchers work."""
        return self.scenario.researcher

    @property
    def training_params(self) -> TrainingParams:
        """How the lab retrains."""
        return self.scenario.training

    @property
    def kernel_params(self) -> KernelParams:
        """How effort makes attention faster."""
        return self.scenario.kernels

    @property
    def work_rate(self) -> float:
        """What the cluster does in a day, over what it did on day 0 with the kernels of that day."""
        return amdahl(self.scenario.kernels.attention_share, self.kernel_engineer.speedup)

    @property
    def individuals_up_to(self) -> int:
        """The largest team that is followed one by one."""
        return self.scenario.run.individuals_up_to

    @property
    def leap_error(self) -> float:
        """The share of those at one thing that may move on together."""
        return self.scenario.run.leap_error

    def after(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Have ``callback`` called when so many days have passed."""
        alarm = Timeout(self.clock, days)
        alarm.callbacks.append(callback)
        return alarm

    def after_in_background(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Have ``callback`` called when so many days have passed, unless nothing else is under way then."""
        alarm = self.clock.background(days)
        alarm.callbacks.append(callback)
        return alarm

    def at_end_of_instant(self, callback: Callable[[Event], None]) -> None:
        """Have ``callback`` called when all else of this instant is done."""
        event = Event(self.clock)
        event.callbacks.append(callback)
        event._ok = True
        event._value = None
        self.clock.schedule(event, _LAST_OF_INSTANT)

    def rng_for(self, decision: str, who: int) -> Generator:
        """Return the random generator of this decision of this agent."""
        return self.streams.get(decision, who)

    def experiment_gpu_days(self) -> float:
        """Return the mean cost of an experiment with today's algorithms, in GPU-days."""
        params = self.scenario.researcher
        return float(params.experiment_gpu_days * 2.0 ** (-(1 - params.experiment_scaling) * self.frontier.discovered))

    def largest_gang(self, use: str) -> int:
        """Return the most GPUs that one job of this use can have."""
        return self.datacenter.largest_gang(use)

    def gpus_for_experiments(self) -> int:
        """Return the GPUs that experiments can have all together."""
        pool = self.datacenter.pool("experiment")
        others = self.datacenter.inference_gpus_wanted if self.scenario.cluster.sharing == "priority" else 0
        return max(1, pool.capacity - others) if pool is not None else 1

    def gpus_for_training(self, one_gpu_days: float) -> int:
        """Return on how many GPUs a training run ends soonest, of those that it may have."""
        most = training_gpus(self.scenario, self.datacenter)
        return int(gpus_of_run(self.scenario, most, one_gpu_days / self.work_rate))

    def withdraw(self, job: Any) -> None:
        """Take back a job that was asked for."""
        self.datacenter.cancel(job)

    def submit_job(self, use: str, gpus: int, days: float, owner: int, watcher: JobListener | None = None) -> Event:
        """Ask the cluster for a gang of GPUs, for so many days of work with the kernels of day 0.

        The event returned succeeds when the job is over; it runs on the kernels there were when it was asked for.
        """
        try:
            return self.datacenter.submit(use, gpus, days / self.work_rate, owner=owner, watcher=watcher)
        except ValueError as error:
            raise ImpossibleJobError(str(error)) from None

    def submit_job_array(self, use: str, number: int, source: ArrayTaskSource, payload: Any, owner: int) -> None:
        """Ask the cluster for so many jobs at once, each drawn from ``source`` when its turn comes."""
        try:
            self.datacenter.submit_array(use, number, source, payload, owner=owner)
        except ValueError as error:
            raise ImpossibleJobError(str(error)) from None

    def discovered_doublings(self) -> float:
        """Return the doublings of software that have been discovered, as far as the run looks."""
        return min(self.frontier.discovered, float(self.scenario.run.max_doublings))

    def papers_to_next_step(self, within: float = math.inf) -> float:
        """Return the papers to the next doubling, to the gain that starts the next training run, or to so much more."""
        step = min(self.frontier.whole_doublings + 1, self.frontier.discovered + within)
        gain = self.trainer.next_gain_at
        if self.frontier.discovered + LEVEL_TOLERANCE < gain < step:
            step = gain
        effective = self.frontier.law.papers_between(self.frontier.effort, step)
        return effective / self.effective_papers(1.0)

    def publish(self, finding: PaperBatch) -> None:
        """Make a finding known: it adds to effort, and software may double, be retrained, be deployed."""
        if self.ending is not None:
            return  # one of several that were handed in together ended it
        number, duplicates = self._add_to_literature(finding)
        weight = 1 - (1 - self.scenario.literature.duplicate_weight) * duplicates / finding.papers
        effective = self.effective_papers(weight * finding.papers)
        self.papers += finding.papers
        self.frontier.add(effective)
        self.ledger.append(
            events.PaperPublished(
                self.now,
                finding.researcher,
                finding.team_size,
                number,
                finding.papers,
                duplicates,
                effective,
                self.frontier.discovered,
            )
        )
        self._note_doublings()
        self.trainer.start_due_generations()
        self._see_whether_over()

    def _add_to_literature(self, finding: PaperBatch) -> tuple[int, int]:
        """The number of the latest paper of a finding, and how many of its papers are duplicates; 0 if it has none."""
        if finding.known_at_start is None:
            return 0, 0
        stream = self.rng_for("references", finding.researcher)
        if finding.papers == 1:
            number, duplicate = self.literature.add(finding.known_at_start, stream)
            return number, int(duplicate)
        duplicates = self.literature.add_many(int(finding.papers), finding.known_at_start, stream)
        return self.literature.latest, duplicates

    def cohort_formed(self, cohort: int, researchers: int) -> None:
        """Take note that so many researchers are a cohort from now on."""
        self.ledger.append(events.CohortFormed(self.now, cohort, researchers))

    def training_requested(self, generation: int, gpus: int, days: float) -> None:
        """Take note that the training run of a generation was asked for."""
        self.ledger.append(events.TrainingStarted(self.now, generation, gpus, days / self.work_rate))

    def deploy(self, generation: int, doublings: float) -> None:
        """Put a new generation to work; doublings and errors as :meth:`agents.ports.Lab.deploy` has them."""
        if self.pool is not None:
            self.pool.flush()
        if self.ending is not None:
            return
        before = math.floor(self.frontier.deployed + LEVEL_TOLERANCE)
        self.frontier.deploy(doublings)
        self.ledger.append(events.Deployed(self.now, generation, self.frontier.deployed))
        doubled = math.floor(self.frontier.deployed + LEVEL_TOLERANCE) > before
        if doubled and self.scenario.researcher.timing == "whole":
            self.population.start_over()
        self.housing.settle()

    @property
    def reference_researchers(self) -> float:
        """Researchers of the reference team, of which `kernels__candidates_per_day` are."""
        return self.reference_team.researchers

    def team_growth(self) -> float:
        """Return the researchers at work over those of the reference team."""
        return self.active_researchers / self.reference_team.researchers

    def set_research_pace(self, pace: float) -> None:
        """Let researchers have another share of their time for papers from now on, work under way included."""
        if pace == self.research_pace:
            return
        if self.pool is not None:
            self.pool.accrue()
        stretch, self.research_pace = self.research_pace / pace, pace
        self.population.stretch(stretch)
        if self.pool is not None:
            self.pool.schedule_next()

    def deploy_kernels(self, candidates: float, speedup: float) -> None:
        """Put faster attention to work: jobs asked for from now on take less, and inference houses more."""
        self.ledger.append(events.KernelsDeployed(self.now, candidates, speedup, self.work_rate))
        if self.pool is not None:
            self.pool.flush()
        if self.ending is None:
            self.housing.settle()

    # --- within ------------------------------------------------------------------------------------------

    def _start_background(self) -> BackgroundJobs | None:
        load = self.scenario.background()
        if load is None:
            return None
        event = events.BackgroundLoaded(self.now, load.digest, len(load.gpus), load.left_out, load.mean_gpus)
        self.ledger.append(event)
        return BackgroundJobs(self, load)

    def _frame_end(self, steps: int) -> float:
        start, steps_before = self._frames_from
        return min(start + (steps - steps_before) * self.scenario.run.frame_days, self.scenario.run.horizon_days)

    @contextmanager
    def _ends_if_starved(self) -> Iterator[None]:
        try:
            yield
        except ImpossibleJobError as error:
            self._end("starved", f"Starved: {error}.")

    def _look(self) -> None:
        self.datacollector.collect(self)  # type: ignore[no-untyped-call]

    def _note_doublings(self) -> None:
        while self.doublings < min(self.frontier.whole_doublings, self.scenario.run.max_doublings):
            self.doublings += 1
            self.ledger.append(
                events.SoftwareDoubled(
                    self.now, self.doublings, self.papers, self.literature.duplicates, self.active_researchers
                )
            )

    def _see_whether_over(self) -> None:
        if self.frontier.discovered >= self.scenario.growth.limit - 1:
            self._end(*events.LIMIT_REACHED)
        elif self.doublings >= self.scenario.run.max_doublings:
            self._end(*events.enough_doublings(self.doublings))

    def _end(self, ending: str, sentence: str) -> None:
        if self.ending is None:
            self.ending = events.Ended(self.now, ending, sentence)
            self.ledger.append(self.ending)
            self.clock.halted = True
            self.running = False

    def enough_researchers(self, _: Event) -> None:
        """End the run, since it has as many researchers as it was to reach."""
        self._end(*events.enough_researchers(self.scenario.run.until_researchers))

    def meter_gpus(self) -> None:
        """Note how many GPUs there are from now on."""
        self.gpus.set(self.scenario.cluster.gpus, self.now)
        for use, meter in self.gpus_for.items():
            pool = self.datacenter.pool(use)
            meter.set(pool.capacity if pool is not None else 0, self.now)
