"""Test the conformance suites for laws and worlds: correct ones pass, and each plausible mistake is reported."""

import math
import re
from collections.abc import Callable

import pytest

from agents.ports.compute import JobHandle
from agents.trainer import Trainer
from hardware.cluster.queues import FirstComeFirstServed
from sim.growth import Law, PapersLaw, ReturnsLaw, law_from_params
from sim.lab_factory import LabFactory
from sim.scenario.model import Scenario
from sim.testing.invariants import check_law, check_queue, check_world
from sim.world import World

LAW = law_from_params(ReturnsLaw(), 256, 1 / 30)


@pytest.mark.parametrize(
    "params",
    [
        ReturnsLaw(),
        ReturnsLaw(r=0.3, parallel_penalty=0.2),
        ReturnsLaw(limit_doublings=8.0),
        PapersLaw(difficulty_growth=1.5),
    ],
)
def test_check_law_accepts_the_laws_of_asara(params):
    """500 examples: the narrow dips of the tests below are found with 50 to 100."""
    check_law(law_from_params(params, 256, 1 / 30), examples=500)


class Shifted(Law):
    """Start above 0."""

    def software(self, effort: float) -> float:
        return super().software(effort) + 0.5


class Falling(Law):
    """Let software fall with effort beyond six doublings."""

    def software(self, effort: float) -> float:
        level = super().software(effort)
        return level if level < 6 else 12 - level


class Cheap(Law):
    """Ignore that papers get harder on the way."""

    def papers_between(self, effort: float, doublings: float) -> float:
        return max(0.0, (doublings - self.software(effort)) * 2**self.log2_initial_effort)


@pytest.mark.parametrize(("law", "message"), [(Shifted, r"software\(0\)"), (Falling, "lead to"), (Cheap, "lead to")])
def test_check_law_finds_each_mistake(law, message):
    with pytest.raises(AssertionError, match=message):
        check_law(law(LAW.r, LAW.p, LAW.limit, LAW.log2_initial_effort))


@pytest.mark.parametrize("start", [0.5, 3.0, 11.0])
def test_check_law_finds_a_narrow_dip(start):
    class Dip(Law):
        """Software is lost for a while, and comes back."""

        def software(self, effort: float) -> float:
            return super().software(effort) - 0.5 * (start < effort < start + 0.1)

    with pytest.raises(AssertionError, match="software"):
        check_law(Dip(LAW.r, LAW.p, LAW.limit, LAW.log2_initial_effort))


class Undefined(Law):
    def effort(self, doublings: float) -> float:
        return math.log2(doublings)


def test_check_law_reports_an_exception_of_the_law():
    with pytest.raises(AssertionError, match=r"^ValueError: math domain error\nFound at 0, 0, 0 doublings") as caught:
        check_law(Undefined(LAW.r, LAW.p, LAW.limit, LAW.log2_initial_effort))
    assert isinstance(caught.value.__cause__, ValueError)


class DeploysUndiscovered(Trainer):
    """Deploys more than was discovered."""

    def start_due_generations(self) -> None:
        self.model.lab.knowledge.software.deployed += 1.0
        super().start_due_generations()


class RemovesDeployed(Trainer):
    """Takes back what is deployed."""

    def start_due_generations(self) -> None:
        super().start_due_generations()
        software = self.model.lab.knowledge.software
        software.deployed = max(0.0, software.deployed - 0.5)


class RemovesAfterTraining(Trainer):
    """Removes doublings of deployed software at the end of each training run."""

    def on_trained(self, run: JobHandle) -> None:
        super().on_trained(run)
        self.deployment.deploy(self.generation, -0.5)


class DeploysTripleGain(Trainer):
    """Deploys three times the gain of each training run."""

    def on_trained(self, run: JobHandle) -> None:
        self._pending_gain *= 3
        super().on_trained(run)


class WaitsByLambda(Trainer):
    """Waits by a callback that cannot be pickled."""

    def start_due_generations(self) -> None:
        self.model.clock.after(1.0, lambda _: None)
        super().start_due_generations()


class RaisesError(Trainer):
    def start_due_generations(self) -> None:
        raise KeyError("gain")


class RaisesOnce(Trainer):
    """Fails once, and never again."""

    failed = False

    def start_due_generations(self) -> None:
        if not RaisesOnce.failed:
            RaisesOnce.failed = True
            raise KeyError("gain")
        super().start_due_generations()


def lab_of(trainer: type[Trainer]) -> Callable[[Scenario, int], World]:
    def make(scenario: Scenario, seed: int) -> World:
        return World(scenario, seed, make=LabFactory(trainer=trainer))

    return make


def test_check_world_accepts_world():
    check_world(examples=10)


@pytest.mark.parametrize(
    ("trainer", "message", "cause"),
    [
        (DeploysUndiscovered, "deployed before it was discovered", AssertionError),
        (RemovesDeployed, "deployed software fell", AssertionError),
        (RemovesAfterTraining, "ValueError: cannot deploy -0.5 doublings: deployed software never falls", ValueError),
        (
            DeploysTripleGain,
            r"ValueError: cannot deploy \S+ doublings: \S+ are discovered and not yet deployed",
            ValueError,
        ),
        (WaitsByLambda, "AttributeError: Can't pickle local object|PicklingError: ", Exception),
        (RaisesError, "KeyError: 'gain'", KeyError),
    ],
)
def test_check_world_reports_a_broken_agent_with_seed_and_scenario(trainer, message, cause):
    fixed = {"run__horizon_days": 90.0, "kernels__measurements": "none", "training__required": True}
    with pytest.raises(AssertionError) as caught:
        check_world(lab_of(trainer), examples=20, **fixed)
    what, where = str(caught.value).splitlines()
    assert re.match(message, what)
    assert re.fullmatch(r"seed \d+, Scenario\(\)\.replace\(\*\*\{.*'run__horizon_days': 90\.0.*\}\)", where)
    assert isinstance(caught.value.__cause__, cause)


def test_check_world_reports_a_world_with_hidden_randomness_with_its_seed():
    with pytest.raises(AssertionError, match=r"gave another result(.|\n)*\nseed \d+, Scenario") as caught:
        check_world(lab_of(RaisesOnce), examples=5, kernels__measurements="none")
    assert "Flaky" not in str(caught.value)


@pytest.mark.parametrize("examples", [0, -3])
@pytest.mark.parametrize(
    "check",
    [check_world, lambda **asked: check_law(LAW, **asked), lambda **asked: check_queue(FirstComeFirstServed, **asked)],
)
def test_conformance_suite_with_zero_examples_raises(check, examples):
    with pytest.raises(ValueError, match=rf"examples = {examples}: there must be at least 1"):
        check(examples=examples)


@pytest.mark.parametrize("doublings", [0, -1.0, math.inf, math.nan])
def test_check_law_with_an_invalid_range_raises(doublings):
    with pytest.raises(ValueError, match=f"doublings = {doublings:g}: must be above 0 and finite"):
        check_law(LAW, doublings)


def test_check_law_with_the_wrong_type_raises_one_sentence():
    with pytest.raises(TypeError, match=r"^check_law needs a law with its numbers: Shifted\(\.\.\.\), not the class"):
        check_law(Shifted)  # type: ignore[arg-type]
