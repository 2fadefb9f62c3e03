"""Take screenshots of the page for the docs: one run at two widths, in light and dark, and the road to ASARA.

In the lab, experiments must keep the size of the frontier. The run continues until its researchers wait. It is rewound,
and a branch continues with cheaper experiments and the same randomness. On the road to ASARA, the picture shows the
timeline and the panel of tasks when AIs can do 6 of 10 tasks. The picture of two labs ends with the chart of the lead.
The picture of a regulator compares a pause with no policy.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.browser_pages import Reader, chromium, served

REWOUND, LAST = 260, 470
"""First frame of the branch, and last frame of the first run."""
SIZES = {1280: 1340, 390: 1480}
"""Width and height in pixels."""
RACE_FRAME = 200
"""Frame of the picture of two labs."""
POLICY_FRAME = 150
"""Frame from which two policies are compared, ten days before the first alarm."""
ROAD_LAST, ROAD_FRAME = 1440, 1100
"""Last known frame of the road to ASARA, and the frame of its picture."""


def tell(page: Reader) -> None:
    """Run the lab and its branch on the page."""
    page.until_frame(LAST)
    page.rewind(REWOUND)
    page.type("researcher__experiment_scaling", "0.5")
    page.press("branch")
    page.page.wait_for_selector('[data-future="1"][aria-pressed="true"]')
    page.page.select_option('[data-do="pace"]', "fast")
    _play_to_the_end(page)
    page.page.click('[data-group="researcher"] summary')
    page.page.click('[data-future="0"]')
    page.page.wait_for_selector('[data-future="0"][aria-pressed="true"]')
    page.rewind(LAST)


def _play_to_the_end(page: Reader) -> None:
    page.press("play")
    page.until("() => document.querySelector('[data-do=play]').innerText === 'Pause'")
    page.until("() => document.querySelector('[data-do=play]').innerText === 'Play'")


def shoot(page: Reader, folder: Path) -> None:
    """Write screenshots of a page in all sizes and colour schemes."""
    for scheme in ("light", "dark"):
        page.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width, height in SIZES.items():
            page.page.set_viewport_size({"width": width, "height": height})
            page.page.evaluate("() => window.scrollTo(0, 0)")
            page.until("() => document.fonts.status === 'loaded'")
            page.page.screenshot(path=folder / f"window-{width}-{scheme}.png", animations="disabled")


def shoot_road(page: Reader, folder: Path) -> None:
    """Write a screenshot of the timeline and the panel of tasks on the road to ASARA."""
    page.open(f"?scenario=road-to-asara&last={ROAD_LAST}&frame={ROAD_FRAME}")
    page.until_frame(ROAD_FRAME)
    page.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.page.set_viewport_size({"width": 1280, "height": 900})
    page.page.evaluate(
        "() => { const height = document.querySelector('.asara-controls').offsetHeight;"
        " window.scrollBy(0, document.querySelector('.asara-tasks').getBoundingClientRect().top - height - 12); }"
    )
    page.until("() => document.fonts.status === 'loaded'")
    panel = page.page.locator(".asara-tasks").bounding_box()
    clip = {"x": 0, "y": 0, "width": 1280, "height": panel["y"] + panel["height"] + 12}
    page.page.screenshot(path=folder / "window-road.png", clip=clip, animations="disabled")


def shoot_race(page: Reader, folder: Path) -> None:
    """Write a screenshot of two labs, from the top of the page to the chart of the lead."""
    page.open(f"?scenario=two-labs&frame={RACE_FRAME}")
    page.until_frame(RACE_FRAME)
    page.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.page.set_viewport_size({"width": 1280, "height": 1060})
    page.page.wait_for_selector('[data-view="lead"] canvas')
    page.page.wait_for_selector("[data-measured]")
    page.until("() => document.fonts.status === 'loaded'")
    panel = page.page.locator('[data-view="lead"]').bounding_box()
    clip = {"x": 0, "y": 0, "width": 1280, "height": panel["y"] + panel["height"] + 12}
    page.page.screenshot(path=folder / "window-race.png", clip=clip, animations="disabled")


def shoot_policy(page: Reader, folder: Path) -> None:
    """Write a screenshot of two policies compared, from the timeline to the chart of the pace."""
    changes = "regulator__policy=five-times-pause&regulator__reading_days=10"
    page.open(f"?scenario=toy-explosion&{changes}&frame={POLICY_FRAME}")
    page.until_frame(POLICY_FRAME)
    page.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.page.set_viewport_size({"width": 1280, "height": 1600})
    page.press("compare")
    page.until_said("Compared two branches")
    page.page.click('[data-future="2"]')
    page.page.wait_for_selector('[data-future="2"][aria-pressed="true"]')
    page.page.wait_for_selector('[data-view="pace"] canvas')
    page.until("() => document.fonts.status === 'loaded'")
    top = page.page.locator(".asara-controls").bounding_box()["y"] - 12
    panel = page.page.locator('[data-view="pace"]').bounding_box()
    clip = {"x": 0, "y": top, "width": 1280, "height": panel["y"] + panel["height"] + 12 - top}
    page.page.screenshot(path=folder / "window-policy.png", clip=clip, animations="disabled")


def main(folder: Path) -> None:
    """Write all screenshots into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, served() as address:
        page = Reader(browser, address)
        page.page.set_default_timeout(120_000)
        page.open(f"?scenario=lab-frontier-experiments&frame={LAST}")
        tell(page)
        shoot(page, folder)
        shoot_road(page, folder)
        shoot_race(page, folder)
        shoot_policy(page, folder)
        page.sound()
        page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
