"""Define the style of a sweep's figures, and convert figures to PNG, or to SVG with the colours of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, ParamSpec, cast

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Given = ParamSpec("Given")

INK, PAPER, GRID, SOFT = "#1b1b1c", "#fefefe", "#e5e5e6", "#6a6a6b"
"""Colours that the page replaces: each stands for one of its CSS variables, and has no other use."""
WIDTH: Final = 5.6
"""Width of a figure [inches]: at the width of a phone, letters of 11 points are 10 pixels high."""
_VARIABLES: Final = {
    INK: "var(--ink)",
    PAPER: "var(--paper)",
    GRID: "var(--grid)",
    SOFT: "var(--soft)",
    "#0072B2": "var(--data)",
}
"""CSS variables by colour; the blue of lines is one too, because it is too dark on a dark page."""


def style() -> dict[str, Any]:
    """Return the settings of matplotlib for the figures of a sweep."""
    from experiments.plotting.style import STYLE  # noqa: PLC0415

    ours = {
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "grid.color": GRID,
        "axes.titlelocation": "left",
        "axes.titlesize": 11.5,
        "axes.titleweight": "bold",
        "svg.hashsalt": "asara",
        "font.size": 10.5,
        "legend.fontsize": 9.5,
    }
    return {**STYLE, **ours}


def in_style(draw: Callable[Given, Figure]) -> Callable[Given, Figure]:
    """Return a function that draws in the style of a sweep's figures, independent of the user's matplotlibrc."""

    @wraps(draw)
    def drawn(*given: Given.args, **named: Given.kwargs) -> Figure:
        with _settings():
            return draw(*given, **named)

    return drawn


def new_figure(height: float, rows: int = 1, columns: int = 1, **how: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure of the common width and its panels, row by row. Call it in a function with :func:`in_style`."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, **how)).ravel()
    return figure, list(panels)


def legend_above(axes: Axes, **how: Any) -> None:
    """Put the legend above the panel, because no corner is free in every sweep."""
    axes.legend(**({"loc": "lower left", "bbox_to_anchor": (-0.02, 0.995), "ncols": 3, "columnspacing": 1.2} | how))


def png(figure: Figure, footer: str = "") -> bytes:
    """Return a figure as PNG, with a footer if there is one: the same bytes for the same figure."""
    from experiments.plotting.frame import render  # noqa: PLC0415

    return render(lambda: figure, footer, style(), dpi=160)


def svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element that takes its ink and paper from the page; ``name`` keeps its ids apart."""
    buffer = StringIO()
    _save(figure, buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = re.sub(colour, variable, text, flags=re.IGNORECASE)
    # matplotlib omits black, the default of SVG, so that it is set here.
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'class="picture" fill="var(--ink)"', text, count=1)


def _save(figure: Figure, buffer: Any, **how: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    with _settings():
        FigureCanvasAgg(figure)
        figure.savefig(buffer, **how)


@contextmanager
def _settings() -> Iterator[None]:
    import matplotlib as mpl  # noqa: PLC0415

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast("Any", style()))
        yield
