"""Measure how much of the research of several labs is done twice, because labs do not know each other's papers.

Software is one ladder: papers that a lab does not know are taken to repeat steps that others make too. So the research
that counts once is that of the lab that knows most. With w_i effective papers written by lab i, and k_i known in it::

    repeated share = 1 - max(k_i) / sum(w_i)

A lab knows its own papers, and those that it receives, at the reader's share and after all delays. The result is 0 if
all labs know all papers at once. With n equal labs, a share s and no lag it is ``(1 - s) (n - 1) / n``. Software that
diffuses is imitation and counts as no paper. The measure only counts: it changes no run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.events import PaperPublished, PapersReceived

Floats = NDArray[np.float64]


class LabResearch(NamedTuple):
    """Research of one lab at some moments, since day 0."""

    written: Floats
    """Effective papers that the lab has written."""
    known: Floats
    """Effective papers that the lab has written, or received from others."""


def research_of(events: Sequence[object], days: ArrayLike) -> LabResearch:
    """Return the research of the lab of these events on some days, events of the day included."""
    written = [(event.day, event.effective_papers) for event in events if isinstance(event, PaperPublished)]
    received = [(event.day, event.effective_papers) for event in events if isinstance(event, PapersReceived)]
    own = _sum_until(written, days)
    return LabResearch(own, own + _sum_until(received, days))


def repeated_share(labs: Sequence[LabResearch]) -> Floats:
    """Return the share of the research of all labs that is done more than once, 0 to 1 - 1/n; 0 without research."""
    written = np.sum([lab.written for lab in labs], axis=0)
    known = np.max([lab.known for lab in labs], axis=0)
    once = np.divide(known, written, out=np.ones_like(written), where=written > 0)
    return np.asarray(np.clip(1.0 - once, 0.0, None))


def _sum_until(amounts: Sequence[tuple[float, float]], days: ArrayLike) -> Floats:
    """Return the sum of the amounts up to each day; the amounts are in the order of their days."""
    when = np.array([day for day, _ in amounts])
    sums = np.concatenate(([0.0], np.cumsum([amount for _, amount in amounts])))
    return np.asarray(sums[np.searchsorted(when, np.asarray(days, dtype=float), side="right")])
