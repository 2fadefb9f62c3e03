"""Downloads of the page: equal to what the command writes."""

import io
import json
from xml.etree import ElementTree

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from experiments.storage.run_store import events_table, series_table
from experiments.window.downloads import DOWNLOADS, download, scenario_toml
from experiments.window.form_fields import scenario_with_changes
from experiments.window.player import RunPlayer
from sim.runner import run
from sim.scenario.model import Scenario
from sim.testing.invariants import small_scenarios
from tests.support.properties import examples
from tests.support.window_runs import small_lab

LAB = small_lab()


@pytest.fixture(scope="module")
def result():
    player = RunPlayer(LAB, 2)
    player.step(18)
    return player.result()


def test_downloaded_tables_equal_a_headless_run(result):
    headless = run(LAB, 2, watch=lambda world: world.steps >= 18)
    assert result.digest == headless.digest
    for kind, table in (("ledger", events_table(headless.events)), ("series", series_table(headless.series))):
        assert pq.read_table(io.BytesIO(download(f"{kind} parquet", result).content)) == table
        text = pyarrow.csv.read_csv(io.BytesIO(download(f"{kind} csv", result).content))
        assert text.column_names == table.column_names
        assert text.num_rows == table.num_rows
        assert text.column("day").to_pylist() == pytest.approx(table.column("day").to_pylist())


@pytest.mark.slow
def test_downloaded_figures_are_reproducible(result):
    png, svg = download("png", result).content, download("svg", result).content
    assert png.startswith(b"\x89PNG")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert (png, svg) == (download("png", result).content, download("svg", result).content)
    assert download("png", RunPlayer(LAB).result()).content.startswith(b"\x89PNG")


@pytest.mark.slow
def test_download_of_a_branch_states_its_changes(tmp_path):
    player = RunPlayer(LAB)
    player.branch(4, {"training__required": False})
    player.step(3)
    file = download("scenario", player.result(), player.changes_text)
    first, second, *_ = file.content.decode().splitlines()
    assert first == "# The downloaded run branched from day 4: training__required = false."
    assert second.startswith("# ")
    (tmp_path / file.name).write_bytes(file.content)
    assert Scenario.load(tmp_path / file.name).digest() == player.scenario.digest()
    picture = ElementTree.fromstring(download("svg", player.result(), player.changes_text).content)
    plain = ElementTree.fromstring(download("svg", player.result()).content)
    assert ElementTree.tostring(picture) != ElementTree.tostring(plain)
    assert RunPlayer(LAB).changes_text == ""


@pytest.mark.slow
def test_downloaded_scenario_is_read_by_the_command(asara, tmp_path):
    player = RunPlayer(scenario_with_changes(LAB, {"growth__law": "papers", "cluster__queue": "sjf"}), 3)
    player.seek(10_000)
    file = download("scenario", player.result())
    (tmp_path / file.name).write_bytes(file.content)
    assert Scenario.load(tmp_path / file.name).digest() == player.scenario.digest()
    answer = asara("run", file.name, "--seed", 3, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["digest"] == player.digest()


@pytest.mark.slow
@given(small_scenarios())
@examples(25)
def test_scenario_toml_reproduces_every_scenario(tmp_path_factory, scenario):
    path = tmp_path_factory.mktemp("scenario") / "drawn.toml"
    path.write_text(scenario_toml(scenario), encoding="utf-8")
    read = Scenario.load(path)
    assert read.flat() == scenario.flat()
    assert read.digest() == scenario.digest()


def test_download_names_contain_safe_characters_only():
    named = RunPlayer(LAB.model_copy(update={"name": "../Übel\n/$(x)"}), 5).result()
    names = [download(kind, named).name for kind in DOWNLOADS if kind not in ("png", "svg")]
    assert names[0] == "asara-bel-x-seed-5-ledger.parquet"
    assert all(name.isascii() and "/" not in name and name.isprintable() for name in names)
    assert len(set(names)) == len(names)
    with pytest.raises(KeyError):
        download("shell", named)
