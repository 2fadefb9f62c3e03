"""Random generators named by what they decide and for whom.

A generator is seeded by (seed, name, who) and by nothing else: not by the order of creation, not by a global
state. So two worlds that differ in one parameter share all other luck, and one agent or decision more leaves
every other draw as it was.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from numpy.random import PCG64, Generator


class _State(NamedTuple):
    """Where a generator stands."""

    state: int
    inc: int
    has_uint32: int
    uinteger: int


class RandomStreams:
    """The generators of one run.

    ``seed``: any integer.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators: dict[tuple[str, int | str], Generator] = {}
        self._kept: dict[tuple[str, int | str], _State] = {}
        """Generators that nobody has asked for since they were read back."""

    def __getstate__(self) -> dict[str, Any]:
        """Generators as four numbers each: NumPy's own pickles take many times as long."""
        states = {key: _state_of(generator) for key, generator in self._generators.items()}
        return {"seed": self.seed, "_generators": {}, "_kept": self._kept | states}

    def get(self, name: str, who: int | str = 0) -> Generator:
        """Return the generator for a decision (``"thinking"``) of somebody (a number or a name)."""
        key = (name, who)
        generator = self._generators.get(key)
        if generator is None:
            kept = self._kept.pop(key, None)
            generator = self._generators[key] = _generator(kept) if kept is not None else self._new(name, who)
        return generator

    def _new(self, name: str, who: int | str) -> Generator:
        digest = blake2b(repr((self.seed, name, who)).encode(), digest_size=16).digest()
        return Generator(PCG64(int.from_bytes(digest, "little")))


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
