"""Operate the page in a browser. Each action waits for its effect and never for a fixed time."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
PATIENCE_MS = 60_000
"""Timeout of a condition [ms]; a test fails after it."""
NO_CHROMIUM = "no Chromium on this machine: the tests of the window in a browser need one (apt install chromium)"


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Serve the page on a free port with the command; yield its address."""
    start = "import typer; from experiments.window.command import show; typer.run(show)"
    command = [sys.executable, "-c", start, "--port", "0", "--no-browser", *arguments]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout is not None
    try:
        said = server.stdout.readline()
        assert "http://127.0.0.1:" in said, said + server.stdout.read()
        yield said.split(" at ")[1].split(" ")[0]
    finally:
        server.terminate()
        server.communicate()


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Start Chromium, or skip the test with the reason."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip(NO_CHROMIUM)
    with driver.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Reader:
    """A page in a browser, with a record of its errors and its requests to other machines."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.address = address
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.elsewhere: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", self._note_request)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note_request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "blob:", "data:")):
            self.elsewhere.append(request.url)

    def open(self, query: str = "") -> Reader:
        """Open the page and wait until it can be used."""
        self.page.goto(self.address + query)
        self.page.wait_for_selector('[data-do="play"]')
        self.page.wait_for_selector('[data-view="software"] canvas')
        return self

    def close(self) -> None:
        self.page.goto("about:blank")  # the server releases a page that is left
        self.context.close()

    # Values of the page

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def frame(self) -> int:
        """Return the current frame of the page."""
        return int(self.page.get_attribute(".asara-controls", "data-frame"))

    def day(self) -> float:
        return float(self.page.get_attribute(".asara-controls", "data-day"))

    def said(self) -> str:
        return self.text("[data-said]")

    def digest(self) -> str:
        """Open the digest of the run and return it."""
        if self.page.get_attribute(".asara-foot details", "open") is None:
            self.page.click('[data-do="digest"]')
        self.until("() => document.querySelector('.asara-foot code').dataset.digest.length > 0")
        return str(self.page.get_attribute(".asara-foot code", "data-digest"))

    # Actions on the page

    def press(self, what: str) -> None:
        """Press a button when it is enabled."""
        self.page.click(f'[data-do="{what}"]:enabled')

    def until(self, condition: str, argument: Any = None) -> None:
        """Wait until a JavaScript condition holds; missing elements count as not yet."""
        guarded = f"asked => {{ try {{ return ({condition})(asked) }} catch {{ return false }} }}"
        self.page.wait_for_function(guarded, arg=argument)

    def until_frame(self, frame: int) -> None:
        """Wait until the whole page, with the footer as its last part, shows a frame."""
        self.until(
            "frame => { const [shown, foot] = ['.asara-controls', '.asara-foot'].map(each =>"
            " document.querySelector(each)?.dataset); return Number(shown?.frame) === frame"
            " && shown?.stamp === foot?.stamp; }",
            frame,
        )

    def until_said(self, words: str) -> None:
        """Wait until the message contains some words and all parts of the page show the same state."""
        self.until(
            "words => document.querySelector('[data-said]').innerText.includes(words)"
            " && document.querySelector('.asara-controls').dataset.stamp"
            " === document.querySelector('.asara-foot').dataset.stamp",
            words,
        )

    def step_event(self) -> None:
        """Step to the next event and wait until the day of the page is later."""
        before = self.day()
        self.press("event")
        self.until("before => Number(document.querySelector('.asara-controls').dataset.day) > before", before)

    def step(self, times: int = 1) -> None:
        """Step a number of frames, one by one."""
        for _ in range(times):
            before = self.frame()
            self.press("step")
            self.until_frame(before + 1)

    def rewind(self, frame: int) -> None:
        """Drag the timeline to a frame."""
        self.page.eval_on_selector(
            '[data-do="timeline"]',
            "(slider, frame) => { slider.value = frame; for (const what of ['input', 'change'])"
            " slider.dispatchEvent(new Event(what, { bubbles: true })); }",
            frame,
        )
        self.until_frame(frame)

    def type(self, name: str, text: str) -> None:
        """Type a value into the field of a parameter."""
        self.show_field(name)
        self.page.fill(f'[data-field="{name}"]', text)
        self.page.press(f'[data-field="{name}"]', "Enter")

    def show_field(self, name: str) -> None:
        group = name.partition("__")[0]
        if not self.page.is_visible(f'[data-field="{name}"]'):
            self.page.click(f'[data-group="{group}"] summary')
            self.page.wait_for_selector(f'[data-field="{name}"]')

    def sound(self) -> None:
        """Assert that the page has shown no error and has sent no request to other machines."""
        errors, self.errors = self.errors, []
        assert errors == []
        assert self.elsewhere == []
        assert "Traceback" not in self.text("body")
