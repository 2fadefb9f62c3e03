"""Sample when the unfinished papers of exchangeable researchers were begun."""

from bisect import bisect_right

import numpy as np
from numpy.random import Generator


class StartIndexSampler:
    """Hold a start label for each unfinished paper, and remove random ones.

    The label is the number of the latest paper that was known at the start. Papers are exchangeable, so a paper that
    leaves takes the label of any paper. When a share of the papers leaves, every label loses that share of its weight.
    Equation: w_i <- w_i (n - k) / n for k of n papers. ``stream`` draws the label.
    """

    MAX_LABELS = 2048
    """Maximum number of labels; beyond it, neighbours share one."""

    def __init__(self) -> None:
        self._labels: list[int] = []
        self._sums: list[float] = []
        """Cumulative weights, from the first label."""
        self._weight = 1.0
        """Scale factor from cumulative weights to numbers of papers."""
        self.count = 0

    @property
    def by_label(self) -> list[tuple[int, float]]:
        """Labels in order, each with its expected number of papers."""
        counts = np.diff(self._sums, prepend=0.0) * self._weight
        return list(zip(self._labels, counts.tolist(), strict=True))

    def add(self, count: int, label: int) -> None:
        """Add papers with a label, which must not be below earlier labels."""
        total = self._sums[-1] if self._sums else 0.0
        self._labels.append(label)
        self._sums.append(total + count / self._weight)
        self.count += count

    def take(self, count: int, stream: Generator) -> int:
        """Remove papers, and return the label of one of them."""
        if len(self._labels) > self.MAX_LABELS:
            self._merge_neighbours(stream)
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

    def _merge_neighbours(self, stream: Generator) -> None:
        """Let pairs of neighbours share one of their labels, drawn in proportion to weight."""
        weights = np.diff(self._sums, prepend=0.0)
        one, other = weights[0:-1:2], weights[1::2]
        later = stream.random(len(other)) * (one + other) >= one
        even = 2 * len(other)  # an odd last label stays
        self._labels = [self._labels[2 * at + int(late)] for at, late in enumerate(later)] + self._labels[even:]
        self._sums = self._sums[1:even:2] + self._sums[even:]
