"""Everything that may be proposed: the candidates of several spaces, as one."""

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

TRIES: Final = 500
"""Draws that may be refused before the pool is looked through in order."""
LISTED: Final = 200_000
"""Combinations that are listed at most; of a larger space only these are known in order, all can be drawn."""


class SearchSpace:
    """The candidates of some spaces, family → space, in that order."""

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
    def naives(self) -> tuple[Candidate, ...]:
        """The untuned candidate of each family that allows it."""
        made = (self.made(family, space.naive) for family, space in self.spaces.items())
        return tuple(each for each in made if each)

    def made(self, family: str, values: Mapping[str, Value]) -> Candidate | None:
        """Return the candidate of these values, None if they are not allowed."""
        try:
            return self.spaces[family].candidate(family, values)
        except ValueError:
            return None

    @cached_property
    def listed(self) -> tuple[Candidate, ...]:
        """All candidates in a fixed order, or as many as the first LISTED combinations hold."""
        found: list[Candidate] = []
        for family, space in self.spaces.items():
            for values in islice(product(*space.choices.values()), LISTED):
                named = dict(zip(space.choices, values, strict=True))
                if space.allowed(named):
                    found.append(space.candidate(family, named))
        return tuple(found)

    def draw(self, chance: Generator, seen: Container[Candidate]) -> Candidate | None:
        """Return a candidate that was not seen, uniform over all families; None if there is none left."""
        if not self._ends or not self._ends[-1]:
            return None
        for _ in range(TRIES):
            candidate = self._attempt(chance)
            if candidate is not None and candidate not in seen:
                return candidate
        rest = [each for each in self.listed if each not in seen]
        return rest[int(chance.integers(len(rest)))] if rest else None

    def _attempt(self, chance: Generator) -> Candidate | None:
        family, space = list(self.spaces.items())[bisect_right(self._ends, chance.random() * self._ends[-1])]
        values = {name: options[int(chance.integers(len(options)))] for name, options in space.choices.items()}
        return self.made(family, values)

    def neighbours(self, candidate: Candidate) -> list[Candidate]:
        """Return the candidates that differ by one step in one parameter; none for what is not of this pool."""
        return self.spaces[candidate.family].neighbours(candidate) if candidate in self else []

    def line(self, candidate: Candidate, name: str) -> list[Candidate]:
        """Return the candidates that differ at most in the named parameter, in the order of its choices."""
        choices = self.spaces[candidate.family].choices[name]
        made = (self.made(candidate.family, candidate.values | {name: value}) for value in choices)
        return [each for each in made if each]

    def nearest(self, to: Candidate, seen: Container[Candidate], chance: Generator) -> Candidate | None:
        """Return one of the unseen candidates that are the fewest steps away, at random; None if all were seen."""
        steps = self._steps(to)
        rest = [at for at, each in enumerate(self.listed) if each not in seen]
        if not rest:
            return self.draw(chance, seen)
        least = min(steps[at] for at in rest)
        ring = [at for at in rest if steps[at] == least]
        return self.listed[ring[int(chance.integers(len(ring)))]]

    def _steps(self, to: Candidate) -> list[float]:
        """Return the steps to each listed candidate; another family is further than any of its own."""
        at = self._places(to)
        return [sum(map(abs, map(sub, places, at))) if family == to.family else inf for family, places in self._grid]

    @cached_property
    def _grid(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(each.family, self._places(each)) for each in self.listed]

    def _places(self, candidate: Candidate) -> tuple[int, ...]:
        choices = self.spaces[candidate.family].choices
        return tuple(choices[name].index(value) for name, value in candidate.parameters)
