"""Parameters cut into a few classes: levels of levers, equally filled bins of uncertainties."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from experiments.analyse.names import shown
from experiments.analyse.sweep import Ints, Sweep

MOST_LEVELS: Final = 8
MOST_OF_A_LEVER: Final = 24
"""Levels of a lever that stay what they are: somebody chose each of them."""
BINS: Final = 4


class Axis(NamedTuple):
    """A parameter in classes, from low to high."""

    name: str
    labels: tuple[str, ...]
    place: Ints
    """The class of each run."""


def cut(sweep: Sweep, name: str, bins: int = BINS) -> Axis:
    """Return a parameter in classes: its levels where it has few or no numbers, else bins of as many points each.

    Few are 8, of a lever 24; bins of a lever have as many of its levels each.

    Raises InputError for a column that there is not.
    """
    if not sweep.is_number(name):
        return _levels(name, list(sweep.runs[name].to_pylist()))
    values = sweep.numbers(name)
    distinct, lever = np.unique(values), name in sweep.levers
    if len(distinct) <= (MOST_OF_A_LEVER if lever else MOST_LEVELS):
        return _levels(name, values.tolist())
    # By point, so that points with more runs do not move the edges; all levels of a lever may be of one point.
    _, first = np.unique(sweep.points, return_index=True)
    edges = np.unique(np.quantile(distinct if lever else values[first], np.linspace(0, 1, bins + 1)))
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    labels = tuple(f"{shown(float(low))}–{shown(float(high))}" for low, high in pairwise(edges))
    return Axis(name, labels, index.astype(np.int64))


def _levels(name: str, values: list[bool] | list[float] | list[str]) -> Axis:
    levels = sorted(set(values))  # type: ignore[type-var]
    place = {level: at for at, level in enumerate(levels)}
    return Axis(name, tuple(shown(level) for level in levels), np.array([place[value] for value in values]))
