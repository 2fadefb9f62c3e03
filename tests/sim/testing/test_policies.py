"""Test the conformance suite for policies: correct policies pass, and each plausible mistake is found."""

import pytest

from agents.adaptive_policy import AdaptivePolicy
from agents.lab_policy import GpuSplit, LabPolicy
from sim.testing import check_policy

TRAINED = {"training__required": True}
MANY_FRAMES = TRAINED | {"run__horizon_days": 40.0, "run__sample_days": 1.0, "run__max_doublings": 3}
"""Labs whose policy is queried many times."""


class TooMuch(LabPolicy):
    """Shares that add up to more than 1."""

    def gpu_split(self):
        return GpuSplit(0.7, 0.4)


class Negative(LabPolicy):
    """A negative share."""

    def gpu_split(self):
        return GpuSplit(0.7, -0.1)


class Prophetic(LabPolicy):
    """A publication before its discovery, after a while."""

    reads = 0

    @property
    def publication_delay_days(self):
        self.reads += 1
        return 0.0 if self.reads < 2 else -1.0


class Overcautious(LabPolicy):
    """More than all research on safety, after a while."""

    reads = 0

    @property
    def safety_share(self):
        self.reads += 1
        return 0.0 if self.reads < 2 else 2.0


class Endless(LabPolicy):
    """A generation begins although nothing waits."""

    def begins_generation(self, discovered, consumed):
        return self.settings.training.required


class Standing(LabPolicy):
    """The next generation begins at what is consumed already."""

    def next_generation_at(self, consumed):
        return consumed

    def begins_generation(self, discovered, consumed):
        return discovered >= consumed + self.settings.training.gain_doublings


class Greedy(LabPolicy):
    """A generation takes up more than waits."""

    def plan_generation(self, waiting, days):
        plan = super().plan_generation(waiting, days)
        return plan._replace(taken=waiting + 0.5)


class Generous(LabPolicy):
    """The parts of a generation are more than what it takes up."""

    def plan_generation(self, waiting, days):
        plan = super().plan_generation(waiting, days)
        return plan._replace(shorter=plan.taken)


class Idle(LabPolicy):
    """A training run without GPUs."""

    def gpus_of_run(self, one_gpu_days):
        return 0


class Oversized(LabPolicy):
    """A training run on more GPUs than one job can have."""

    def gpus_of_run(self, one_gpu_days):
        return 10_000


class Counting(LabPolicy):
    """Every second query gives another answer."""

    queries = 0

    def gpu_split(self):
        self.queries += 1
        split = super().gpu_split()
        return split if self.queries < 8 else GpuSplit(split.inference * 0.9, split.training)


class Hungry(LabPolicy):
    """A review that leaves nothing for experiments and training."""

    review_days = 1.0
    takes_all = False

    def review(self, measured):
        self.takes_all = True

    def gpu_split(self):
        return GpuSplit(1.0, 0.0) if self.takes_all else super().gpu_split()


class Broken(LabPolicy):
    """A review that raises an error."""

    review_days = 1.0

    def review(self, measured):
        raise KeyError("no such use")


class Unsaved(LabPolicy):
    """State that a snapshot cannot contain."""

    review_days = 1.0

    def review(self, measured):
        self.rule = lambda: 1


@pytest.mark.slow
@pytest.mark.parametrize("policy", [LabPolicy, AdaptivePolicy])
def test_check_policy_shipped_policies_conform(policy):
    check_policy(policy, examples=8)


@pytest.mark.slow
def test_check_policy_adaptive_policy_conforms_with_frequent_large_moves():
    often = {"policy__review_days": 0.5, "policy__step_share": 0.5, "policy__hysteresis": 0.0}
    check_policy(AdaptivePolicy, 8, policy__name="adaptive", **often)


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (TooMuch, "add up to 1.1, more than 1"),
        (Negative, "a share is negative"),
        (Prophetic, "publication_delay_days = -1"),
        (Overcautious, "safety_share = 2: must be at least 0 and below 1"),
        (Endless, "would begin without end"),
        (Standing, "must be above"),
        (Greedy, "takes up too much"),
        (Generous, "the parts are negative or add up to"),
        (Idle, "must be a whole number from 1 to"),
        (Oversized, "must be a whole number from 1 to"),
        (Counting, "a query changed the policy"),
        (Hungry, "ScenarioError"),
        (Broken, "KeyError"),
        (Unsaved, "lambda"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_check_policy_finds_the_mistake(policy, problem):
    with pytest.raises(AssertionError, match=problem) as found:
        check_policy(policy, examples=10, **(MANY_FRAMES if policy is Counting else TRAINED))
    assert "Scenario().replace(" in str(found.value)


def test_check_policy_without_examples_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        check_policy(LabPolicy, examples=0)
