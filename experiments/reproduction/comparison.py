"""Define a row of the table that compares published numbers with the simulator, and how two figures are compared."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

Outcome = Literal["holds", "loose", "refuted", "cannot tell", "input", "arithmetic", "no log"]
MEANINGS: Final[Mapping[Outcome, str]] = {
    "holds": "the simulator gives the figure to its digits, or the interval contains it",
    "loose": "the simulator comes near: within a fifth, or as the note says",
    "refuted": "the simulator does not give the figure",
    "cannot tell": "too few seeds; the note has how many are needed",
    "input": "a figure that runs start from, which no run can test",
    "arithmetic": "a figure that follows from its formula alone",
    "no log": "the job log of the row is missing",
}
LOOSE_WITHIN = 0.2


class Comparison(NamedTuple):
    """One row: what the report says, what is exact, and what the simulator gave."""

    row: str
    says: str
    exact: str
    simulated: str
    outcome: Outcome
    note: str = ""


class ComparedFigure(NamedTuple):
    """A printed figure: the number, and half a unit of its last printed digit."""

    value: float
    half_unit: float


def figures(printed: str) -> list[ComparedFigure]:
    """Return the figures of a text such as "2, 1.5, 1.1"."""
    found = []
    for word in printed.replace(",", " ").split():
        decimals = len(word.partition(".")[2])
        found.append(ComparedFigure(float(word), 0.5 * 10.0**-decimals))
    return found


def compare(printed: str, simulated: Sequence[float]) -> Outcome:
    """Say whether simulated numbers are the printed ones, to their digits, or near them."""
    pairs = list(zip(figures(printed), simulated, strict=True))
    if all(abs(value - figure.value) <= figure.half_unit * (1 + 1e-9) for figure, value in pairs):
        return "holds"
    near = all(abs(value - figure.value) <= LOOSE_WITHIN * abs(figure.value) for figure, value in pairs)
    return "loose" if near else "refuted"
