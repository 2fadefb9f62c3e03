"""Define candidates: implementations of attention, as a family with parameters, or as untrusted source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import product
from typing import NamedTuple

from numpy.random import Generator

Value = int | str
"""Value of a template parameter."""


class Candidate(NamedTuple):
    """One candidate. ``parameters``: in the order of the family's space; ``source``: untrusted C++, else empty."""

    family: str
    parameters: tuple[tuple[str, Value], ...] = ()
    source: str = ""

    @property
    def values(self) -> dict[str, Value]:
        """Parameters as a dictionary."""
        return dict(self.parameters)

    @property
    def digest(self) -> str:
        """SHA-256 of family, parameters and source; candidates with equal digests are the same candidate."""
        return sha256(json.dumps([self.family, self.parameters, self.source]).encode()).hexdigest()

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value}" for name, value in self.parameters)
        return f"{self.family}({inside or self.digest[:8] if self.source else inside})"


class ParameterSpace(NamedTuple):
    """The parameters of a template: name → choices in a meaningful order (neighbours are alike)."""

    choices: Mapping[str, tuple[Value, ...]]
    default: Mapping[str, Value]
    """Values of the untuned default candidate."""
    is_allowed: Callable[[Mapping[str, Value]], bool] = lambda values: True
    """Predicate that is true for combinations that can be built."""

    def candidate(self, family: str, values: Mapping[str, Value]) -> Candidate:
        """Return a candidate. Raises ValueError, with the allowed values, for a wrong name or value."""
        if unknown := [name for name in values if name not in self.choices]:
            raise ValueError(f"{family} has no parameter {unknown[0]!r}: there are {', '.join(self.choices) or 'none'}")
        full = dict(self.default) | dict(values)
        for name, choices in self.choices.items():
            if full[name] not in choices or isinstance(full[name], bool):
                raise ValueError(f"{family}: {name} = {full[name]!r} is not one of {', '.join(map(str, choices))}")
        if not self.is_allowed(full):
            raise ValueError(f"{family}: these values do not go together: {full}")
        return Candidate(family, tuple((name, full[name]) for name in self.choices))

    def all(self, family: str) -> Iterator[Candidate]:
        """Yield every allowed candidate, in a fixed order."""
        for values in product(*self.choices.values()):
            named = dict(zip(self.choices, values, strict=True))
            if self.is_allowed(named):
                yield self.candidate(family, named)

    def draw(self, family: str, rng: Generator) -> Candidate:
        """Return a random candidate, uniform over the allowed ones."""
        while True:
            named = {name: choices[int(rng.integers(len(choices)))] for name, choices in self.choices.items()}
            if self.is_allowed(named):
                return self.candidate(family, named)

    def neighbours(self, candidate: Candidate) -> list[Candidate]:
        """Return the allowed candidates that differ by one step in one parameter."""
        found = []
        for name, choices in self.choices.items():
            at = choices.index(candidate.values[name])
            for other in (at - 1, at + 1):
                if 0 <= other < len(choices):
                    named = candidate.values | {name: choices[other]}
                    if self.is_allowed(named):
                        found.append(self.candidate(candidate.family, named))
        return found
