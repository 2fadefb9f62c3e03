"""Define the Solara application that `asara show` serves."""
# ruff: noqa: N802 - components are named as Solara names its own

from __future__ import annotations

from typing import Any

import solara

from experiments.window.page import Page
from experiments.window.server import configure_solara

configure_solara()  # needed if this file is served by another command

__all__ = ["Layout", "Page"]


@solara.component
def Layout(children: list[Any]) -> None:
    """Show the page without the default layout of Solara."""
    solara.v.Html(tag="main", class_="asara", children=children)
