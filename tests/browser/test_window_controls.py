"""Controls of the page in a browser: use each one and read its effect."""

import io
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from experiments.window.downloads import DOWNLOADS
from sim.scenario.model import Scenario
from tests.support.browser_pages import Reader, served

Open = Callable[..., Reader]

INVALID_VALUES = [
    ("cluster__gpus", "0"),
    ("cluster__gpus", "-3"),
    ("cluster__gpus", "1e99"),
    ("cluster__gpus", "2.5"),
    ("cluster__gpus", "many"),
    ("cluster__gpus", ""),
    ("cluster__gpus", "nan"),
    ("cluster__gpus", "[1, 2]"),
    ("cluster__gpus", "64\t; rm -rf /"),
    ("cluster__gpus", "9" * 80),
    ("cluster__gpus", "<b>64</b>"),
    ("cluster__inference_share", "1.5"),
    ("cluster__inference_share", "inf"),
    ("cluster__inference_share", "0.9"),
    ("researcher__initial", "-1"),
    ("researcher__initial", "true"),
    ("researcher__initial", "99999999999"),
    ("growth__r", "-1"),
    ("growth__r", "../../etc/passwd"),
    ("training__gain", "1"),
    ("run__horizon_days", "0"),
    ("run__horizon_days", "1e300"),
    ("literature__open_questions", "0"),
]


def test_page_plays_and_pauses(reader: Open) -> None:
    page = reader()
    page.page.select_option('[data-do="pace"]', "fast")
    page.press("play")
    page.until("() => document.querySelector('[data-do=play]').innerText === 'Pause'")
    page.until("() => Number(document.querySelector('.asara-controls').dataset.frame) >= 8")
    page.press("play")
    page.until("() => document.querySelector('[data-do=play]').innerText === 'Play'")
    page.step()
    assert page.text('[data-figure="day"]') == f"{page.day():,.1f}"
    assert page.page.input_value('[data-do="pace"]') == "fast"


def test_page_plays_while_sliders_move(reader: Open) -> None:
    page = reader()
    page.show_field("training__gain")
    page.page.select_option('[data-do="pace"]', "fast")
    page.press("play")
    for place in range(0, 40, 2):
        frame = page.frame()
        page.page.eval_on_selector(
            '[data-slider="training__gain"]',
            "(slider, place) => { slider.value = place; for (const what of ['input', 'change'])"
            " slider.dispatchEvent(new Event(what, { bubbles: true })); }",
            place,
        )
        page.until("frame => Number(document.querySelector('.asara-controls').dataset.frame) > frame", frame)
    assert page.frame() >= 20
    page.press("play")
    page.until("() => document.querySelector('[data-do=play]').innerText === 'Play'")
    assert "failed" not in page.said()
    page.press("undo")
    page.step()


def test_long_move_shows_stop_and_the_elapsed_time(reader: Open) -> None:
    page = reader("?scenario=lab-frontier-experiments")
    page.press("queue")
    page.until(
        "() => document.querySelector('[data-do=play]').innerText === 'Stop'"
        " && document.querySelector('[data-do=step]').disabled"
        " && document.querySelector('[data-elapsed]').innerText.endsWith(' s')"
    )
    page.press("play")
    page.until("() => document.querySelector('[data-do=play]').innerText === 'Play'")
    page.until_said("Stopped on day")
    page.step()


def test_page_reconnects_after_a_lost_connection(reader: Open) -> None:
    page = reader()
    page.step()
    assert page.page.evaluate("() => solara.debug.dropConnection()")
    page.until("() => solara.debug.reconnectCount > 0")
    page.step(2)
    assert page.frame() == 3


def test_invalid_value_shows_an_error_beside_its_field(reader: Open) -> None:
    page = reader()
    before = page.digest()
    for name, text in INVALID_VALUES:
        page.type(name, text)
        wrong = page.page.wait_for_selector(f'[data-wrong="{name}"]')
        assert len(wrong.inner_text()) > 10, (name, text)
        assert page.page.is_disabled('[data-do="start"]')
        assert page.page.is_disabled('[data-do="branch"]')
        page.press("undo")
        page.page.wait_for_selector(f'[data-wrong="{name}"]', state="detached")
    assert page.digest() == before


@pytest.mark.parametrize("seed", ["-1", "1.5", "one", "9" * 25, "٣"])
def test_invalid_seed_shows_an_error(reader: Open, seed: str) -> None:
    page = reader()
    page.page.fill('[data-do="seed"]', seed)
    page.page.press('[data-do="seed"]', "Enter")
    page.until("() => document.querySelector('[data-wrong=seed]').innerText.includes('a whole number from 0 to')")
    assert page.page.is_disabled('[data-do="start"]')


def test_start_applies_scenario_seed_and_settings(reader: Open) -> None:
    page = reader()
    page.step(2)
    page.page.select_option('[data-do="scenario"]', "toy-explosion")
    page.until("() => document.querySelector('[data-do=branch]').disabled")
    assert page.frame() == 2
    assert "toy-explosion" not in page.text(".asara-head h1")
    page.page.fill('[data-do="seed"]', "12")
    page.page.press('[data-do="seed"]', "Enter")
    page.type("cluster__gpus", "16")
    page.page.wait_for_selector('[data-group="cluster"] summary b')
    page.press("start")
    page.until("() => document.querySelector('.asara-head h1').innerText.includes('seed 12')")
    page.until("() => document.querySelector('.asara-head h1').innerText.includes('toy-explosion')")
    page.until("() => document.querySelector('[data-gpus=inference]').innerText === '16'")
    assert page.text('[data-change="cluster__gpus"]').startswith("GPUs 16 (")
    page.step()
    page.press("bring-back")
    page.until_frame(2)
    assert page.text(".asara-head h1").startswith("lab")


def test_browser_back_restores_the_previous_run(reader: Open) -> None:
    page = reader("?scenario=lab&seed=3")
    page.step(2)
    page.until("() => window.location.search.endsWith('frame=2')")
    page.page.select_option('[data-do="scenario"]', "toy-explosion")
    page.page.wait_for_selector('[data-do="undo"]:enabled')
    page.press("start")
    page.until("() => window.location.search.includes('scenario=toy-explosion')")
    page.page.go_back()
    page.until("() => document.querySelector('.asara-head h1')?.innerText.startsWith('lab')")
    page.until_frame(2)


def test_page_returns_after_a_restart_of_the_server(browser: Any) -> None:
    with served() as address:
        port = address.rstrip("/").rpartition(":")[2]
        page = Reader(browser, address).open("?scenario=lab&seed=3")
        page.step(3)
        # The page draws the pauses between its attempts to reconnect: up to 1, 3, 7, 15 s. Shorten them.
        page.page.evaluate("() => { const draw = Math.random; Math.random = () => draw() / 5; }")
    with served("--port", port):
        page.until("() => document.querySelector('.asara-controls')?.dataset.frame === '3'")
        page.until("() => window.solara.debug.reconnectCount === 0")
        page.step()
        assert page.text(".asara-head h1 span") == "seed 3"
        page.close()


def test_panel_of_tasks_follows_automation_and_a_link_restores_it(reader: Open) -> None:
    page = reader("?scenario=road-to-asara&automation__first_threshold=0.1&growth__first_doubling_days=20&frame=20")
    assert page.text('[data-task="1"] .state').startswith("▸next")
    page.press("task")
    page.until_said("a newly automated task")
    assert page.text('[data-task="1"] .state').startswith("✓since day ")
    mark = page.page.get_attribute(".asara-controls .mark.task", "title")
    assert "AIs can do task" in mark
    assert page.page.get_attribute('[data-do="timeline"]', "aria-valuetext").endswith(mark)
    panel = page.text(".asara-tasks")
    page.until("frame => window.location.search.endsWith(`frame=${frame}`)", page.frame())
    page.page.reload()
    page.page.wait_for_selector('[data-task="1"].done')
    assert page.text(".asara-tasks") == panel
    page.page.set_viewport_size({"width": 390, "height": 900})
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.open("?scenario=lab")
    assert page.page.query_selector_all('.asara-tasks, [data-do="task"]') == []


def test_slider_changes_its_field(reader: Open) -> None:
    page = reader()
    page.show_field("training__gain")
    page.page.focus('[data-slider="training__gain"]')
    page.page.keyboard.press("End")
    page.until("() => document.querySelector('[data-group=training] summary b')?.innerText === '1 changed'")
    assert float(page.page.input_value('[data-field="training__gain"]')) > 2


def test_field_shows_its_help(reader: Open) -> None:
    page = reader()
    page.show_field("cluster__gpus")
    page.page.hover('.field:has([data-field="cluster__gpus"]) .label')
    why = page.page.wait_for_selector(".asara-settings .why").inner_text()
    assert "Number of GPUs" in why
    assert "from 1 to" in why
    assert "Source:" in why


def test_all_downloads_contain_the_run(reader: Open, tmp_path: Path) -> None:
    page = reader()
    page.step(3)
    found = {}
    for kind in DOWNLOADS:
        page.press("files")
        with page.page.expect_download() as download:
            page.page.click(f'[data-file="{kind}"]')
        found[kind] = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename.startswith("asara-lab-seed-0-")
    rows = pyarrow.parquet.read_table(io.BytesIO(found["series parquet"]))
    assert rows.column("day").to_pylist() == [0.0, 1.0, 2.0, 3.0]
    assert pyarrow.csv.read_csv(io.BytesIO(found["series csv"])).num_rows == 4
    ledger = pyarrow.parquet.read_table(io.BytesIO(found["ledger parquet"]))
    assert pyarrow.csv.read_csv(io.BytesIO(found["ledger csv"])).num_rows == ledger.num_rows > 0
    own = tmp_path / "lab.toml"
    own.write_bytes(found["scenario"])
    assert tomllib.loads(own.read_text())["description"] == Scenario.load("lab").description
    assert Scenario.load(own).digest() == Scenario.load("lab").digest()
    assert found["png"].startswith(b"\x89PNG")
    assert b"<svg" in found["svg"][:2000]


def test_invalid_link_shows_an_error(reader: Open) -> None:
    page = reader("?scenario=lab&cluster__gpu=3")
    page.until_said("did you mean 'cluster__gpus'?")
    page.step()


def test_click_on_a_researcher_shows_its_history(reader: Open) -> None:
    page = reader()
    page.step(2)
    page.page.click('[data-person="5"]')
    page.until("() => document.querySelector('[data-life]')?.innerText === 'Researcher 5'")
    assert page.page.locator(".asara-people .life li").count() > 0


def test_page_has_a_title_and_a_language(reader: Open) -> None:
    page = reader("?scenario=lab&seed=3")
    page.until("() => document.title === 'lab, seed 3 · asara' && document.documentElement.lang === 'en'")


def test_pointer_on_a_node_shows_its_jobs(reader: Open) -> None:
    page = reader("?scenario=lab-frontier-experiments&frame=12")
    page.until_frame(12)
    page.page.focus(".asara-grid canvas")
    page.page.keyboard.press("ArrowRight")
    page.until("() => document.querySelector('[data-cell]').innerText.includes('Inference node 1 of')")
    box = page.page.locator(".asara-grid canvas").bounding_box()
    page.page.mouse.move(box["x"] + 6, box["y"] + 6)
    page.until("() => /Inference node 1 of/.test(document.querySelector('[data-cell]').innerText)")


def test_colour_scheme_is_kept_after_a_switch(reader: Open) -> None:
    page = reader(color_scheme="dark")
    theme = "() => document.documentElement.dataset.theme"
    assert page.page.evaluate(theme) == "dark"
    page.press("theme")
    assert page.page.evaluate(theme) == "light"
    page.open()
    assert page.page.evaluate(theme) == "light"


def boxes(page: Reader) -> list[list[float]]:
    return page.page.evaluate(
        "() => window.scrollTo(0, 0) || [...document.querySelectorAll('.asara-limit, .asara-controls, .card')]"
        ".map(each => [each.offsetTop, each.offsetLeft, each.offsetWidth, each.offsetHeight])"
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_layout_is_stable_and_within_the_page(reader: Open, width: int) -> None:
    page = reader(width=width)
    before = boxes(page)
    page.step(2)
    page.press("retraining")
    page.until_said("Day")
    page.page.click('[data-person="5"]')
    page.page.wait_for_selector("[data-life]")
    assert boxes(page) == before
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scenario", ["retraining-0.9", "retraining-0.75", "lab-frontier-experiments"])
def test_ending_sentence_fits_its_place_at_both_widths(reader: Open, scenario: str) -> None:
    page = reader(f"?scenario={scenario}&frame=100000")
    page.page.wait_for_selector("[data-ending]")
    for width in (1280, 390):
        page.page.set_viewport_size({"width": width, "height": 900})
        assert page.page.evaluate(
            "() => { const place = document.querySelector('.asara-limit .sentence');"
            " return place.scrollHeight <= place.clientHeight; }"
        )


@pytest.mark.parametrize("what", ["share", "files"])
def test_header_sheets_fit_a_narrow_page(reader: Open, what: str) -> None:
    page = reader(width=390)
    page.press(what)
    box = page.page.locator(".asara-head .sheet").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_narrow_page_opens_its_settings(reader: Open) -> None:
    page = reader(width=390)
    assert not page.page.is_visible('[data-do="seed"]')
    page.press("settings")
    page.page.fill('[data-do="seed"]', "4")
    page.page.press('[data-do="seed"]', "Enter")
    page.press("start")
    page.until("() => document.querySelector('.asara-head h1').innerText.includes('seed 4')")


@pytest.mark.parametrize("path", ["resourcez", "readyz", "_solara/cdn/echarts@5.4.0", "etc/passwd", "docs"])
def test_server_refuses_other_paths(reader: Open, path: str) -> None:
    page = reader()
    assert page.context.request.get(page.address + path).status == 404
