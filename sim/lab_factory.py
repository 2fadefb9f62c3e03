"""Choose the classes of a lab's agents, its policy and its growth law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agents.adaptive_policy import AdaptivePolicy
from agents.cohort.cohort import Cohort
from agents.governance_policy import GovernancePolicy
from agents.humans.human_cohort import HumanCohort
from agents.humans.human_researcher import HumanResearcher
from agents.kernel_engineer import KernelEngineer
from agents.lab_policy import LabPolicy
from agents.researcher import Researcher
from agents.trainer import Trainer
from sim.growth import Law

POLICIES: dict[str, type[LabPolicy]] = {"fixed": LabPolicy, "adaptive": AdaptivePolicy}
"""Classes of the lab's decisions by `policy__name`."""


@dataclass(frozen=True)
class LabFactory:
    """Classes and functions from which a lab is built, by default those of asara.

    A snapshot stores them by name, so each must be defined in a module.
    """

    researcher: type[Researcher] = Researcher
    """Class of the researchers. A subclass is simulated as individual agents whatever their number, unless ``cohort``
    is given."""
    cohort: type[Cohort] | None = None
    """Cohort class for these researchers; None for that of asara."""
    human: type[HumanResearcher] = HumanResearcher
    """Class of the human researchers. A subclass is simulated as individual agents whatever their number, unless
    ``human_cohort`` is given."""
    human_cohort: type[HumanCohort] | None = None
    """Cohort class for these humans; None for that of asara."""
    trainer: type[Trainer] = Trainer
    """Class of the trainer."""
    kernel_engineer: type[KernelEngineer] = KernelEngineer
    """Class of the kernel engineer."""
    policy: type[LabPolicy] | None = None
    """Class of the lab's decisions; None for that of `policy__name`."""
    governance: type[GovernancePolicy] | None = None
    """Class of the regulator's policy; None for that of `regulator__policy`. With a class there is a regulator."""
    law: Callable[[Law], Law] | None = None
    """Function that returns the growth law of the lab, given that of the scenario. It is called on day 0, and again
    with the lab's own team when a branch changes the growth. None for the law of the scenario."""

    @property
    def is_standard(self) -> bool:
        """Whether all parts are those of asara, so that the scenario determines the growth of software."""
        policy = None if self.policy in POLICIES.values() else self.policy
        cohort = None if self.cohort is Cohort else self.cohort
        human_cohort = None if self.human_cohort is HumanCohort else self.human_cohort
        return replace(self, policy=policy, cohort=cohort, human_cohort=human_cohort) == LabFactory()
