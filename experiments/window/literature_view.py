"""The literature as a growing network: the newest papers and what they build on."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from experiments.window.number_format import format_count, pluralize
from sim.events import PaperPublished

if TYPE_CHECKING:
    from sim.world import World

MAX_PAPERS = 300
"""Papers that are shown."""
NEWEST = 180
"""Of them the newest; the others are earlier ones on which most of these build."""
MAX_EVENTS = 2000
"""Of the ledger among which the newest papers are looked up."""


class Paper(NamedTuple):
    """A paper, or several that a cohort published in one instant."""

    number: int
    """In the literature; of several the last."""
    day: float | None
    """None for an earlier paper, shown because newer ones build on it."""
    before_start: bool
    """Part of the field before day 0."""
    researcher: int
    """Its author, or the cohort of its authors by the number of the first; 0 for an earlier paper."""
    papers: int
    duplicates: int
    new: bool
    """Published since the last frame."""


class Network(NamedTuple):
    """Some papers, and who among them builds on whom."""

    papers: tuple[Paper, ...]
    """By number."""
    edges: tuple[tuple[int, int], ...]
    """(paper, the earlier one that it builds on), both of those shown."""
    before: int
    """Papers of the field before day 0, after which those of the run are numbered."""
    published: int
    """Since day 0."""
    duplicates: int
    note: str


def network_of(world: World, since: float) -> Network:
    """Return the newest of a world's literature; ``since``: the day of the last frame."""
    literature = world.literature
    newest = _newest(world, since)
    edges = [
        edge for number in newest if literature.graph.has_node(number) for edge in literature.graph.out_edges(number)
    ]
    room = MAX_PAPERS - len(newest)
    earlier = Counter(cited for _, cited in edges if cited not in newest)
    grounds = {number: _earlier(world, number) for number, _ in earlier.most_common(room)}
    shown = newest | grounds
    kept = tuple((number, cited) for number, cited in edges if cited in shown)
    papers = tuple(shown[number] for number in sorted(shown))
    before = world.scenario.literature.open_questions
    return Network(papers, kept, before, literature.published, literature.duplicates, _note(world, papers))


def _newest(world: World, since: float) -> dict[int, Paper]:
    found: dict[int, Paper] = {}
    for event in itertools.islice(reversed(world.ledger), MAX_EVENTS):
        if isinstance(event, PaperPublished) and event.paper:
            found[event.paper] = Paper(
                event.paper, event.day, False, event.researcher, int(event.papers), event.duplicates, event.day > since
            )
            if len(found) == NEWEST:
                break
    return found


def _earlier(world: World, number: int) -> Paper:
    """A paper that others build on, which no duplicate is, of which no more is looked up."""
    return Paper(number, None, number <= world.scenario.literature.open_questions, 0, 1, 0, new=False)


def _note(world: World, papers: tuple[Paper, ...]) -> str:
    literature = world.literature
    if world.pool is not None and not literature.published and world.papers:
        return "Pooled work comes in fractions: there are no single papers."
    if not literature.published:
        return "No paper has been published yet: step on."
    shown = sum(paper.papers for paper in papers if paper.researcher)
    field = len(papers) - sum(1 for paper in papers if paper.researcher)
    note = f"The newest {format_count(shown)} of {pluralize(literature.published, 'paper')}"
    return note + (f", and {field} earlier that they build on." if field else ".")
