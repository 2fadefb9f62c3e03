"""Papers and what they build on: a directed graph from each paper to the earlier ones that it builds on."""

from typing import Annotated

import networkx as nx
from annotated_types import Interval
from numpy.random import Generator
from pydantic import BaseModel


class LiteratureParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """How findings build on each other, and how often two teams find the same."""

    open_questions: Annotated[int, Interval(ge=1, le=10_000_000), "questions"] = 1000
    """Questions open at any time, each on the ground of one paper; an answer closes its own and opens the next.
    With few of them and many researchers duplicates become frequent. Source: our choice, of the order of the
    papers that a large conference accepts on one subject; nothing but the share of duplicates depends on it while
    they count in full."""
    references: Annotated[int, Interval(ge=1, le=50), "papers"] = 3
    """How many earlier papers each one builds on; the first is the one whose open question it answers.
    Source: our choice; the first alone decides what is a duplicate."""
    duplicate_weight: Annotated[float, Interval(ge=0, le=1), "papers"] = 1.0
    """How much a duplicate still counts, a finding that another team published from the same ground while it
    was under way. Source: 1, so that the report's figures hold (it ignores stepping on toes, footnote 27)."""


class Literature:
    """All papers of one run, and which of them are the ground of an open question.

    Papers 1 to ``open_questions`` are those of the field before day 0.
    """

    def __init__(self, params: LiteratureParams) -> None:
        self.params = params
        self.graph = nx.DiGraph()
        self.graph.add_nodes_from(range(1, params.open_questions + 1))
        self._grounds = list(self.graph)
        self._place = {paper: place for place, paper in enumerate(self._grounds)}
        self.published = 0
        self.duplicates = 0

    @property
    def latest(self) -> int:
        """The number of the latest paper."""
        return len(self.graph)

    @property
    def grounds(self) -> list[int]:
        """The papers on whose ground a question is open."""
        return list(self._grounds)

    def choose_references(self, stream: Generator) -> tuple[int, ...]:
        """Return papers to build on, drawn from those with open questions; the first is the question to answer."""
        drawn = stream.integers(0, len(self._grounds), size=self.params.references).tolist()
        return tuple(dict.fromkeys(self._grounds[place] for place in drawn))

    def add(self, references: tuple[int, ...]) -> tuple[int, bool]:
        """Add a paper that answers the question on its first reference; return its number and if it is a duplicate.

        Work begins on open questions only, so one that is closed by now was answered while this work was under
        way. A duplicate opens nothing.
        """
        number = self.latest + 1
        self.graph.add_edges_from([(number, earlier) for earlier in references])
        place = self._place.pop(references[0], None)
        if place is not None:
            self._grounds[place] = number
            self._place[number] = place
        self.published += 1
        self.duplicates += place is None
        return number, place is None
