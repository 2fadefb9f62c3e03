"""Analyse sensitivity: tornado and first-order Sobol' indices of a sweep, and all Sobol' indices of a function."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.errors import InputError
from experiments.sweep.analysis.combinations import Combination, combinations, select_for_figure, table_by_combination
from experiments.sweep.analysis.estimators import (
    SEED,
    can_bracket_quantile,
    cluster_bootstrap_interval,
    clustered_mean,
    count_independent,
    time_quantile,
)
from experiments.sweep.analysis.figure_frame import SOFT, in_style, legend_above, new_figure
from experiments.sweep.analysis.labels import axis_label, format_value, percent, phrase
from experiments.sweep.analysis.sweep_data import (
    ASARA,
    EXPLOSIVE,
    FACTORS,
    ONE_BY_ONE,
    SPEEDING_UP,
    Flags,
    Floats,
    Ints,
    Sweep,
    doublings_a_year,
    has_road,
    is_day,
    reported_gain,
    unreached_reasons,
)
from experiments.sweep.analysis.time_to_gain import censored_times
from sim.scenario.messages import did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.uncertainty.distributions import Distribution

SHARES: Final = (EXPLOSIVE.name, SPEEDING_UP.name)
"""Outcomes that are true or false, so that their mean over runs is a share."""
OUTCOMES: Final = (*SHARES, "doublings_a_year")
CHOICES: Final = (*OUTCOMES, *FACTORS, ASARA, "software_doublings")
"""Allowed values of --outcome."""
MIN_POINTS: Final = 100
"""Minimum number of points for Sobol' indices; with fewer the harmonics are mostly noise."""
HARMONICS: Final = 6
"""Number of harmonics (Tissot and Prieur, Reliab. Eng. Syst. Saf. 107, 205, 2012); more of them add noise."""
MAX_REPLICATION_SHARE: Final = 0.9
"""Maximum share of the variance between replications for which indices are computed."""
MAX_BARS: Final = 12
MAX_PANELS: Final = 3
DECILES: Final = (0.1, 0.9)


class TornadoBar(NamedTuple):
    """An outcome at the low and the high end of a parameter."""

    parameter: str
    low_value: float
    high_value: float
    at_low: float
    at_high: float
    error_low: float
    """Half of the 95% interval at the low end; 0 if the outcome is exact, NaN if there are too few runs."""
    error_high: float
    not_reached_low: int
    """Number of runs at the low end that did not reach the gain, or ASARA."""
    not_reached_high: int
    runs_low: int
    runs_high: int


class Indices(NamedTuple):
    """First-order Sobol' indices: the share of an outcome's variance that each parameter explains by itself."""

    names: tuple[str, ...]
    first: tuple[float, ...]
    half: tuple[float, ...]
    """Half of the 95% bootstrap interval."""
    replication_share: float
    """Share of the variance between replications of the same point and levers; NaN without replications."""


def outcome_of(sweep: Sweep, outcome: str) -> Floats:
    """Return an outcome of each run: `explosion` or `speeding_up` (0 or 1), `doublings_a_year` (log2), or a column."""
    if outcome == "explosion":
        return sweep.explosive.astype(float)
    if outcome == "speeding_up":
        return sweep.speeding_up.astype(float)
    return doublings_a_year(sweep) if outcome == "doublings_a_year" else sweep.numbers(outcome)


def tornado_outcomes(sweep: Sweep, chosen: str | None = None) -> tuple[str, ...]:
    """Return the outcomes of tornados: ``chosen``, or by default `OUTCOMES` and the days to the largest gain.

    A one-at-a-time design that starts before full automation also has the day of ASARA. In other designs
    experiments.sweep.analysis.day_tornado compares that day.
    """
    if chosen is not None:
        return (chosen,)
    return (*OUTCOMES, reported_gain(sweep)[0], *[ASARA] * (sweep.sampling == ONE_BY_ONE and has_road(sweep)))


def check_outcome(name: str) -> str:
    """Return the name of an outcome of `CHOICES`. Raises InputError for another, with the nearest."""
    if name not in CHOICES:
        raise InputError(
            f"--outcome = {name} is not an outcome of a sweep; allowed: "
            f"{', '.join(CHOICES)}{did_you_mean(name, CHOICES)}."
        )
    return name


def tornado(sweep: Sweep, outcome: str = "explosion") -> tuple[float, list[TornadoBar]]:
    """Return the outcome in the middle of the design and at both ends of each parameter, the longest bar first.

    In one-at-a-time designs all other parameters are at their base, and replications are compared pairwise. There are
    no bars if the base has no result. In other designs the runs of the lowest and the highest tenth (or level) of an
    uncertainty are compared with all runs. Pass one combination of levers then, because
    levers have no bars. Outcomes are means. Days to a gain are medians, which are infinite if half of the runs did not
    reach it. Parameters that are texts are left out; true is 1. There are no bars if the outcome is the same in all
    runs.
    """
    values = outcome_of(sweep, outcome)
    alone = sweep.sampling == ONE_BY_ONE
    numeric = [name for name in (sweep.varied if alone else sweep.uncertainties) if sweep.has_order(name)]
    base = _base_runs(sweep) if alone else np.ones(sweep.n, dtype=bool)
    if not base.any():
        return math.nan, []
    middle = _outcome_level(sweep, outcome, values, base)[0]
    if len(np.unique(values)) == 1 and (np.isfinite(values).all() or not np.isfinite(values).any()):
        return middle, []
    bars = []
    for name in numeric:
        ends = _one_at_a_time_ends(sweep, name) if alone else _extreme_deciles(sweep.numbers(name))
        if ends is not None:
            bars.append(_make_bar(sweep, name, outcome, values, ends))
    return middle, sorted(bars, key=_bar_length, reverse=True)


def _bar_length(bar: TornadoBar) -> float:
    """Return the length of a bar; infinite if it ends at a gain that was not reached."""
    if bar.at_low == bar.at_high:
        return 0.0
    length = abs(bar.at_high - bar.at_low)
    return length if math.isfinite(length) else math.inf


def tornado_table(sweep: Sweep, outcome: str = "explosion") -> pa.Table:
    """Return :func:`tornado` as a table, one row a parameter, for each combination of levers."""
    return (
        table_by_combination(sweep, lambda part: _bar_table(part, outcome))
        if sweep.sampling != ONE_BY_ONE
        else _bar_table(sweep, outcome)
    )


def _bar_table(sweep: Sweep, outcome: str) -> pa.Table:
    _, bars = tornado(sweep, outcome)
    kinds = {name: pa.string() if name == "parameter" else pa.float64() for name in TornadoBar._fields}
    kinds |= {name: pa.int64() for name in TornadoBar._fields if name.startswith(("runs_", "not_reached_"))}
    return pa.table({name: pa.array([getattr(bar, name) for bar in bars], kinds[name]) for name in TornadoBar._fields})


def constant_outcome_sentence(sweep: Sweep, outcome: str) -> str:
    """Return a sentence if an outcome is the same in all runs, so that no parameter has an effect; else ""."""
    values = outcome_of(sweep, outcome)
    if not np.isfinite(values).any():
        return f"No run has a value of the {phrase(outcome)}, so there are no comparisons."
    if sweep.n > 1 and np.isfinite(values).all() and np.ptp(values) == 0:
        return f"The {phrase(outcome)} is the same in all runs, so no parameter has an effect on it."
    return ""


def not_reached_sentence(sweep: Sweep, outcome: str) -> str:
    """Return a sentence on the ends of parameters at which runs did not reach a gain, with reasons; "" if all did."""
    if not is_day(outcome):
        return ""
    found, reasons = [], unreached_reasons(sweep, outcome)
    for part in _tornado_parts(sweep):
        where = f" with {part.text}" * bool(part.values)
        for bar in tornado(part.sweep, outcome)[1]:
            ends = (
                (bar.low_value, bar.not_reached_low, bar.runs_low),
                (bar.high_value, bar.not_reached_high, bar.runs_high),
            )
            found += [
                f"{bar.parameter} = {value_text(part.sweep, bar.parameter, value)}{where} ({missing} of {runs})"
                for value, missing, runs in ends
                if missing
            ]
    if not found:
        return ""
    why = Counter(reason for reason in reasons if reason).most_common(1)[0][0]
    more = f" and {len(found) - 6} more" * (len(found) > 6)
    listed = f"{', '.join(found[:6])}{more}"
    what = "did not reach full automation" if outcome == ASARA else f"did not gain {FACTORS[outcome]:,}-fold"
    return f"Runs that {what}: at {listed}. The most frequent reason: {why}."


def value_text(sweep: Sweep, name: str, value: float) -> str:
    """Return a value of a parameter, given as a number, as text."""
    if name not in sweep.coupled and not sweep.is_number(name):
        return sweep.value_text(name, value > 0.5)
    return sweep.value_text(name, int(value) if name in sweep.coupled else value)


def _tornado_parts(sweep: Sweep) -> list[Combination]:
    """Return the combinations of levers; for a one-at-a-time design, whose levers have bars, all runs together."""
    return [Combination({}, sweep)] if sweep.sampling == ONE_BY_ONE else combinations(sweep)


@in_style
def tornado_figure(sweep: Sweep, outcome: str = "explosion") -> Figure:
    """Return the tornado: for each parameter, a bar to the outcome at its low end and one to that at its high end.

    Each bar is labelled with the value of the parameter and the outcome. There is a panel for each combination of
    levers, 3 at most. A dotted line at the right represents gains that half of the runs did not reach.
    """
    parts = select_for_figure([part for part in _tornado_parts(sweep) if tornado(part.sweep, outcome)[1]], MAX_PANELS)
    found = [(part, *tornado(part.sweep, outcome)) for part in parts]
    rows = [len(bars[:MAX_BARS]) for _, _, bars in found]
    height, ratios = 0.9 + 0.35 * len(rows) + 0.62 * sum(rows), {"height_ratios": rows}
    figure, panels = new_figure(height, len(rows), sharex=True, gridspec_kw=ratios)
    edge, span = _unreached_position([level for _, middle, bars in found for level in (middle, *_end_levels(bars))])
    ends = []
    for axes, (part, middle, bars) in zip(panels, found, strict=True):
        ends += _draw_bars(axes, part.sweep, outcome, middle, bars[:MAX_BARS], edge)
        if part.values and len(part.text):
            axes.set_title(fill(part.text, 52), fontsize=9.5, fontweight="normal", pad=22 if axes is panels[0] else 6)
    panels[0].set_xlim(_widen_for_labels(span, ends))
    _label_axis(panels[-1], outcome, span)
    _legend(panels[0], sweep.sampling == ONE_BY_ONE)
    return figure


def _end_levels(bars: list[TornadoBar]) -> list[float]:
    return [level for bar in bars for level in (bar.at_low, bar.at_high)]


def _unreached_position(levels: list[float]) -> tuple[float, tuple[float, float]]:
    """Return the position of a gain that was not reached (NaN if all were), and the ends of the scale."""
    finite = [level for level in levels if math.isfinite(level)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if all(math.isfinite(level) for level in levels):
        return math.nan, (low, high)
    edge = high + 0.15 * (high - low or max(abs(high), 1.0))
    return edge, (low, edge)


def _widen_for_labels(span: tuple[float, float], ends: list[tuple[float, int, bool]]) -> tuple[float, float]:
    """Return the ends of a scale with space for the text of each bar.

    ``ends``: position of each text, its letters, and whether it extends to the right.
    """
    left, right = span
    widest = _MAX_WIDENING * (right - left or 1.0)
    for _ in range(_WIDENING_ROUNDS):
        letter = _LETTER_WIDTH * min(right - left or 1.0, widest)
        right = max(span[1], *(place + letters * letter for place, letters, after in ends if after), span[1] + letter)
        left = min(
            span[0], *(place - letters * letter for place, letters, after in ends if not after), span[0] - letter
        )
    return left, right


_LETTER_WIDTH: Final = 0.0165
"""Width of a letter at the end of a bar, as a share of the panel."""
_MAX_WIDENING: Final = 8.0
"""Maximum length of the scale, as a multiple of the span of the outcomes."""
_WIDENING_ROUNDS: Final = 40


def _draw_bars(
    axes: Axes, sweep: Sweep, outcome: str, middle: float, bars: list[TornadoBar], edge: float
) -> list[tuple[float, int, bool]]:
    """Draw the bars of a panel; return for each text its position, its letters, and whether it extends to the right."""
    from experiments.plotting.style import BLUE, ORANGE  # noqa: PLC0415

    found = []
    start = middle if math.isfinite(middle) else edge
    for row, bar in enumerate(bars):
        low = (-0.19, ORANGE, bar.low_value, bar.at_low, bar.error_low, bar.not_reached_low, bar.runs_low)
        high = (0.19, BLUE, bar.high_value, bar.at_high, bar.error_high, bar.not_reached_high, bar.runs_high)
        for shift, colour, value, level, error, missing, runs in (low, high):
            place = level if math.isfinite(level) else edge
            axes.barh(row + shift, place - start, left=start, height=0.34, color=colour, linewidth=0)
            reach = error if math.isfinite(error) and math.isfinite(level) else 0.0
            ends = np.clip([place - reach, place + reach], *((0, 1) if outcome in SHARES else (-math.inf, math.inf)))
            if reach:
                axes.plot(ends, [row + shift] * 2, color=SOFT, linewidth=1.4, zorder=4)
            text = f"{value_text(sweep, bar.parameter, value)}: {outcome_text(outcome, level)}"
            text += f", {missing}/{runs} never" * bool(missing and math.isfinite(level))
            right = place >= start
            outer = float(ends[1] if right else ends[0])
            found.append((outer, len(text) + 1, right))
            axes.annotate(
                text,
                (outer, row + shift),
                (4 if right else -4, 0),
                textcoords="offset points",
                va="center",
                ha="left" if right else "right",
                fontsize=7.6,
            )
    axes.axvline(start, color=SOFT, linewidth=1)
    if math.isfinite(edge):
        axes.axvline(edge, color=SOFT, linewidth=1, linestyle=(0, (1, 2)))
    axes.set_yticks(range(len(bars)), [sweep.label(bar.parameter, 30) for bar in bars], fontsize=8.5)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    return found


def outcome_text(outcome: str, level: float) -> str:
    """Return the outcome at the end of a bar as text."""
    if not math.isfinite(level):
        return "never"
    if outcome in SHARES:
        return percent(level)
    if outcome == "doublings_a_year":
        return f"{2**level:.3g} a year"
    return f"{level:,.0f}" if is_day(outcome) else format_value(level)


def _label_axis(axes: Axes, outcome: str, span: tuple[float, float]) -> None:
    from matplotlib.ticker import MaxNLocator, MultipleLocator  # noqa: PLC0415

    axes.set_xlabel(fill(f"median {phrase(outcome)}" if is_day(outcome) else phrase(outcome), 46))
    if outcome in SHARES:
        axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    elif outcome == "doublings_a_year":
        wide = np.diff(axes.get_xlim())[0] > 2
        axes.xaxis.set_major_locator(MultipleLocator(1) if wide else MaxNLocator(5))
        axes.xaxis.set_major_formatter(lambda value, _: f"{2**value:,.3g}")
    else:
        low, high = axes.get_xlim()
        last = min(high, span[1]) if is_day(outcome) else high  # beyond are gains that were not reached
        apart = MaxNLocator(max(1, int(5 * (span[1] - span[0]) / (high - low) + 0.5)))
        axes.set_xticks([tick for tick in apart.tick_values(*span) if max(0.0, low) <= tick <= last])
        axes.set_xlim(low, high)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")


def sobol_first(sweep: Sweep, outcome: str = "explosion") -> tuple[Indices | None, str]:
    """Return first-order Sobol' indices of the runs, or None and a sentence with the reason.

    Indices of uncertainties are computed from the mean of each point by a Fourier method. They are multiplied by the
    share of the variance that is between points. The method is SALib's rbd_fast (Plischke, Reliab. Eng. Syst. Saf. 95,
    354, 2010). The index of randomness is the variance between replications. Pass one combination of levers, because
    levers are choices without a distribution.
    """
    values = outcome_of(sweep, outcome)
    if why := _unavailable_reason(sweep, values):
        return None, why
    _, index = np.unique(sweep.points, return_inverse=True)
    names = [name for name in sweep.uncertainties if sweep.is_number(name)]
    first, half = _rbd_fast_indices(sweep, values, index, names)
    replication_share = replication_variance_share(sweep, values)
    return Indices(tuple(names), tuple(first), tuple(half), replication_share), ""


def sobol_table(found: Indices) -> pa.Table:
    """Return indices as a table: parameter, first_order, low, high (95%); `luck` is the row of randomness."""
    rows = list(zip(found.names, found.first, found.half, strict=True))
    columns: dict[str, list[Any]] = {
        "parameter": [name for name, *_ in rows],
        "first_order": [first for _, first, _ in rows],
        "low": [first - half for _, first, half in rows],
        "high": [first + half for _, first, half in rows],
    }
    if np.isfinite(found.replication_share):
        for name, value in zip(
            columns, ("luck", found.replication_share, found.replication_share, found.replication_share), strict=True
        ):
            columns[name].append(value)
    return pa.table(columns)


@in_style
def sobol_figure(found: Indices, reading: str = "") -> Figure:
    """Return first-order indices as bars, the largest first. ``reading``: what r is the returns to."""
    from experiments.plotting.style import BLUE, PINK  # noqa: PLC0415

    rows = sorted(zip(found.first, found.half, found.names, strict=True), reverse=True)[:12]
    if np.isfinite(found.replication_share):
        rows.append((found.replication_share, 0.0, "luck"))
    figure, (axes,) = new_figure(1.2 + 0.5 * len(rows))
    for row, (first, half, name) in enumerate(rows):
        axes.barh(row, max(first, 0.0), height=0.62, color=PINK if name == "luck" else BLUE, linewidth=0)
        axes.plot([max(first - half, 0), min(first + half, 1)], [row, row], color=SOFT, linewidth=1.4)
    randomness = "randomness: between runs of the same point"
    texts = [randomness if name == "luck" else axis_label(name, 30, reading) for _, _, name in rows]
    axes.set_yticks(range(len(rows)), texts, fontsize=8.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("share of the variance that a parameter explains by itself")
    return figure


def sobol_indices(
    function: Callable[[Floats], Floats],
    names: Sequence[str],
    distributions: Mapping[str, Distribution],
    n: int = 1024,
    seed: int = 0,
) -> pa.Table:
    """Return first and total Sobol' indices of a function: parameter, S1, S1_half, ST, ST_half (half 95% intervals).

    ``function`` takes an array of shape (rows, len(names)) and returns one number a row. It is called with
    n (names + 2) rows (Saltelli's design, Comput. Phys. Commun. 181, 259, 2010, by SALib). ``n``: a power of 2.
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


def replication_variance_share(sweep: Sweep, values: Floats) -> float:
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


def _rbd_fast_indices(sweep: Sweep, values: Floats, index: Ints, names: list[str]) -> tuple[list[float], list[float]]:
    from SALib.analyze import rbd_fast  # noqa: PLC0415

    means = np.bincount(index, weights=values) / np.bincount(index)
    between = float(np.var(means)) / float(np.var(values))
    if not names or between == 0:
        return [0.0] * len(names), [0.0] * len(names)
    _, rows = np.unique(index, return_index=True)
    inputs = np.column_stack([sweep.numbers(name)[rows] for name in names])
    problem = {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}
    analyze: Any = vars(rbd_fast)["analyze"]  # SALib has no types
    found = analyze(problem, inputs, means, M=HARMONICS, seed=SEED)
    return [float(each) * between for each in found["S1"]], [float(each) * between for each in found["S1_conf"]]


def _unavailable_reason(sweep: Sweep, values: Floats) -> str:
    """Return the reason why the design has no first-order indices; empty if it has."""
    points, random_share = len(np.unique(sweep.points)), replication_variance_share(sweep, values)
    reasons = {
        f"a {sweep.sampling} design does not draw its points at random; sobol, latin-hypercube and random do": (
            sweep.systematic
        ),
        "its levers are choices, which have no share of a variance": bool(sweep.levers),
        "no uncertainty varies": not [name for name in sweep.uncertainties if sweep.is_number(name)],
        "its uncertainties are correlated, so that shares of the variance cannot be separated": _has_correlations(
            sweep.manifest.get("design", {})
        ),
        f"{points} points are too few; at least {MIN_POINTS} are needed": points < MIN_POINTS,
        "some runs have no value of the outcome": not np.isfinite(values).all(),
        "the outcome is the same in all runs": np.var(values) == 0,
        f"{random_share:.0%} of the variance is random, between replications of the same point": (
            random_share > MAX_REPLICATION_SHARE
        ),
    }
    found = next((reason for reason, applies in reasons.items() if applies), "")
    return f"There are no Sobol' indices for this design: {found}." if found else ""


def _has_correlations(design: Any) -> bool:
    return bool(design.get("correlations")) if isinstance(design, Mapping) else False


def _base_runs(sweep: Sweep) -> Flags:
    """Return which runs of a one-at-a-time design have all parameters at their base: the first point and no lever."""
    return np.asarray((sweep.points == 0) & (sweep.numbers("lever") == 0))


def _one_at_a_time_ends(sweep: Sweep, name: str) -> tuple[Flags, Flags] | None:
    """Return which runs have a parameter at its lowest or highest value and all others at their base; None if none."""
    base = _base_runs(sweep)
    if not base.any():
        return None
    columns = {each: sweep.runs[each].to_pylist() for each in sweep.varied}
    first = int(np.flatnonzero(base)[0])
    others_at_base = np.ones(sweep.n, dtype=bool)
    for other in columns.keys() - {name}:
        others_at_base &= np.array([value == columns[other][first] for value in columns[other]], dtype=bool)
    values = sweep.numbers(name)
    observed = values[others_at_base]
    return others_at_base & (values == observed.min()), others_at_base & (values == observed.max())


def _extreme_deciles(values: Floats) -> tuple[Flags, Flags]:
    low, high = np.quantile(values, DECILES)
    return values <= low, values >= high


def _make_bar(sweep: Sweep, name: str, outcome: str, values: Floats, ends: tuple[Flags, Flags]) -> TornadoBar:
    (at_low, error_low), (at_high, error_high) = (_outcome_level(sweep, outcome, values, end) for end in ends)
    low, high = (float(np.mean(sweep.numbers(name)[end])) for end in ends)
    missing_low, missing_high = (int(np.sum(~np.isfinite(values[end]))) for end in ends)
    runs_low, runs_high = (int(end.sum()) for end in ends)
    return TornadoBar(
        name, low, high, at_low, at_high, error_low, error_high, missing_low, missing_high, runs_low, runs_high
    )


def _outcome_level(sweep: Sweep, outcome: str, values: Floats, chosen: Flags) -> tuple[float, float]:
    """Return the outcome of the chosen runs, and half of its 95% interval."""
    if is_day(outcome):
        if sweep.sampling != ONE_BY_ONE or not np.isfinite(values[chosen | _base_runs(sweep)]).all():
            return _median_day(sweep, outcome, chosen)
    elif not np.isfinite(values).all():  # the mean is over the runs that have a value
        chosen = chosen & np.isfinite(values)
        if not chosen.any():
            return math.nan, math.nan
    if sweep.sampling == ONE_BY_ONE:
        return _paired_level(sweep, values, chosen)
    found = clustered_mean(values[chosen], sweep.points[chosen])
    return found.mean, math.nan if found.runs < 2 else (found.high - found.low) / 2


def _median_day(sweep: Sweep, column: str, chosen: Flags) -> tuple[float, float]:
    part = sweep.only(chosen)
    times, reached = censored_times(part, column)
    middle = time_quantile(times, reached, 0.5)
    if not math.isfinite(middle) or not can_bracket_quantile(count_independent(part.points), 0.5):
        return middle, math.nan
    low, high = cluster_bootstrap_interval(part.points, lambda rows: [time_quantile(times[rows], reached[rows], 0.5)])
    return middle, float(high[0] - low[0]) / 2 if math.isfinite(high[0]) else math.nan


def _paired_level(sweep: Sweep, values: Floats, chosen: Flags) -> tuple[float, float]:
    """Return the outcome and its half interval for a one-at-a-time design, from replications paired by their seeds."""
    base, replication = _base_runs(sweep), sweep.numbers("replication")
    before = dict(zip(replication[base], values[base], strict=True))
    both = [(value, before[at]) for at, value in zip(replication[chosen], values[chosen], strict=True) if at in before]
    if not both:
        return float(np.mean(values[chosen])), math.nan
    mean = clustered_mean(np.array([value - there for value, there in both]), np.arange(len(both)))
    error = (mean.high - mean.low) / 2 if mean.runs > 1 else 0.0
    return float(np.mean(values[base])) + mean.mean, error


def _legend(axes: Axes, one_by_one: bool) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    from experiments.plotting.style import BLUE, ORANGE  # noqa: PLC0415

    texts = ("low value", "high value") if one_by_one else ("lowest tenth", "highest tenth")
    handles = [Patch(color=colour, label=text) for colour, text in zip((ORANGE, BLUE), texts, strict=True)]
    legend_above(axes, handles=handles)
