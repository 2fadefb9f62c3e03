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

    open_papers: Annotated[int, Interval(ge=1, le=10_000_000), "papers"] = 1000
    """The latest papers, whose open questions are still worth answering. A team picks one of them; with few of
    them and many researchers, duplicates become frequent. Source: our choice, of the order of the papers that a
    large conference accepts on one subject; nothing else depends on it while duplicates count in full."""
    references: Annotated[int, Interval(ge=1, le=50), "papers"] = 3
    """How many earlier papers each one builds on; the first is the one whose open question it answers.
    Source: our choice; the first alone decides what is a duplicate."""
    duplicate_weight: Annotated[float, Interval(ge=0, le=1), "papers"] = 1.0
    """How much a duplicate still counts, a finding that another team published from the same ground while it
    was under way. Source: 1, so that the report's figures hold (it ignores stepping on toes, footnote 27)."""


class Literature:
    """All papers of one run. Papers 1 to ``open_papers`` are those of the field before day 0."""

    def __init__(self, params: LiteratureParams) -> None:
        self.params = params
        self.graph = nx.DiGraph()
        self.graph.add_nodes_from(range(1, params.open_papers + 1))
        self._latest_answer: dict[int, float] = {}
        self.published = 0
        self.duplicates = 0

    @property
    def latest(self) -> int:
        """The number of the latest paper."""
        return len(self.graph)

    def choose_references(self, stream: Generator) -> tuple[int, ...]:
        """Return the papers to build on, drawn from the latest ones; the first is the question to answer."""
        low = max(1, self.latest - self.params.open_papers + 1)
        drawn = stream.integers(low, self.latest + 1, size=self.params.references).tolist()
        return tuple(dict.fromkeys(drawn))

    def add(self, references: tuple[int, ...], begun: float, now: float) -> tuple[int, bool]:
        """Add a paper and return its number and whether it is a duplicate.

        A duplicate answers a question that another paper answered after this work had begun.
        """
        question = references[0]
        duplicate = self._latest_answer.get(question, -1.0) > begun
        self._latest_answer[question] = now
        number = self.latest + 1
        self.graph.add_edges_from([(number, earlier) for earlier in references])
        self.published += 1
        self.duplicates += duplicate
        return number, duplicate
