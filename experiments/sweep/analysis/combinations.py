"""Split a sweep by combinations of levers: every number of a report is for one of them, never a mean over several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.sweep.analysis.sweep_data import ONE_BY_ONE, Sweep

MAX_LISTED: Final = 4
"""Maximum number of combinations that a sentence lists; of more it gives the lowest and the highest."""
MAX_DRAWN: Final = 6
"""Maximum number of combinations in a figure, evenly selected if there are more; the tables have all."""


class Combination(NamedTuple):
    """The runs of one combination of levers."""

    values: dict[str, str]
    """Lever → its value as text; empty if only uncertainties vary."""
    sweep: Sweep

    @property
    def text(self) -> str:
        """Levers and their values as text."""
        return ", ".join(f"{name} = {value}" for name, value in self.values.items())


def combinations(sweep: Sweep, without: Sequence[str] = ()) -> list[Combination]:
    """Return the combinations of levers that have runs, from low to high; a single one if there are no levers.

    For a one-at-a-time design: the runs with all parameters at their base. ``without``: levers that are not fixed, for
    example in a map over them.
    """
    if sweep.sampling == ONE_BY_ONE:
        base = (sweep.points == 0) & (sweep.numbers("lever") == 0)
        return [Combination({}, sweep.only(base) if base.any() else sweep)]
    fixed = [name for name in sweep.levers if name not in without]
    rows: dict[tuple[object, ...], list[int]] = {}
    for row, values in enumerate(zip(*(sweep.runs[name].to_pylist() for name in fixed), strict=True)):
        rows.setdefault(values, []).append(row)
    if not fixed:
        return [Combination({}, sweep)]
    found = []
    for values in sorted(rows):
        chosen = np.zeros(sweep.n, dtype=bool)
        chosen[rows[values]] = True
        texts = {name: sweep.value_text(name, value) for name, value in zip(fixed, values, strict=True)}
        found.append(Combination(texts, sweep.only(chosen)))
    return found


def select_for_figure(found: Sequence[Combination], most: int = MAX_DRAWN) -> list[Combination]:
    """Return the combinations for a figure: all, or ``most`` of them, evenly spaced, with the first and the last."""
    return [found[at] for at in np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))]


def omission_note(found: Sequence[Combination], most: int = MAX_DRAWN) -> str:
    """Return a sentence if a figure leaves combinations out, else an empty text."""
    if len(found) <= most:
        return ""
    shown = len(select_for_figure(found, most))
    return f" The figure shows {shown} of {len(found):,} combinations of levers; the table has all."


def table_by_combination(sweep: Sweep, make: Callable[[Sweep], pa.Table], without: Sequence[str] = ()) -> pa.Table:
    """Return the tables of all combinations as one table, whose first columns are the levers."""
    return stack_tables([(each.values, make(each.sweep)) for each in combinations(sweep, without)])


def stack_tables(tables: Sequence[tuple[dict[str, str], pa.Table]]) -> pa.Table:
    """Return the tables as one, with the values of the levers in additional first columns."""
    filled = [(values, table) for values, table in tables if table.num_rows] or list(tables[:1])
    found = []
    for values, table in filled:
        columns = {name: pa.array([value] * table.num_rows, pa.string()) for name, value in values.items()}
        found.append(pa.table(columns | {name: table[name] for name in table.column_names}))
    return pa.concat_tables(found, promote_options="permissive") if found else pa.table({})
