"""Run labs on one clock: the World combines SimPy's time, Mesa's population and the record of the run."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self

import mesa

from agents.governance_policy import GovernancePolicy
from agents.ports.bundles import RegulatorPorts
from agents.regulator import Regulator
from sim import events, reporters
from sim.clock import Clock
from sim.commons import Commons
from sim.compute_account import ImpossibleJobError
from sim.governance.params import RegulatorParams
from sim.governance.record import GovernanceRecord
from sim.interventions import check_resumable, check_same_labs
from sim.kernel_calibration import MeasuredKernels
from sim.lab import Lab, RunParts
from sim.lab_factory import LabFactory
from sim.lab_lifetime import Exits, check_lifetimes
from sim.oversight import LabOversight
from sim.random_streams import RandomStreams
from sim.scenario.model import Scenario, ScenarioError
from sim.settle import settle
from sim.supply import Supply


class Snapshot(NamedTuple):
    """State of a world at one moment, as bytes."""

    day: float
    """Day of the snapshot."""
    content: bytes


def series_name(lab: str, reporter: str) -> str:
    """Return the name of a series of a lab: that of its reporter for the only lab, else LAB.REPORTER."""
    return f"{lab}.{reporter}" if lab else reporter


def _report(reporter: Callable[[Lab], float], lab: Lab, world: World) -> float:
    """Return a quantity of a lab; Mesa's collector passes the world too."""
    return reporter(lab)


class World(mesa.Model):
    """Simulate one or several labs from day 0 to the end of the run.

    Several labs (``[labs.NAME]`` in the scenario) share the clock, and what :mod:`sim.commons` passes between them. A
    lab that reaches its goal ends, and the others go on; the run ends with the last lab or at the horizon.

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
    make
        Classes of the lab's agents, its policy and its growth law, by default those of asara.
    changes
        Parameters that differ from ``scenario``, by flat name.

    Raises ScenarioError if the scenario cannot be run. Close a World that is no longer needed, or use it in a ``with``
    statement.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        seed: int = 0,
        calibration: MeasuredKernels | None = None,
        make: LabFactory | None = None,
        **changes: Any,
    ) -> None:
        super().__init__(seed=abs(seed))  # Mesa's generators are not used; they do not accept a negative seed
        self.scenario = (scenario or Scenario()).replace(**changes)
        self.run_seed = seed
        self.streams = RandomStreams(seed)
        self.clock = Clock()
        self.ledger: list[events.Event] = []
        """Events of the run, in order of time."""
        self.ending: events.RunEnded | None = None
        self._frame_origin = (0.0, 0)
        self._closed = False
        self.labs = self._create_labs(calibration, make or LabFactory())
        """Labs by name; the only lab has an empty name."""
        self.commons = Commons(self.clock, self.labs) if len(self.labs) > 1 else None
        """What labs gain from each other; None with one lab."""
        self.exits = Exits(self.clock, self.labs)
        """Labs that close or merge."""
        self.supply = Supply(self.clock, self.labs, self.exits.heir)
        """Orders and deliveries of GPUs."""
        self.oversight = LabOversight(self.clock, self.labs, self.streams, self.scenario.regulator)
        """What a regulator can do to the labs."""
        self.regulator = self._create_regulator(make or LabFactory())
        """Agent that measures all labs and restricts them; None without a governance policy."""
        self.clock.on_instant_end = self._settle
        self.clock.advance(0.0)  # the inference jobs start, and with them the first researchers become active
        self.datacollector = mesa.DataCollector(  # type: ignore[no-untyped-call]
            model_reporters={
                series_name(lab, name): partial(_report, each, self.labs[lab])
                for lab in self.labs
                for name, each in reporters.REPORTERS.items()
            }
        )
        self._collect()

    def _create_labs(self, calibration: MeasuredKernels | None, make: LabFactory) -> dict[str, Lab]:
        scenarios = {"": self.scenario}
        if len(self.scenario.labs) > 1:
            scenarios = {name: self.scenario.lab_scenario(name) for name in self.scenario.labs}
        check_lifetimes(scenarios)
        labs = {}
        for name, scenario in scenarios.items():
            parts = RunParts(self, self.clock, self.streams, self.ledger, partial(self._on_lab_end, name))
            try:
                labs[name] = Lab(name, scenario, calibration or scenario.calibration(), make, parts)
            except ScenarioError as error:
                raise ScenarioError(f"lab '{name}': {error}" if name else str(error)) from None
        return labs

    def _create_regulator(self, make: LabFactory) -> Regulator | None:
        found = self.scenario.governance()
        policy: GovernancePolicy | None = None if found is None else found.policy(self.scenario.regulator)
        if make.governance is not None:
            policy = make.governance()
        return None if policy is None else Regulator(self, RegulatorPorts(self.clock, self.oversight), policy)

    @property
    def lab(self) -> Lab:
        """The only lab. Raises ValueError if there are several."""
        if len(self.labs) != 1:
            raise ValueError(
                f"There are {len(self.labs)} labs; allowed: one. Choose one by its name: world.labs[name]."
            )
        return next(iter(self.labs.values()))

    @property
    def now(self) -> float:
        """Time since the start of the run [days]."""
        return float(self.clock.now)

    # --- Running, saving and branching -------------------------------------------------------------------

    def step(self) -> None:
        """Run to the end of the next frame or of the run, and collect the reporters."""
        self._check_open()
        if self.ending is not None:
            return
        end = self._frame_end(self.steps)
        self._advance(partial(self.clock.advance, end))
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
        self._check_open()
        frame, done = self.steps, most
        if self.ending is None:
            done = self._advance(partial(self.clock.advance_events, self._frame_end(frame + 1), most)) or 0
            if self.ending is not None:
                self.steps += 1
                self._collect()
            elif done < most:
                self.step()
        return self.steps > frame or self.ending is not None

    def snapshot(self) -> Snapshot:
        """Return the present state, which can be restored any number of times."""
        self._check_open()
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
        that limit. A lab that has ended while others go on stays so. Raises ScenarioError for a change that is not
        allowed, that needs a new run, or that comes too late.
        """
        copy = World.restore(self.snapshot())
        copy._apply_scenario(copy.scenario.replace(**changes))
        return copy

    def apply_decisions(self) -> None:
        """Carry out the present decisions of the labs' policies, after a change of a policy from outside.

        Raises ScenarioError if a decision leaves a job that could never start.
        """
        self._check_open()
        if self.ending is None:
            for lab in self.labs.values():
                lab.apply_policy()
            self._settle_all()
            self.clock.advance(self.now)  # the cluster gives out its GPUs before they are counted

    @property
    def governance(self) -> GovernanceRecord | None:
        """What the regulator measured and ordered so far; None without a regulator."""
        if self.regulator is None:
            return None
        readings = {lab: tuple(each) for lab, each in self.regulator.readings.items()}
        return GovernanceRecord(
            readings, tuple(self.regulator.alarms), tuple(self.regulator.orders_given), dict(self.oversight.found_on)
        )

    def digest(self) -> str:
        """Return the SHA-256 of the run so far: its events and the records of its jobs."""
        records = [record for lab in self.labs.values() for record in lab.compute.datacenter.records]
        return events.digest([*self.ledger, *records])

    def close(self) -> None:
        """End the use of this world: remove its agents and its scheduled events. Results stay readable."""
        if not self._closed:
            self._closed, self.running = True, False
            self.clock.close()
            self.remove_all_agents()  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- Internal ----------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("This World is closed; allowed: an open one. Create or restore a World to go on.")

    def _apply_scenario(self, scenario: Scenario) -> None:
        """Apply other parameters from now on. Raises ScenarioError for a parameter that can no longer change."""
        if scenario == self.scenario:
            return
        check_same_labs(self.scenario.labs, scenario.labs)
        changed = {name: scenario.lab_scenario(name) if name else scenario for name in self.labs}
        check_lifetimes(changed)
        for name, lab in self.labs.items():
            lab.prepare_change(changed[name])
        self._settle_all()
        if self.ending is not None:
            self._resume(self.ending, scenario)
        if scenario.run.sample_days != self.scenario.run.sample_days:
            self._frame_origin = (self.now, self.steps)
        before, self.scenario = self.scenario, scenario
        for name, lab in self.labs.items():
            lab.change_scenario(changed[name])
        if self.commons is not None:
            self.commons.apply_settings()
        self.exits.apply_settings()
        self.supply.apply_settings()
        self._change_regulator(before.regulator)
        self._settle_all()

    def _change_regulator(self, before: RegulatorParams) -> None:
        """Let the regulator follow the policy of the present scenario, if that changed, or leave if there is none."""
        self.oversight.change_settings(self.scenario.regulator)
        now = self.scenario.regulator
        if (before.policy, before.times, before.off) == (now.policy, now.times, now.off):
            return
        if self.regulator is None:
            self.regulator = self._create_regulator(LabFactory())
            return
        found = self.scenario.governance()
        policy = GovernancePolicy() if found is None else found.policy(self.scenario.regulator)
        self.regulator.change_policy(policy)

    def _resume(self, ending: events.RunEnded, scenario: Scenario) -> None:
        """Continue a run that has stopped, if the new scenario raises the limit that stopped it."""
        going = [lab for lab in self.labs.values() if not lab.has_ended] or list(self.labs.values())
        doublings = min(lab.knowledge.doublings for lab in going)
        researchers = min(lab.workforce.active_researchers for lab in going)
        check_resumable(ending, scenario, self.now, doublings, researchers)
        self.ledger.remove(ending)
        self.ending, self.clock.halted, self.running = None, False, True

    def _settle(self) -> None:
        settle(self.labs.values())
        while self.exits.settle() or (self.regulator is not None and self.regulator.settle()):
            settle(self.labs.values())
        if len(self.labs) > 1 and all(lab.has_ended for lab in self.labs.values()):
            self._end(*events.ALL_LABS_ENDED)

    def _settle_all(self) -> None:
        """Settle all labs, after a change from outside."""
        for lab in self.labs.values():
            lab.is_settlement_due = True
        self._settle()

    def _frame_end(self, steps: int) -> float:
        start, steps_before = self._frame_origin
        return min(start + (steps - steps_before) * self.scenario.run.sample_days, self.scenario.run.horizon_days)

    def _advance(self, advance: Callable[[], int | None]) -> int | None:
        """Advance the clock; a lab that submits a job that can never run ends as stalled, and the others go on."""
        has_lab_stalled = False
        while True:
            try:
                if has_lab_stalled:
                    self.clock.settle_if_due()
                return advance()
            except ImpossibleJobError as error:
                self._on_lab_end(error.lab, "stalled", f"Stalled: {error}.")
                has_lab_stalled = True

    def _collect(self) -> None:
        self.datacollector.collect(self)  # type: ignore[no-untyped-call]

    def _on_lab_end(self, name: str, ending: str, sentence: str) -> None:
        """End the run with its only lab, or one of several labs; the run ends with the instant of the last of them."""
        if len(self.labs) == 1:
            self._end(ending, sentence)
        else:
            self.labs[name].stop(ending, sentence)

    def _end(self, ending: str, sentence: str) -> None:
        if self.ending is None:
            self.ending = events.RunEnded(self.now, ending, sentence)
            self.ledger.append(self.ending)
            self.clock.halted = True
            self.running = False
