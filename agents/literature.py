"""Keep papers and their references: a directed graph from each paper to the earlier ones that it builds on."""

from typing import Final

import networkx as nx
import numpy as np
from numpy.random import Generator

from agents.params import LiteratureParams

_MAX_EXACT_DRAWS: Final = 16384
"""Maximum number of papers that are drawn one by one if there are fewer questions."""


class Literature:
    """Keep all papers of one run and the papers whose questions are open.

    Papers 1 to ``open_questions`` are those of the field before day 0. A paper is on a random question that was open
    at its start. The start is ``known_at_start``, the number of the latest paper then. The question has no effect
    before publication, so it is drawn at publication.
    """

    def __init__(self, params: LiteratureParams) -> None:
        self.params = params
        self._graph = nx.DiGraph()
        self._uncharted: list[tuple[int, dict[int, None]]] = []
        """Papers that the graph does not contain yet, with the papers that they build on."""
        self._open_papers = np.arange(1, params.open_questions + 1)
        self._answered: dict[int, int] = {}
        """Paper → the paper whose question it answered."""
        self.latest = params.open_questions
        """Number of the latest paper."""
        self.published = 0
        self.duplicates = 0

    @property
    def graph(self) -> nx.DiGraph:
        """Graph of the papers that were published one by one, and of what they build on.

        Of papers before day 0 and of batches of a cohort, it holds only those that others build on. Papers enter it
        when it is read, because most runs never read it.
        """
        for number, known in self._uncharted:
            self._graph.add_node(number)
            self._graph.add_edges_from((number, earlier) for earlier in known)
        self._uncharted.clear()
        return self._graph

    @property
    def open_question_papers(self) -> list[int]:
        """Papers whose questions are open."""
        return self._open_papers.tolist()

    def add(self, known_at_start: int, stream: Generator) -> tuple[int, bool]:
        """Add a paper that was begun at ``known_at_start``; return its number and whether it is a duplicate.

        It is a duplicate if its question was answered in the meantime. A duplicate opens no question.
        """
        self.latest = number = self.latest + 1
        places = stream.integers(0, len(self._open_papers), size=self.params.references).tolist()
        self._uncharted.append((number, self._known(places, known_at_start)))
        ground = int(self._open_papers[places[0]])
        duplicate = ground > known_at_start
        if not duplicate:
            self._answered[number] = ground
            self._open_papers[places[0]] = number
        self.published += 1
        self.duplicates += duplicate
        return number, duplicate

    def add_many(self, papers: int, known_at_start: int, stream: Generator) -> int:
        """Add papers in one instant, all begun at ``known_at_start``; return the number of duplicates.

        The first paper on an open question answers it. For very many papers, whether a question is
        answered is drawn for each question independently.
        """
        questions = len(self._open_papers)
        if papers <= max(questions, _MAX_EXACT_DRAWS):
            hit = np.zeros(questions, dtype=bool)
            hit[stream.integers(0, questions, size=papers)] = True
            places = hit.nonzero()[0]
        else:
            places = np.flatnonzero(stream.random(questions) >= (1 - 1 / questions) ** papers)
        answered = places[self._open_papers[places] <= known_at_start]
        self._open_papers[answered] = self.latest + 1 + np.arange(len(answered))
        self.latest += papers
        self.published += papers
        self.duplicates += papers - len(answered)
        return papers - len(answered)

    def _known(self, places: list[int], known_at_start: int) -> dict[int, None]:
        """Return the papers at these places as they were at the start; papers of batches are unknown."""
        known: dict[int, None] = {}
        for place in places:
            paper = int(self._open_papers[place])
            while paper > known_at_start:
                paper = self._answered.get(paper, 0)
            if paper:
                known[paper] = None
        return known
