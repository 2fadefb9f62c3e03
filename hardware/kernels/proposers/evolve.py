"""A small population: tournaments choose parents, children cross and mutate them."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.surrogate import expected_speedup

POPULATION: Final = 12
"""The best so many that passed, no two of them the same."""
MIN_PARENTS: Final = 4
"""So many must have passed before there are children."""
TOURNAMENT_SIZE: Final = 3
"""In a tournament."""
RANDOM_SHARE: Final = 0.1
"""Share of proposals that are drawn at random, so that the population does not become one clan."""
MAX_ATTEMPTS: Final = 50
"""That may turn out to have been tried before, until a stranger takes their place."""


class Evolve:
    """Steady state: each child competes with the best so far at once, there are no generations."""

    name = "evolve"
    summary = "a small population with tournaments, crossover and mutation"

    def propose(self, history: History) -> Proposal | None:
        """Return an untried child of two parents, or a stranger."""
        chance, known = history.rng, history.known
        parents = history.passed[:POPULATION]
        candidate, why = None, "A child of two parents from among the best."
        if len(parents) >= MIN_PARENTS and chance.random() >= RANDOM_SHARE:
            children = (_child(history, parents, chance) for _ in range(MAX_ATTEMPTS))
            candidate = next((each for each in children if each is not None and each not in known), None)
        if candidate is None:
            why = "A stranger, for diversity."
            first = next((each for each in history.pool.naives[:1] if each not in known), None)
            candidate = first or history.pool.draw(chance, known)
        return candidate and Proposal(candidate, expected_speedup(history, candidate), why)


def _child(history: History, parents: list[tuple[Candidate, float]], chance: Generator) -> Candidate | None:
    """Cross two parents of one family, then take a step or more; None if the child is not allowed."""
    mother, father = (_winner(parents, chance) for _ in range(2))
    if mother not in history.pool:  # foreign source has no parameters to inherit
        return None
    values = mother.values
    if father.family == mother.family:
        values = {name: value if chance.random() < 0.5 else father.values[name] for name, value in values.items()}
    child = history.pool.made(mother.family, values)
    for _ in range(int(chance.geometric(0.5))):
        steps = history.pool.neighbours(child) if child else []
        child = steps[int(chance.integers(len(steps)))] if steps else None
    return child


def _winner(parents: list[tuple[Candidate, float]], chance: Generator) -> Candidate:
    return parents[min(int(chance.integers(len(parents))) for _ in range(TOURNAMENT_SIZE))][0]
