"""Estimate the probabilities of an explosion and of a run that was speeding up.

They are given for each combination of levers, and over pairs of parameters. An explosion is a run whose doubling times
shrink without limit in the long run.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from experiments.statistics.intervals import wilson
from experiments.sweep.analysis.binning import MAX_LEVELS, Axis, bin_parameter
from experiments.sweep.analysis.combinations import (
    MAX_LISTED,
    Combination,
    combinations,
    select_for_figure,
    table_by_combination,
)
from experiments.sweep.analysis.estimators import ClusteredProbability, clustered_share
from experiments.sweep.analysis.figure_frame import SOFT, in_style, new_figure
from experiments.sweep.analysis.labels import percent, phrase_with_name
from experiments.sweep.analysis.sweep_data import EXPLOSIVE, ONE_BY_ONE, SPEEDING_UP, Flags, RunOutcome, Sweep
from experiments.text.number_format import pluralize
from sim.long_run import SINGULAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METHOD_NOTE: Final = (
    "Each combination of levers has its own probability; they are never averaged, because a lever is a choice. "
    "The long run follows from the parameters of a run, so that its probability has no run-to-run variability. "
    "Its interval covers the sampled parameters only. The pace of a run also varies with its random seed. "
    "Intervals are Wilson's at 95%, for the effective number of runs. Runs of the same point share its parameters and "
    "are not independent, so that the variance is that between points. If all outcomes are equal, the number of points "
    "is used."
)
_COLOUR_SCALE: Final = ("#f2f7fb", "#56B4E9", "#0072B2", "#00406b")
"""Colours from light to dark in one hue, which can be ordered in greyscale too."""
MIN_RUNS_FOR_ESTIMATE: Final = 5
"""Minimum number of runs of a cell with a solid edge; with fewer the edge is dashed if the share is an estimate."""
MAX_PANELS: Final = 3
MAX_LETTERS: Final = 52
"""Maximum letters in a line of a bold title."""
MAX_TICKS: Final = 24
"""Maximum number of tick labels of an axis of a map; of more classes, every second or third has a label."""


def probability(sweep: Sweep, chosen: Flags | None = None, outcome: RunOutcome = EXPLOSIVE) -> ClusteredProbability:
    """Return the probability of an outcome, over all runs with a result or the chosen ones.

    The long run of a point does not depend on the seed, so that replications of a single point count as one run.
    Without uncertainties the probability is exact, with an interval of zero width.
    """
    rows = np.ones(sweep.n, dtype=bool) if chosen is None else chosen
    found = clustered_share(sweep.happened(outcome)[rows], sweep.points[rows])
    if outcome != EXPLOSIVE or found.points > 1 or 0 < found.share < 1:
        return found
    low, high = wilson(found.share, 1) if sweep.uncertainties else (found.share, found.share)
    return found._replace(low=low, high=high)


def probability_table(sweep: Sweep) -> pa.Table:
    """Return both probabilities of each combination of levers, for all its runs and for each class of each uncertainty.

    Columns: the levers, parameter, value, p_long_run_singular, low, high (95%), p_speeding_up, speeding_up_low,
    speeding_up_high, runs, points.
    """
    return table_by_combination(sweep, _probability_rows)


def _probability_rows(sweep: Sweep) -> pa.Table:
    rows = [("all", "all", *_both_probabilities(sweep, np.ones(sweep.n, dtype=bool)))]
    for name in sweep.varied:
        axis = bin_parameter(sweep, name)
        for at, text in enumerate(axis.labels):
            rows.append((name, text, *_both_probabilities(sweep, axis.place == at)))
    names = ("parameter", "value", *_PROBABILITY_COLUMNS)
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def plane_table(sweep: Sweep, across: str, up: str) -> pa.Table:
    """Return both probabilities over two parameters, one row a cell with runs, for each combination of other levers.

    Columns: the other levers, the two parameters (their class as text), then the columns of :func:`probability_table`.
    Raises InputError for a column that does not exist.
    """
    x, y = bin_parameter(sweep, across), bin_parameter(sweep, up)
    return table_by_combination(
        sweep, lambda part: _plane_rows(part, restrict_axis(x, part), restrict_axis(y, part)), (across, up)
    )


def restrict_axis(axis: Axis, part: Sweep) -> Axis:
    """Return the same classes for a part of the runs."""
    return axis._replace(place=axis.place[part.positions])


def _plane_rows(sweep: Sweep, x: Axis, y: Axis) -> pa.Table:
    rows = [
        (x.labels[i], y.labels[j], *_both_probabilities(sweep, inside))
        for j in range(len(y.labels))
        for i in range(len(x.labels))
        if (inside := (x.place == i) & (y.place == j)).any()
    ]
    names = (x.name, y.name, *_PROBABILITY_COLUMNS)
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


_PROBABILITY_COLUMNS: Final = (
    "p_long_run_singular",
    "low",
    "high",
    "p_speeding_up",
    "speeding_up_low",
    "speeding_up_high",
    "runs",
    "points",
)


def _both_probabilities(sweep: Sweep, chosen: Flags) -> tuple[float, ...]:
    explosive, faster = probability(sweep, chosen), probability(sweep, chosen, SPEEDING_UP)
    return (*explosive[:3], *faster)


@in_style
def plane_figure(sweep: Sweep, across: str, up: str) -> Figure:
    """Return a map of the probability of the sweep's outcome over two parameters, with intervals and run counts.

    It has a panel for each combination of the other levers, up to `MAX_PANELS`.
    """
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415

    x, y = bin_parameter(sweep, across), bin_parameter(sweep, up)
    dense = is_dense(x, y)
    parts = select_for_figure(combinations(sweep, (across, up)), MAX_PANELS)
    figure, panels = new_figure(len(parts) * (1.6 + (0.34 if dense else 0.72) * len(y.labels)), len(parts))
    colours = LinearSegmentedColormap.from_list("sweep", _COLOUR_SCALE)
    interval = _has_interval(sweep, sweep.outcome)
    for axes, part in zip(panels, parts, strict=True):
        inner = restrict_axis(x, part.sweep), restrict_axis(y, part.sweep)
        for j, i in product(range(len(y.labels)), range(len(x.labels))):
            inside = (inner[0].place == i) & (inner[1].place == j)
            found = probability(part.sweep, inside, sweep.outcome) if inside.any() else None
            if dense and found:
                colour_cell(axes, (i, j), colours(found.share))
            elif not dense:
                _draw_cell(axes, (i, j), found, colours(found.share) if found else "none", interval)
        frame_map(axes, x, y)
        if part.values:
            axes.set_title(part.text, fontsize=9.5, fontweight="normal")
    title = fill(outcome_title(sweep, sweep.outcome), MAX_LETTERS)
    title += "\nDark: 100%; light: 0%." * dense + f"\n{parts[0].text}" * bool(parts[0].values)
    panels[0].set_title(title)
    return figure


def is_dense(x: Axis, y: Axis) -> bool:
    """Return whether the cells of a map are too small for text."""
    return max(len(x.labels), len(y.labels)) > MAX_LEVELS


def colour_cell(axes: Axes, place: tuple[int, int], colour: Any) -> None:
    """Colour a cell of a map whose cells are too small for text."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    i, j = place
    axes.add_patch(Rectangle((i - 0.48, j - 0.46), 0.96, 0.92, facecolor=colour, edgecolor=SOFT, linewidth=0.5))


def _draw_cell(
    axes: Axes, place: tuple[int, int], found: ClusteredProbability | None, colour: object, interval: bool
) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    i, j = place
    if found is None:
        axes.text(i, j, "no run", ha="center", va="center", fontsize=8, color=SOFT)
        return
    edge: dict[str, Any] = {"edgecolor": SOFT, "linewidth": 0.5}
    if interval and found.runs < MIN_RUNS_FOR_ESTIMATE:
        edge = {"edgecolor": SOFT, "linewidth": 1.2, "linestyle": (0, (2, 2))}
    axes.add_patch(Rectangle((i - 0.48, j - 0.46), 0.96, 0.92, facecolor=colour, **edge))
    ink = "#ffffff" if found.share > 0.5 else "#1a1a1a"
    axes.text(i, j + 0.16, percent(found.share), ha="center", va="center", fontsize=11, fontweight="bold", color=ink)
    small = f"{found.low * 100:.0f}–{found.high * 100:.0f}%, " * interval + f"n = {found.runs}"
    axes.text(i, j - 0.22, small, ha="center", va="center", fontsize=7.6, color=ink)


def frame_map(axes: Axes, x: Axis, y: Axis) -> None:
    """Label a map of classes against classes."""
    axes.set_xlim(-0.5, len(x.labels) - 0.5)
    axes.set_ylim(-0.5, len(y.labels) - 0.5)
    across, up = (list(range(0, len(axis.labels), -(-len(axis.labels) // MAX_TICKS))) for axis in (x, y))
    axes.set_xticks(across, [x.labels[at] for at in across], rotation=60 if len(x.labels) > MAX_LEVELS else 0)
    axes.set_yticks(
        up,
        [y.labels[at] for at in up],
        va="center",
        rotation=90 if max(map(len, y.labels)) > 5 and not is_dense(x, y) else 0,
    )
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=9)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(x.title)
    axes.set_ylabel(fill(y.title, 34))


def rank_parameters(sweep: Sweep) -> list[str]:
    """Return the varied parameters, ordered by their effect on the probability of the outcome, strongest first.

    The measure is the variance between their classes, less its expectation for a parameter without effect.
    """
    strength = {name: _between_class_variance(sweep, bin_parameter(sweep, name)) for name in sweep.varied}
    return sorted(strength, key=lambda name: -strength[name])


def strongest_pair(sweep: Sweep) -> tuple[str, str] | None:
    """Return the two parameters on which the probability of the outcome depends most; None if fewer vary."""
    best = rank_parameters(sweep)
    return (best[0], best[1]) if len(best) >= 2 else None


def _between_class_variance(sweep: Sweep, axis: Axis) -> float:
    happened = sweep.happened().astype(float)
    counts = np.bincount(axis.place, minlength=len(axis.labels))
    means = np.bincount(axis.place, weights=happened) / np.maximum(counts, 1)
    noise = float(np.var(happened)) * (len(counts) - 1) / len(np.unique(sweep.points))
    return float(np.sum(counts * (means - happened.mean()) ** 2)) / sweep.n - noise


def _differs_from_rest(sweep: Sweep, axis: Axis) -> bool:
    """Return whether the interval of some class does not overlap that of all other runs.

    With two intervals of 95% the false-alarm rate is about 0.6%, so that the strongest of a few parameters is rarely a
    chance effect.
    """
    for at in range(len(axis.labels)):
        here = axis.place == at
        if here.any() and not here.all():
            one, other = (probability(sweep, rows, sweep.outcome) for rows in (here, ~here))
            if one.low > other.high or one.high < other.low:
                return True
    return False


def sentence(sweep: Sweep) -> str:
    """Return both probabilities as sentences, for each combination of levers, or the lowest and highest of many."""
    if sweep.sampling == ONE_BY_ONE:
        return _one_at_a_time_sentence(sweep)
    return f"{_probability_sentence(sweep, EXPLOSIVE)} {_probability_sentence(sweep, SPEEDING_UP)}"


def outcome_title(sweep: Sweep, outcome: RunOutcome) -> str:
    """Return the title of a number: the probability of an outcome, or the share of runs in a systematic design."""
    return f"Share of {outcome.runs}" if sweep.systematic else f"Probability that {outcome.meaning}"


def _probability_sentence(sweep: Sweep, outcome: RunOutcome) -> str:
    what = outcome_title(sweep, outcome)
    found = [(part, probability(part.sweep, outcome=outcome)) for part in combinations(sweep)]
    interval = _has_interval(sweep, outcome)
    if len(found) > MAX_LISTED:
        ends = [pick(found, key=lambda each: each[1].share) for pick in (min, max)]
        if ends[0][1].share == ends[1][1].share:
            return f"{what}: {percent(ends[0][1].share)} at each of the {len(found):,} combinations of levers."
        texts = [f"{_share_text(share, interval)} at {part.text}" for part, share in ends]
        return f"{what}: from {texts[0]} to {texts[1]}. The table has all {len(found):,} combinations of levers."
    texts = [
        f"{_share_text(share, interval)}{_format_combination(part)} ({pluralize(share.runs, 'run')})"
        for part, share in found
    ]
    return f"{what}: {', '.join(texts)}."


def _has_interval(sweep: Sweep, outcome: RunOutcome) -> bool:
    """Return whether a share has sampling error; the long run of fixed parameters is derived and has none."""
    return not sweep.systematic and (outcome != EXPLOSIVE or bool(sweep.uncertainties))


def _share_text(found: ClusteredProbability, interval: bool) -> str:
    return percent(found.share) + f" [{100 * found.low:.0f}, {100 * found.high:.0f}]" * interval


def _format_combination(part: Combination) -> str:
    return f" at {part.text}" if part.values else ""


def _one_at_a_time_sentence(sweep: Sweep) -> str:
    base = sweep.only((sweep.points == 0) & (sweep.numbers("lever") == 0))
    if not base.n:
        return "The middle point of this one-at-a-time design has no result, so there are no comparisons."
    shares = [f"{percent(float(base.happened(each).mean()))} are {each.runs}" for each in (EXPLOSIVE, SPEEDING_UP)]
    return f"With all parameters in the middle ({pluralize(base.n, 'run')}), {' and '.join(shares)}."


def rest_sentence(sweep: Sweep) -> str:
    """Return a sentence on the other long runs of each combination of levers; empty if there are many combinations."""
    parts = combinations(sweep)
    if len(parts) > MAX_LISTED or sweep.sampling == ONE_BY_ONE:
        return ""
    texts = []
    for part in parts:
        counts = Counter(part.sweep.texts("long_run"))
        others = [f"{percent(n / part.sweep.n)} {name}" for name, n in counts.most_common() if name != SINGULAR]
        if others:
            texts.append(", ".join(others) + _format_combination(part))
    return f"In the long run the other runs are: {'; '.join(texts)}." if texts else ""


def limit_sentence(sweep: Sweep) -> str:
    """Return sentences on the runs in which a growth limit rules out an explosion, and on their fastest doubling.

    One for each combination of levers; empty if there are many, or no limit.
    """
    parts = combinations(sweep)
    if len(parts) > MAX_LISTED:
        return ""
    return " ".join(text for part in parts if (text := _limit_sentence(part)))


def _limit_sentence(part: Combination) -> str:
    fastest = part.sweep.numbers("fastest_doubling")
    limited = fastest[~np.isnan(fastest)]
    if not limited.size:
        return ""
    faster = limited[limited > 0]
    where = f"With {part.text}, in" if part.values else "In"
    text = f"{where} {percent(limited.size / part.sweep.n)} of the runs a growth limit rules out an explosion"
    if not faster.size:
        return f"{text}, and by the law doublings never get faster."
    return (
        f"{text}. In {percent(faster.size / part.sweep.n)} of the runs doublings get faster at first by the law, in "
        f"the median until doubling {np.median(faster):.0f} (fastest_doubling)."
    )


def strongest_parameter(sweep: Sweep) -> str:
    """Return a sentence on the uncertainty on which the probability of the outcome depends most, with both ends.

    One for each combination of levers; empty if there are many, or if no uncertainty varies. If the outcome is the same
    in all runs, the sentence states that.
    """
    if sweep.sampling == ONE_BY_ONE:
        return ""
    happened = sweep.happened()
    if sweep.n > 1 and (happened.all() or not happened.any()):
        return f"All runs agree on whether {sweep.outcome.meaning}, so no parameter has an effect on it."
    parts = combinations(sweep)
    if len(parts) > MAX_LISTED:
        return ""
    return " ".join(text for part in parts if (text := _strongest_sentence(part)))


def _strongest_sentence(part: Combination) -> str:
    sweep, where = part.sweep, f"With {part.text}, " * bool(part.values)
    names, happened = rank_parameters(sweep), sweep.happened()
    if not names:
        return ""
    if happened.all() or not happened.any():
        agree = f"ll runs agree on whether {sweep.outcome.meaning}, so no parameter has an effect on it."
        return f"{where}{'a' if where else 'A'}{agree}"
    share = f"{where}{'the' if where else 'The'} share of {sweep.outcome.runs}"
    axis = bin_parameter(sweep, names[0])
    if not sweep.systematic and not _differs_from_rest(sweep, axis):
        return f"{share} depends on no parameter by more than chance."
    ends = [probability(sweep, axis.place == at, sweep.outcome) for at in (0, len(axis.labels) - 1)]
    low, high = (f"{percent(each.share)} at {axis.labels[at]}" for each, at in zip(ends, (0, -1), strict=True))
    return f"{share} depends most on {phrase_with_name(names[0], sweep.reading)}: {low}, {high}."
