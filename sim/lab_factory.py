"""Choose the classes of a lab's agents, its policy and its growth law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agents.cohort.cohort import Cohort
from agents.kernel_engineer import KernelEngineer
from agents.lab_policy import LabPolicy
from agents.researcher import Researcher
from agents.trainer import Trainer
from sim.growth import Law


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
    trainer: type[Trainer] = Trainer
    """Class of the trainer."""
    kernel_engineer: type[KernelEngineer] = KernelEngineer
    """Class of the kernel engineer."""
    policy: type[LabPolicy] = LabPolicy
    """Class of the lab's decisions."""
    law: Callable[[Law], Law] | None = None
    """Function that returns the growth law of the lab, given that of the scenario. It is called on day 0, and again
    with the lab's own team when a branch changes the growth. None for the law of the scenario."""

    @property
    def is_standard(self) -> bool:
        """Whether all parts are those of asara, so that the scenario determines the growth of software."""
        return self == LabFactory(cohort=Cohort if self.cohort is Cohort else None)
