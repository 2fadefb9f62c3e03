"""Format the footer of a figure, which identifies its numbers. Needs no matplotlib."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

DIGITS: Final = 12
"""Digits of a digest, enough to identify the run of a figure."""


def footer_text(*items: str, by: str | None = None, **digests: str) -> str:
    """Return the footer of a figure, which identifies its numbers.

    ``items``: seeds, counts, engine; empty ones are left out. ``by``: the version of asara that made the numbers, by
    default this one. ``digests``: what a digest is of, and the digest, which is shortened.
    """
    made = f"asara {version('asara') if by is None else by}"
    texts = [f"{what.replace('_', ' ')} digest {digest[:DIGITS]}" for what, digest in digests.items() if digest]
    return " · ".join([*filter(None, items), made, *texts])
