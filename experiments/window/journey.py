"""A journey: a World, its frames and its other futures, forwards and backwards. No browser, no thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from experiments.window.frame import Frame
from sim.scenario import Scenario

if TYPE_CHECKING:
    from sim.model import World

Goal = Literal["doubling", "retraining", "queue"]


class Moved(NamedTuple):
    """What came of a move."""

    frame: Frame
    """Where the journey stands now."""
    done: bool
    """False: it stopped before it was where it was to go."""
    sentence: str
    """What happened, or why it stopped."""


class Mark(NamedTuple):
    """Something on the time axis of a future."""

    day: float
    kind: Literal["doubling", "training", "deployed", "housed"]
    value: float
    """Doublings of software discovered or deployed, the generation that is trained, or researchers at work."""


class Future(NamedTuple):
    """A future as plots show it: columns of equal length, and what happened on the way."""

    index: int
    label: str
    """The first run, or what was changed and when."""
    chosen: bool
    """Whether the journey moves along it."""
    parent: int | None
    """The future it branched from."""
    from_frame: int
    changes: dict[str, Any]
    frames: int
    """The latest frame that is known; its rows begin at ``from_frame``."""
    columns: dict[str, list[float]]
    """The reporters of sim.observe by name, thinned to at most so many rows; "frame" is the number of each row."""
    marks: tuple[Mark, ...]


class Journey:
    """One run that can be stepped, rewound and branched: the same frames as a headless run of (scenario, seed).

    Raises ScenarioError if the scenario cannot be run. All methods may be called from any thread; `cancel` makes the
    one that is at work stop between two pieces of work, and all others answer at once.
    """

    def __init__(self, scenario: Scenario, seed: int = 0) -> None: ...

    @property
    def current(self) -> Frame:
        """The frame on which the journey stands."""

    @property
    def scenario(self) -> Scenario:
        """The scenario of the chosen future, with the changes of its branches."""

    @property
    def seed(self) -> int:
        """Of all futures."""

    @property
    def last(self) -> int:
        """The latest frame of the chosen future that is known: the right end of the timeline."""

    @property
    def over(self) -> bool:
        """Whether nothing comes after the current frame."""

    def step(self, frames: int = 1) -> Moved:
        """Go on by so many whole frames; from between two to the end of the one that has begun."""

    def step_event(self) -> Moved:
        """Go on to the next event that changes something that can be seen; its sentence says what."""

    def to_next(self, goal: Goal, frames: int = 5000) -> Moved:
        """Go on to the end of the frame in which the goal comes, at most so many frames."""

    def rewind(self, frame: int) -> Moved:
        """Stand on a frame of the chosen future, exactly as it was; forwards too, as far as frames are known."""

    def go_to(self, frame: int) -> Moved:
        """Stand on a frame, known or not."""

    def branch(self, frame: int, changes: dict[str, Any]) -> Moved:
        """Go on from a frame with other parameters and the same luck; the other futures stay beside it.

        Raises ScenarioError for changes that cannot be made there, and if there are as many futures as are kept.
        """

    def choose(self, index: int) -> Moved:
        """Move along another future from here on, from the frame where it is known last."""

    def reset(self, scenario: Scenario | None = None, seed: int | None = None) -> Moved:
        """Begin again on day 0, with another scenario or seed if given; raises ScenarioError."""

    def cancel(self) -> None:
        """Make the move that is at work stop at the next whole piece of work."""

    def futures(self, most: int = 2000) -> tuple[Future, ...]:
        """Return all futures as plots show them, the first run first; of each at most about so many rows."""

    def life(self, researcher: int) -> list[tuple[float, str]]:
        """Return what a researcher has done up to here: days and sentences, the oldest first."""

    def digest(self) -> str:
        """Return the digest of the run up to the current frame, as that of a headless run."""
