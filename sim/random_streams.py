"""Provide random generators by decision and agent.

A generator is seeded by the seed of the run, the name of the decision and the agent only. Neither the order of creation
nor a global state matters. Two worlds that differ in one parameter therefore share all other random numbers. A
further agent or decision does not change the draws of the others.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.random import PCG64, Generator


class _State(NamedTuple):
    """State of a PCG64 generator, in NumPy's terms."""

    state: int
    inc: int
    has_uint32: int
    uinteger: int


class RandomStreams:
    """Hold the random generators of one run. ``seed`` is any integer."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators: dict[tuple[str, int | str], Generator] = {}
        self._kept: dict[tuple[str, int | str], _State] = {}
        """States of generators that have not been used since the streams were unpickled."""

    def __getstate__(self) -> dict[str, Any]:
        """Reduce each generator to four numbers: NumPy's own pickles take many times as long."""
        states = {key: _state_of(generator) for key, generator in self._generators.items()}
        return {"seed": self.seed, "_generators": {}, "_kept": self._kept | states}

    def get(self, decision: str, agent: int | str = 0) -> Generator:
        """Return the generator of a decision, such as ``"thinking"``, of one agent (a number or a name)."""
        key = (decision, agent)
        generator = self._generators.get(key)
        if generator is None:
            kept = self._kept.pop(key, None)
            generator = self._generators[key] = _generator(kept) if kept is not None else self._new(decision, agent)
        return generator

    def _new(self, decision: str, agent: int | str) -> Generator:
        digest = blake2b(repr((self.seed, decision, agent)).encode(), digest_size=16).digest()
        return Generator(PCG64(np.frombuffer(digest, dtype="<u4")))  # the same as of one number, in less time


class LabStreams:
    """Random generators of one named lab, among those of the run."""

    def __init__(self, streams: RandomStreams, lab: str) -> None:
        self._streams = streams
        self._lab = lab
        self._generators: dict[tuple[str, int | str], Generator] = {}
        """Generators that were used before, in `streams` too."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave the generators to the streams of the run."""
        return self.__dict__ | {"_generators": {}}

    def get(self, decision: str, agent: int | str = 0) -> Generator:
        """Return the generator of a decision of one agent of the lab."""
        key = (decision, agent)
        generator = self._generators.get(key)
        if generator is None:
            generator = self._generators[key] = self._streams.get(decision, f"{self._lab}/{agent}")
        return generator


def _state_of(generator: Generator) -> _State:
    state: Any = generator.bit_generator.state
    return _State(state["state"]["state"], state["state"]["inc"], state["has_uint32"], state["uinteger"])


def _generator(kept: _State) -> Generator:
    bits = PCG64(0)
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": kept.state, "inc": kept.inc},
        "has_uint32": kept.has_uint32,
        "uinteger": kept.uinteger,
    }
    return Generator(bits)
