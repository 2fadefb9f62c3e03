"""Define what researchers and kernel engineers need of the team."""

from typing import Protocol

from agents.phases import PhaseOccupancy


class Team(Protocol):
    """The team, as a researcher sees it."""

    @property
    def census(self) -> PhaseOccupancy:
        """Number of researchers in each phase."""

    @property
    def research_pace(self) -> float:
        """Share of researchers' time for papers: d days of work take d/pace days."""


class ResearchTime(Protocol):
    """Researchers' time, of which the search for kernels takes a share."""

    @property
    def reference_researchers(self) -> float:
        """Size of the reference team, to which `kernels__candidates_per_day` refers [researchers]."""

    def team_growth(self) -> float:
        """Return the number of active researchers, relative to the reference team."""

    def set_research_pace(self, pace: float) -> None:
        """Set the share of their time that researchers spend on papers, also for work that has begun."""
