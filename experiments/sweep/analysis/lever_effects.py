"""Estimate the effects of levers with common random numbers: paired differences between their levels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.sweep.analysis.estimators import ClusteredMean, clustered_mean
from experiments.sweep.analysis.figure_frame import SOFT, in_style, new_figure
from experiments.sweep.analysis.labels import axis_label, format_value, percent, phrase, phrase_with_name
from experiments.sweep.analysis.sweep_data import EXPLOSIVE, SPEEDING_UP, Floats, Ints, Sweep, doublings_a_year
from sim.governance.params import NO_POLICY, POLICY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUTCOMES: Final = ("explosion", "speeding_up", "doublings_a_year")
METHOD_NOTE: Final = (
    "Each run is compared with the run of the same point, replication and other levers at the first level. Both have "
    "the same random seed, so that common variation cancels. Each combination of the other levers has its own "
    "difference. Intervals are Student's at 95% over points."
)


class Effect(NamedTuple):
    """The effect of a level of a lever on an outcome, compared with its first level."""

    lever: str
    level: str
    against: str
    others: str
    """Other levers and their values; empty if this is the only one."""
    outcome: str
    """`explosion` and `speeding_up`: difference of probabilities. `doublings_a_year`: of log2 (1: twice as many)."""
    difference: float
    low: float
    high: float
    pairs: int
    points: int
    times_less_variance: float
    """Factor by which pairing reduces the variance, compared with independent points and seeds for each level.

    Infinity if pairs do not differ at all; NaN for a single pair.
    """


def lever_effects(sweep: Sweep) -> list[Effect]:
    """Return the effect of each level of each lever on each outcome, for each combination of the other levers.

    Pairs with a missing run are left out.
    """
    values = {
        "explosion": sweep.explosive.astype(float),
        "speeding_up": sweep.speeding_up.astype(float),
        "doublings_a_year": doublings_a_year(sweep),
    }
    return [
        _measure_effect(sweep, names, outcome, values[outcome], pairs)
        for names, pairs in _pairs_of_levels(sweep)
        for outcome in OUTCOMES
    ]


def lever_table(sweep: Sweep) -> pa.Table:
    """Return :func:`lever_effects` as a table, one row an effect."""
    effects = lever_effects(sweep)
    return pa.table({name: [getattr(effect, name) for effect in effects] for name in Effect._fields})


@in_style
def lever_figure(effects: list[Effect], outcome: str = "explosion", reading: str = "") -> Figure:
    """Return a figure of the effects on an outcome, with their intervals.

    ``reading``: what r is the returns to, ``inputs`` or ``effort``.
    """
    from experiments.plotting.style import BLUE  # noqa: PLC0415

    chosen = [effect for effect in effects if effect.outcome == outcome][:24]
    labels = [_row_label(effect, reading) for effect in chosen]
    lines = max((each.count("\n") for each in labels), default=1)
    figure, (axes,) = new_figure(1.3 + (0.21 + 0.15 * lines) * len(chosen))
    for row, effect in enumerate(chosen):
        axes.plot([effect.low, effect.high], [row, row], color=BLUE, linewidth=5, alpha=0.35)
        axes.plot([effect.difference], [row], "o", color=BLUE, markersize=7, markeredgecolor="white")
    axes.axvline(0, color=SOFT, linewidth=1)
    axes.set_yticks(range(len(chosen)), labels)
    axes.tick_params(axis="y", labelsize=8.5)
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    if outcome != "doublings_a_year":
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.3g}" if abs(value) > 1e-9 else "0")
        axes.set_xlabel(fill(f"change of the {phrase(outcome)}, percentage points", 46))
    else:
        low, high = axes.get_xlim()
        axes.set_xticks([math.log2(factor) for factor in factor_ticks(2**low, 2**high)])
        axes.xaxis.set_major_formatter(lambda value, _: f"{2**value:.3g}×")
        axes.set_xlabel("times as many doublings a year")
    return figure


def factor_ticks(low: float, high: float) -> list[float]:
    """Return round factors between ``low`` and ``high``, with 1 if it is in between; powers of two on a wide scale."""
    if high / low > _WIDE_SCALE:
        powers = range(math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9) + 1)
        apart = -(-len(powers) // MAX_TICKS)
        return [2.0**power for power in powers if power % apart == 0]
    ticks: list[float] = []
    for step in _STEPS:
        ticks = [step * at for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        if len(ticks) <= MAX_TICKS:
            break
    return ticks


MAX_TICKS: Final = 6
_WIDE_SCALE: Final = 8.0
"""Ratio of the highest to the lowest factor above which ticks are powers of two."""
_STEPS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Possible distances of ticks; 1 is a multiple of all distances up to 1."""


def _row_label(effect: Effect, reading: str) -> str:
    found = f"{axis_label(effect.lever, 26, reading)}:\n{fill(f'{effect.level} against {effect.against}', 34)}"
    return found + f"\n{fill(f'with {effect.others}', 34)}" * bool(effect.others)


def lever_sentences(effects: list[Effect]) -> list[str]:
    """Return sentences on the effects of levers on both probabilities, and on the variance reduction by pairing."""
    sentences: list[str] = []
    for outcome in (EXPLOSIVE, SPEEDING_UP):
        sentences += _effect_sentences(
            [effect for effect in effects if effect.outcome == outcome.name], outcome.meaning
        )
    gains = [effect.times_less_variance for effect in effects if math.isfinite(effect.times_less_variance)]
    if gains:
        low, high = (format_value(each(gains)) for each in (min, max))
        span = low if low == high else f"{low} to {high}"
        sentences.append(
            f"Pairing makes the variance of these differences {span} times smaller than independent points and random "
            "seeds for each level."
        )
    return sentences


def _effect_sentences(chosen: list[Effect], meaning: str) -> Iterator[str]:
    if chosen and all(effect.difference == 0 and effect.low == effect.high for effect in chosen):
        yield f"No lever changes whether {meaning}: paired runs have the same outcome."
        return
    for effect in sorted(chosen, key=lambda each: -abs(each.difference))[:3]:
        sure = "" if effect.low > 0 or effect.high < 0 else ", not distinguishable from 0"
        interval = f" [{100 * effect.low:+.1f}, {100 * effect.high:+.1f}]{sure}" * math.isfinite(effect.low)
        yield (
            f"{phrase_with_name(effect.lever)} at {effect.level} instead of {effect.against}{_format_others(effect)}: "
            f"{100 * effect.difference:+.1f} percentage points{interval} in the probability that {meaning}."
        )


def _format_others(effect: Effect) -> str:
    return f" with {effect.others}" if effect.others else ""


def _pairs_of_levels(sweep: Sweep) -> Iterator[tuple[tuple[str, str, str, str], Ints]]:
    """Yield the names of lever, level, first level and other levers, and the rows of both levels, shape (pairs, 2)."""
    levers = sweep.levers
    columns = {name: list(sweep.runs[name].to_pylist()) for name in levers}
    replications = sweep.runs["replication"].to_pylist()
    for lever in levers:
        others = [name for name in levers if name != lever]
        held = list(zip(*(columns[name] for name in others), strict=True)) or [()] * sweep.n
        keys = list(zip(sweep.points.tolist(), replications, held, strict=True))
        levels = sorted(set(columns[lever]), key=lambda level: (lever == POLICY and level != NO_POLICY, level))
        rows = {level: _rows_at_level(keys, columns[lever], level) for level in levels}
        for combination in sorted(set(held)):
            text = ", ".join(
                f"{name} = {sweep.value_text(name, value)}" for name, value in zip(others, combination, strict=True)
            )
            for level in levels[1:]:
                first = rows[levels[0]]
                both = [(row, first[key]) for key, row in rows[level].items() if key in first and key[2] == combination]
                if both:
                    names = (lever, sweep.value_text(lever, level), sweep.value_text(lever, levels[0]), text)
                    yield names, np.array(both)


def _rows_at_level(keys: list[Any], column: list[Any], level: Any) -> dict[Any, int]:
    return {key: row for row, (key, value) in enumerate(zip(keys, column, strict=True)) if value == level}


def _measure_effect(
    sweep: Sweep, names: tuple[str, str, str, str], outcome: str, values: Floats, pairs: Ints
) -> Effect:
    here, there, points = values[pairs[:, 0]], values[pairs[:, 1]], sweep.points[pairs[:, 0]]
    found = clustered_mean(here - there, points)
    apart = sum(_width(clustered_mean(each, points)) ** 2 for each in (here, there))
    gain = apart / _width(found) ** 2 if found.high > found.low else math.inf
    return Effect(*names, outcome, found.mean, found.low, found.high, found.runs, found.points, gain)


def _width(mean: ClusteredMean) -> float:
    return mean.high - mean.low


def strongest_lever_sentence(effects: list[Effect]) -> str:
    """Return a sentence on the largest effect on the probability of an explosion, else of speeding up, else ""."""
    sure = [effect for effect in effects if effect.low > 0 or effect.high < 0]
    outcome = next((o for o in (EXPLOSIVE, SPEEDING_UP) if any(effect.outcome == o.name for effect in sure)), None)
    chosen = [effect for effect in sure if outcome is not None and effect.outcome == outcome.name]
    if outcome is None:
        return ""
    best = max(chosen, key=lambda effect: abs(effect.difference))
    way = "raises" if best.difference > 0 else "lowers"
    return (
        f"Of the levers, {phrase_with_name(best.lever)} has the largest effect: "
        f"{best.level} instead of {best.against} {way} the probability that {outcome.meaning} by "
        f"{percent(abs(best.difference)).rstrip('%')} percentage points{_format_others(best)}."
    )
