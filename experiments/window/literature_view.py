"""Select the newest papers of the literature and the papers they build on, as a network."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from experiments.text.number_format import format_count, pluralize
from sim.events import PaperPublished

if TYPE_CHECKING:
    from experiments.window.shown_lab import ShownLab

MAX_PAPERS = 300
"""Maximum number of papers that are shown."""
MAX_NEWEST_PAPERS = 180
"""Maximum number of newest papers; the others are earlier papers on which most of these build."""
MAX_EVENTS = 2000
"""Maximum number of events of the ledger, for each lab, that are searched for the newest papers."""


class PaperNode(NamedTuple):
    """A paper, or several papers that a cohort published in one instant."""

    number: int
    """Number in the literature; of several papers, the number of the last."""
    day: float | None
    """Day of publication; None for an earlier paper, shown because newer papers build on it."""
    before_start: bool
    """Whether the paper is older than day 0."""
    researcher: int
    """Number of the author, or of the first researcher of the cohort of its authors; 0 for an earlier paper."""
    papers: int
    duplicates: int
    is_new: bool
    """Whether it was published since the last frame."""


class CitationNetwork(NamedTuple):
    """Papers and the papers they build on."""

    papers: tuple[PaperNode, ...]
    """Papers in the order of their numbers."""
    edges: tuple[tuple[int, int], ...]
    """Pairs of a paper and an earlier paper that it builds on; both are in ``papers``."""
    papers_before_start: int
    """Number of papers before day 0; papers of the run are numbered after them."""
    published: int
    """Number of papers since day 0."""
    duplicates: int
    note: str


def network_of(shown: ShownLab, since: float) -> CitationNetwork:
    """Return the newest papers of a lab; ``since`` is the day of the last frame."""
    literature = shown.lab.knowledge.literature
    newest = _newest_papers(shown, since)
    edges = [
        edge for number in newest if literature.graph.has_node(number) for edge in literature.graph.out_edges(number)
    ]
    room = MAX_PAPERS - len(newest)
    earlier = Counter(cited for _, cited in edges if cited not in newest)
    grounds = {number: _earlier_paper(shown, number) for number, _ in earlier.most_common(room)}
    drawn = newest | grounds
    kept = tuple((number, cited) for number, cited in edges if cited in drawn)
    papers = tuple(drawn[number] for number in sorted(drawn))
    before = shown.scenario.literature.open_questions
    return CitationNetwork(
        papers, kept, before, literature.published, literature.duplicates, _describe_network(shown, papers)
    )


def _newest_papers(shown: ShownLab, since: float) -> dict[int, PaperNode]:
    found: dict[int, PaperNode] = {}
    for event in shown.latest_events(MAX_EVENTS):
        if isinstance(event, PaperPublished) and event.paper:
            found[event.paper] = PaperNode(
                event.paper, event.day, False, event.researcher, int(event.papers), event.duplicates, event.day > since
            )
            if len(found) == MAX_NEWEST_PAPERS:
                break
    return found


def _earlier_paper(shown: ShownLab, number: int) -> PaperNode:
    """Return an earlier paper. Earlier papers are never duplicates, and their events are not searched."""
    return PaperNode(number, None, number <= shown.scenario.literature.open_questions, 0, 1, 0, is_new=False)


def _describe_network(shown: ShownLab, papers: tuple[PaperNode, ...]) -> str:
    literature = shown.lab.knowledge.literature
    if shown.lab.workforce.pool is not None and not literature.published and shown.lab.knowledge.papers:
        return "Pooled work is continuous: there are no single papers."
    if not literature.published:
        return "No paper has been published yet. Press Step."
    listed = sum(paper.papers for paper in papers if paper.researcher)
    field = len(papers) - sum(1 for paper in papers if paper.researcher)
    note = f"The newest {format_count(listed)} of {pluralize(literature.published, 'paper')}"
    return note + (f", and {field} earlier papers that they build on." if field else ".")
