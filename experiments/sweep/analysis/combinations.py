"""Combinations of levers: every figure of a report is of one of them, and never a mean over several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.sweep.analysis.sweep_data import ONE_BY_ONE, Sweep

MAX_LISTED: Final = 4
"""Combinations that a sentence lists; of more it gives the lowest and the highest."""
MAX_DRAWN: Final = 6
"""Combinations that a picture shows, evenly chosen if there are more; the tables hold all."""


class Combination(NamedTuple):
    """The runs of one combination of levers."""

    values: dict[str, str]
    """Lever → its value as text; empty if nothing but uncertainties varies."""
    sweep: Sweep

    @property
    def text(self) -> str:
        """The levers and their values in words."""
        return ", ".join(f"{name} = {value}" for name, value in self.values.items())


def combinations(sweep: Sweep, without: Sequence[str] = ()) -> list[Combination]:
    """Return the combinations of levers that have runs, from low to high; a single one if there are no levers.

    Of a one-at-a-time design: the runs with everything at its base. ``without``: levers that are not held, as for a
    map over them.
    """
    if sweep.sampling == ONE_BY_ONE:
        base = (sweep.points == 0) & (sweep.numbers("lever") == 0)
        return [Combination({}, sweep.only(base) if base.any() else sweep)]
    held = [name for name in sweep.levers if name not in without]
    rows: dict[tuple[object, ...], list[int]] = {}
    for row, values in enumerate(zip(*(sweep.runs[name].to_pylist() for name in held), strict=True)):
        rows.setdefault(values, []).append(row)
    if not held:
        return [Combination({}, sweep)]
    found = []
    for values in sorted(rows):
        chosen = np.zeros(sweep.n, dtype=bool)
        chosen[rows[values]] = True
        texts = {name: sweep.value_text(name, value) for name, value in zip(held, values, strict=True)}
        found.append(Combination(texts, sweep.only(chosen)))
    return found


def select_for_figure(found: Sequence[Combination], most: int = MAX_DRAWN) -> list[Combination]:
    """Return the combinations that a picture shows: all, or so many of them, evenly chosen, both ends included."""
    return [found[at] for at in np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))]


def omission_note(found: Sequence[Combination], most: int = MAX_DRAWN) -> str:
    """Return a sentence if a picture leaves combinations out, else nothing."""
    if len(found) <= most:
        return ""
    shown = len(select_for_figure(found, most))
    return f" The figure shows {shown} of {len(found):,} combinations of levers; the table has all."


def table_by_combination(sweep: Sweep, make: Callable[[Sweep], pa.Table], without: Sequence[str] = ()) -> pa.Table:
    """Return the tables of all combinations as one, with a first column for each lever."""
    return stack_tables([(each.values, make(each.sweep)) for each in combinations(sweep, without)])


def stack_tables(tables: Sequence[tuple[dict[str, str], pa.Table]]) -> pa.Table:
    """Return tables under each other, each with its values of the levers in columns before its own."""
    filled = [(values, table) for values, table in tables if table.num_rows] or list(tables[:1])
    found = []
    for values, table in filled:
        columns = {name: pa.array([value] * table.num_rows, pa.string()) for name, value in values.items()}
        found.append(pa.table(columns | {name: table[name] for name in table.column_names}))
    return pa.concat_tables(found, promote_options="permissive") if found else pa.table({})
