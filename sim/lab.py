"""Compose one lab from its parts, and coordinate them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import mesa
from simpy import Event as ClockEvent

from agents.humans.human_team import HumanTeam, human_without_cohort
from agents.humans.paper_line import PaperLine
from agents.identity import KERNEL_ENGINEER_NUMBER, PAPER_LINE_NUMBER, AgentId
from agents.lab_policy import GpuSplit
from agents.ports.bundles import (
    HumanPorts,
    KernelEngineerPorts,
    PaperLinePorts,
    PolicyPorts,
    ResearcherPorts,
    TrainerPorts,
)
from agents.team import TeamState
from agents.workforce import Workforce, class_without_cohort
from hardware.cluster.params import ClusterParams
from hardware.cluster.validation import check_node_count
from hardware.datacenter import inference_gpus
from hardware.uses import Use
from sim import events
from sim.automation import Automation
from sim.background import BackgroundJobs
from sim.clock import Clock
from sim.compute_account import ComputeAccount
from sim.deployments import Deployments
from sim.feasibility import (
    check_failure_rate,
    check_number_of_humans,
    check_population_size,
    check_start,
    check_tasks_can_be_done,
)
from sim.growth import Law
from sim.inference_capacity import InferenceCapacity
from sim.interventions import (
    add_nodes,
    cancel_training,
    change_cluster,
    check_change,
    release_nodes,
    retire_nodes,
)
from sim.kernel_calibration import MeasuredKernels
from sim.knowledge import LabKnowledge
from sim.lab_factory import POLICIES, LabFactory
from sim.lab_measurements import LabMeter
from sim.lab_params import EntryParams
from sim.lab_settings import LabSettings
from sim.order_desk import OrderDesk
from sim.random_streams import LabStreams, RandomStreams
from sim.scenario.model import Scenario, ScenarioError, TeamSize


class RunParts(NamedTuple):
    """Parts of a run that its labs share."""

    model: mesa.Model
    """Model in which Mesa registers the agents."""
    clock: Clock
    streams: RandomStreams
    ledger: list[events.Event]
    """Events of the run, in order of time."""
    end: Callable[[str, str], None]
    """Function that ends the run, with the name and the sentence of the ending."""


class Lab:
    """One organisation: its researchers, knowledge, training runs, kernels and GPUs.

    The parts implement the ports of :mod:`agents.ports`. An agent receives the ports that it needs, never the lab.

    Arguments
    ---------
    name
        Name of the lab; empty for the only lab of a World.
    scenario
        Parameters of day 0.
    calibration
        Measurements that set the speed-up of the kernels.
    make
        Classes of the agents, policy and growth law.
    run
        Parts of the run that labs share.

    Raises ScenarioError if the scenario cannot be run.
    """

    is_settlement_due = True
    """Whether the lab takes part in the next settlement, because something happened in it."""

    def __init__(
        self, name: str, scenario: Scenario, calibration: MeasuredKernels, make: LabFactory, run: RunParts
    ) -> None:
        self.name = name
        self.make = make
        self.settings = LabSettings(scenario)
        self.calibration = calibration
        """Measurements that set the speed-up of the kernels, as they were at the start of the run."""
        self._check_day_0(scenario)
        self.own_team = scenario.own_team
        """Team of day 0; a branch does not change it."""
        self.reference_team = scenario.reference_team
        """Team to which `kernels__candidates_per_day` refers."""
        self._clock = run.clock
        self._ledger, self._end = events.LabLedger(run.ledger, name), run.end
        self.has_ended = False
        """Whether the lab has ended, while other labs of the run go on."""
        streams = LabStreams(run.streams, name) if name else run.streams
        team = TeamState()
        self.compute = ComputeAccount(run.clock, streams, self.settings, name)
        self.policy = (make.policy or POLICIES[scenario.policy.name])(PolicyPorts(self.compute, self.settings))
        self.knowledge = LabKnowledge(
            name,
            run.clock,
            run.streams,
            self.settings,
            self._growth_law(),
            team,
            self.compute,
            self._ledger,
            self._next_generation_at,
            self.request_settlement,
        )
        self._begin_software(scenario.entry)
        self.workforce = Workforce(
            run.model,
            name,
            team,
            ResearcherPorts(run.clock, run.streams, self.compute, self.knowledge, team, self.settings),
            self.reference_team.researchers,
            self._on_cohort_formed,
            make.researcher,
            make.cohort,
        )
        self._tasks_due = self._hiring_due = False
        """Whether AIs may be able to do further tasks in this instant; whether humans are due to be hired."""
        self.automation = Automation(
            run.clock, self.settings, self.knowledge.software, self._ledger, self._on_tasks_due
        )
        """Tasks that AIs can do."""
        self.line, self.humans = self._start_human_team(run, team)
        """Papers in progress of humans, and the humans; without humans they are empty."""
        self.deployments = Deployments(
            run.clock,
            self.settings,
            self.knowledge,
            self.workforce,
            self.compute,
            self._ledger,
            self.request_settlement,
        )
        """New software and new kernels, on their way into use."""
        self.orders = OrderDesk(
            run.clock, self.compute.datacenter, self.deployments, self._ledger, self._on_inference_changed
        )
        """Orders of the regulator that the lab follows."""
        self._capacity_changed = self._deployed = False
        """Whether the number of researchers that can be active may have changed in this instant. Whether software or
        kernels were deployed in it, after which the policy may divide the GPUs."""
        self.training = make.trainer(
            run.model,
            AgentId(name, "trainer", 0),
            TrainerPorts(self.compute, self.deployments, self.policy, self.settings),
        )
        self.training.consumed_doublings = scenario.entry.software_doublings
        self.kernels = make.kernel_engineer(
            run.model,
            AgentId(name, "kernel engineer", KERNEL_ENGINEER_NUMBER),
            KernelEngineerPorts(run.clock, self.compute, self.workforce, self.deployments, self.settings),
            calibration.curve,
        )
        if calibration.curve is not None:
            self._ledger.append(events.KernelCurveLoaded(self.now, *calibration.identity))
        self.background = self._start_background()
        """Jobs of other users; None if the scenario has no background load."""
        self.hosting = InferenceCapacity(self.compute.datacenter, scenario.hosted_at_start, self._on_inference_changed)
        self.meter = self._create_meter()
        """Measurements since the latest review of the policy."""
        if self.settings.humans.initial > 0:
            self._on_hiring_due()
        self._review_due = self._reviewed = False
        """Whether a review is due in this instant; whether one took place, after which a training run may be due."""
        self._schedule_review()
        self._schedule_entry()

    def _begin_software(self, entry: EntryParams) -> None:
        """Begin with the software of the entry, which is discovered on the day of the entry."""
        self.knowledge.software.begin_at(entry.software_doublings)
        self._set_publication_delay()
        self._set_safety_share()
        if entry.day == 0:
            self.knowledge.record_history()

    def _create_meter(self) -> LabMeter:
        load = self.background.load if self.background is not None else None
        return LabMeter(self.settings, self.compute, self.workforce, self.knowledge, self.training, self.hosting, load)

    def _check_day_0(self, scenario: Scenario) -> None:
        """Refuse a lab that would write no paper, or need too many agents. Raises ScenarioError."""
        check_tasks_can_be_done(scenario)
        check_start(scenario)
        check_number_of_humans(scenario, human_without_cohort(self.make.human, self.make.human_cohort))
        inference = inference_gpus(scenario.cluster)
        growth = (inference if scenario.policy.name == "fixed" else scenario.cluster.gpus) / max(1, inference)
        days = scenario.run.horizon_days
        delivered = scenario.supply.largest_number(scenario.cluster.gpus, days) / scenario.cluster.gpus
        check_failure_rate(scenario, math.ceil((scenario.cluster.gpus - inference) * delivered))
        growth *= delivered * scenario.supply.largest_speed(days)
        largest = self.calibration.largest_work_rate(scenario.kernels.attention_share) * growth
        own_class = class_without_cohort(self.make.researcher, self.make.cohort)
        check_population_size(scenario, largest, own_class=own_class)

    @property
    def now(self) -> float:
        """Time since the start of the run [days]."""
        return float(self._clock.now)

    @property
    def published_software(self) -> float:
        """Discovered software that is published, and that others can therefore know [doublings].

        It is the discovered software of ``policy.publication_delay_days`` ago, and never falls.
        """
        return self.knowledge.published_software

    def _start_human_team(self, run: RunParts, team: TeamState) -> tuple[PaperLine, HumanTeam]:
        line = PaperLine(
            AgentId(self.name, "paper line", PAPER_LINE_NUMBER),
            PaperLinePorts(run.clock, run.streams, self.compute, self.knowledge, team, self.settings, self.automation),
        )
        ports = HumanPorts(run.clock, run.streams, self.settings)
        make = self.make
        return line, HumanTeam(run.model, self.name, ports, line, self._on_hiring_due, make.human, make.human_cohort)

    def receive_papers(self, author: str, effective_papers: float) -> None:
        """Take up papers of another lab in this instant; they count as this many effective papers."""
        self._receive(author, effective_papers, 0.0)

    def receive_software(self, source: str, gained: float) -> None:
        """Take up software of another lab in this instant [doublings]."""
        self._receive(source, 0.0, gained)

    def receive_humans(self, source: Lab) -> None:
        """Let the humans of a lab that merges into this one join its own; a lab without humans hires none."""
        if source.humans.size and self.settings.humans.initial > 0:
            source.humans.move_to(self.humans)
            self._on_hiring_due()

    def _receive(self, source: str, effective_papers: float, gained: float) -> None:
        self.knowledge.received.append((source, effective_papers, gained))
        self.request_settlement()

    @property
    def has_entered(self) -> bool:
        """Whether the lab has begun its research."""
        return self.now >= self.settings.entry.day

    # --- Coordination of the parts -----------------------------------------------------------------------

    def _growth_law(self, own_team: TeamSize | None = None) -> Law:
        law = self.settings.scenario.law(own_team)
        return law if self.make.law is None else self.make.law(law)

    def _next_generation_at(self) -> float:
        return self.training.next_gain_at

    def _on_cohort_formed(self, cohort: int, researchers: int) -> None:
        self._ledger.append(events.CohortFormed(self.now, cohort, researchers))

    def _schedule_entry(self) -> None:
        if self.settings.entry.day > 0:
            self._clock.after(self.settings.entry.day, self._on_entry)

    def _on_entry(self, _: ClockEvent) -> None:
        if self.has_ended:
            return
        self.knowledge.record_history()
        self._capacity_changed, self._hiring_due = True, self.settings.humans.initial > 0
        self.request_settlement()

    def _on_hiring_due(self) -> None:
        self._hiring_due = True
        self.request_settlement()

    def _on_tasks_due(self) -> None:
        self._tasks_due = True
        self.request_settlement()

    def _on_inference_changed(self) -> None:
        self._capacity_changed = True
        self.request_settlement()

    # --- Stages of an instant: sim.settle ----------------------------------------------------------------

    def request_settlement(self) -> None:
        """Settle this lab when no event of the instant is left."""
        self.is_settlement_due = True
        self._clock.request_settlement()

    @property
    def is_unsettled(self) -> bool:
        """Whether an inbox is not empty."""
        changed = self._capacity_changed or self._hiring_due or self._tasks_due or self._reviewed
        return changed or bool(self.knowledge.publications or self.knowledge.received or self.deployments.inbox)

    @property
    def full_inbox(self) -> str:
        """Name of an inbox that is not empty."""
        if self.knowledge.publications or self.knowledge.received:
            return "publications"
        if self.deployments.inbox:
            return "deployments"
        return "reviews" if self._reviewed else "capacity"

    def count_publications(self) -> None:
        """Count papers up to the next step of software, first those of other labs; a lab that has ended counts none."""
        if self.has_ended:
            self.knowledge.drop_all()
        if self.knowledge.received:
            self.knowledge.count_received()
            self.workforce.schedule_pooled_work()
        if self.knowledge.publications:
            self.knowledge.count_publications()
            if self.humans.size:
                self.workforce.schedule_pooled_work()  # papers of humans bring the next step of software closer

    def update_software(self) -> None:
        """Record doublings, put new software and kernels into use, and start training runs that are due.

        A lab that has ended puts nothing into use. Training runs begin after the entry of the lab.
        """
        self._reviewed = False
        if self.has_ended:
            self.deployments.inbox.clear()
            self._tasks_due = False
        self.knowledge.record_doublings()
        if self._tasks_due:
            self._tasks_due, self._capacity_changed = False, True
            self._update_automation()
        inbox = self.deployments.inbox
        while True:
            if inbox:
                self._capacity_changed = self._deployed = True
                self.deployments.put_into_use()
                self._update_automation()
            if self.has_entered and not self.has_ended:
                self.training.start_due_generations()
            if not inbox:
                return

    def _update_automation(self) -> None:
        """Record the tasks that AIs can do, and divide the waiting tasks again."""
        if self.automation.update():
            self.line.redivide()

    def divide_gpus(self) -> None:
        """Let the policy review its decisions if that is due; divide the GPUs again if it wants another division.

        The division is compared after a deployment and after a review.
        """
        if self.has_ended:
            self._review_due = self._deployed = False
        if self._review_due:
            self._review_due, self._reviewed = False, True
            self.policy.review(self.meter.measure(self.now))
            self._schedule_review()
        if self._deployed or self._reviewed:
            self._deployed = False
            self.apply_policy()

    def update_workforce(self) -> None:
        """Activate or deactivate researchers, so that their number matches the capacity of the inference GPUs.

        The team changes only when all papers of the instant are counted, pooled work included.
        """
        if self._capacity_changed and not self.knowledge.publications and not self.workforce.publish_pooled_work():
            self._capacity_changed = False
            self._set_researchers()
        if self._hiring_due:
            self._hiring_due = False
            self._hire()

    def _set_researchers(self) -> None:
        """Let the AIs that the inference GPUs run do research: on their own, or as assistants until they can.

        Candidates for kernels are tried by AIs that work on their own. Assistants try none, so that kernels do not get
        faster before AIs do all research.
        """
        hosted = self.hosting.researchers(self.automation.hosted_doublings, self.compute.work_rate)
        if self.has_ended or not self.has_entered:
            hosted = 0
        hosted = self.orders.allowed_copies(hosted)
        target = hosted if self.automation.is_complete else 0
        self._set_assistants(hosted - target)
        if target != self.workforce.active_researchers:
            self.workforce.set_active(target)
            self._ledger.append(events.ActiveResearchersChanged(self.now, target))
            self.kernels.schedule_next()
        self.workforce.schedule_pooled_work()

    def _hire(self) -> None:
        """Hire the humans that are due; the tasks of papers are divided between the AIs and all of them."""
        if self.has_ended or not self.has_entered:
            return
        before = self.humans.size
        self.automation.humans = max(before, self.humans.scheduled(self.now))
        self.humans.hire()
        if self.humans.size > before:
            self._ledger.append(events.HumansHired(self.now, self.humans.size))

    def _set_assistants(self, ais: int) -> None:
        """Set the number of AIs that help humans."""
        if ais != self.automation.ais:
            self.automation.ais = ais
            self._ledger.append(events.AssistantsChanged(self.now, ais))
            self.line.set_ais(ais, self.automation.most_ais_per_task)
            self.line.redivide()

    def check_endings(self) -> None:
        """End the run of the lab if a goal is reached."""
        if self.has_ended:
            return
        target = self.settings.run.stop_at_researchers
        if self.knowledge.is_complete:
            if self.knowledge.software.discovered >= self.settings.growth.limit - 1:
                self._end(*events.LIMIT_REACHED)
            else:
                self._end(*events.enough_doublings(self.knowledge.doublings))
        elif target and self.workforce.active_researchers >= target:
            self._end(*events.enough_researchers(target))

    def record_delivery(self, nodes: Mapping[str, int], speed: float) -> None:
        """Record the nodes that were delivered, by use, and their speed."""
        inference, experiment, training = (nodes.get(use, 0) for use in Use)
        self._ledger.append(events.GpusDelivered(self.now, inference, experiment, training, speed))

    def end(self, ending: str, sentence: str) -> None:
        """End the lab, and the run with it if no other lab goes on."""
        self._end(ending, sentence)

    def stop(self, ending: str, sentence: str) -> None:
        """End the research of the lab, while other labs go on.

        Its jobs go on to their ends, and have no effect. It publishes, receives, deploys and orders nothing more.
        """
        self.has_ended = True
        self._ledger.append(events.LabEnded(self.now, ending, sentence))
        self._capacity_changed = True
        self.line.close()
        self.request_settlement()

    def _start_background(self) -> BackgroundJobs | None:
        load = self.settings.scenario.background()
        if load is None:
            return None
        self._ledger.append(
            events.BackgroundLoaded(self.now, load.digest, len(load.gpus), load.left_out, load.mean_gpus)
        )
        return BackgroundJobs(self._clock, self.compute.datacenter, load)

    # --- Division of the GPUs ----------------------------------------------------------------------------

    def apply_policy(self) -> None:
        """Divide the GPUs of day 0, publish, and divide research between software and safety, as the policy decides.

        Raises ScenarioError if a job of a use that loses GPUs could never start. Raises it also if the delay of
        publications or the share of safety is not allowed.
        """
        if not self.has_ended:
            self._set_publication_delay()
            self._change_safety_share()
            self._apply_gpu_split()

    def _set_publication_delay(self) -> None:
        try:
            self.knowledge.history.set_delay(self.policy.publication_delay_days, self.now)
        except ValueError as error:
            raise ScenarioError(str(error)) from None

    def _change_safety_share(self) -> None:
        """Change the share of safety if the policy wants another one, after pooled work is counted with the old one."""
        if self.policy.safety_share == self.knowledge.safety_share:
            return
        if self.workforce.publish_pooled_work():
            self._deployed = True  # the policy is applied again when that work is counted
        else:
            self._set_safety_share()
            self.workforce.schedule_pooled_work()

    def _set_safety_share(self) -> None:
        try:
            self.knowledge.set_safety_share(self.policy.safety_share)
        except ValueError as error:
            raise ScenarioError(str(error)) from None

    def _apply_gpu_split(self) -> None:
        if self.policy.gpu_split() != self._present_split():
            before = self.compute.datacenter.gpus_by_use()
            self._change_cluster()
            gpus = self.compute.datacenter.gpus_by_use()
            self.compute.check_feasibility([use for use in Use if gpus[use] < before[use]])
            self._ledger.append(
                events.GpusDivided(self.now, gpus[Use.INFERENCE], gpus[Use.EXPERIMENT], gpus[Use.TRAINING])
            )

    def _schedule_review(self) -> None:
        if self.policy.review_days > 0:
            self._clock.after_in_background(self.policy.review_days, self._on_review_due)

    def _on_review_due(self, _: ClockEvent) -> None:
        if not self.has_ended:
            self._review_due = True
            self.request_settlement()

    def _present_split(self) -> GpuSplit:
        params = self.compute.datacenter.params
        return GpuSplit(params.inference_share, params.training_share)

    def _change_cluster(self) -> None:
        """Apply the cluster of the scenario, divided by the policy. Raises ScenarioError if a job could never start."""
        params, split = self.settings.cluster, self.policy.gpu_split()
        if split != (params.inference_share, params.training_share):
            shares = {"inference_share": split.inference, "training_share": split.training}
            params = ClusterParams(**(params.model_dump() | shares))
        change_cluster(params, self.compute.datacenter, self.training)
        self.compute.record_capacities()
        self.orders.limit_gpus()

    # --- Nodes -------------------------------------------------------------------------------------------

    def add_nodes(self, use: str, number: int, speed: float = 1.0) -> None:
        """Add nodes of `cluster__gpus_per_node` GPUs for a use, which are used from this instant on.

        ``speed`` is relative to the nodes of day 0. A training run continues on more GPUs if the policy wants that.
        Call this between two frames or in an event of the clock.

        Raises ValueError for an unknown use, a number below 1, a speed that is not above 0, and if GPUs would fail too
        often.
        """
        if use != Use.INFERENCE:
            self.compute.check_failure_rate(check_node_count(number) * self.settings.cluster.gpus_per_node)
        add_nodes(self.compute.datacenter, self.training, use, number, speed)
        self.orders.limit_gpus()

    def retire_nodes(self, use: str, number: int, speed: float | None = None) -> None:
        """Retire nodes of a use in this instant: those of a speed, or the slowest.

        Jobs on them wait again and lose no work. A training run without `training__gpus` continues on fewer GPUs if it
        is too large for the nodes that remain. The run of the World ends as stalled when a later job can never start.

        Raises ValueError, before it changes anything, for an unknown use, a number below 1 and more nodes than there
        are. Raises it also if a waiting or running job could never start again.
        """
        retire_nodes(self.compute.datacenter, self.training, use, check_node_count(number), speed)

    def release_nodes(self) -> list[tuple[str, int, float]]:
        """Retire all nodes of a lab that ends, and return them as use, number and speed.

        Its jobs wait without end. A last node with fewer GPUs than the others stays.
        """
        return release_nodes(self.compute.datacenter)

    # --- Change of the scenario --------------------------------------------------------------------------

    def prepare_change(self, scenario: Scenario) -> None:
        """Refuse a change that is not allowed now, and hand in pooled work, which counts by the present parameters.

        Raises ScenarioError.
        """
        check_change(self.settings.scenario, scenario, self.now, self.workforce.pool is not None)
        if self.has_ended:
            return
        check_number_of_humans(scenario, self.humans.without_cohort)
        inference = self.compute.datacenter.inference_work_under(scenario.cluster)
        if scenario.policy.name != "fixed":
            inference += scenario.cluster.gpus - inference_gpus(scenario.cluster)
        growth = inference / max(1, self.hosting.gpus_at_start)
        largest = growth * self.calibration.largest_work_rate(scenario.kernels.attention_share)
        check_population_size(scenario, largest, self.own_team.researchers, self.workforce.without_cohort)
        self.workforce.publish_pooled_work()

    def change_scenario(self, new: Scenario) -> None:
        """Apply other parameters from now on, with the same software and the same random numbers.

        Earlier work keeps its effect. Raises ScenarioError for a parameter that can no longer change.
        """
        old = self.settings.scenario
        self.settings.change_scenario(new)
        if self.has_ended:
            return
        self.compute.update_work_rate()
        self.knowledge.apply_settings()
        if new.growth != old.growth:
            self._change_law()
        if new.cluster != old.cluster:
            self._change_cluster()
            self._clock.advance(self._clock.now)  # the changed cluster gives out its GPUs before they are counted
        self.compute.check_feasibility()
        if old.training.required and not new.training.required:
            cancel_training(self.compute.datacenter)
        if new.kernels != old.kernels:
            self._change_kernels(old)
        if new.humans != old.humans or new.automation != old.automation:
            self._change_division_of_tasks()
        if new.policy != old.policy:
            self._set_publication_delay()
            self._change_safety_share()
        self._capacity_changed = True
        if any(getattr(new, block) != getattr(old, block) for block in ("automation", "horizon", "growth")):
            self._tasks_due = True

    def _change_law(self) -> None:
        """Apply the new growth law, calibrated with the team of day 0, from now on."""
        try:
            self.knowledge.software.change_law(self._growth_law(self.own_team))
        except ValueError as error:
            raise ScenarioError(str(error)) from None

    def _change_division_of_tasks(self) -> None:
        """Apply the new schedule of humans and the new thresholds of AIs from now on; tasks under way stay divided."""
        self.automation.apply_settings()
        self.automation.update()
        self.line.redivide()
        self._hiring_due = self.humans.size > 0

    def _change_kernels(self, old: Scenario) -> None:
        """Keep the deployed kernels; change their value to the cluster and the rate of further candidates."""
        engineer = self.kernels
        if engineer.speedup > 1 and self.settings.kernels.attention_share != old.kernels.attention_share:
            self._ledger.append(
                events.KernelsDeployed(self.now, engineer.candidates, engineer.speedup, self.compute.work_rate)
            )
        engineer.schedule_next()
