"""Sample points of the unit cube with each sampling method of a design. Pure.

A coordinate is a cumulative probability: `Distribution.ppf` converts it to a value. Any block of points can be computed
without the blocks before it.
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
"""Number of points that are drawn together. Another number would change the points of `random`."""
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
"""Quantiles of an uncertainty in `one-at-a-time`."""


class UncertaintySpace(NamedTuple):
    """The unit cube, and the number of points to sample from it."""

    names: tuple[str, ...]
    """Names of the coordinates; each has its own random stream, except in a Sobol' sequence."""
    n: int
    """Number of points; read by `sobol`, `latin-hypercube` and `random`."""
    seed: int
    levels: tuple[int, ...] = ()
    """Number of values of each coordinate; read by `grid`."""


class Sampling(NamedTuple):
    """A sampling method."""

    size: Callable[[UncertaintySpace], int]
    """Returns the number of points."""
    block: Callable[[UncertaintySpace, int, int], Array]
    """Returns the points from a first to below a last one, a row each."""


def points(sampling: str, space: UncertaintySpace) -> int:
    """Return the number of points of a sampling method. Raises KeyError if it is not in `SAMPLINGS`."""
    return SAMPLINGS[sampling].size(space)


def unit_cube_points(sampling: str, space: UncertaintySpace, block: int) -> Array:
    """Return the points of a block (the last may be smaller): a row a point, a column a coordinate, all in (0, 1).

    Raises KeyError for a sampling method that is not in `SAMPLINGS`.
    """
    chosen = SAMPLINGS[sampling]
    first = block * BLOCK
    return clip_open_unit(chosen.block(space, first, min(first + BLOCK, chosen.size(space))))


def neighbouring_powers_of_two(n: int) -> tuple[int, int]:
    """Return the highest power of 2 up to n and the lowest from n on, for n >= 1."""
    return 1 << (n.bit_length() - 1), 1 << (n - 1).bit_length()


def _sobol(space: UncertaintySpace, first: int, last: int) -> Array:
    """Return points of a scrambled Sobol' sequence (Owen; by a random linear matrix and a digital shift)."""
    sequence = qmc.Sobol(
        len(space.names), scramble=True, rng=RandomStreams(space.seed).get("scrambling of Sobol' points")
    )
    if first:
        sequence.fast_forward(first)
    # Draw a power of 2, because SciPy warns otherwise. A longer sequence has the same first points.
    return np.asarray(sequence.random(neighbouring_powers_of_two(last - first)[1])[: last - first])


def _latin_hypercube(space: UncertaintySpace, first: int, last: int) -> Array:
    """Return points with one in each of n strata of equal probability of each coordinate, in random order."""
    streams, columns = RandomStreams(space.seed), []
    for name in space.names:
        rng = streams.get(f"strata of {name}")
        strata, place = rng.permutation(space.n), rng.random(space.n)
        columns.append((strata[first:last] + place[first:last]) / space.n)
    return np.stack(columns, axis=1)


def _random(space: UncertaintySpace, first: int, last: int) -> Array:
    streams = RandomStreams(space.seed)
    columns = [streams.get(f"point of {name}", first // BLOCK).random(last - first) for name in space.names]
    return np.stack(columns, axis=1)


def _grid(space: UncertaintySpace, first: int, last: int) -> Array:
    """Return all combinations of the midpoints of strata of equal probability; the last coordinate varies fastest."""
    index = np.unravel_index(np.arange(first, last), space.levels) if space.levels else ()
    columns = [(each + 0.5) / levels for each, levels in zip(index, space.levels, strict=True)]
    return np.stack(columns, axis=1) if columns else np.empty((last - first, 0))


def _one_at_a_time(space: UncertaintySpace, first: int, last: int) -> Array:
    """Return the middle point, then each coordinate low and high with the others in the middle."""
    found = np.full((1 + 2 * len(space.names), len(space.names)), MIDDLE)
    for column in range(len(space.names)):
        found[1 + 2 * column : 3 + 2 * column, column] = LOW, HIGH
    return found[first:last]


def _requested_points(space: UncertaintySpace) -> int:
    return space.n


SAMPLINGS: Final[Mapping[str, Sampling]] = {
    "grid": Sampling(lambda space: math.prod(space.levels), _grid),
    "sobol": Sampling(_requested_points, _sobol),
    "latin-hypercube": Sampling(_requested_points, _latin_hypercube),
    "random": Sampling(_requested_points, _random),
    "one-at-a-time": Sampling(lambda space: 1 + 2 * len(space.names), _one_at_a_time),
}
"""Sampling methods of a design by name."""
