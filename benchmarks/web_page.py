"""What the page of the window costs: a step as drawn and sent, beyond the journey's own, and the way to the first page.

A step is judged by the CPU time of all that follows the journey's step (what components show, and what is sent), over
100 ms. For information, by the clock: from the command to its first page in Chromium, the next page, and a step from
the press of the button to the page that is painted, beyond the model's. Exits with 1 if a limit is missed.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import track

from benchmarks.ratio_table import Row, cpu_seconds, show, wall_seconds
from benchmarks.window import BEYOND_MS, CASES, Case
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
"""Returns the seconds from the press of *Step* to the page that shows the frame."""


@contextmanager
def page(scenario: Scenario) -> Iterator[WindowSession]:
    """A page without a browser, and its session."""
    server.prepare()
    import solara  # noqa: PLC0415 - it reads its settings when it is imported

    from experiments.window.page import Page, _open  # noqa: PLC0415

    default_link.give(Link(scenario.name, scenario), scenario)
    _, context = solara.render(Page(), handle_error=False)
    (session,) = _open
    try:
        yield session
    finally:
        context.close()


def beyond(session: WindowSession) -> float:
    """Return the seconds that a step of the page takes beyond the journey's."""
    within = [0.0]

    def step(journey: RunPlayer) -> Any:
        moved: list[Any] = []
        within[0] = cpu_seconds(lambda: moved.append(journey.step()))
        return moved[0]

    return cpu_seconds(lambda: session._do(step, quiet=True)) - within[0]


def compare(case: Case) -> Row:
    """Measure a case."""
    with page(case.scenario) as session:
        for _ in range(WARM_STEPS):
            beyond(session)
        taken = 1e3 * statistics.median(beyond(session) for _ in range(STEPS))
    name = f"{case.name}: a step drawn and sent beyond the journey's, over {BEYOND_MS:g} ms"
    return Row(name, f"{taken:.1f} ms", f"{BEYOND_MS:g} ms", taken / BEYOND_MS, case.limit)


def in_chromium() -> Iterator[Row]:
    """Measure what a reader waits for, where there is a Chromium."""
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


def pressed(reader: Any, case: Case) -> float:
    """Return the seconds that a reader waits for a step, beyond those that the model takes for it."""
    reader.open(f"?{encode(Link(case.scenario.name, case.scenario))}")
    seen = [reader.page.evaluate(PRESSED) for _ in range(WARM_STEPS + STEPS)]
    reader.close()
    world = World(case.scenario, 0)
    alone = [wall_seconds(world.step) for _ in seen]
    return float(statistics.median(seen[WARM_STEPS:]) - statistics.median(alone[WARM_STEPS:]))


def told(what: str, seconds: float) -> Row:
    """Return a row for information: seconds by the clock, over one second."""
    return Row(what, f"{seconds:.2f} s", "1 s", seconds)


def rows() -> Iterator[Row]:
    """Measure all."""
    for case in track(CASES, "measuring", transient=True):
        yield compare(case)
    yield from in_chromium()


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    return int(show("the page of the window", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
