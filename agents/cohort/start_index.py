"""When the papers that are under way were begun, for researchers who cannot be told apart."""

from bisect import bisect_right

import numpy as np
from numpy.random import Generator


class StartIndexSampler:
    """What was known when papers under way were begun: a label for each, of which any may be the next to leave.

    Each who leaves takes the label of any of those present. So when a share of them leaves, every label counts for that
    much less, and nothing needs to be known of each one. ``stream`` draws the label.
    """

    LONGEST = 2048
    """Labels that are kept apart; of more, neighbours share one."""

    def __init__(self) -> None:
        self._labels: list[int] = []
        self._sums: list[float] = []
        """Weights, summed up from the first label."""
        self._weight = 1.0
        """What a researcher who comes now weighs less than those in the sums."""
        self.count = 0

    @property
    def by_label(self) -> list[tuple[int, float]]:
        """Labels in order, each with the researchers that it counts for."""
        counts = np.diff(self._sums, prepend=0.0) * self._weight
        return list(zip(self._labels, counts.tolist(), strict=True))

    def add(self, count: int, label: int) -> None:
        """Add so many with a label, which is not below those before."""
        total = self._sums[-1] if self._sums else 0.0
        self._labels.append(label)
        self._sums.append(total + count / self._weight)
        self.count += count

    def take(self, count: int, stream: Generator) -> int:
        """Take out so many, and return the label of one of them."""
        if len(self._labels) > self.LONGEST:
            self._thin(stream)
        label = self._labels[0]
        if len(self._labels) > 1:
            place = bisect_right(self._sums, stream.random() * self._sums[-1])
            label = self._labels[min(place, len(self._labels) - 1)]
        self.count -= count
        if self.count == 0:
            self._labels.clear()
            self._sums.clear()
            self._weight = 1.0
            return label
        self._weight *= self.count / (self.count + count)
        if self._weight < 1e-100:
            self._sums = [each * self._weight for each in self._sums]
            self._weight = 1.0
        return label

    def _thin(self, stream: Generator) -> None:
        """Let neighbours share a label: of each two the one or the other, as likely as its weight makes it."""
        weights = np.diff(self._sums, prepend=0.0)
        one, other = weights[0:-1:2], weights[1::2]
        later = stream.random(len(other)) * (one + other) >= one
        even = 2 * len(other)  # an odd one at the end stays as it is
        self._labels = [self._labels[2 * at + int(late)] for at, late in enumerate(later)] + self._labels[even:]
        self._sums = self._sums[1:even:2] + self._sums[even:]
