"""Group the ports that each kind of agent takes."""

from typing import NamedTuple

from agents.ports.automation import TaskDivision
from agents.ports.compute import ClusterStatus, Compute
from agents.ports.kernels import KernelDeployment
from agents.ports.knowledge import Knowledge
from agents.ports.oversight import Oversight
from agents.ports.randomness import Randomness
from agents.ports.settings import Settings
from agents.ports.team import ResearchTime, Team
from agents.ports.time import Time
from agents.ports.training import Deployment, TrainingPolicy
from agents.team import TeamState


class ResearcherPorts(NamedTuple):
    """Ports of a researcher, a cohort and pooled work."""

    time: Time
    randomness: Randomness
    compute: Compute
    knowledge: Knowledge
    team: Team
    settings: Settings


class PaperLinePorts(NamedTuple):
    """Ports of the papers in progress of humans."""

    time: Time
    randomness: Randomness
    compute: Compute
    knowledge: Knowledge
    team: TeamState
    settings: Settings
    division: TaskDivision


class HumanPorts(NamedTuple):
    """Ports of a human researcher."""

    time: Time
    randomness: Randomness
    settings: Settings


class TrainerPorts(NamedTuple):
    """Ports of a trainer."""

    compute: Compute
    deployment: Deployment
    policy: TrainingPolicy
    settings: Settings


class KernelEngineerPorts(NamedTuple):
    """Ports of a kernel engineer."""

    time: Time
    compute: Compute
    research_time: ResearchTime
    deployment: KernelDeployment
    settings: Settings


class PolicyPorts(NamedTuple):
    """Ports of the policy of a lab."""

    cluster: ClusterStatus
    settings: Settings


class RegulatorPorts(NamedTuple):
    """Ports of a regulator."""

    time: Time
    oversight: Oversight
