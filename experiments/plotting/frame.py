"""Add a title and a footer with the origin to figures, and write them as reproducible bytes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final, Literal, cast

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

Form = Literal["png", "svg", "pdf"]
Shape = Literal["page", "wide"]
"""`page` for a document, `wide` (16:9) for a slide."""

WIDE: Final = (12.8, 7.2)
"""Size of a figure of the shape `wide` [inches]."""
_SOFT: Final = "#6a6a6b"
_EDGE: Final = 0.15
"""Inches between the edge of a picture and its title or footer."""
_POINTS: Final = 7.5
_LINE: Final = 0.135
"""Inches that a line of the footer takes."""
_LETTERS_PER_INCH: Final = 16.5
_UNDATED: Final[Mapping[Form, dict[str, None]]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def render(
    draw: Callable[[], Figure], footer: str, style: Mapping[str, Any], form: Form = "png", dpi: int = 150
) -> bytes:
    """Render the figure of ``draw`` with its footer as PNG, SVG or PDF; the same figure gives the same bytes.

    The matplotlibrc of the user is ignored.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast("Any", {**style, "svg.hashsalt": "asara"}))
        figure = draw()
        with footed(figure, footer):
            return picture_bytes(figure, form, dpi)


def picture_bytes(figure: Figure, form: Form = "png", dpi: int = 150) -> bytes:
    """Return a figure as PNG, SVG or PDF: the same bytes for the same figure, without a date or a version."""
    buffer = BytesIO()
    FigureCanvasAgg(figure)
    metadata: Any = _UNDATED[form]
    figure.savefig(buffer, format=form, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


@contextmanager
def footed(figure: Figure, footer: str) -> Iterator[None]:
    """Write the footer below the panels of a figure, in reserved space, within this context."""
    if not footer:
        yield
        return
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(footer, int((width - 2 * _EDGE) * _LETTERS_PER_INCH))
    layout = _layout(figure)
    before = layout.get()["rect"]
    _reserve(layout, bottom=(0.06 + _LINE * len(lines)) / height)
    text = figure.text(
        _EDGE / width,
        0.05 / height,
        "\n".join(lines),
        fontsize=_POINTS,
        color=_SOFT,
        ha="left",
        va="bottom",
        linespacing=1.2,
    )
    try:
        yield
    finally:
        text.remove()
        layout.set(rect=before)


def add_title(figure: Figure, title: str, text: str = "") -> None:
    """Write a title above all panels of a figure, and sentences below it; ``text`` is wrapped line by line."""
    width, height = figure.get_size_inches()
    headline = textwrap.wrap(title, int((width - 2 * _EDGE) * 7.8))
    lines = [line for each in text.splitlines() for line in textwrap.wrap(each, int((width - 2 * _EDGE) * 12.0))]
    place: dict[str, Any] = {"ha": "left", "va": "top"}
    top = _EDGE + 0.27 * len(headline)
    figure.text(_EDGE / width, 1 - _EDGE / height, "\n".join(headline), fontsize=16, fontweight="bold", **place)
    if lines:
        figure.text(
            _EDGE / width,
            1 - (top + 0.05) / height,
            "\n".join(lines),
            fontsize=10.5,
            color="#444444",
            linespacing=1.3,
            **place,
        )
    _reserve(_layout(figure), top=(top + 0.19 * len(lines) + 0.1) / height)


def _layout(figure: Figure) -> ConstrainedLayoutEngine:
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine)
    return layout


def _reserve(layout: ConstrainedLayoutEngine, bottom: float = 0.0, top: float = 0.0) -> None:
    """Keep shares of the height of a figure free of panels."""
    x, y, wide, high = layout.get()["rect"]
    layout.set(rect=(x, y + bottom, wide, high - bottom - top))
