"""Papers and what they build on: a directed graph from each paper to the earlier ones that it builds on."""

from typing import Annotated, Final

import networkx as nx
import numpy as np
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


_MAX_EXACT_DRAWS: Final = 16384
"""So many papers are drawn one by one, however few the questions."""


class Literature:
    """All papers of one run, and which of them are the ground of an open question.

    Papers 1 to ``open_questions`` are those of the field before day 0. Work that began when so many papers were known
    (its ``began``, the number of the latest) is on a question that was open then, any of them alike. Which one
    matters to nobody before it is published, and is drawn then.
    """

    def __init__(self, params: LiteratureParams) -> None:
        self.params = params
        self.graph = nx.DiGraph()
        """Papers that were published one by one. Of those before day 0, and of what a cohort published at once, it has
        only what others build on."""
        self._grounds = np.arange(1, params.open_questions + 1)
        self._answered: dict[int, int] = {}
        """Paper → the one on whose ground it answered the question."""
        self.latest = params.open_questions
        """The number of the latest paper."""
        self.published = 0
        self.duplicates = 0

    @property
    def open_question_papers(self) -> list[int]:
        """The papers on whose ground a question is open."""
        return self._grounds.tolist()

    def add(self, began: int, stream: Generator) -> tuple[int, bool]:
        """Add a paper that was under way since ``began``; return its number and if it is a duplicate.

        It is one if the question that it answers was answered meanwhile. A duplicate opens nothing.
        """
        self.latest = number = self.latest + 1
        places = stream.integers(0, len(self._grounds), size=self.params.references).tolist()
        self.graph.add_node(number)
        self.graph.add_edges_from((number, earlier) for earlier in self._known(places, began))
        ground = int(self._grounds[places[0]])
        duplicate = ground > began
        if not duplicate:
            self._answered[number] = ground
            self._grounds[places[0]] = number
        self.published += 1
        self.duplicates += duplicate
        return number, duplicate

    def add_many(self, papers: int, began: int, stream: Generator) -> int:
        """Add so many papers in one instant, all under way since ``began``; return how many are duplicates.

        Each question is answered by the first of them that is on it, if it was still open. Where there are very many
        papers, whether any is on a question is drawn for each question by itself.
        """
        questions = len(self._grounds)
        if papers <= max(questions, _MAX_EXACT_DRAWS):
            hit = np.zeros(questions, dtype=bool)
            hit[stream.integers(0, questions, size=papers)] = True
            places = np.flatnonzero(hit)
        else:
            places = np.flatnonzero(stream.random(questions) >= (1 - 1 / questions) ** papers)
        answered = places[self._grounds[places] <= began]
        self._grounds[answered] = self.latest + 1 + np.arange(len(answered))
        self.latest += papers
        self.published += papers
        self.duplicates += papers - len(answered)
        return papers - len(answered)

    def _known(self, places: list[int], began: int) -> dict[int, None]:
        """The papers on these grounds as they were then; those that came with many others are unknown."""
        known: dict[int, None] = {}
        for place in places:
            paper = int(self._grounds[place])
            while paper > began:
                paper = self._answered.get(paper, 0)
            if paper:
                known[paper] = None
        return known
