"""Test `asara analyse`: the report, its files, and its errors."""

import json
import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from experiments.errors import InputError
from experiments.sweep.analysis import labels, report
from experiments.sweep.analysis.command import analyse
from experiments.sweep.analysis.figure_frame import png
from experiments.sweep.analysis.html import render_page, table_view
from experiments.sweep.analysis.sweep_data import load, sweep_of
from experiments.sweep.part_files import write_table
from experiments.sweep.storage import identity_of, write_manifest
from sim.scenario.model import parameters
from tests.support.sweep_tables import drawn, failed, manifest, row, table, write

LEVER_NAME = "researcher__initial"
LEVER = {LEVER_NAME: [64, 1024]}
BAD = {3: ("killed", "the worker was killed"), 9: ("killed", "the worker was killed"), 20: ("timeout", "<60 s> & more")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """128 points of 2 levels, 5 runs short, of which 3 came to nothing."""
    found = failed(drawn(128, spread=0.2, levers=LEVER), BAD)
    said = manifest(found.num_rows + 2, points=128, levers=list(LEVER))
    return write(tmp_path_factory.mktemp("sweeps") / "small", found, said)


@pytest.fixture(scope="module")
def files(folder):
    return report.files(load(folder))


class Page(HTMLParser):
    """Open tags, and addresses that a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("meta", "path", "use", "rect", "br"):
            self.open.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href") and not value.startswith("#")]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag


def test_report_is_one_page_without_external_files(files):
    text = files["report.html"].decode()
    seen = Page()
    seen.feed(text)
    assert seen.open == []
    assert not seen.fetched
    assert not {"script", "link", "iframe", "img"} & set(seen.tags)
    assert not re.search(r"@import|url\((?!#)|http-equiv", text)
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text


def test_report_figures_use_page_colours_and_separate_ids(files):
    text = files["report.html"].decode()
    drawings = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(drawings) >= 12
    assert all('role="img" aria-label=' in each and "var(--ink)" in each for each in drawings)
    ids = [set(re.findall(r' id="([^"]+)"', each)) for each in drawings]
    assert sum(map(len, ids)) == len(set().union(*ids))
    for each, known in zip(drawings, ids, strict=True):
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', each)) <= known
    assert "#1b1b1c" not in "".join(drawings).lower()


def test_report_lists_failed_and_missing_runs(files):
    text = files["report.html"].decode()
    assert "253 of 258 runs have a result" in text
    assert "2 runs are missing" in text
    assert "3 runs have no result" in text
    assert "the worker was killed" in text
    assert "&lt;60 s&gt; &amp; more" in text
    said = json.loads(files["analysis.json"])
    assert said["statuses"] == {"killed": 2, "ok": 253, "timeout": 1}
    assert said["failures"][0] == {"status": "killed", "message": "the worker was killed", "runs": 2, "first": 3}
    assert said["missing"] == 2


def test_failures_are_grouped_by_reason_and_at_most_ten(tmp_path, asara):
    said = {
        row: ("invalid", f"shares 0.{row} and 0.25 add up to 1.{row:02d}e+1 of node_{row % 2}") for row in range(20)
    }
    said |= {20 + row: ("failed", f"reason {word}") for row, word in enumerate("abcdefghijkl")}
    found = failed(drawn(64, spread=0.1), said)
    write(tmp_path / "sweep", found, manifest(found.num_rows, points=64))
    shown = asara("analyse", "sweep").out
    assert shown.count("invalid (the first") == 2  # of node_0 and of node_1: digits of a name are no number
    assert "10 invalid (the first is run 0): shares 0.0 and 0.25 add up to 1.00e+1 of node_0" in " ".join(shown.split())
    assert shown.count("(the first is run") == 10
    assert "and 4 more" in shown
    page = (tmp_path / "sweep/analysis/report.html").read_text(encoding="utf-8")
    assert page.count("reason ") == 8
    assert "And 4 more runs for other reasons." in page


def test_files_have_a_table_for_each_figure(files):
    tables = {name: content.decode().splitlines() for name, content in files.items() if name.endswith(".csv")}
    assert {
        "fan.csv",
        "fan-closed-form.csv",
        "probability.csv",
        "time.csv",
        "limits.csv",
        "levers-explosion.csv",
        "tornado-explosion.csv",
        "sobol-explosion.csv",
        "region.csv",
        "convergence.csv",
    } <= set(tables)
    assert tables["probability.csv"][1].split(",")[:3] == ["64", "all", "all"]
    overall = [line.split(",") for line in tables["probability.csv"] if ",all,all," in line]
    assert [cells[-2:] for cells in overall] == [["127", "127"], ["126", "126"]]
    assert all(len(lines) >= 2 for lines in tables.values())
    assert all(files[name].startswith(b"\x89PNG") for name in files if name.endswith(".png"))


def test_analyse_twice_writes_the_same_bytes(folder, files, tmp_path, capsys):
    analyse(folder, tmp_path / "out")
    out = capsys.readouterr().out
    assert "253 of 258 runs have a result, 5 have none." in " ".join(out.split())
    assert "2 killed (the first is run 3): the worker was killed" in " ".join(out.split())
    assert "growth__returns_to = inputs: r includes the penalty p = 0." in " ".join(out.split())
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files


def test_analyse_json_prints_one_object_and_writes_nothing(folder, capsys):
    before = sorted(folder.rglob("*"))
    analyse(folder, None, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert [each["levers"] for each in said["combinations"]] == [{LEVER_NAME: "64"}, {LEVER_NAME: "1,024"}]
    assert sum(each["explosion"]["runs"] for each in said["combinations"]) == 253
    assert "explosion" not in said  # nothing is averaged over the lever
    assert all("growth__r" in each["bounds"] for each in said["regions"])
    assert said["levers"][0]["times_less_variance"] > 1
    assert sorted(folder.rglob("*")) == before


def test_report_of_a_systematic_design_states_that_shares_are_not_probabilities(tmp_path):
    rows = [row(n, n, {"growth__r": 0.7 + 0.2 * n}, 0.0) for n in range(5)]
    place = write(tmp_path / "grid", table(rows), manifest(5, sampling="grid", points=5))
    text = report.files(load(place))["report.html"].decode()
    assert "not probabilities of real outcomes" in text
    assert "There are no Sobol&#39; indices for this design: a grid design" in text


def test_report_of_one_run_is_written(tmp_path):
    place = write(tmp_path / "one", table([row(0, 0, {}, 0.0)]), manifest(1, uncertainties={}, sampling="random"))
    text = report.files(load(place))["report.html"].decode()
    assert "Only the random seed varies" in text
    assert "1 of 1 runs have a result" in text


def broken(tmp_path, kind):
    """Folders without a sweep."""
    place = tmp_path / "sweep"
    some = drawn(4)
    if kind == "missing":
        return place
    place.mkdir()
    if kind == "empty":
        return place
    content = {"json": "{", "other": "[]", "format": json.dumps(manifest(4, format=7))}
    write_manifest(place, manifest(4))
    if kind in content:
        (place / "manifest.json").write_text(content[kind])
    (place / "runs").mkdir()
    if kind == "torn":
        (place / "runs" / "part-000000-0123456789abcdef.parquet").write_bytes(b"PAR1 and no more")
    parts = {
        "failures": failed(some, dict.fromkeys(range(4), ("failed", "no GPU"))),
        "foreign": pa.table({"a": [1]}),
        "twice": pa.concat_tables([some, some]),
        "nothing": some.slice(0, 0),
    }
    if kind in parts:
        write_table(place, "runs", 0, parts[kind], identity_of(manifest(4)))
    return place


def test_stale_files_returns_files_of_an_earlier_analysis(tmp_path):
    (tmp_path / "mine.txt").write_text("not yours")
    for name in ("old.csv", "report.html"):
        (tmp_path / name).write_text("")
    (tmp_path / "analysis.json").write_text('{"files": ["old.csv", "report.html", "../mine.txt", "gone.png"]}')
    assert report.stale_files(tmp_path, ["report.html"]) == [tmp_path / "old.csv"]
    (tmp_path / "analysis.json").write_text("[]")
    assert report.stale_files(tmp_path, []) == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "is not an existing folder"),
        ("empty", "is not a sweep folder"),
        ("json", "manifest.json is damaged: its content is not what was written"),
        ("other", "manifest.json is damaged: its content is not what was written"),
        ("format", "format = 7 is not readable, because another release wrote it; allowed: 4"),
        ("unfinished", "no run of this sweep has finished yet"),
        ("nothing", "no run of this sweep has finished yet"),
        ("torn", "part-000000-0123456789abcdef.parquet is damaged"),
        ("foreign", ".parquet is damaged"),
        ("twice", "some runs are stored twice"),
        ("failures", "no run has a result: 4 failed (the first: no GPU)"),
    ],
)
def test_analyse_of_a_bad_folder_prints_one_error_and_writes_nothing(tmp_path, kind, words):
    place = broken(tmp_path, kind)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as refused:
        analyse(place)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_phrase_of_every_parameter_is_readable():
    for name in parameters():
        words = labels.phrase(name)
        assert 3 < len(words) <= 90, (name, words)
        assert "__" not in words
        assert "`" not in words
    assert labels.phrase("growth__r") == "Returns to software R&D"
    assert labels.phrase("training__speedup_exponent") == "Share of each gain spent on shorter runs"


def test_report_text_is_escaped_and_numbers_are_readable():
    found = pa.table({"growth__r": ["<b>"], "probability": [0.254], "days": [float("inf")], "runs": [12345]})
    tables = [{"name": "t", "view": table_view(found)}]
    shown = render_page(
        {
            "title": "<t>",
            "questions": [],
            "verdict": "v",
            "run_status": {"text": "<i>", "incomplete": False, "failures": None, "other_failures": ""},
            "sections": [{"heading": "a & b", "sentences": [], "pictures": [], "tables": tables}],
            "design": None,
            "footer": "",
        }
    )
    assert '<td class="text">&lt;b&gt;</td>' in shown
    assert "<td>25%</td><td>not seen</td><td>12,345</td>" in shown
    assert all(text in shown for text in ("<h1>&lt;t&gt;</h1>", "<h2>a &amp; b</h2>", "&lt;i&gt;"))


def test_figure_does_not_depend_on_matplotlibrc(folder):
    import matplotlib as mpl

    from experiments.sweep.analysis.time_to_gain import time_figure

    sweep = load(folder)
    usual = png(time_figure(sweep))
    with mpl.rc_context({"font.size": 30, "axes.grid": False}):
        assert png(time_figure(sweep)) == usual


def swept(levers, penalty=None):
    """A small sweep that varies r and, if no penalty is given, p from 0.5 to 1."""
    found = drawn(16, levers=levers)
    if penalty is not None:
        place = found.column_names.index("growth__parallel_penalty")
        found = found.set_column(place, "growth__parallel_penalty", pa.array([penalty] * found.num_rows))
    return sweep_of(found, manifest(found.num_rows, points=16, levers=list(levers)))


@pytest.mark.parametrize(
    ("name", "meaning"), [("inputs", "r includes the penalty p = 0.5"), ("effort", "penalty p = 0.5 comes on top")]
)
def test_report_of_runs_with_a_penalty_names_the_reading_of_r(name, meaning):
    sweep = swept({"growth__returns_to": [name]}, penalty=0.5)
    text = report.html(sweep, [])
    assert f"Varied: Returns to software R&amp;D, returns to {name} (growth__r)" in text
    assert sweep.label("growth__r", 200).startswith(f"Returns to software R&D, returns to {name}")
    for where in (text, report.summary(sweep)["reading_of_r"]):
        assert f"growth__returns_to = {name}: r " in where
        assert meaning in where


def test_report_of_two_readings_explains_both_and_labels_r_neutrally():
    sweep = swept({"growth__returns_to": ["inputs", "effort"]})
    assert report.reading(sweep).count("growth__returns_to = ") == 2
    assert report.reading(sweep).count("the penalty p = 0.518 to 0.996") == 2
    assert "Varied: Returns to software R&amp;D (growth__r)" in report.html(sweep, [])


def test_report_of_runs_without_a_penalty_omits_the_reading():
    sweep = swept(LEVER, penalty=1.0)
    assert report.reading(sweep) == ""
    assert "returns to inputs" not in report.html(sweep, [])
