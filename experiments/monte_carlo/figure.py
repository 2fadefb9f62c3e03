"""Draw the figure of a Monte Carlo analysis: progress within a period, and dates of explosions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

from experiments.monte_carlo.runner import SampledWorlds, simulate
from experiments.monte_carlo.spec import Inputs, MonteCarloSpec
from experiments.monte_carlo.summary import LAWS
from experiments.plotting.captions import footer_text
from experiments.plotting.frame import WIDE, Form, Shape, add_title, render
from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, SKY, STYLE
from experiments.uncertainty.distributions import Array

MAX_CURVE_WORLDS: Final = 65_536
"""Number of worlds (the first ones) in the curves; the dots use all worlds."""
MAX_YEARS: Final = 20.0
_COLOURS: Final = (BLUE, ORANGE, GREEN, PINK, SKY)


def mc_picture(
    found: Mapping[str, Any],
    study: MonteCarloSpec,
    drawn: Mapping[str, Array],
    worlds: SampledWorlds,
    form: Form = "png",
    shape: Shape = "page",
) -> bytes:
    """Draw a summary as PNG, SVG or PDF; the same summary gives the same bytes."""
    footer = footer_text(f"n = {found['n']:,} worlds", f"seed {found['seed']}", prior=found["digest"])
    return render(lambda: mc_figure(found, study, drawn, worlds, shape), footer, STYLE, form)


def mc_figure(
    found: Mapping[str, Any],
    study: MonteCarloSpec,
    drawn: Mapping[str, Array],
    worlds: SampledWorlds,
    shape: Shape = "page",
) -> Figure:
    """Draw the probability of years of progress within a period, and of an explosion by each month."""
    size = WIDE if shape == "wide" else (11.5, 5.6)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, wspace=0.04))
    progress, explosion = figure.subplots(1, 2)
    _draw_progress(progress, found, study, drawn)
    _draw_explosion(explosion, found, worlds)
    for axes in (progress, explosion):
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    add_title(figure, f"{found['priors']}: {LAWS[found['retraining']]}", found["description"])
    return figure


def exceedance(study: MonteCarloSpec, drawn: Mapping[str, Array], months: float) -> tuple[Array, Array]:
    """Return years of progress, and the probability of at least that much within a period of ``months``."""
    inputs = Inputs(*(each[:MAX_CURVE_WORLDS] for each in study.inputs_of(drawn)))
    step = max(1, round(study.doublings_per_year / 4))
    longest = min(MAX_YEARS * study.doublings_per_year, study.most_doublings, float(inputs.limit_doublings.max()) + 1)
    windows = list(range(step, math.floor(longest) + 1, step))
    found = simulate(
        inputs,
        windows,
        study.horizon_months,
        retraining=study.retraining,
        speed_share=study.speed_share,
        most_doublings=study.most_doublings,
    )
    shares = [float(np.mean(found.shortest_months[window] <= months)) for window in windows]
    return np.array([0, *windows]) / study.doublings_per_year, np.array([1.0, *shares])


def _draw_progress(axes: Axes, found: Mapping[str, Any], study: MonteCarloSpec, drawn: Mapping[str, Array]) -> None:
    stretches = sorted({pair.months for pair in study.pairs}, reverse=True)
    for row, (colour, months) in enumerate(zip(_COLOURS, stretches, strict=False)):
        years, likely = exceedance(study, drawn, months)
        axes.plot(years, likely, color=colour, label=f"within {months:g} months")
        dots = sorted((pair["years"], pair["probability"]) for pair in found["pairs"] if pair["months"] == months)
        axes.plot(*zip(*dots, strict=True), "o", color=colour, markersize=8, markeredgecolor="white", zorder=4)
        _label_dots(axes, dots, colour, float(years[-1]), above=row == 0)
    axes.set_xlim(0, None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"years of progress (each {study.doublings_per_year:g} doublings of software)")
    axes.set_title("Probability of at least this much progress", loc="left")
    axes.set_ylabel("probability")
    axes.legend(loc="upper right")


def _label_dots(axes: Axes, dots: Sequence[tuple[float, float]], colour: str, width: float, *, above: bool) -> None:
    """Write probabilities beside dots, above the curve of the longest period and below the others, without overlap."""
    place: dict[str, Any] = {"xytext": (6, 5), "ha": "left"} if above else {"xytext": (-4, -16), "ha": "right"}
    labelled = -math.inf
    for years, probability in dots:
        if years - labelled > width / 12:
            labelled = years
            axes.annotate(f"{probability:.1%}", (years, probability), textcoords="offset points", color=colour, **place)


def _draw_explosion(axes: Axes, found: Mapping[str, Any], worlds: SampledWorlds) -> None:
    horizon, likely = found["horizon_months"], found["explosion"]
    dates = np.sort(worlds.explosion_months[np.isfinite(worlds.explosion_months)])
    grid = np.linspace(0, horizon, 481)
    axes.plot(grid, np.searchsorted(dates, grid, side="right") / found["n"], color=BLUE)
    for row in found["explosion_by_rule"]:
        _draw_rule(axes, row, horizon, likely["published"] if row["own"] else "")
    middle = found["explosion_months"]["0.5"]
    if middle is not None:
        half = likely["probability"] / 2
        axes.plot([middle], [half], "o", color=BLUE, markersize=8, markeredgecolor="white", zorder=4)
        axes.annotate(
            f"half of them by month {middle:.3g}", (middle, half), (10, -4), textcoords="offset points", color=BLUE
        )
    axes.set_xlim(0, horizon)
    axes.set_xlabel("months")
    axes.set_title("Probability of an explosion by then", loc="left")


def _draw_rule(axes: Axes, row: Mapping[str, Any], horizon: float, published: str) -> None:
    """Draw the probability of an explosion at any time under one rule, darker if the law of the file has this rule."""
    condition = "P(r(1 − φ) > 1), training runs take their share" if row["rule"] == "share" else "P(r > 1)"
    colour = "#444444" if row["own"] else "#8a8a8a"
    suffix = f" (published: {published})" if published else ""
    axes.axhline(row["probability"], color=colour, linestyle=(0, (4, 2)), linewidth=1.4)
    axes.annotate(
        f"{condition}: {row['probability']:.1%}{suffix}",
        (horizon, row["probability"]),
        (0, 5),
        textcoords="offset points",
        ha="right",
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )
