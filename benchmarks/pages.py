"""What a page that plays a heavy lab costs another page: the time of its steps beside the heavy one, over alone.

Both pages are sessions of one process, as the server of the window has them. By the clock, medians of one run; for
information.
"""

import statistics
import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.ratio_table import Row, show
from experiments.window.player import RunPlayer
from experiments.window.server import share_processor
from experiments.window.session import WindowSession
from sim.scenario.model import Scenario

STEPS = 25
HEAVY = Scenario.load("lab").replace(researcher__initial=1_000_000, cluster__gpus=100_000)
LIGHT = Scenario.load("lab")


class Page:
    """A page that looks at once at all that is sent to it."""

    def __init__(self, scenario: Scenario) -> None:
        self._news = threading.Condition()
        self.session = WindowSession(RunPlayer(scenario), self._published)

    def _published(self, stamp: int) -> None:
        with self._news:
            self._news.notify_all()
        self.session.seen(stamp)

    def step(self) -> float:
        """Return the seconds from the request of a step until it is shown."""
        start, frame = time.perf_counter(), self.session.shown.frame.number
        self.session.step()
        with self._news:
            self._news.wait_for(lambda: self.session.shown.frame.number > frame)
        return time.perf_counter() - start


def rows() -> Iterator[Row]:
    """Measure steps alone and beside a page that plays."""
    light, heavy = Page(LIGHT), Page(HEAVY)
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
    share_processor()
    return int(show("pages beside each other", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
