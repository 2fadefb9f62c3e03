"""Test the display of a run in a notebook: one line, HTML and data frames."""

from html.parser import HTMLParser

import pytest

from sim.fluid.api import run_fluid
from sim.notebook_display import MAX_ROWS
from sim.reporters import REPORTERS
from sim.runner import RunResult, run
from sim.scenario.model import Scenario

TOY = Scenario.load("toy-explosion")
VOID = {"line", "polyline"}


class Page(HTMLParser):
    """The texts of a page, in order; an element that is not closed is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return run(TOY, 3)


def test_result_repr_is_one_short_line(result):
    text = repr(result)
    assert text.startswith("<RunResult toy-explosion, seed 3: 13 doublings by day ")
    assert f"pace: {result.pace.name}; long run: {result.long_run.kind}>" in text
    assert len(text) < 200
    assert "\n" not in text


def test_fluid_result_repr_has_no_seed():
    assert repr(run_fluid(TOY)).startswith("<RunResult toy-explosion, engine fluid, no randomness: ")


def test_result_html_shows_ending_pace_and_long_run(result):
    page = Page(result._repr_html_())
    for text in (result.sentence, result.pace.sentence, result.long_run.sentence, "toy-explosion, seed 3"):
        assert text in page.texts
    assert page.tags.count("polyline") == 1


def test_result_html_has_a_row_for_each_doubling(result):
    page = Page(result._repr_html_())
    start = page.texts.index("researchers") + 1
    table = page.texts[start:]
    assert len(table) == 5 * len(result.doublings)
    assert [int(text) for text in table[::5]] == [doubling.n for doubling in result.doublings]
    assert float(table[1]) == pytest.approx(result.doublings[0].day, rel=1e-3)


def test_result_html_of_many_doublings_shows_the_first_and_last():
    long = run_fluid(TOY.replace(run__max_doublings=50, run__horizon_days=1e4))
    page = Page(long._repr_html_())
    table = page.texts[page.texts.index("researchers") + 1 :]
    assert len(table) == 5 * (MAX_ROWS + 1)
    assert [table[0], table[5 * MAX_ROWS // 2], table[-5]] == ["1", "…", "50"]


def test_result_html_without_doublings_reports_none():
    page = Page(run(TOY.replace(run__horizon_days=1.0), 0)._repr_html_())
    assert "Software did not double." in page.texts


def test_result_html_escapes_names():
    named = TOY.model_copy(update={"name": "<b>mine</b> & yours"})
    page = Page(run_fluid(named)._repr_html_())
    assert "<b>mine</b> & yours, engine fluid, no randomness" in page.texts
    assert "b" not in page.tags


def test_result_data_frames_contain_series_and_doublings(result):
    series, doublings = result.series_frame(), result.doublings_frame()
    assert list(series.columns) == list(REPORTERS)
    assert series["day"].tolist() == result.series["day"]
    assert [tuple(row) for row in doublings.itertuples(index=False)] == [tuple(each) for each in result.doublings]


def test_result_data_frame_without_doublings_is_empty_with_columns():
    empty = run(TOY.replace(run__horizon_days=1.0), 0).doublings_frame()
    assert len(empty) == 0
    assert list(empty.columns) == ["n", "day", "duration_days", "papers", "researchers"]
