"""What matters most: tornado, first-order Sobol' indices from the runs there are, and all indices of a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.analyse.names import label, words
from experiments.analyse.pictures import SOFT, in_style, legend_above, new_figure
from experiments.analyse.statistics import SEED, clustered_mean
from experiments.analyse.sweep import ONE_BY_ONE, Flags, Floats, Ints, Sweep, doublings_a_year

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sim.distributions import Distribution

OUTCOMES: Final = ("explosion", "speeding_up", "doublings_a_year")
FEWEST_POINTS: Final = 100
"""Points without which the harmonics of a parameter are mostly noise."""
HARMONICS: Final = 6
"""As Tissot and Prieur take (Reliab. Eng. Syst. Saf. 107, 205, 2012); more of them, more noise."""
MOST_LUCK: Final = 0.9
"""Share of the variance beyond which nothing is told about the rest."""
DECILES: Final = (0.1, 0.9)


class Bar(NamedTuple):
    """An outcome at the low and the high end of a parameter."""

    parameter: str
    low_value: float
    high_value: float
    at_low: float
    at_high: float
    error_low: float
    """Half of the 95% interval at the low end; 0 where the outcome is exact."""
    error_high: float


class Indices(NamedTuple):
    """First-order indices: the share of an outcome's variance over runs that each parameter explains by itself."""

    names: tuple[str, ...]
    first: tuple[float, ...]
    half: tuple[float, ...]
    """Half of the 95% interval, by the bootstrap."""
    luck: float
    """The share between replications of the same point and levers; NaN without replications."""


def outcome_of(sweep: Sweep, outcome: str) -> Floats:
    """Return an outcome run by run: `explosion` or `speeding_up` (0 or 1), `doublings_a_year` (log2), or a column."""
    if outcome == "explosion":
        return sweep.explosive.astype(float)
    if outcome == "speeding_up":
        return sweep.speeding_up.astype(float)
    return doublings_a_year(sweep) if outcome == "doublings_a_year" else sweep.numbers(outcome)


def tornado(sweep: Sweep, outcome: str = "explosion") -> tuple[float, list[Bar]]:
    """Return the outcome in the middle of the design and at both ends of each parameter, the longest bar first.

    One-at-a-time designs: where all other parameters are at their base, held against it replication by replication; no
    bars where the base itself has no result. Other designs: the mean over
    the runs of the lowest and the highest tenth of the parameter (or its lowest and highest level), against that of all
    runs. Parameters that are words are left out; yes is 1.
    """
    values = outcome_of(sweep, outcome)
    numeric = [name for name in sweep.varied if sweep.has_order(name)]
    alone = sweep.sampling == ONE_BY_ONE
    base = _base(sweep) if alone else np.ones(sweep.n, dtype=bool)
    if not base.any():
        return float("nan"), []
    bars = []
    for name in numeric:
        ends = _ends_alone(sweep, name) if alone else _end_tenths(sweep.numbers(name))
        if ends is not None:
            bars.append((_bar_alone if alone else _bar)(sweep, name, values, ends))
    return float(np.mean(values[base])), sorted(bars, key=lambda bar: -abs(bar.at_high - bar.at_low))


def tornado_table(sweep: Sweep, outcome: str = "explosion") -> pa.Table:
    """Return :func:`tornado` as a table, one row a parameter."""
    _, bars = tornado(sweep, outcome)
    return pa.table({name: [getattr(bar, name) for bar in bars] for name in Bar._fields})


@in_style
def tornado_figure(sweep: Sweep, outcome: str = "explosion") -> Figure:
    """Return the tornado: bars from the outcome at a parameter's low end to that at its high end."""
    from matplotlib.ticker import MaxNLocator, MultipleLocator  # noqa: PLC0415

    from experiments.analysis import BLUE, ORANGE  # noqa: PLC0415

    middle, bars = tornado(sweep, outcome)
    bars = bars[:12]
    figure, (axes,) = new_figure(1.5 + 0.5 * len(bars))
    for row, bar in enumerate(bars):
        ends = ((bar.at_low, bar.error_low, ORANGE, 0.66), (bar.at_high, bar.error_high, BLUE, 0.4))
        for level, error, colour, height in ends:  # the second is slimmer, so that both are seen on the same side
            axes.barh(row, level - middle, left=middle, height=height, color=colour, linewidth=0)
            axes.plot([level - error, level + error], [row, row], color=SOFT, linewidth=1.4, zorder=4)
    axes.axvline(middle, color=SOFT, linewidth=1)
    axes.set_yticks(range(len(bars)), [label(bar.parameter, 30) for bar in bars], fontsize=8.5)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    if outcome in ("explosion", "speeding_up"):
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_xlabel(fill(words(outcome), 70))
    elif outcome == "doublings_a_year":
        wide = np.diff(axes.get_xlim())[0] > 2
        axes.xaxis.set_major_locator(MultipleLocator(1) if wide else MaxNLocator(5))
        axes.xaxis.set_major_formatter(lambda value, _: f"{2**value:.2g}")
        axes.set_xlabel("doublings of software a year")
    _legend(axes, ORANGE, BLUE)
    return figure


def sobol_first(sweep: Sweep, outcome: str = "explosion") -> tuple[Indices | None, str]:
    """Return first-order Sobol' indices from the runs there are, or None and the sentence that says why there are none.

    Of uncertainties: by Fourier's method on the mean of each point (SALib's rbd_fast; Plischke, Reliab. Eng. Syst. Saf.
    95, 354, 2010), times the share of the variance that is between points. Of levers: the variance between their
    levels, within points. Luck: the variance between replications.
    """
    values = outcome_of(sweep, outcome)
    if why := _cannot(sweep, values):
        return None, why
    _, index = np.unique(sweep.points, return_inverse=True)
    total = float(np.var(values))
    names = [name for name in sweep.uncertainties if sweep.is_number(name)]
    first, half = _by_fourier(sweep, values, index, names)
    for lever in sweep.levers:
        names.append(lever)
        share, error = _of_lever(sweep, lever, values, index)
        first.append(share / total)
        half.append(error / total)
    luck = luck_share(sweep, values)
    return Indices(tuple(names), tuple(first), tuple(half), luck), ""


def sobol_table(found: Indices) -> pa.Table:
    """Return indices as a table: parameter, first_order, low, high (95%); luck is a row of its own."""
    rows = list(zip(found.names, found.first, found.half, strict=True))
    columns: dict[str, list[Any]] = {
        "parameter": [name for name, *_ in rows], "first_order": [first for _, first, _ in rows],
        "low": [first - half for _, first, half in rows], "high": [first + half for _, first, half in rows],
    }  # fmt: skip
    if np.isfinite(found.luck):
        for name, value in zip(columns, ("luck", found.luck, found.luck, found.luck), strict=True):
            columns[name].append(value)
    return pa.table(columns)


@in_style
def sobol_figure(found: Indices) -> Figure:
    """Return first-order indices as bars, the largest first, with luck where there are replications."""
    from experiments.analysis import BLUE, PINK  # noqa: PLC0415

    rows = sorted(zip(found.first, found.half, found.names, strict=True), reverse=True)[:12]
    if np.isfinite(found.luck):
        rows.append((found.luck, 0.0, "luck"))
    figure, (axes,) = new_figure(1.2 + 0.5 * len(rows))
    for row, (first, half, name) in enumerate(rows):
        axes.barh(row, max(first, 0.0), height=0.62, color=PINK if name == "luck" else BLUE, linewidth=0)
        axes.plot([max(first - half, 0), min(first + half, 1)], [row, row], color=SOFT, linewidth=1.4)
    texts = ["luck: runs of the same point" if name == "luck" else label(name, 30) for _, _, name in rows]
    axes.set_yticks(range(len(rows)), texts, fontsize=8.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("share of the variance explained by itself")
    return figure


def sobol_indices(
    function: Callable[[Floats], Floats], names: Sequence[str], distributions: Mapping[str, Distribution],
    n: int = 1024, seed: int = 0,
) -> pa.Table:  # fmt: skip
    """Return first and total Sobol' indices of a function: parameter, S1, S1_half, ST, ST_half (half 95% intervals).

    ``function`` takes an array of shape (rows, len(names)) and returns one number a row; it is asked for n (names + 2)
    rows (Saltelli's design, Comput. Phys. Commun. 181, 259, 2010, by SALib). n: a power of 2.
    """
    from SALib.analyze import sobol as analysis  # noqa: PLC0415
    from SALib.sample import sobol as sampling  # noqa: PLC0415

    problem = {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}
    unit = np.clip(sampling.sample(problem, n, calc_second_order=False, seed=seed), 1e-12, 1 - 1e-12)
    rows = np.column_stack([distributions[name].ppf(unit[:, at]) for at, name in enumerate(names)])
    analyze: Any = vars(analysis)["analyze"]
    found = analyze(problem, np.asarray(function(rows), dtype=float), calc_second_order=False, seed=seed)
    columns = {"S1": "S1", "S1_half": "S1_conf", "ST": "ST", "ST_half": "ST_conf"}
    return pa.table({"parameter": list(names)} | {ours: found[key].tolist() for ours, key in columns.items()})


def luck_share(sweep: Sweep, values: Floats) -> float:
    """Return the share of a variance that is between runs of the same point and levers; NaN without replications."""
    _, group = np.unique(np.column_stack([sweep.points, sweep.runs["lever"].to_numpy()]), axis=0, return_inverse=True)
    group = group.ravel()
    counts = np.bincount(group)
    if not (counts > 1).any() or np.var(values) == 0:
        return float("nan")
    within = values - (np.bincount(group, weights=values) / counts)[group]
    many = counts[group] > 1
    freedom = int(many.sum()) - int((counts > 1).sum())
    return float(min(1.0, np.sum(within[many] ** 2) / freedom / np.var(values, ddof=1)))


def _by_fourier(sweep: Sweep, values: Floats, index: Ints, names: list[str]) -> tuple[list[float], list[float]]:
    from SALib.analyze import rbd_fast  # noqa: PLC0415

    means = np.bincount(index, weights=values) / np.bincount(index)
    between = float(np.var(means)) / float(np.var(values))
    if not names or between == 0:
        return [0.0] * len(names), [0.0] * len(names)
    _, rows = np.unique(index, return_index=True)
    inputs = np.column_stack([sweep.numbers(name)[rows] for name in names])
    problem = {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}
    analyze: Any = vars(rbd_fast)["analyze"]  # it has no types
    found = analyze(problem, inputs, means, M=HARMONICS, seed=SEED)
    return [float(each) * between for each in found["S1"]], [float(each) * between for each in found["S1_conf"]]


def _of_lever(sweep: Sweep, lever: str, values: Floats, index: Ints) -> tuple[float, float]:
    """The variance between a lever's levels and half of its interval, over points drawn again."""
    from experiments.analyse.bins import cut  # noqa: PLC0415
    from experiments.analyse.statistics import resampled  # noqa: PLC0415

    axis = cut(sweep, lever)

    def between(rows: Ints) -> list[float]:
        counts = np.bincount(axis.place[rows], minlength=len(axis.labels))
        means = np.bincount(axis.place[rows], weights=values[rows], minlength=len(axis.labels)) / np.maximum(counts, 1)
        return [float(np.sum(counts * (means - values[rows].mean()) ** 2)) / len(rows)]

    low, high = resampled(index, between)
    return between(np.arange(sweep.n))[0], float(high[0] - low[0]) / 2


def _cannot(sweep: Sweep, values: Floats) -> str:
    """Why the design cannot carry first-order indices; nothing if it can."""
    points, luck = len(np.unique(sweep.points)), luck_share(sweep, values)
    reasons = {
        f"a {sweep.sampling} design does not draw its points at random, as sobol, latin-hypercube and random do":
            sweep.systematic,
        "no uncertainty varies": not [name for name in sweep.uncertainties if sweep.is_number(name)],
        "its uncertainties are correlated, so that no share of the variance belongs to one alone":
            _correlated(sweep.manifest.get("design", {})),
        f"{points} points are too few, {FEWEST_POINTS} the least": points < FEWEST_POINTS,
        "the outcome is the same in all runs": np.var(values) == 0,
        f"{luck:.0%} of the variance is luck, between replications of the same point": luck > MOST_LUCK,
    }  # fmt: skip
    found = next((reason for reason, holds in reasons.items() if holds), "")
    return f"This design cannot carry Sobol' indices: {found}." if found else ""


def _correlated(design: Any) -> bool:
    return bool(design.get("correlations")) if isinstance(design, Mapping) else False


def _base(sweep: Sweep) -> Flags:
    """Which runs of a one-at-a-time design have every parameter at its base: the first point without a lever moved."""
    return np.asarray((sweep.points == 0) & (sweep.numbers("lever") == 0))


def _ends_alone(sweep: Sweep, name: str) -> tuple[Flags, Flags] | None:
    """Which runs have a parameter at its lowest and highest value and all others at their base; None without both."""
    base = _base(sweep)
    if not base.any():
        return None
    columns = {each: sweep.runs[each].to_pylist() for each in sweep.varied}
    first = int(np.flatnonzero(base)[0])
    alone = np.ones(sweep.n, dtype=bool)
    for other in columns.keys() - {name}:
        alone &= np.array([value == columns[other][first] for value in columns[other]], dtype=bool)
    values = sweep.numbers(name)
    seen = values[alone]
    return alone & (values == seen.min()), alone & (values == seen.max())


def _end_tenths(values: Floats) -> tuple[Flags, Flags]:
    low, high = np.quantile(values, DECILES)
    return values <= low, values >= high


def _bar(sweep: Sweep, name: str, values: Floats, ends: tuple[Flags, Flags]) -> Bar:
    found = [clustered_mean(values[end], sweep.points[end]) for end in ends]
    errors = [0.0 if each.runs < 2 else (each.high - each.low) / 2 for each in found]
    means = [float(np.mean(sweep.numbers(name)[end])) for end in ends]
    return Bar(name, means[0], means[1], found[0].mean, found[1].mean, errors[0], errors[1])


def _bar_alone(sweep: Sweep, name: str, values: Floats, ends: tuple[Flags, Flags]) -> Bar:
    """The same one at a time: every point has the same luck, so that replications are held against the base's."""
    levels, errors, base = [], [], _base(sweep)
    replication = sweep.numbers("replication")
    before = dict(zip(replication[base], values[base], strict=True))
    middle = float(np.mean(values[base]))
    for end in ends:
        both = [(value, before[at]) for at, value in zip(replication[end], values[end], strict=True) if at in before]
        change = np.array([value - there for value, there in both])
        mean = clustered_mean(change, np.arange(len(change))) if len(change) else None
        levels.append(middle + mean.mean if mean else float(np.mean(values[end])))
        errors.append((mean.high - mean.low) / 2 if mean and mean.runs > 1 else 0.0)
    means = [float(np.mean(sweep.numbers(name)[end])) for end in ends]
    return Bar(name, means[0], means[1], levels[0], levels[1], errors[0], errors[1])


def _legend(axes: Any, low: str, high: str) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    handles = [Patch(color=low, label="parameter low"), Patch(color=high, label="parameter high")]
    legend_above(axes, handles=handles)
