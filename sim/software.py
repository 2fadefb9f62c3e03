"""Discovered and deployed software: the only state that the growth law's results may change."""

import math

from sim.growth import Law, add_effort

LEVEL_TOLERANCE = 1e-9
"""Doublings: a level that is short by rounding alone is reached."""
SUM_TOLERANCE = 1e-6
"""Doublings by which sums of many gains may miss what was discovered."""


class SoftwareState:
    """What the field has found out, and what its researchers are made of, in doublings since day 0.

    ``discovered`` never falls and follows the law; ``deployed`` never exceeds it.
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        self.effort = 0.0
        """log2(E/E0): doublings of cumulative effort."""
        self.discovered = 0.0
        self.deployed = 0.0

    @property
    def whole_doublings(self) -> int:
        """Doublings of discovered software that are complete."""
        return math.floor(self.discovered + LEVEL_TOLERANCE)

    def add(self, effective_papers: float) -> None:
        """Add effective papers to the cumulative effort, and what they bring to discovered software."""
        self.effort, self.discovered = self.after(effective_papers)

    def after(self, effective_papers: float) -> tuple[float, float]:
        """Return effort and discovered software with so many effective papers more; nothing changes."""
        if effective_papers <= 0:
            return self.effort, self.discovered
        effort = add_effort(self.effort, math.log2(effective_papers) - self.law.log2_initial_effort)
        level = self.law.software(effort)
        if abs(level - round(level)) < LEVEL_TOLERANCE:
            level = float(round(level))  # pooled work aims at whole doublings and hits them up to rounding
        return effort, max(self.discovered, level)

    def deploy(self, doublings: float) -> None:
        """Make deployed software better by so many doublings.

        Raises ValueError if that is less than none, or more than what is discovered and not yet deployed.
        """
        waiting = max(0.0, self.discovered - self.deployed)
        if not doublings >= 0:
            raise ValueError(f"cannot deploy {doublings:g} doublings: deployed software never falls")
        if doublings > waiting + SUM_TOLERANCE:
            raise ValueError(f"cannot deploy {doublings:g} doublings: {waiting:g} are discovered and not yet deployed")
        self.deployed = min(self.deployed + doublings, max(self.discovered, self.deployed))

    def change_law(self, law: Law) -> None:
        """Let another law hold from here on, at the same software.

        Raises ValueError if its limit lies below what has been discovered.
        """
        effort = law.effort(self.discovered)
        if not math.isfinite(effort):
            raise ValueError(
                f"growth__limit_doublings = {law.limit:g} doublings lies below the {self.discovered:.3g} "
                "that have been discovered"
            )
        self.law, self.effort = law, effort
