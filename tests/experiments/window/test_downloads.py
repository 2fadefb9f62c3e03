"""What is taken home from the window is what the command would have written."""

import io
import json
from xml.etree import ElementTree

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from experiments.storage.run_store import events_table, series_table
from experiments.window.downloads import KINDS, download, scenario_toml
from experiments.window.form_fields import changed
from experiments.window.player import RunPlayer
from sim.runner import run
from sim.scenario.model import Scenario
from sim.testing.invariants import small_scenarios
from tests.support.window_runs import small_lab

LAB = small_lab()


@pytest.fixture(scope="module")
def result():
    journey = RunPlayer(LAB, 2)
    journey.step(18)
    return journey.result()


def test_tables_are_those_of_a_run_that_stopped_there(result):
    headless = run(LAB, 2, watch=lambda world: world.steps >= 18)
    assert result.digest == headless.digest
    for kind, table in (("ledger", events_table(headless.events)), ("series", series_table(headless.series))):
        assert pq.read_table(io.BytesIO(download(f"{kind} parquet", result).content)) == table
        text = pyarrow.csv.read_csv(io.BytesIO(download(f"{kind} csv", result).content))
        assert text.column_names == table.column_names
        assert text.num_rows == table.num_rows
        assert text.column("day").to_pylist() == pytest.approx(table.column("day").to_pylist())


def test_pictures_are_pictures_and_always_the_same_bytes(result):
    png, svg = download("png", result).content, download("svg", result).content
    assert png.startswith(b"\x89PNG")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert (png, svg) == (download("png", result).content, download("svg", result).content)
    assert download("png", RunPlayer(LAB).result()).content.startswith(b"\x89PNG")


def test_what_is_taken_from_a_branch_says_so(tmp_path):
    journey = RunPlayer(LAB)
    journey.branch(4, {"training__needed": False})
    journey.step(3)
    file = download("scenario", journey.result(), journey.turns)
    first, second, *_ = file.content.decode().splitlines()
    assert first == "# The run that this was taken from branched from day 4: training__needed = false."
    assert second.startswith("# ")
    (tmp_path / file.name).write_bytes(file.content)
    assert Scenario.load(tmp_path / file.name).digest() == journey.scenario.digest()
    picture = ElementTree.fromstring(download("svg", journey.result(), journey.turns).content)
    plain = ElementTree.fromstring(download("svg", journey.result()).content)
    assert ElementTree.tostring(picture) != ElementTree.tostring(plain)
    assert RunPlayer(LAB).turns == ""


def test_a_scenario_is_read_back_by_the_command(asara, tmp_path):
    journey = RunPlayer(changed(LAB, {"growth__law": "papers", "cluster__queue": "sjf"}), 3)
    journey.go_to(10_000)
    file = download("scenario", journey.result())
    (tmp_path / file.name).write_bytes(file.content)
    assert Scenario.load(tmp_path / file.name).digest() == journey.scenario.digest()
    answer = asara("run", file.name, "--seed", 3, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["digest"] == journey.digest()


@given(small_scenarios())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_scenario_can_be_said_in_a_file(tmp_path_factory, scenario):
    path = tmp_path_factory.mktemp("scenario") / "drawn.toml"
    path.write_text(scenario_toml(scenario), encoding="utf-8")
    read = Scenario.load(path)
    assert read.flat() == scenario.canonical().flat()
    assert read.digest() == scenario.canonical().digest()


def test_names_of_files_are_tame():
    named = RunPlayer(LAB.model_copy(update={"name": "../Übel\n/$(x)"}), 5).result()
    names = [download(kind, named).name for kind in KINDS if kind not in ("png", "svg")]
    assert names[0] == "asara-bel-x-seed-5-ledger.parquet"
    assert all(name.isascii() and "/" not in name and name.isprintable() for name in names)
    assert len(set(names)) == len(names)
    with pytest.raises(KeyError):
        download("shell", named)
