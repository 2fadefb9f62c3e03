"""The window: what the server of `asara show` loads."""
# ruff: noqa: N802 - components are named as Solara names its own

from __future__ import annotations

from typing import Any

import solara

from experiments.window.page import Page
from experiments.window.server import prepare

prepare()  # for those who serve this file with a command of their own

__all__ = ["Layout", "Page"]


@solara.component
def Layout(children: list[Any]) -> None:
    """The page and nothing around it."""
    solara.v.Html(tag="main", class_="asara", children=children)
