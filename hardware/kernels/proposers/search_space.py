"""Combine the parameter spaces of several families to one search space."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Mapping
from functools import cached_property
from itertools import accumulate, islice, product
from math import inf, prod
from operator import sub
from typing import Final

from numpy.random import Generator

from hardware.kernels.candidate import Candidate, ParameterSpace, Value

MAX_RANDOM_DRAWS: Final = 500
"""Number of random draws before the candidates are enumerated."""
MAX_LISTED: Final = 200_000
"""Largest number of combinations of a space that are enumerated; all of them can be drawn."""


class SearchSpace:
    """The candidates of several spaces, family → space, in that order."""

    def __init__(self, spaces: Mapping[str, ParameterSpace]) -> None:
        self.spaces = dict(spaces)
        sizes = (float(prod(map(len, space.choices.values()))) for space in self.spaces.values())
        self._ends = list(accumulate(sizes))

    def __contains__(self, candidate: Candidate) -> bool:
        space = self.spaces.get(candidate.family)
        if space is None or candidate.source or set(candidate.values) != set(space.choices):
            return False
        try:
            return space.candidate(candidate.family, candidate.values) == candidate
        except ValueError:
            return False

    @cached_property
    def defaults(self) -> tuple[Candidate, ...]:
        """Default candidate of each family, if it is allowed."""
        made = (self.candidate_from(family, space.default) for family, space in self.spaces.items())
        return tuple(each for each in made if each)

    def candidate_from(self, family: str, values: Mapping[str, Value]) -> Candidate | None:
        """Return the candidate with these values, None if they are not allowed."""
        try:
            return self.spaces[family].candidate(family, values)
        except ValueError:
            return None

    @cached_property
    def enumerated(self) -> tuple[Candidate, ...]:
        """All allowed candidates in a fixed order, from the first ``MAX_LISTED`` combinations of each space."""
        found: list[Candidate] = []
        for family, space in self.spaces.items():
            for values in islice(product(*space.choices.values()), MAX_LISTED):
                named = dict(zip(space.choices, values, strict=True))
                if space.is_allowed(named):
                    found.append(space.candidate(family, named))
        return tuple(found)

    def draw(self, rng: Generator, seen: Container[Candidate]) -> Candidate | None:
        """Return a random unseen candidate, uniform over all families; None if all were seen."""
        if not self._ends or not self._ends[-1]:
            return None
        for _ in range(MAX_RANDOM_DRAWS):
            candidate = self._attempt(rng)
            if candidate is not None and candidate not in seen:
                return candidate
        rest = [each for each in self.enumerated if each not in seen]
        return rest[int(rng.integers(len(rest)))] if rest else None

    def _attempt(self, rng: Generator) -> Candidate | None:
        family, space = list(self.spaces.items())[bisect_right(self._ends, rng.random() * self._ends[-1])]
        values = {name: options[int(rng.integers(len(options)))] for name, options in space.choices.items()}
        return self.candidate_from(family, values)

    def neighbours(self, candidate: Candidate) -> list[Candidate]:
        """Return the candidates that differ by one step in one parameter; empty for a candidate outside the space."""
        return self.spaces[candidate.family].neighbours(candidate) if candidate in self else []

    def vary(self, candidate: Candidate, name: str) -> list[Candidate]:
        """Return the candidates that differ at most in the named parameter, in the order of its choices."""
        choices = self.spaces[candidate.family].choices[name]
        made = (self.candidate_from(candidate.family, candidate.values | {name: value}) for value in choices)
        return [each for each in made if each]

    def nearest(self, to: Candidate, seen: Container[Candidate], rng: Generator) -> Candidate | None:
        """Return a random one of the nearest unseen candidates, by steps; None if all were seen."""
        steps = self._steps(to)
        rest = [at for at, each in enumerate(self.enumerated) if each not in seen]
        if not rest:
            return self.draw(rng, seen)
        least = min(steps[at] for at in rest)
        ring = [at for at in rest if steps[at] == least]
        return self.enumerated[ring[int(rng.integers(len(ring)))]]

    def _steps(self, to: Candidate) -> list[float]:
        """Return the steps to each enumerated candidate; other families are infinitely far."""
        at = self._places(to)
        return [sum(map(abs, map(sub, places, at))) if family == to.family else inf for family, places in self._grid]

    @cached_property
    def _grid(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(each.family, self._places(each)) for each in self.enumerated]

    def _places(self, candidate: Candidate) -> tuple[int, ...]:
        choices = self.spaces[candidate.family].choices
        return tuple(choices[name].index(value) for name, value in candidate.parameters)
