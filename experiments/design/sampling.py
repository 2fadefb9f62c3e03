"""Points of the unit cube, by every way of sampling that a design may name. Pure.

A coordinate is the share of a distribution's draws that lie below the value that it stands for, so it goes through
`Distribution.ppf`. Any stretch of the points can be had without those before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import qmc

from experiments.uncertainty.distributions import Array
from experiments.uncertainty.parsing import clip_open_unit
from sim.random_streams import RandomStreams

BLOCK: Final = 1 << 16
"""Points that are drawn together. Another number would be other luck of `random`."""
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
"""Where `one-at-a-time` puts an uncertainty: nine in ten of its draws lie above, half, one in ten."""


class UncertaintySpace(NamedTuple):
    """The unit cube, and how many points of it are wanted."""

    names: tuple[str, ...]
    """Of its coordinates, each of which has luck of its own but in a Sobol' sequence."""
    n: int
    """Points; read by `sobol`, `latin-hypercube` and `random`."""
    seed: int
    levels: tuple[int, ...] = ()
    """Values of each coordinate; read by `grid`."""


class Sampling(NamedTuple):
    """One way of sampling."""

    size: Callable[[UncertaintySpace], int]
    """How many points it comes to."""
    block: Callable[[UncertaintySpace, int, int], Array]
    """The points from the first to below the last, a row each."""


def points(sampling: str, space: UncertaintySpace) -> int:
    """Return how many points a way of sampling comes to. Raises KeyError for one that is not in `SAMPLINGS`."""
    return SAMPLINGS[sampling].size(space)


def unit_cube_points(sampling: str, space: UncertaintySpace, block: int) -> Array:
    """Return the points of a block (the last may be smaller): a row a point, a column a coordinate, all in (0, 1).

    Raises KeyError for a way of sampling that is not in `SAMPLINGS`.
    """
    chosen = SAMPLINGS[sampling]
    first = block * BLOCK
    return clip_open_unit(chosen.block(space, first, min(first + BLOCK, chosen.size(space))))


def neighbouring_powers_of_two(n: int) -> tuple[int, int]:
    """Return the highest power of 2 up to n and the lowest from n on, for n >= 1."""
    return 1 << (n.bit_length() - 1), 1 << (n - 1).bit_length()


def _sobol(space: UncertaintySpace, first: int, last: int) -> Array:
    """A scrambled Sobol' sequence (Owen's, by a random linear matrix and a digital shift)."""
    sequence = qmc.Sobol(
        len(space.names), scramble=True, rng=RandomStreams(space.seed).get("scrambling of Sobol' points")
    )
    if first:
        sequence.fast_forward(first)
    # A power of 2, as SciPy warns about all others, and a longer sequence has the same beginning.
    return np.asarray(sequence.random(neighbouring_powers_of_two(last - first)[1])[: last - first])


def _latin_hypercube(space: UncertaintySpace, first: int, last: int) -> Array:
    """Each coordinate has one point in each of n strata of equal probability, in an order of its own."""
    streams, columns = RandomStreams(space.seed), []
    for name in space.names:
        luck = streams.get(f"strata of {name}")
        strata, place = luck.permutation(space.n), luck.random(space.n)
        columns.append((strata[first:last] + place[first:last]) / space.n)
    return np.stack(columns, axis=1)


def _random(space: UncertaintySpace, first: int, last: int) -> Array:
    streams = RandomStreams(space.seed)
    columns = [streams.get(f"point of {name}", first // BLOCK).random(last - first) for name in space.names]
    return np.stack(columns, axis=1)


def _grid(space: UncertaintySpace, first: int, last: int) -> Array:
    """The midpoints of strata of equal probability, crossed; the last coordinate goes round fastest."""
    index = np.unravel_index(np.arange(first, last), space.levels) if space.levels else ()
    columns = [(each + 0.5) / levels for each, levels in zip(index, space.levels, strict=True)]
    return np.stack(columns, axis=1) if columns else np.empty((last - first, 0))


def _one_at_a_time(space: UncertaintySpace, first: int, last: int) -> Array:
    """All in the middle, then each coordinate low and high by itself."""
    found = np.full((1 + 2 * len(space.names), len(space.names)), MIDDLE)
    for column in range(len(space.names)):
        found[1 + 2 * column : 3 + 2 * column, column] = LOW, HIGH
    return found[first:last]


def _as_many_as_asked(space: UncertaintySpace) -> int:
    return space.n


SAMPLINGS: Final[Mapping[str, Sampling]] = {
    "grid": Sampling(lambda space: math.prod(space.levels), _grid),
    "sobol": Sampling(_as_many_as_asked, _sobol),
    "latin-hypercube": Sampling(_as_many_as_asked, _latin_hypercube),
    "random": Sampling(_as_many_as_asked, _random),
    "one-at-a-time": Sampling(lambda space: 1 + 2 * len(space.names), _one_at_a_time),
}
"""Every way of sampling that a design may name."""
