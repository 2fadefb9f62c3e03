"""Draw searches: best speed-up against candidates tried, with the fitted ceiling and the roofline."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.kernels.curve_fits import CurveFit
from experiments.kernels.result_tables import RemeasuredKernel, held_out_gain
from experiments.kernels.search_tables import SearchRow
from experiments.plotting.frame import Form, render
from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, SKY, STYLE
from hardware.kernels.statistics import Speedup

COLUMNS: Final = 2
"""Panels in a row; with more, the text is too small on a page."""
MIN_WIDTH: Final = 8.5
"""Smallest width of the figure [inches]."""
WIDTH: Final = 5.6
"""Width of a panel [inches]."""
HEIGHT: Final = 3.7
"""Height of a panel [inches]."""
GREY: Final = "#6E6E6E"
_COLOURS: Final = {
    "hill-climb": BLUE,
    "evolve": GREEN,
    "random": ORANGE,
    "autotune": PINK,
    "llm": "#D55E00",
    "naive": SKY,
}
_TICKS: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 100.0)
_STRIP_GAP, _STRIP_WIDTH = 0.03, 0.27
"""Distance and width of the strip of winners, as shares of the width of the searches (log scale)."""
LABEL_HEIGHT: Final = 0.066
"""Height of a label, as a share of the panel's height."""
_MARGIN: Final = 0.03
_MIN_SPEEDUP: Final = 0.4
"""Lowest speed-up that is drawn; the first candidates may be much slower and would compress the scale."""
_STEPS_NOTE: Final = "Each step is a candidate that is faster than all before it, timed quickly on the tuned shapes."
_WINNERS_NOTE: Final = (
    "A diamond in the grey strip is the winner of a search, re-measured on held-out shapes, with its 95% interval."
)
_CURVE_NOTE: Final = "Dashed: the curve fitted to the most repeated searches of one proposer, scaled to their diamonds."


class Label(NamedTuple):
    """A label at the right edge of a panel, and the height that it marks, as a share of the panel's height."""

    height: float
    text: str
    colour: str


class Panel(NamedTuple):
    """The searches, winners and fit of one workload on one machine."""

    machine: str
    workload: str
    searches: tuple[SearchRow, ...]
    winners: tuple[tuple[str, Speedup], ...]
    """Proposer and speed-up on held-out shapes, for each re-measured winner."""
    fit: CurveFit | None


def build_panels(
    found: Sequence[SearchRow], measured: Sequence[RemeasuredKernel], fitted: Sequence[CurveFit]
) -> list[Panel]:
    """Return a panel for each machine and workload that has a search with a candidate that passed."""
    drawn = [search for search in found if search.steps]
    keys = dict.fromkeys((search.machine, search.workload) for search in drawn)
    fits = {(fit.machine, fit.workload): fit for fit in fitted}
    return [
        Panel(
            *key,
            tuple(search for search in drawn if (search.machine, search.workload) == key),
            _winners(key, drawn, measured),
            fits.get(key),
        )
        for key in keys
    ]


def _winners(
    key: tuple[str, str], drawn: Sequence[SearchRow], measured: Sequence[RemeasuredKernel]
) -> tuple[tuple[str, Speedup], ...]:
    searched = {search.session for search in drawn if (search.machine, search.workload) == key}
    winners = (each for each in measured if each.role == "winner" and each.session.session in searched)
    gains = ((each.session.proposer, held_out_gain(each.sdpa)) for each in winners)
    return tuple((proposer, gain) for proposer, gain in gains if gain is not None)


def searches_picture(drawn: Sequence[Panel], footer: str = "", form: Form = "png") -> bytes:
    """Draw panels as PNG, SVG or PDF; equal panels give equal bytes. Raises ValueError without a panel.

    ``footer``: identification of the measurements, in the last line of the figure.
    """
    if not drawn:
        raise ValueError("nothing to draw: no candidate passed in any search")
    return render(lambda: searches_figure(drawn), footer, STYLE, form, dpi=130)


def searches_figure(drawn: Sequence[Panel]) -> Figure:
    """Draw speed-up by number of candidates, a panel for each workload."""
    columns = min(COLUMNS, len(drawn))
    lines = math.ceil(len(drawn) / columns)
    width = max(columns * WIDTH, MIN_WIDTH)
    text = _explanation(drawn, width)
    above = 0.62 + 0.2 * (text.count("\n") + 1)
    height = lines * HEIGHT + above
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, rect=(0, 0, 1, 1 - above / height))
    figure = Figure(figsize=(width, height), layout=layout)
    grid = figure.subplots(lines, columns, squeeze=False)
    several = len({panel.machine for panel in drawn}) > 1
    for axes, panel in zip(grid.flat, drawn, strict=False):
        _draw_panel(axes, panel)
        _draw_title(axes, panel, several)
    for axes in grid.flat[len(drawn) :]:
        axes.set_axis_off()
    title = "Speed-up of attention by number of candidates tried"
    figure.text(0.15 / width, 1 - 0.14 / height, title, fontsize=16 if width > 10 else 14, fontweight="bold", va="top")
    figure.text(0.15 / width, 1 - 0.52 / height, text, fontsize=10, color="#444444", va="top", linespacing=1.35)
    return figure


def _explanation(drawn: Sequence[Panel], width: float) -> str:
    machines = " and ".join(dict.fromkeys(panel.machine for panel in drawn))
    sentences = [f"Measured on {machines}, relative to torch's own attention (SDPA).", _STEPS_NOTE]
    if any(panel.winners for panel in drawn):
        sentences.append(_WINNERS_NOTE)
    if any(panel.fit for panel in drawn):
        sentences.append(_CURVE_NOTE)
    return textwrap.fill(" ".join(sentences), int(width * 13.2))


def _draw_panel(axes: Axes, panel: Panel) -> None:
    tried = max(search.tried for search in panel.searches)
    cap = panel.fit.cap if panel.fit else panel.searches[0].cap
    low, high = _axis_limits(panel, cap)
    axes.set_xscale("log")
    axes.set_yscale("log")
    right = _draw_winners(axes, panel, max(tried, 2))
    axes.set_xlim(0.93, right)
    axes.set_ylim(low, high)
    for search in panel.searches:
        _draw_search(axes, search)
    labels = [*_search_labels(panel, low, high), *_level_labels(axes, panel, cap, low, high)]
    _draw_labels(axes, labels)
    _label_axes(axes, panel, low, high, tried)


def _draw_winners(axes: Axes, panel: Panel, tried: int) -> float:
    """Draw the re-measured winners side by side in a strip; return the right end of the strip."""
    if not panel.winners:
        return tried * 1.1
    left = tried ** (1 + _STRIP_GAP)
    right: float = left * tried**_STRIP_WIDTH
    axes.axvspan(left, right, color="#F1F1F1", linewidth=0, zorder=0)
    places = np.geomspace(left, right, len(panel.winners) + 2)[1:-1]
    for (proposer, gain), place in zip(panel.winners, places, strict=True):
        sides = [[gain.ratio - gain.low], [gain.high - gain.ratio]]
        axes.errorbar(
            [place],
            [gain.ratio],
            yerr=sides,
            fmt="D",
            color=_COLOURS.get(proposer, GREY),
            markersize=5.5,
            linewidth=1.3,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=6,
        )
    axes.annotate(
        "re-measured\nwinners",
        (math.sqrt(left * right), 0.09),
        xycoords=("data", "axes fraction"),
        ha="center",
        va="bottom",
        fontsize=9,
        color=GREY,
    )
    return right


def _draw_search(axes: Axes, search: SearchRow) -> None:
    numbers, gains = zip(*search.steps, (search.tried, search.steps[-1][1]), strict=True)
    axes.step(
        numbers, gains, where="post", color=_COLOURS.get(search.proposer, GREY), linewidth=1.6, alpha=0.75, zorder=3
    )
    axes.plot(*zip(*search.steps, strict=True), "o", color=_COLOURS.get(search.proposer, GREY), markersize=3, zorder=4)


def _axis_limits(panel: Panel, cap: float | None) -> tuple[float, float]:
    gains = [gain for search in panel.searches for _, gain in search.steps]
    gains += [end for _, gain in panel.winners for end in (gain.low, gain.high)]
    if panel.fit:
        gains.append(panel.fit.ceiling)
    top = max([*gains, 1.0])
    if cap is not None and cap <= 4 * top:
        top = max(top, cap)
    return max(min([*gains, 1.0]), _MIN_SPEEDUP) / 1.12, top * 1.12


def _search_labels(panel: Panel, low: float, high: float) -> list[Label]:
    found = []
    for proposer in dict.fromkeys(search.proposer for search in panel.searches):
        ends = [search.steps[-1][1] for search in panel.searches if search.proposer == proposer]
        times = f" ×{len(ends)}" if len(ends) > 1 else ""
        middle = math.exp(float(np.median(np.log(ends))))
        found.append(Label(_relative_height(middle, low, high), f"{proposer}{times}", _COLOURS.get(proposer, GREY)))
    return found


def _level_labels(axes: Axes, panel: Panel, cap: float | None, low: float, high: float) -> list[Label]:
    """Draw the levels that all searches share, and return their labels."""
    axes.axhline(1, color="black", linewidth=1.0, zorder=2)
    found = [Label(_relative_height(1, low, high), "SDPA", "black")]
    if panel.fit:
        curve, ceiling = panel.fit.curve, panel.fit.ceiling
        numbers = np.geomspace(1, curve.tried, 200)
        axes.plot(
            numbers,
            [curve.speedup_after(n) for n in numbers],
            color="black",
            linestyle=(0, (4, 2)),
            linewidth=1.5,
            zorder=5,
        )
        axes.axhline(ceiling, color="black", linestyle=(0, (1, 2)), linewidth=1.2, zorder=2)
        found.append(Label(_relative_height(ceiling, low, high), f"fitted ceiling {ceiling:.2f}×", "black"))
    if cap is not None and cap <= high:
        axes.axhline(cap, color=GREY, linewidth=1.0, linestyle=(0, (6, 2, 1, 2)), zorder=2)
        found.append(Label(_relative_height(cap, low, high), f"roofline {cap:.2g}×", GREY))
    elif cap is not None:
        found.append(Label(0.99, f"roofline {cap:.2g}×, beyond ↑", GREY))
    return found


def _relative_height(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low)


def _draw_labels(axes: Axes, labels: Sequence[Label]) -> None:
    for label, height in avoid_label_overlap(labels):
        axes.annotate(
            label.text,
            (1.005, label.height),
            (1.045, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=label.colour,
            fontsize=9.5,
            va="center",
            ha="left",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": label.colour,
                "linewidth": 0.7,
                "shrinkA": 0,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )


def avoid_label_overlap(labels: Sequence[Label]) -> list[tuple[Label, float]]:
    """Return labels with heights in the panel, close to what they mark and without overlap."""
    groups: list[list[Label]] = []
    for label in sorted(labels):
        groups.append([label])
        while len(groups) > 1 and _stack_start(groups[-1]) < _stack_start(groups[-2]) + LABEL_HEIGHT * len(groups[-2]):
            last = groups.pop()
            groups[-1] += last
    return [(label, _stack_start(group) + LABEL_HEIGHT * at) for group in groups for at, label in enumerate(group)]


def _stack_start(group: Sequence[Label]) -> float:
    """Return the lower end of a stack of labels, centred on the mean of the marked heights, within the panel."""
    size = LABEL_HEIGHT * (len(group) - 1)
    middle = sum(label.height for label in group) / len(group)
    return max(_MARGIN, min(1 - _MARGIN - size, middle - size / 2))


def _label_axes(axes: Axes, panel: Panel, low: float, high: float, tried: int) -> None:
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.yaxis.set_minor_locator(NullLocator())
    numbers = [base * 10**power for power in range(6) for base in ((1, 2, 5) if tried < 100 else (1, 3))]
    axes.xaxis.set_major_locator(FixedLocator([number for number in numbers if number <= tried]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("candidates tried")
    axes.set_ylabel("speed-up over SDPA")


def _draw_title(axes: Axes, panel: Panel, several: bool) -> None:
    title = " · ".join(_workload_phrases(panel.workload))
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=20 if several else 6)
    if several:
        axes.annotate(
            panel.machine,
            (0, 1),
            (0, 7),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=9.5,
            color=GREY,
        )


def _workload_phrases(workload: str) -> list[str]:
    name, dtype, direction = workload.split("/")
    return [name, dtype, "forward and backward" if direction == "both" else direction]
