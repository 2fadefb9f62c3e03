"""Count the papers of one lab, and the software that they lead to."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from agents.identity import AgentId
from agents.literature import Literature
from agents.phases import RESEARCHING
from agents.ports.knowledge import Author, PaperBatch
from agents.ports.randomness import Randomness
from agents.team import TeamState
from agents.work_model import mean_run_days
from hardware.uses import Use
from sim import events
from sim.clock import Clock
from sim.compute_account import ComputeAccount
from sim.growth import Law
from sim.lab_params import PUBLICATION_STEP
from sim.lab_settings import LabSettings
from sim.publication_history import PublicationHistory
from sim.software import LEVEL_TOLERANCE, SoftwareState


class LabKnowledge:
    """Add published papers to the literature and to effort, and record doublings of software.

    Arguments
    ---------
    lab
        Name of the lab.
    clock, randomness, settings
        Clock and random streams of the run; present parameters of the lab.
    law
        Growth law of day 0.
    team, compute
        Team and GPUs, on which the effect of a paper depends.
    ledger
        Events of the run, to which publications and doublings are appended.
    next_generation_at
        Function that returns the software at which the next training run can begin [doublings].
    request_settlement
        Function that requests the settlement of the lab, in which papers are counted.
    """

    def __init__(
        self,
        lab: str,
        clock: Clock,
        randomness: Randomness,
        settings: LabSettings,
        law: Law,
        team: TeamState,
        compute: ComputeAccount,
        ledger: events.LabLedger,
        next_generation_at: Callable[[], float],
        request_settlement: Callable[[], None],
    ) -> None:
        self._lab = lab
        self._clock = clock
        self._randomness = randomness
        self._settings = settings
        self._team = team
        self._compute = compute
        self._ledger = ledger
        self._next_generation_at = next_generation_at
        self._request_settlement = request_settlement
        self.software = SoftwareState(law)
        self.history = PublicationHistory()
        """Discovered software over time, and the delay after which it is published."""
        self.literature = Literature(settings.literature)
        self.papers = 0.0
        """Number of papers published."""
        self.safety_share = 0.0
        """Share of each paper that is on safety, and does not improve software."""
        self.safety_papers = 0.0
        """Work on safety that is published [papers]."""
        self.publications: deque[tuple[PaperBatch, float, Author]] = deque()
        """Batches that are handed in, with the number of their papers that are not counted yet, and their authors."""
        self.doublings = 0
        """Number of completed doublings of discovered software."""
        self.on_counted: Callable[[float], None] | None = None
        """Function that is called with the effective papers of each batch that is counted, for other labs."""
        self.received: deque[tuple[str, float, float]] = deque()
        """What other labs have contributed and is not counted yet: lab, effective papers, doublings of software."""
        self.apply_settings()

    @property
    def discovered(self) -> float:
        """Discovered software, at most `run__max_doublings` [doublings]."""
        return min(self.software.discovered, float(self._settings.run.max_doublings))

    @property
    def published_software(self) -> float:
        """Discovered software that is published, at most `run__max_doublings` [doublings]."""
        return min(self.history.published(float(self._clock.now)), float(self._settings.run.max_doublings))

    def experiment_gpu_days(self) -> float:
        """Return the mean cost of an experiment with the algorithms of now [GPU-days]."""
        params = self._settings.researcher
        return float(params.experiment_gpu_days * 2.0 ** (-(1 - params.experiment_scaling) * self.software.discovered))

    def effective_papers(self, papers: float) -> float:
        """Return the effective papers of papers written now: ``(1 - s) papers n^(p - 1)``.

        n researchers who do research achieve ``n^p``, not n. Each of them spends the share s on safety, so that safety
        does not change the penalty.
        """
        penalty, papers = self._settings.growth.parallel_penalty, papers * (1 - self.safety_share)
        return float(papers * max(1, self.doing_research) ** (penalty - 1)) if penalty < 1 else float(papers)

    @property
    def doing_research(self) -> float:
        """Number of researchers that the parallelization penalty counts: they think, run experiments or write.

        Researchers that wait for GPUs, or have none, are not counted. The number is also limited to the researchers
        that the GPUs can supply with experiments. k GPUs complete ``k/c`` experiments of c GPU-days per day. That is
        the work of ``k/c (T + R + W)`` researchers who never wait, with the times T of thinking, R of running and W of
        writing. By Little's law the mean of the count is papers per day times ``T + R + W``, so that researchers who
        only lengthen the queue do not change it. If papers need no experiment, all active researchers count.

        Humans, and the AIs that assist them, count while they do a task of a paper. They are not limited further: a
        human waits while all papers in progress wait for GPUs.
        """
        params, pace = self._settings.researcher, self._team.research_pace
        helpers = self._team.humans_at_work + self._team.ais_at_work
        if params.experiment_gpu_days == 0:
            return self._team.active_researchers + helpers
        compute = self._compute
        there = sum(self._team.census.count[phase] for phase in RESEARCHING)
        cost = self.experiment_gpu_days() / compute.work_rate
        if there * cost <= compute.gpus_for_experiments() / (params.papers_per_day * pace):
            return there + helpers  # the GPUs can supply more, even if experiments took no time
        largest = compute.largest_gang(Use.EXPERIMENT)
        run = mean_run_days(params, cost * compute.work_rate, largest) / compute.work_rate
        most = compute.gpus_for_experiments() / cost * (1 / (params.papers_per_day * pace) + run)
        return min(there, most) + helpers

    def papers_to_next_step(self, within: float = math.inf) -> float:
        """Return the number of papers until the next event of software.

        That is the next doubling, the gain that starts the next training run, or ``within`` more doublings, whichever
        comes first.
        """
        if self.on_counted is not None:
            within = min(within, PUBLICATION_STEP)
        step = min(self.software.whole_doublings + 1, self.software.discovered + within)
        gain = self._next_generation_at()
        if self.software.discovered + LEVEL_TOLERANCE < gain < step:
            step = gain
        effective = self.software.law.papers_between(self.software.effort, step)
        return effective / self.effective_papers(1.0)

    def set_safety_share(self, share: float) -> None:
        """Set the share of safety in papers that are counted from now on. Raises ValueError outside of [0, 1)."""
        if share == self.safety_share:
            return
        if not 0 <= share < 1:
            raise ValueError(f"safety_share = {share:g} is not allowed; allowed: 0 to below 1. Correct the policy.")
        self.safety_share = share
        self._ledger.append(events.SafetyShareChanged(float(self._clock.now), share))

    def record_history(self) -> None:
        """Record the present discovered software, which is published after the delay of the lab."""
        self.history.record(self.software.discovered, float(self._clock.now))

    @property
    def is_complete(self) -> bool:
        """Whether software has reached its limit or its number of doublings, at which the run ends."""
        return self.software.discovered >= self._goal

    def publish(self, batch: PaperBatch, author: Author) -> None:
        """Hand in papers, which are counted at the end of the instant."""
        self.publications.append((batch, batch.papers, author))
        self._request_settlement()

    def count_publications(self) -> None:
        """Count papers one batch at a time, up to the next step of software; each author goes on after its own.

        A step is a doubling, or the gain at which the next training run can begin. At the end of the run the remaining
        papers are dropped.
        """
        left = len(self.publications)  # what is handed in meanwhile belongs to the next round
        while left and not self.is_complete:
            batch, papers, author = self.publications.popleft()
            left -= 1
            before = self.software.discovered
            most = author.max_batch() if papers > 1 else 1
            if papers > most:
                self._count(batch._replace(papers=int(most)))
                self.publications.appendleft((batch, papers - int(most), author))
                left += 1
            else:
                self._count(batch if papers == batch.papers else batch._replace(papers=papers))
                author.on_published(batch.papers)
            if left and self._is_step_reached(before):
                break
        if self.is_complete:
            self.drop_publications()

    def count_received(self) -> None:
        """Count what other labs have contributed, up to the next step of software."""
        while self.received:
            source, papers, gained = self.received.popleft()
            if self.is_complete:
                continue
            now, before = float(self._clock.now), self.software.discovered
            if papers:
                self.software.add(papers)
                event: events.LabEvent = events.PapersReceived(now, source, papers, self.software.discovered)
            else:
                self.software.raise_to(before + gained)
                if self.software.discovered == before:
                    continue
                event = events.SoftwareReceived(now, source, gained, self.software.discovered)
            self.record_history()
            self._ledger.append(event)
            if self._is_step_reached(before):
                return

    def _is_step_reached(self, before: float) -> bool:
        """Return whether software has reached its next step since it was ``before`` [doublings]."""
        level = self.software.discovered + LEVEL_TOLERANCE
        return level >= self.doublings + 1 or before + LEVEL_TOLERANCE < self._next_generation_at() <= level

    def drop_all(self) -> None:
        """Drop the papers of this lab and what it received, as far as they are not counted yet."""
        self.received.clear()
        self.drop_publications()

    def drop_publications(self) -> None:
        """Drop the papers that are not counted yet; their authors go on."""
        for _ in range(len(self.publications)):
            batch, _uncounted, author = self.publications.popleft()
            author.on_dropped(batch.papers)

    def _count(self, batch: PaperBatch) -> None:
        number, duplicates = self._add_to_literature(batch)
        weight = 1 - (1 - self._settings.literature.duplicate_weight) * duplicates / batch.papers
        effective = self.effective_papers(weight * batch.papers)
        self.papers += batch.papers
        self.safety_papers += batch.papers * self.safety_share
        self.software.add(effective)
        self.record_history()
        if self.on_counted is not None:
            self.on_counted(effective)
        self._ledger.append(
            events.PaperPublished(
                float(self._clock.now),
                batch.researcher,
                batch.team_size,
                number,
                batch.papers,
                duplicates,
                effective,
                self.software.discovered,
            )
        )

    def apply_settings(self) -> None:
        """Apply the present parameters from now on."""
        self.literature.params = self._settings.literature
        self._goal = min(self._settings.run.max_doublings - LEVEL_TOLERANCE, self._settings.growth.limit - 1)
        """Software at which the run ends [doublings]."""

    def _add_to_literature(self, batch: PaperBatch) -> tuple[int, int]:
        """Add a batch to the literature; return the number of its latest paper and the number of duplicates.

        Pooled work is not in the literature: both numbers are 0.
        """
        if batch.known_at_start is None:
            return 0, 0
        author = AgentId(self._lab, "researcher", batch.researcher)
        stream = self._randomness.get("references", author.stream_key)
        if batch.papers == 1:
            number, duplicate = self.literature.add(batch.known_at_start, stream)
            return number, int(duplicate)
        duplicates = self.literature.add_many(int(batch.papers), batch.known_at_start, stream)
        return self.literature.latest, duplicates

    def record_doublings(self) -> None:
        """Record the doublings of software that are complete."""
        if self.software.discovered + LEVEL_TOLERANCE < self.doublings + 1:
            return
        while self.doublings < min(self.software.whole_doublings, self._settings.run.max_doublings):
            self.doublings += 1
            self._ledger.append(
                events.SoftwareDoubled(
                    float(self._clock.now),
                    self.doublings,
                    self.papers,
                    self.literature.duplicates,
                    self._team.active_researchers,
                )
            )
