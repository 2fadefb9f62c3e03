"""Random generators named by what they decide and for whom.

A generator is seeded by (seed, name, who) and by nothing else: not by the order of creation, not by a global
state. So two worlds that differ in one parameter share all other luck, and one agent or decision more leaves
every other draw as it was.
"""

from hashlib import blake2b

from numpy.random import PCG64, Generator


class Streams:
    """The generators of one run.

    ``seed``: any integer.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators: dict[tuple[str, int | str], Generator] = {}

    def get(self, name: str, who: int | str = 0) -> Generator:
        """Return the generator for a decision (``"thinking"``) of somebody (a number or a name)."""
        key = (name, who)
        generator = self._generators.get(key)
        if generator is None:
            digest = blake2b(repr((self.seed, name, who)).encode(), digest_size=16).digest()
            generator = self._generators[key] = Generator(PCG64(int.from_bytes(digest, "little")))
        return generator
