"""The phases of a researcher's life, what may follow what, and how much time is spent in each."""

from enum import StrEnum


class Phase(StrEnum):
    """What a researcher is doing."""

    THINK = "think"
    QUEUE = "queue"
    RUN = "run"
    WRITE = "write"
    PUBLISH = "publish"
    PAUSED = "paused"
    """No inference GPU houses it: its work waits where it was."""


ALLOWED_TRANSITIONS: dict[Phase, tuple[Phase, ...]] = {
    Phase.THINK: (Phase.QUEUE, Phase.WRITE, Phase.PUBLISH, Phase.PAUSED),
    Phase.QUEUE: (Phase.RUN,),
    Phase.RUN: (Phase.QUEUE, Phase.WRITE, Phase.PUBLISH, Phase.PAUSED),
    Phase.WRITE: (Phase.PUBLISH, Phase.PAUSED),
    Phase.PUBLISH: (Phase.THINK, Phase.PAUSED),
    Phase.PAUSED: (Phase.THINK, Phase.WRITE),
}
"""What may follow each phase. An experiment that loses its GPUs goes from run back to queue."""

RESEARCHING: tuple[Phase, ...] = (Phase.THINK, Phase.RUN, Phase.WRITE, Phase.PUBLISH)
"""Phases of a researcher that does research, rather than wait for GPUs."""


class InvalidTransitionError(Exception):
    """A researcher was sent from one phase to another that cannot follow it."""


class PhaseOccupancy:
    """How many researchers are in each phase, and the researcher-days spent there so far."""

    def __init__(self) -> None:
        self.count = dict.fromkeys(Phase, 0)
        self._days = dict.fromkeys(Phase, 0.0)
        self._since = dict.fromkeys(Phase, 0.0)

    def enter(self, phase: Phase, now: float, researchers: int = 1) -> None:
        """Count so many researchers more (or fewer, if negative) in a phase."""
        self._settle(phase, now)
        self.count[phase] += researchers

    def move(self, old: Phase, new: Phase, now: float, researchers: int = 1) -> None:
        """Move so many researchers from a phase to a lawful successor. Raises UnlawfulPhaseError otherwise."""
        if new not in ALLOWED_TRANSITIONS[old]:
            raise InvalidTransitionError(f"{new} cannot follow {old}; what can: {', '.join(ALLOWED_TRANSITIONS[old])}")
        self._settle(old, now)
        self.count[old] -= researchers
        self.enter(new, now, researchers)

    def days(self, phase: Phase, now: float) -> float:
        """Return researcher-days spent in a phase up to now."""
        return self._days[phase] + self.count[phase] * (now - self._since[phase])

    def _settle(self, phase: Phase, now: float) -> None:
        self._days[phase] += self.count[phase] * (now - self._since[phase])
        self._since[phase] = now
