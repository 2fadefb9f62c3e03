"""Draw the picture of docs/explanation/knife-edge.md: `python -m experiments.docs_build.knife_edge_picture FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from experiments.plotting.captions import footer_text
from experiments.plotting.frame import WIDE, add_title, render
from experiments.plotting.slides import darken_for_contrast
from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, STYLE
from sim.governance.knife_edge import KnifeEdge
from sim.governance.pace_brakes import BrakedRun, SmoothBrake, simulate_brake
from sim.growth import DAYS_PER_MONTH

R: Final = 1.4
"""Returns to research of the runs."""
TARGET: Final = 1 / DAYS_PER_MONTH
"""Target pace of the brakes and pace of day 0: one doubling a month [doublings/day]."""
GAINS: Final = {0.0: PINK, 0.9: ORANGE, 1.2: GREEN, 2.0: BLUE}
"""Gains as multiples of the smallest gain that holds the pace, and the colours of their lines."""
DELAYS: Final = {1.1: ORANGE, 0.9: BLUE}
"""Delays as multiples of the longest stable delay, and the colours of their lines."""
DELAYED_GAIN: Final = 2.0
"""Gain of the delayed brakes, as a multiple of the smallest gain."""
LABEL_PACE: Final = 40.0
"""Multiple of the target beside which the label of a lost pace is."""
DAYS: Final = 1000.0
READING_DAYS: Final = 0.5


def main(image: Path) -> None:
    """Simulate the brakes, and write the picture."""
    image.parent.mkdir(parents=True, exist_ok=True)
    footer = footer_text(f"r = {R:g}", f"readings every {READING_DAYS:g} days", "growth law without a limit")
    image.write_bytes(render(knife_edge_figure, footer, STYLE))


def knife_edge_figure() -> Figure:
    """Draw pace and barrier under brakes of several speeds, and the pace under brakes with a delay."""
    edge = KnifeEdge(R, TARGET)
    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    grid = figure.add_gridspec(2, 2)
    pace, barrier = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    delayed = figure.add_subplot(grid[:, 1])
    for multiple, colour in GAINS.items():
        gain = multiple * edge.smallest_gain
        run = simulate_brake(SmoothBrake(TARGET, gain), R, DAYS, reading_days=READING_DAYS)
        _draw_pace(pace, run, colour, f"{1 / gain:.0f} days" if gain else "no brake", below=multiple == 2)
        if gain:
            barrier.plot(run.days, 2.0**run.log2_barrier, color=colour)
    gain = DELAYED_GAIN * edge.smallest_gain
    for share, colour in DELAYS.items():
        delay = share * edge.longest_delay_days(gain)
        run = simulate_brake(SmoothBrake(TARGET, gain, delay), R, DAYS, reading_days=READING_DAYS)
        _draw_pace(delayed, run, colour, f"{delay:.0f} days late")
    pace.set_title("Pace, by reaction time", loc="left", fontsize=12, fontweight="bold")
    barrier.set_title("Barrier that these brakes need", loc="left", fontsize=12, fontweight="bold")
    delayed.set_title(
        f"Pace, reaction time {1 / gain:.0f} days with a delay", loc="left", fontsize=12, fontweight="bold"
    )
    for axes in (pace, delayed):
        axes.set_ylabel("software doublings per month")
    _format_axes(pace, 0.5, 100)
    _format_axes(delayed, 0.1, 100)
    barrier.set_ylabel("factor by which effort is divided")
    _format_axes(barrier, 1, 1e5)
    barrier.set_xlabel("days")
    delayed.set_xlabel("days")
    figure.align_ylabels([pace, barrier])
    add_title(
        figure,
        f"A reaction holds the pace only if it takes less than {edge.longest_reaction_days:.1f} days with little delay",
        f"Smooth brakes at r = {R:g} with a target of one doubling a month. Left: slower reactions lose the pace, and "
        "the brakes that hold it grow exponentially. Right: a delay makes the pace oscillate; beyond "
        f"{edge.longest_delay_days(gain):.1f} days the oscillations grow until the pace is lost.",
    )
    return figure


def _draw_pace(axes: Axes, run: BrakedRun, colour: str, label: str, *, below: bool = False) -> None:
    """Draw the pace of a run, and its label beside a pace that is lost, or above or below one that is held."""
    pace = run.pace / TARGET
    axes.plot(run.days, pace, color=colour)
    is_lost = run.lost_on is not None
    last = int(np.argmax(pace >= LABEL_PACE)) if is_lost else len(pace) - 1
    day = float(run.days[last])
    is_right = day < DAYS / 2
    if is_lost:
        offset, va = (6 if is_right else -6, 0), "center"
    else:
        offset, va = (-4, -5 if below else 5), "top" if below else "bottom"
    axes.annotate(
        label,
        (day, float(pace[last])),
        offset,
        textcoords="offset points",
        ha="left" if is_right else "right",
        va=va,
        color=darken_for_contrast(colour),
        fontweight="bold",
    )


def _format_axes(axes: Axes, low: float, high: float) -> None:
    """Set a log axis with plain numbers, and the days of the runs."""
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.set_xlim(0, DAYS)
    axes.yaxis.set_major_locator(LogLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
