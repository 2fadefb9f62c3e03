"""Hold the present parameters of a lab, which a branch may replace."""

from sim.scenario.model import Scenario


class LabSettings:
    """Present scenario of a lab and its blocks of parameters.

    Parts of a lab keep this object and read a block when they use it.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.change_scenario(scenario)

    def change_scenario(self, scenario: Scenario) -> None:
        """Replace all parameters."""
        self.scenario = scenario
        self.growth = scenario.growth
        self.researcher = scenario.ai_researcher
        self.humans = scenario.humans
        self.automation = scenario.ai_automation
        self.start = scenario.start
        self.horizon = scenario.horizon
        self.literature = scenario.literature
        self.training = scenario.training
        self.kernels = scenario.kernels
        self.policy = scenario.policy
        self.commons = scenario.commons
        self.entry = scenario.entry
        self.exit = scenario.exit
        self.supply = scenario.supply
        self.disclosure = scenario.disclosure
        self.cluster = scenario.cluster
        """Parameters of the cluster, with its GPUs on day 0; `hardware.datacenter.Datacenter` has the present GPUs."""
        self.run = scenario.run
