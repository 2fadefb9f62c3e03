"""Pooled work: researchers who think together, so that any fraction of a paper counts at once.

With an experiment to every paper, each whole paper's worth of thinking sends the researcher who has thought
longest to the cluster. Without experiments there is no need for whole papers: the pool publishes exactly the
work that the next step of software takes, which is how the report's arithmetic counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simpy import Event

from agents.phases import Phase
from agents.ports import Lab, PaperBatch

if TYPE_CHECKING:
    from agents.researcher import Researcher


class PooledWork:
    """The pooled thinking of all researchers in phase *think*."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.members: dict[Researcher, None] = {}
        self.others = 0
        """Further researchers without an agent each: those who only ever think in a pool have no life of their
        own that could be told from another's."""
        self._papers = 0.0
        self._since = lab.now
        self._alarm: Event | None = None

    @property
    def papers(self) -> float:
        """Papers' worth of work done and not published yet."""
        return self._papers + self._papers_per_day() * (self.lab.now - self._since)

    def join(self, researcher: Researcher) -> None:
        """Add a researcher. Call :meth:`plan` after the last change of an instant."""
        self.accrue()
        self.members[researcher] = None

    def leave(self, researcher: Researcher) -> None:
        """Take a researcher out, which leaves its work in the pool. Call :meth:`plan` afterwards."""
        self.accrue()
        del self.members[researcher]

    def set_anonymous_members(self, researchers: int) -> None:
        """Set the number of researchers without an agent each. Call :meth:`plan` afterwards."""
        self.accrue()
        self.lab.census.enter(Phase.THINK, self.lab.now, researchers - self.others)
        self.others = researchers

    def plan(self) -> None:
        """Set the moment at which the next whole paper, or the next step of software, is thought out."""
        self.accrue()
        self._alarm = None
        if self.members or self.others:
            missing = max(0.0, self._needed() - self._papers)
            self._alarm = self.lab.after(missing / self._papers_per_day(), self._thought_out)

    def flush(self) -> None:
        """Publish what has been done so far: the team is about to change, and with it what work is worth."""
        self.accrue()
        if self._papers > 0 and not self._experiments():
            papers, self._papers = self._papers, 0.0
            self.lab.publish(PaperBatch(0, papers, None))

    def _papers_per_day(self) -> float:
        """What all members together add; writing is pooled too where no experiment comes before it."""
        params = self.lab.researcher_params
        thinking = 1 - params.writing_share if self._experiments() else 1.0
        return (len(self.members) + self.others) * params.papers_per_day * self.lab.research_pace / thinking

    def _experiments(self) -> bool:
        return self.lab.experiment_gpu_days() > 0

    def _needed(self) -> float:
        return 1.0 if self._experiments() else self.lab.papers_to_next_step()

    def accrue(self) -> None:
        """Count what has been done so far. Call it before anything changes that sets how fast work is done."""
        self._papers = self.papers
        self._since = self.lab.now

    def _thought_out(self, alarm: Event) -> None:
        if alarm is not self._alarm:
            return
        needed = self._needed()
        self._papers = 0.0
        self._since = self.lab.now
        if self._experiments():
            thinker = next(iter(self.members))
            self.leave(thinker)
            thinker.has_idea()
        else:
            self.lab.publish(PaperBatch(0, needed, None))
        self.plan()
