"""Simulate pooled work: researchers think together, so that fractions of a paper count at once.

If papers need experiments, each whole paper of pooled work sends the researcher that has thought longest to the
cluster. Without experiments the pool needs no whole papers. It publishes exactly the work that the
next step of software takes, as in the report's arithmetic.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

from simpy import Event

from agents.phases import Phase
from agents.ports.bundles import ResearcherPorts
from agents.ports.knowledge import PaperBatch

_ROUNDING: Final = 1e-9
"""Relative tolerance for rounding of an amount of work."""


class Thinker(Protocol):
    """A researcher in phase *think*, as the pool sees it."""

    def on_thought_out(self) -> None:
        """Handle that the next paper is thought out."""


class PooledWork:
    """Accumulate the work of all researchers in phase *think*."""

    def __init__(self, ports: ResearcherPorts) -> None:
        self._time, _, _, self._knowledge, self._team, self._settings = ports
        self.members: dict[Thinker, None] = {}
        self.anonymous_members = 0
        """Number of further researchers, which only think and therefore need no agents."""
        self._papers = 0.0
        self._since = self._time.now
        self._timer: Event | None = None

    @property
    def papers(self) -> float:
        """Work that is done and not published [papers]."""
        return self._papers + self._papers_per_day() * (self._time.now - self._since)

    def add(self, researcher: Thinker) -> None:
        """Add a researcher. Call :meth:`schedule_next` after the last change of an instant."""
        self.accrue()
        self.members[researcher] = None

    def remove(self, researcher: Thinker) -> None:
        """Remove a researcher; its work remains. Call :meth:`schedule_next` afterwards."""
        self.accrue()
        del self.members[researcher]

    def set_anonymous_members(self, researchers: int) -> None:
        """Set the number of researchers without agents. Call :meth:`schedule_next` afterwards."""
        self.accrue()
        self._team.census.enter(Phase.THINK, self._time.now, researchers - self.anonymous_members)
        self.anonymous_members = researchers

    def schedule_next(self) -> None:
        """Schedule the completion of the next whole paper, or of the next step of software."""
        self.accrue()
        self._timer = None
        if self.members or self.anonymous_members:
            missing = max(0.0, self._papers_needed() - self._papers)
            self._timer = self._time.after(missing / self._papers_per_day(), self._on_accrued)

    def flush(self) -> bool:
        """Hand in the work so far before a change of the team changes its value; return whether there was any."""
        self.accrue()
        if self._papers <= 0 or self._experiments():
            return False
        papers, self._papers = self._papers, 0.0
        self._knowledge.publish(PaperBatch(0, papers, None), self)
        return True

    def max_batch(self) -> float:
        """Return inf: the work that is handed in reaches the next step of software at most."""
        return math.inf

    def on_published(self, papers: float) -> None:
        """Schedule the next publication."""
        self.schedule_next()

    def on_dropped(self, papers: float) -> None:
        """Schedule the next publication."""
        self.schedule_next()

    def _papers_per_day(self) -> float:
        """Return the work per day of all members; writing is included if papers need no experiment."""
        params = self._settings.researcher
        thinking = 1 - params.writing_share if self._experiments() else 1.0
        return (
            (len(self.members) + self.anonymous_members) * params.papers_per_day * self._team.research_pace / thinking
        )

    def _experiments(self) -> bool:
        return self._knowledge.experiment_gpu_days() > 0

    def _papers_needed(self) -> float:
        needed = 1.0 if self._experiments() else self._knowledge.papers_to_next_step()
        return needed if needed < math.inf else self._papers_per_day()  # of frozen software: the work of a day

    def accrue(self) -> None:
        """Add the work so far. Call this before a change of the rate of work."""
        self._papers = self.papers
        self._since = self._time.now

    def _on_accrued(self, timer: Event) -> None:
        if timer is not self._timer:
            return
        needed = self._papers_needed()
        self.accrue()
        more = self._papers - needed  # papers of others can make the next step need less than the pool has done
        self._papers = more if more > _ROUNDING * needed else 0.0
        if self._experiments():
            thinker = next(iter(self.members))
            self.remove(thinker)
            thinker.on_thought_out()
            self.schedule_next()
        else:
            self._knowledge.publish(PaperBatch(0, needed, None), self)
