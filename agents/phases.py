"""Define the phases of a researcher, their transitions, and the time spent in each."""

from enum import StrEnum


class Phase(StrEnum):
    """Current activity of a researcher."""

    THINK = "think"
    QUEUE = "queue"
    RUN = "run"
    WRITE = "write"
    PUBLISH = "publish"
    PAUSED = "paused"
    """Without an inference GPU: its work waits."""


ALLOWED_TRANSITIONS: dict[Phase, tuple[Phase, ...]] = {
    Phase.THINK: (Phase.QUEUE, Phase.WRITE, Phase.PUBLISH, Phase.PAUSED),
    Phase.QUEUE: (Phase.RUN,),
    Phase.RUN: (Phase.QUEUE, Phase.WRITE, Phase.PUBLISH, Phase.PAUSED),
    Phase.WRITE: (Phase.PUBLISH, Phase.PAUSED),
    Phase.PUBLISH: (Phase.THINK, Phase.PAUSED),
    Phase.PAUSED: (Phase.THINK, Phase.WRITE),
}
"""Phases that may follow each phase. An experiment that loses its GPUs goes from run back to queue."""

RESEARCHING: tuple[Phase, ...] = (Phase.THINK, Phase.RUN, Phase.WRITE, Phase.PUBLISH)
"""Phases in which a researcher does research, in contrast to waiting for GPUs."""


class InvalidTransitionError(Exception):
    """Raised when a researcher moves to a phase that cannot follow its present one."""


class PhaseOccupancy:
    """Number of researchers in each phase, and the researcher-days spent there so far."""

    def __init__(self) -> None:
        self.count = dict.fromkeys(Phase, 0)
        self._days = dict.fromkeys(Phase, 0.0)
        self._since = dict.fromkeys(Phase, 0.0)

    def enter(self, phase: Phase, now: float, researchers: int = 1) -> None:
        """Add researchers to a phase; a negative number removes them."""
        count = self.count[phase]
        self._days[phase] += count * (now - self._since[phase])
        self._since[phase] = now
        self.count[phase] = count + researchers

    def move(self, old: Phase, new: Phase, now: float, researchers: int = 1) -> None:
        """Move researchers from a phase to a successor. Raises InvalidTransitionError if that is not allowed."""
        if new not in ALLOWED_TRANSITIONS[old]:
            raise InvalidTransitionError(f"{new} cannot follow {old}; allowed: {', '.join(ALLOWED_TRANSITIONS[old])}")
        count, days, since = self.count, self._days, self._since
        days[old] += count[old] * (now - since[old])
        days[new] += count[new] * (now - since[new])
        since[old] = since[new] = now
        count[old] -= researchers
        count[new] += researchers

    def days(self, phase: Phase, now: float) -> float:
        """Return the researcher-days spent in a phase up to now."""
        return self._days[phase] + self.count[phase] * (now - self._since[phase])
