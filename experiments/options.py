"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def place(text: str) -> Path:
    """Return a path that somebody named. Raises BadParameter for the empty one: this folder, which nobody meant."""
    if not text.strip():
        raise typer.BadParameter("the name is empty")
    return Path(text)
