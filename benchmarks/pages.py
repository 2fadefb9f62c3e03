"""Measure how a page that plays a large lab slows the steps of another page.

Both pages are sessions of one process, as in the server. Wall-clock times, medians of one run; for information.
"""

import statistics
import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.ratio_table import Row, show
from experiments.window.player import RunPlayer
from experiments.window.server import shorten_thread_switches
from experiments.window.session import WindowSession
from sim.scenario.model import Scenario

STEPS = 25
HEAVY = Scenario.load("lab").replace(researcher__initial=1_000_000, cluster__gpus=100_000)
LIGHT = Scenario.load("lab")


class AcknowledgingPage:
    """A page that acknowledges each state at once."""

    def __init__(self, scenario: Scenario) -> None:
        self._news = threading.Condition()
        self.session = WindowSession(RunPlayer(scenario), self._published)

    def _published(self, stamp: int) -> None:
        with self._news:
            self._news.notify_all()
        self.session.acknowledge(stamp)

    def step(self) -> float:
        """Return the time from the request of a step until it is shown [s]."""
        start, frame = time.perf_counter(), self.session.view_state.frame.number
        self.session.step()
        with self._news:
            self._news.wait_for(lambda: self.session.view_state.frame.number > frame)
        return time.perf_counter() - start


def rows() -> Iterator[Row]:
    """Measure steps alone and beside a page that plays."""
    light, heavy = AcknowledgingPage(LIGHT), AcknowledgingPage(HEAVY)
    alone = [light.step() for _ in range(STEPS)]
    heavy.session.set_pace("fast")
    heavy.session.play()
    time.sleep(1.0)
    beside = [light.step() for _ in range(STEPS)]
    heavy.session.close()
    light.session.close()
    for name, pick in (("median", statistics.median), ("longest", max)):
        one, two = pick(alone), pick(beside)
        yield Row(
            f"a step beside a page that plays a heavy lab, over alone, {name}",
            f"{1e3 * two:.0f} ms",
            f"{1e3 * one:.0f} ms",
            two / one,
        )


def main() -> int:
    """Print the table."""
    shorten_thread_switches()
    return int(show("pages beside each other", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
