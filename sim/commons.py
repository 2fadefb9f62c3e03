"""Let labs gain from each other's research: publications with a lag, and diffusion of software.

A share of the effective papers of one lab adds to the effort of each other lab. It counts there once the delay of the
author's publications and the lag of the reader have passed. With n equal labs, a share sigma and no lag, effort
grows 1 + sigma (n - 1) times as fast as in one of them alone.

Diffusion closes a part of the gap to the best software that others can know: ``d ln(gap)/dt = -rate``. It needs no
papers: products are imitated, people move, and software leaks.

A lab that has ended receives nothing. What it has published stays known. Before its entry a lab receives, and nothing
of it is known to others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from simpy import Event

from agents.params import DAYS_PER_YEAR
from sim.clock import Clock
from sim.software import LEVEL_TOLERANCE

if TYPE_CHECKING:
    from sim.lab import Lab

DIFFUSION_STEP_DAYS: Final = 1.0
"""Time between two steps of diffusion [days]; each closes the exact part of the gap."""


class Commons:
    """Pass research from lab to lab. Without other labs, and with the defaults, nothing happens.

    Arguments
    ---------
    clock
        Clock of the run.
    labs
        The labs by name.
    """

    def __init__(self, clock: Clock, labs: Mapping[str, Lab]) -> None:
        self._clock = clock
        self._labs = labs
        self._is_diffusing = False
        """Whether the next step of diffusion is scheduled."""
        self.apply_settings()

    def apply_settings(self) -> None:
        """Pass on research by the present parameters of the labs. What is under way arrives as it was sent."""
        for name, lab in self._labs.items():
            readers = [other for other in self._labs.values() if other is not lab]
            is_read = any(other.settings.commons.publication_share > 0 for other in readers)
            lab.knowledge.on_counted = partial(self._on_counted, name) if is_read else None
        if not self._is_diffusing and any(lab.settings.commons.diffusion_per_year > 0 for lab in self._labs.values()):
            self._schedule_diffusion()

    def _on_counted(self, name: str, effective_papers: float) -> None:
        """Send the papers of one lab to the others."""
        delay = self._labs[name].policy.publication_delay_days
        for other, lab in self._labs.items():
            params = lab.settings.commons
            if other == name or params.publication_share == 0 or delay == math.inf or lab.has_ended:
                continue
            gained, days = params.publication_share * effective_papers, delay + params.lag_days
            if days > 0:
                self._clock.after_in_background(days, partial(self._on_arrival, other, name, gained))
            else:
                lab.receive_papers(name, gained)

    def _on_arrival(self, reader: str, author: str, effective_papers: float, _: Event) -> None:
        if not self._labs[reader].has_ended:
            self._labs[reader].receive_papers(author, effective_papers)

    def _schedule_diffusion(self) -> None:
        self._is_diffusing = True
        self._clock.after_in_background(DIFFUSION_STEP_DAYS, self._on_diffusion)

    def _on_diffusion(self, _: Event) -> None:
        known = {name: self._software_to_know(lab) for name, lab in self._labs.items() if lab.has_entered}
        for name, lab in self._labs.items():
            rate = lab.settings.commons.diffusion_per_year / DAYS_PER_YEAR
            if rate == 0 or lab.has_ended:
                continue
            of = lab.settings.commons.diffusion_of
            leader = max((other for other in known if other != name), key=lambda other: known[other][of], default="")
            gap = known[leader][of] - lab.knowledge.software.discovered if leader else 0.0
            if gap > LEVEL_TOLERANCE:
                lab.receive_software(leader, -math.expm1(-rate * DIFFUSION_STEP_DAYS) * gap)
        self._schedule_diffusion()

    @staticmethod
    def _software_to_know(lab: Lab) -> dict[str, float]:
        """Return the software of a lab that others can know, by the values of `commons__diffusion_of` [doublings]."""
        software = lab.knowledge.software
        return {
            "published": lab.published_software,
            "deployed": software.deployed,
            "discovered": software.discovered,
        }
