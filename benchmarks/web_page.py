"""Measure the cost of the page: a step as drawn and sent beyond the player's own, and the time to the first page.

The limit applies to the CPU time after the player's step (values of the components and messages), relative to 100 ms.
Wall-clock times are for information: the command until its first page in Chromium, and the next page. A step is also
timed from the button to the painted page, beyond the model's step. Exits with 1 if a limit is missed.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import track

from benchmarks.ratio_table import Row, cpu_seconds, show, wall_seconds
from benchmarks.window import BEYOND_MS, CASES, LabCase
from experiments.window import default_link, server
from experiments.window.permalink import Link, encode
from experiments.window.player import RunPlayer
from experiments.window.session import WindowSession
from sim.scenario.model import Scenario
from sim.world import World

STEPS = 30
WARM_STEPS = 30
PRESSED = """() => new Promise(done => {
  const [shown, foot] = [".asara-controls", ".asara-foot"].map(each => document.querySelector(each));
  const [frame, start] = [shown.dataset.frame, performance.now()];
  const painted = () => done((performance.now() - start) / 1e3);
  const look = new MutationObserver(() => {
    if (shown.dataset.frame === frame || shown.dataset.stamp !== foot.dataset.stamp) return;
    look.disconnect();
    requestAnimationFrame(() => setTimeout(painted));
  });
  look.observe(document.body, { subtree: true, attributes: true });
  document.querySelector('[data-do="step"]').click();
})"""
"""Script that returns the time from the press of *Step* to the painted frame [s]."""


@contextmanager
def page(scenario: Scenario) -> Iterator[WindowSession]:
    """Render a page without a browser; yield its session."""
    server.configure_solara()
    import solara  # noqa: PLC0415 - it reads its settings when it is imported

    from experiments.window.page import Page, open_sessions  # noqa: PLC0415

    default_link.set_default(Link(scenario.name, scenario), scenario)
    _, context = solara.render(Page(), handle_error=False)
    (session,) = open_sessions
    try:
        yield session
    finally:
        context.close()


def beyond(session: WindowSession) -> float:
    """Return the time of a step of the page beyond the player's [s]."""
    within = [0.0]

    def step(player: RunPlayer) -> Any:
        moved: list[Any] = []
        within[0] = cpu_seconds(lambda: moved.append(player.step()))
        return moved[0]

    return cpu_seconds(lambda: session.query(lambda player: session.execute(step, quiet=True))) - within[0]


def compare(case: LabCase) -> Row:
    """Measure a case."""
    with page(case.scenario) as session:
        for _ in range(WARM_STEPS):
            beyond(session)
        taken = 1e3 * statistics.median(beyond(session) for _ in range(STEPS))
    name = f"{case.name}: a step drawn and sent, beyond the player's, over {BEYOND_MS:g} ms"
    return Row(name, f"{taken:.1f} ms", f"{BEYOND_MS:g} ms", taken / BEYOND_MS, case.limit)


def in_chromium() -> Iterator[Row]:
    """Measure wall-clock times in Chromium, if it is installed."""
    from tests.support.browser_pages import Reader, chromium, served  # noqa: PLC0415

    start = time.perf_counter()
    with served() as address:
        command = time.perf_counter() - start
        with chromium() as browser:
            reader = Reader(browser, address)
            first, again = wall_seconds(reader.open), wall_seconds(reader.open)
            reader.close()
            steps = {case.name: pressed(Reader(browser, address), case) for case in CASES}
    yield told("the command, until it listens", command)
    yield told("the first page of a browser, until it can be used", first)
    yield told("the next page", again)
    for name, seconds in steps.items():
        yield Row(
            f"{name}: a step from the press to the page, beyond the model's, over {BEYOND_MS:g} ms",
            f"{1e3 * seconds:.0f} ms",
            f"{BEYOND_MS:g} ms",
            1e3 * seconds / BEYOND_MS,
        )


def pressed(reader: Any, case: LabCase) -> float:
    """Return the median time of a step in the browser beyond the model's [s]."""
    reader.open(f"?{encode(Link(case.scenario.name, case.scenario))}")
    seen = [reader.page.evaluate(PRESSED) for _ in range(WARM_STEPS + STEPS)]
    reader.close()
    world = World(case.scenario, 0)
    alone = [wall_seconds(world.step) for _ in seen]
    return float(statistics.median(seen[WARM_STEPS:]) - statistics.median(alone[WARM_STEPS:]))


def told(what: str, seconds: float) -> Row:
    """Return a row for information: wall-clock time relative to one second."""
    return Row(what, f"{seconds:.2f} s", "1 s", seconds)


def rows() -> Iterator[Row]:
    """Measure all cases."""
    for case in track(CASES, "measuring", transient=True):
        yield compare(case)
    yield from in_chromium()


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    return int(show("the page of the window", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
