"""Estimate who leads in a sweep of several labs: the first lab, its lead, and concentration, by combination of levers.

Definitions are those of `asara race`: `experiments.race.seed_runs` and `sim.race`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.race.study import Percentiles, percentiles
from experiments.race.table import level_text
from experiments.sweep.analysis.binning import bin_parameter
from experiments.sweep.analysis.combinations import (
    MAX_LISTED,
    Combination,
    combinations,
    select_for_figure,
    table_by_combination,
)
from experiments.sweep.analysis.estimators import ClusteredProbability, clustered_share
from experiments.sweep.analysis.figure_frame import SOFT, WIDTH, in_style
from experiments.sweep.analysis.labels import percent
from experiments.sweep.analysis.sweep_data import ONE_BY_ONE, Flags, Floats, Sweep
from experiments.text.number_format import pluralize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METHOD_NOTE: Final = (
    "Labs that reach the level together do not count as first. Each combination of levers has its own probability. "
    "Intervals are Wilson's at 95%, for the effective number of runs: runs of one point are not independent."
)
LEFT_OUT: Final = (
    "Explosions, pace, days to a gain, limiting resources and sensitivity are left out, because they need one lab; the "
    "table labs has their numbers."
)
MAX_COLUMNS: Final = 4
"""Maximum number of columns of panels in the figure."""


class RaceSummary(NamedTuple):
    """Outcomes of some runs of several labs."""

    first: dict[str, ClusteredProbability]
    """Probability that each lab reaches the level first."""
    majority: dict[str, ClusteredProbability]
    """Probability that each lab then has more than half of the software of all labs."""
    lead: Percentiles
    """Time from the first lab to the second [days], over runs in which a lab reaches the level."""
    herfindahl_software: Percentiles
    herfindahl_gpus: Percentiles
    runs: int
    tied: int
    """Number of runs in which several labs reach the level first."""
    undecided: int
    """Number of runs in which no lab reaches it."""
    ended_early: int
    """Number of runs in which a lab that others gain from ended before the second lab reached the level."""


def level_of(sweep: Sweep) -> float:
    """Return the level of software that decides the races [doublings]."""
    return float(sweep.manifest["design"]["level"])


def summarize(sweep: Sweep, chosen: Flags | None = None) -> RaceSummary:
    """Return the outcomes of all runs with a result, or of the chosen ones."""
    part = sweep if chosen is None else sweep.only(chosen)
    first, majority = (part.runs[name].to_pylist() for name in ("first_lab", "majority_lab"))
    leads = lead_days(part)
    undecided = np.isnan(leads)
    return RaceSummary(
        _shares_by_lab(part, first),
        _shares_by_lab(part, majority),
        percentiles(leads[~undecided].tolist()),
        percentiles(part.numbers("herfindahl_software").tolist()),
        percentiles(part.numbers("herfindahl_gpus").tolist()),
        part.n,
        sum(lab is None for lab in first) - int(undecided.sum()),
        int(undecided.sum()),
        sum(part.runs["ended_early"].to_pylist()),
    )


def lead_days(sweep: Sweep) -> Floats:
    """Return the lead of each run [days]: ``inf`` if only one lab reaches the level, and ``nan`` if none does."""
    is_alone = np.array([lab is not None for lab in sweep.runs["first_lab"].to_pylist()], dtype=bool)
    leads = sweep.numbers("lead_days")
    return np.where(np.isnan(leads) & is_alone, np.inf, leads)


def _shares_by_lab(sweep: Sweep, labs: Sequence[str | None]) -> dict[str, ClusteredProbability]:
    return {
        lab: clustered_share(np.array([each == lab for each in labs], dtype=bool), sweep.points) for lab in sweep.labs
    }


# --- tables ----------------------------------------------------------------------------------------------------------


def first_table(sweep: Sweep) -> pa.Table:
    """Return both probabilities of each lab for each combination of levers, and each class of each uncertainty."""
    names = ("lab", "p_first", "low", "high", "p_majority", "majority_low", "majority_high", "runs", "points")

    def rows(found: RaceSummary) -> Iterator[Sequence[Any]]:
        for lab, first in found.first.items():
            yield lab, *first[:3], *found.majority[lab][:3], first.runs, first.points

    return table_by_combination(sweep, lambda part: _table_by_class(part, names, rows))


def lead_table(sweep: Sweep) -> pa.Table:
    """Return the lead [days], and the numbers of runs without a first lab, by combination and class."""
    names = ("lead_p10", "lead_p50", "lead_p90", "runs", "tied", "undecided")

    def rows(found: RaceSummary) -> Iterator[Sequence[Any]]:
        yield *map(_finite_or_none, found.lead), found.runs, found.tied, found.undecided

    return table_by_combination(sweep, lambda part: _table_by_class(part, names, rows))


def concentration_table(sweep: Sweep) -> pa.Table:
    """Return the Herfindahl indices of software and of GPUs when the race is decided, by combination and class."""
    names = tuple(f"herfindahl_{what}_{at}" for what in ("software", "gpus") for at in Percentiles._fields)

    def rows(found: RaceSummary) -> Iterator[Sequence[Any]]:
        yield *found.herfindahl_software, *found.herfindahl_gpus, found.runs

    return table_by_combination(sweep, lambda part: _table_by_class(part, (*names, "runs"), rows))


def _table_by_class(
    sweep: Sweep, names: Sequence[str], rows: Callable[[RaceSummary], Iterator[Sequence[Any]]]
) -> pa.Table:
    """Return a table with rows for all runs, and for the runs of each class of each uncertainty."""
    found = [("all", "all", *row) for row in rows(summarize(sweep))]
    for name in sweep.uncertainties:
        axis = bin_parameter(sweep, name)
        for at, text in enumerate(axis.labels):
            found += [(name, text, *row) for row in rows(summarize(sweep, axis.place == at))]
    columns = zip(*found, strict=True)
    return pa.table(dict(zip(("parameter", "value", *names), map(list, columns), strict=True)))


def _finite_or_none(days: float) -> float | None:
    return days if math.isfinite(days) else None


def race_numbers(sweep: Sweep) -> dict[str, Any]:
    """Return the numbers of the report as plain values, for each combination of levers."""
    found = []
    for part in combinations(sweep):
        numbers = summarize(part.sweep)._asdict()
        for name in ("first", "majority"):
            numbers[name] = {lab: each._asdict() for lab, each in numbers[name].items()}
        for name in ("lead", "herfindahl_software", "herfindahl_gpus"):
            numbers[name] = numbers[name]._asdict()
        found.append({"levers": part.values} | numbers)
    return {"labs": list(sweep.labs), "level": level_of(sweep), "combinations": found}


# --- sentences -------------------------------------------------------------------------------------------------------


def race_sentences(sweep: Sweep) -> list[str]:
    """Return the results as sentences: the first lab, more than half of the software, the lead, and concentration."""
    first, lead, concentration, _ = sentences_by_topic(sweep)
    return [*first, *lead, *concentration]


def sentences_by_topic(sweep: Sweep) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return sentences on the first lab, on the lead, on concentration, and on what is left out."""
    parts = [(part, summarize(part.sweep)) for part in combinations(sweep)]
    is_single = sweep.sampling == ONE_BY_ONE
    whole = parts[0][1] if is_single else summarize(sweep)
    first = [_first_sentence(sweep, whole, parts), _majority_sentence(sweep, whole, parts), _unclear_sentence(whole)]
    note = ""
    if sweep.uncertainties and sweep.systematic and not is_single:
        note = f"Shares are of the points of a {sweep.sampling} design; they are not probabilities of real outcomes."
    left_out = [LEFT_OUT]
    if is_single:
        left_out.append("Results are for the base of this one-at-a-time design; the table runs has the other points.")
    return (
        [each for each in (*first, note) if each],
        [each for each in (_lead_sentence(parts), _early_end_sentence(whole)) if each],
        [_concentration_sentence(parts)],
        left_out,
    )


_Parts = Sequence[tuple[Combination, RaceSummary]]


def _first_sentence(sweep: Sweep, whole: RaceSummary, parts: _Parts) -> str:
    lab = _most_probable(whole.first)
    listed = _list_by_combination(parts, lambda each: each.first[lab].share, lambda each: _share(each.first[lab]))
    return f"Probability that {lab} is first to reach {level_text(level_of(sweep))}: {listed}."


def _majority_sentence(sweep: Sweep, whole: RaceSummary, parts: _Parts) -> str:
    lab = _most_probable(whole.majority)
    if not whole.majority[lab].share:
        return "No lab has more than half of the software of all labs when the race is decided."
    listed = _list_by_combination(parts, lambda each: each.majority[lab].share, lambda each: _share(each.majority[lab]))
    return f"Probability that {lab} then has more than half of the software of all labs: {listed}."


def _unclear_sentence(whole: RaceSummary) -> str:
    texts = []
    if whole.tied:
        texts.append(f"several labs reach the level together in {pluralize(whole.tied, 'run')}")
    if whole.undecided:
        texts.append(f"no lab reaches it in {pluralize(whole.undecided, 'run')}")
    text = " and ".join(texts)
    return f"{text[0].upper()}{text[1:]} of {whole.runs:,}." if text else ""


def _early_end_sentence(whole: RaceSummary) -> str:
    if not whole.ended_early:
        return ""
    return (
        f"In {whole.ended_early:,} of {pluralize(whole.runs, 'run')} the first lab ended before the second reached the "
        "level, so that the second could gain no more from it. Lower level, or raise run__max_doublings."
    )


def _lead_sentence(parts: _Parts) -> str:
    listed = _list_by_combination(parts, lambda each: each.lead.p50, lambda each: _lead(each.lead))
    return f"Lead of the first lab over the second, median [10% and 90% points of the runs]: {listed}."


def _concentration_sentence(parts: _Parts) -> str:
    software = _list_by_combination(
        parts, lambda each: each.herfindahl_software.p50, lambda each: f"{each.herfindahl_software.p50:.3f}"
    )
    gpus = _list_by_combination(
        parts, lambda each: each.herfindahl_gpus.p50, lambda each: f"{each.herfindahl_gpus.p50:.3f}"
    )
    return (
        f"Herfindahl index when the race is decided, median: of software {software}; of GPUs {gpus}. Equal labs have 1 "
        "divided by their number, and one lab with all has 1."
    )


def _list_by_combination(
    parts: _Parts, value: Callable[[RaceSummary], float], text: Callable[[RaceSummary], str]
) -> str:
    """Return the text of each combination of levers, or those of the lowest and the highest value of many."""
    if len(parts) <= MAX_LISTED:
        return ", ".join(text(found) + f" at {part.text}" * bool(part.values) for part, found in parts)
    known = [each for each in parts if not math.isnan(value(each[1]))] or parts
    low, high = (pick(known, key=lambda each: value(each[1])) for pick in (min, max))
    if value(low[1]) == value(high[1]):
        return f"{text(low[1])} at each of the {len(parts):,} combinations of levers"
    return f"from {text(low[1])} at {low[0].text} to {text(high[1])} at {high[0].text}"


def _most_probable(found: dict[str, ClusteredProbability]) -> str:
    return max(found, key=lambda lab: found[lab].share)


def _share(found: ClusteredProbability) -> str:
    return f"{percent(found.share)} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _lead(lead: Percentiles) -> str:
    if math.isnan(lead.p50):
        return "no lab reaches the level"
    if lead.p50 == math.inf:
        return "no second lab reaches the level in half of the runs"
    high = f"{lead.p90:,.3g}" if lead.p90 < math.inf else "not reached"
    return f"{lead.p50:,.3g} days [{lead.p10:,.3g}, {high}]"


# --- figure ----------------------------------------------------------------------------------------------------------


def lever_across(sweep: Sweep) -> str:
    """Return the lever on the horizontal axis of the figure: that with most values; empty if no lever varies."""
    if sweep.sampling == ONE_BY_ONE or not sweep.levers:
        return ""
    return max(sweep.levers, key=lambda name: len(set(sweep.runs[name].to_pylist())))


def panel_combinations(sweep: Sweep) -> list[Combination]:
    """Return the combinations of the other levers, a column of panels each."""
    return combinations(sweep, (lever_across(sweep),))


@in_style
def race_figure(sweep: Sweep) -> Figure:
    """Return the probability of each lab to be first and the lead, over a lever, for combinations of other levers."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    _draw_panels(figure, sweep, size=8.5)
    return figure


@in_style
def race_slide(sweep: Sweep) -> Figure:
    """Return :func:`race_figure` in the shape of a slide, with sentences as its subtitle."""
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    from experiments.plotting.frame import WIDE, add_title  # noqa: PLC0415

    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06))
    _draw_panels(figure, sweep, size=11)
    first, lead, _, _ = sentences_by_topic(sweep)
    add_title(
        figure, f"{sweep.manifest.get('name', 'sweep')}: which lab is first, and its lead", f"{first[0]}\n{lead[0]}"
    )
    return figure


def _draw_panels(figure: Figure, sweep: Sweep, size: float) -> None:
    """Draw two panels for each combination of the other levers: probabilities above, the lead below."""
    across = lever_across(sweep)
    parts = select_for_figure(panel_combinations(sweep), MAX_COLUMNS)
    panels = np.reshape(figure.subplots(2, len(parts), sharex=True, sharey="row", squeeze=False), (2, len(parts)))
    for column, part in enumerate(parts):
        labels, found = _classes(part.sweep, across)
        _draw_probabilities(panels[0, column], part.sweep, found, size)
        _draw_leads(panels[1, column], found)
        panels[1, column].set_xticks(range(len(labels)), labels, fontsize=size)
        panels[1, column].set_xlim(-0.5, len(labels) - 0.5)
        if across:
            width = round(7 * figure.get_size_inches()[0] / len(parts))
            panels[1, column].set_xlabel(sweep.label(across, width), fontsize=size)
        if part.values:
            panels[0, column].set_title(
                fill(part.text, round(7 * figure.get_size_inches()[0] / len(parts))), fontsize=size, fontweight="normal"
            )
    panels[0, 0].set_ylabel("probability to be first", fontsize=size)
    panels[1, 0].set_ylabel("lead of the first lab [days]", fontsize=size)
    panels[0, -1].legend(loc="center", fontsize=size)
    panels[1, 0].set_ylim(0, 1.05 * max(axes.dataLim.y1 for axes in panels[1]))


def _classes(sweep: Sweep, across: str) -> tuple[tuple[str, ...], list[RaceSummary]]:
    """Return the values of the lever as texts, and the outcomes at each of them."""
    if not across:
        return ("all runs",), [summarize(sweep)]
    values = sorted(set(sweep.runs[across].to_pylist()))
    column = sweep.runs[across].to_pylist()
    chosen = [np.array([each == value for each in column], dtype=bool) for value in values]
    return tuple(sweep.value_text(across, value) for value in values), [summarize(sweep, rows) for rows in chosen]


def _draw_probabilities(axes: Axes, sweep: Sweep, found: Sequence[RaceSummary], size: float) -> None:
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    from experiments.race.figure import COLOURS  # noqa: PLC0415

    shift = min(0.12, 0.6 / len(sweep.labs))
    for number, lab in enumerate(sweep.labs):
        colour = COLOURS[number] if number < len(COLOURS) else SOFT
        places = [at + (number - (len(sweep.labs) - 1) / 2) * shift for at in range(len(found))]
        shares = [each.first[lab] for each in found]
        axes.vlines(
            places, [each.low for each in shares], [each.high for each in shares], color=colour, alpha=0.4, lw=4
        )
        axes.plot(places, [each.share for each in shares], "o-", color=colour, lw=1.2, markersize=size / 2, label=lab)
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _draw_leads(axes: Axes, found: Sequence[RaceSummary]) -> None:
    """Draw the median lead, "none" if half of the runs have none, and a bar from the 10% to the 90% point.

    If the 90% point is not reached, the bar ends at the largest point of the panel.
    """
    finite = [each for summary in found for each in summary.lead if math.isfinite(each)]
    top = max(finite, default=1.0)
    for at, summary in enumerate(found):
        lead = summary.lead
        if math.isfinite(lead.p10):
            axes.vlines([at], [lead.p10], [min(lead.p90, top)], color=SOFT, alpha=0.5, lw=4)
        if math.isfinite(lead.p50):
            axes.plot([at], [lead.p50], "o", color="black", markersize=5)
        elif lead.p50 == math.inf:
            axes.annotate("none", (at, top), ha="center", va="bottom", fontsize=8, color=SOFT)
