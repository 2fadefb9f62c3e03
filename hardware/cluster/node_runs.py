"""Keep sets of node numbers as runs of consecutive numbers."""

from heapq import heapify, heappop, heappush, heapreplace

Run = tuple[int, int]
"""First number of a run, and how many numbers it has."""


class NodeRuns:
    """A set of node numbers, kept as runs of consecutive numbers.

    To add a run or to take the lowest numbers costs the logarithm of the number of runs, for each run that changes.
    """

    __slots__ = ("_end_of", "_lowest", "_start_of", "count")

    def __init__(self) -> None:
        self.count = 0
        """Number of nodes."""
        self._end_of: dict[int, int] = {}
        """Number after the last one of each run, by the first number of the run."""
        self._start_of: dict[int, int] = {}
        """First number of each run, by the number after the last one."""
        self._lowest: list[int] = []
        """Heap of first numbers. Those that no run starts with are removed when they reach the top."""

    def add(self, first: int, number: int) -> None:
        """Add the numbers ``first`` to ``first + number - 1``, none of which is in the set."""
        self.count += number
        end = first + number
        start = self._start_of.pop(first, None)
        after = self._end_of.pop(end, None)
        if after is not None:
            end = after
        if start is None:
            start = first
            heappush(self._lowest, start)
            if len(self._lowest) > 2 * len(self._end_of) + 64:
                self._lowest[:] = [*self._end_of, start]
                heapify(self._lowest)
        self._end_of[start] = end
        self._start_of[end] = start

    def lowest(self) -> int | None:
        """Return the lowest number, or None if the set is empty."""
        heap = self._lowest
        while heap and heap[0] not in self._end_of:
            heappop(heap)
        return heap[0] if heap else None

    def take_lowest(self, number: int) -> list[Run]:
        """Remove the ``number`` lowest numbers and return their runs; the set must have as many."""
        self.count -= number
        taken = []
        while number:
            start = self.lowest()
            assert start is not None, "the set has as many numbers"
            end = self._end_of.pop(start)
            here = min(number, end - start)
            if start + here < end:
                self._end_of[start + here] = end
                self._start_of[end] = start + here
                heapreplace(self._lowest, start + here)
            else:
                del self._start_of[end]
                heappop(self._lowest)
            taken.append((start, here))
            number -= here
        return taken

    def remove(self, first: int, number: int) -> None:
        """Remove the numbers ``first`` to ``first + number - 1``, which must be in one run; costs all runs."""
        start = max(each for each in self._end_of if each <= first)
        end = self._end_of.pop(start)
        del self._start_of[end]
        self.count -= end - start
        if start < first:
            self.add(start, first - start)
        if first + number < end:
            self.add(first + number, end - first - number)

    def highest(self, number: int) -> list[Run]:
        """Return runs of the ``number`` highest numbers, or of all if there are fewer; costs all runs."""
        found = []
        for start, size in reversed(self.runs()):
            here = min(number, size)
            if not here:
                break
            found.append((start + size - here, here))
            number -= here
        return found

    def runs(self) -> list[Run]:
        """Return all runs in order."""
        return [(start, end - start) for start, end in sorted(self._end_of.items())]
