"""Hold the state of a team: the number of its researchers by activity, and their time for papers."""

from agents.phases import PhaseOccupancy


class TeamState:
    """Researchers of a lab by phase, and the share of their time that papers get."""

    def __init__(self) -> None:
        self.census = PhaseOccupancy()
        """Number of researchers in each phase, and the time spent there."""
        self.active_researchers = 0
        """Number of active researchers."""
        self.humans_at_work = 0
        """Number of humans who do a task of a paper."""
        self.ais_at_work = 0.0
        """Number of AIs that do a task of a paper of humans."""
        self.research_pace = 1.0
        """Share of researchers' time that is spent on papers; the rest is spent on candidates for kernels."""
