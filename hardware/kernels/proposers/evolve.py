"""Propose candidates by evolution: tournaments choose parents, and children are crossed and mutated."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.surrogate import expected_speedup

POPULATION_SIZE: Final = 12
"""Number of best distinct candidates that can be parents."""
MIN_PARENTS: Final = 4
"""Number of candidates that must have passed before the first child."""
TOURNAMENT_SIZE: Final = 3
"""Number of candidates in a tournament."""
RANDOM_SHARE: Final = 0.1
"""Share of proposals that are drawn at random, to keep the population diverse, 0 to 1."""
MAX_ATTEMPTS: Final = 50
"""Number of children that may be known already before a random candidate is drawn."""


class EvolutionProposer:
    """Steady-state evolution: each child joins the population at once, without generations."""

    name = "evolve"
    summary = "a small population with tournaments, crossover and mutation"

    def propose(self, history: History) -> Proposal | None:
        """Return an untried child of two parents, or a random candidate."""
        rng, known = history.rng, history.known
        parents = history.passed[:POPULATION_SIZE]
        candidate, why = None, "A child of two of the best candidates."
        if len(parents) >= MIN_PARENTS and rng.random() >= RANDOM_SHARE:
            children = (_child(history, parents, rng) for _ in range(MAX_ATTEMPTS))
            candidate = next((each for each in children if each is not None and each not in known), None)
        if candidate is None:
            why = "A random candidate, for diversity."
            first = next((each for each in history.search_space.defaults[:1] if each not in known), None)
            candidate = first or history.search_space.draw(rng, known)
        return candidate and Proposal(candidate, expected_speedup(history, candidate), why)


def _child(history: History, parents: list[tuple[Candidate, float]], rng: Generator) -> Candidate | None:
    """Cross two parents of one family, then take one or more random steps; None if the child is not allowed."""
    mother, father = (_tournament_winner(parents, rng) for _ in range(2))
    if mother not in history.search_space:  # untrusted source has no parameters to inherit
        return None
    values = mother.values
    if father.family == mother.family:
        values = {name: value if rng.random() < 0.5 else father.values[name] for name, value in values.items()}
    child = history.search_space.candidate_from(mother.family, values)
    for _ in range(int(rng.geometric(0.5))):
        steps = history.search_space.neighbours(child) if child else []
        child = steps[int(rng.integers(len(steps)))] if steps else None
    return child


def _tournament_winner(parents: list[tuple[Candidate, float]], rng: Generator) -> Candidate:
    return parents[min(int(rng.integers(len(parents))) for _ in range(TOURNAMENT_SIZE))][0]
