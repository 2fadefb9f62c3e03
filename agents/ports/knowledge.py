"""Define how researchers read the state of research and publish papers."""

import math
from typing import NamedTuple, Protocol

from agents.literature import Literature


class PaperBatch(NamedTuple):
    """Papers that a researcher, a cohort or a pool publishes together."""

    researcher: int
    """Number of the researcher or cohort; 0 for pooled work."""
    papers: float
    """Number of papers: 1, the batch of a cohort, or any amount of pooled work."""
    known_at_start: int | None
    """Number of the latest paper that was known at the start; None for pooled work, which has no single paper."""
    team_size: int = 1
    """Number of possible authors: 1, or the number of active researchers of a cohort."""


class Author(Protocol):
    """An agent that publishes, and goes on when its papers are counted."""

    def max_batch(self) -> float:
        """Return the largest number of papers that may be counted together now."""

    def on_published(self, papers: float) -> None:
        """Go on after a batch of this number of papers was counted."""

    def on_dropped(self, papers: float) -> None:
        """Go on after a batch of this number of papers was dropped."""


class Knowledge(Protocol):
    """The papers of the lab and the software that they lead to."""

    @property
    def literature(self) -> Literature:
        """All papers and their references."""

    @property
    def discovered(self) -> float:
        """Discovered software, at most `run__max_doublings` [doublings]."""

    def experiment_gpu_days(self) -> float:
        """Return the mean cost of an experiment with the algorithms of now [GPU-days]."""

    def papers_to_next_step(self, within: float = math.inf) -> float:
        """Return the papers that the active team must write up to the next step of software.

        ``within``: maximum length of a step [doublings].
        """

    def publish(self, batch: PaperBatch, author: Author) -> None:
        """Hand in papers, which are counted at the end of the instant.

        A batch is counted in parts of at most ``author.max_batch()``, and ``author.on_published`` is called afterwards.
        The rest of a batch is dropped at the end of the run, and when all researchers begin new papers together.
        """
