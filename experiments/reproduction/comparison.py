"""Compare published figures with simulated ones, and define the rows of the table that shows them."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

Outcome = Literal["holds", "loose", "refuted", "cannot tell", "input", "arithmetic", "no log"]
MEANINGS: Final[Mapping[Outcome, str]] = {
    "holds": "the simulated figure equals the published one to its printed digits, or the interval contains it",
    "loose": "the simulated figure is within 20% of the published one, or within the range that the note gives",
    "refuted": "the simulated figure differs from the published one",
    "cannot tell": "there are too few seeds; the note gives the number that is needed",
    "input": "the figure is an input of the runs, which no run can test",
    "arithmetic": "the figure follows from its formula alone",
    "no log": "the job log that the row needs is missing",
}
"""Meaning of each outcome."""
LOOSE_WITHIN = 0.2
"""Maximum relative difference of a figure that is loose."""


class Comparison(NamedTuple):
    """One row: the published claim, the exact figure, and the simulated figure."""

    row: str
    """Label of the claim."""
    says: str
    """Published claim."""
    exact: str
    """Figure by theory."""
    simulated: str
    """Figure of the simulator."""
    outcome: Outcome
    note: str = ""


class PrintedNumber(NamedTuple):
    """A printed figure: the number, and half a unit of its last printed digit."""

    value: float
    half_unit: float


def printed_numbers(printed: str) -> list[PrintedNumber]:
    """Return the figures of a text such as "2, 1.5, 1.1"."""
    found = []
    for word in printed.replace(",", " ").split():
        decimals = len(word.partition(".")[2])
        found.append(PrintedNumber(float(word), 0.5 * 10.0**-decimals))
    return found


def compare(printed: str, simulated: Sequence[float]) -> Outcome:
    """Return whether simulated numbers equal the printed ones to their digits, or are within `LOOSE_WITHIN`."""
    pairs = list(zip(printed_numbers(printed), simulated, strict=True))
    if all(abs(value - figure.value) <= figure.half_unit * (1 + 1e-9) for figure, value in pairs):
        return "holds"
    near = all(abs(value - figure.value) <= LOOSE_WITHIN * abs(figure.value) for figure, value in pairs)
    return "loose" if near else "refuted"
