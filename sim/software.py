"""Hold the state of software: discovered and deployed doublings. Only this state changes by the growth law."""

import math

from sim.growth import Law, add_effort

LEVEL_TOLERANCE = 1e-9
"""Tolerance for rounding within which a level is reached [doublings]."""
SUM_TOLERANCE = 1e-6
"""Tolerance for the sum of many gains, compared with discovered software [doublings]."""


class SoftwareState:
    """Track discovered and deployed software [doublings since day 0].

    ``discovered`` follows the growth law and never falls. ``deployed`` is the software that researchers run on; it
    never exceeds ``discovered``.
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        self.effort = 0.0
        """log2(E/E0), cumulative effort [doublings]."""
        self.discovered = 0.0
        self.deployed = 0.0

    @property
    def whole_doublings(self) -> int:
        """Number of complete doublings of discovered software."""
        return math.floor(self.discovered + LEVEL_TOLERANCE)

    def add(self, effective_papers: float) -> None:
        """Add effective papers to the cumulative effort, and raise discovered software accordingly."""
        self.effort, self.discovered = self.after(effective_papers)

    def begin_at(self, doublings: float) -> None:
        """Begin with this discovered and deployed software instead of that of day 0 [doublings]."""
        self.raise_to(doublings)
        self.deployed = self.discovered

    def raise_to(self, discovered: float) -> None:
        """Raise discovered software to a level [doublings], and the effort with it; below it, nothing changes.

        A level beyond the limit of the law is not reached.
        """
        effort = self.law.effort(discovered)
        if discovered > self.discovered and math.isfinite(effort):
            self.effort, self.discovered = max(self.effort, effort), discovered

    def after(self, effective_papers: float) -> tuple[float, float]:
        """Return effort and discovered software after more effective papers, without changing the state."""
        if effective_papers <= 0:
            return self.effort, self.discovered
        effort = add_effort(self.effort, math.log2(effective_papers) - self.law.log2_initial_effort)
        level = self.law.software(effort)
        if abs(level - round(level)) < LEVEL_TOLERANCE:
            level = float(round(level))  # pooled work aims at whole doublings and reaches them within rounding
        return effort, max(self.discovered, level)

    def deploy(self, doublings: float) -> None:
        """Improve deployed software by ``doublings``.

        Raises ValueError if ``doublings`` is negative or more than what is discovered and not yet deployed.
        """
        waiting = max(0.0, self.discovered - self.deployed)
        if not doublings >= 0:
            raise ValueError(f"cannot deploy {doublings:g} doublings: deployed software never falls")
        if doublings > waiting + SUM_TOLERANCE:
            raise ValueError(f"cannot deploy {doublings:g} doublings: {waiting:g} are discovered and not yet deployed")
        self.deployed = min(self.deployed + doublings, max(self.discovered, self.deployed))

    def change_law(self, law: Law) -> None:
        """Apply another law from now on, at the same software.

        Raises ValueError if its limit is below discovered software.
        """
        is_frozen = isinstance(law, Law) and law.is_frozen
        effort = self.effort if is_frozen else law.effort(self.discovered)
        if not math.isfinite(effort):
            raise ValueError(
                f"growth__limit_doublings = {law.limit:g} doublings lies below the {self.discovered:.3g} "
                "that have been discovered"
            )
        self.law, self.effort = law, effort
