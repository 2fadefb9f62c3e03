"""Divide the values of parameters into classes: the values of levers, and equally filled bins of uncertainties."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from experiments.sweep.analysis.labels import format_value
from experiments.sweep.analysis.sweep_data import Ints, Sweep

MAX_LEVELS: Final = 8
"""Maximum number of values of a number that are separate classes; a lever has a class for each of its values."""
BINS: Final = 4
TITLE_WIDTH: Final = 60
"""Maximum letters in a line of a title."""


class Axis(NamedTuple):
    """A parameter divided into classes, from low to high."""

    name: str
    title: str
    """Label with the unit."""
    labels: tuple[str, ...]
    """Texts of the classes."""
    place: Ints
    """Class of each run."""


def bin_parameter(sweep: Sweep, name: str, bins: int = BINS) -> Axis:
    """Divide a parameter into classes: its values if it is a lever, a text, or a number with up to 8 values; else bins.

    Bins have equal numbers of points. Values of a lever are never pooled.

    Raises InputError for a column that does not exist.
    """
    if name in sweep.levers or not sweep.is_number(name):
        return _axis_of_levels(sweep, name, list(sweep.runs[name].to_pylist()))
    values = sweep.numbers(name)
    if len(np.unique(values)) <= MAX_LEVELS:
        return _axis_of_levels(sweep, name, values.tolist())
    # One value a point, so that points with more runs do not shift the edges.
    _, first = np.unique(sweep.points, return_index=True)
    edges = np.unique(np.quantile(values[first], np.linspace(0, 1, bins + 1)))
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    labels = tuple(f"{format_value(float(low))}–{format_value(float(high))}" for low, high in pairwise(edges))
    return Axis(name, sweep.label(name, TITLE_WIDTH), labels, index.astype(np.int64))


def _axis_of_levels(sweep: Sweep, name: str, values: list[bool] | list[float] | list[str]) -> Axis:
    levels = sorted(set(values))  # type: ignore[type-var]
    place = {level: at for at, level in enumerate(levels)}
    texts = tuple(sweep.value_text(name, level) for level in levels)
    return Axis(name, sweep.label(name, TITLE_WIDTH), texts, np.array([place[value] for value in values]))
