"""What the command prints, and that it loads no more than it needs."""

import json
import subprocess
import sys

import pytest

from experiments.cli.run_table import MAX_ROWS
from sim.runner import run
from sim.scenario.model import Scenario, parameters, shipped_scenarios

KEYS = [
    "scenario",
    "engine",
    "digest",
    "event_format",
    "seed",
    "ending",
    "pace",
    "pace_sentence",
    "ratio",
    "ratio_interval",
    "ratio_doublings",
    "r_implied",
    "long_run",
    "long_run_sentence",
    "long_run_ratio",
    "long_run_returns",
    "bound_by",
    "fastest_doubling",
    "doublings",
    "software_doublings",
    "deployed_doublings",
    "researchers",
    "papers",
    "duplicate_share",
    "toes_exponent",
    "cluster",
    "kernels",
    "limited_by",
    "margins",
    "time_shares",
    "day",
    "sentence",
]


def no_such_number(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


@pytest.mark.parametrize("arguments", [["toy-explosion"], ["returns-0.7"], ["lab", "--until", "3"]])
def test_run_json_is_one_object_with_the_documented_keys(asara, arguments):
    answer = asara("run", *arguments, "--json", "--seed", 5)
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out, parse_constant=no_such_number)
    assert list(found) == KEYS
    assert found["scenario"] == arguments[0]
    assert found["seed"] == 5
    assert list(found["cluster"]) == ["inference", "experiment", "training"]
    for kind in found["cluster"].values():
        assert list(kind) == ["jobs", "gpu_days", "utilisation", "mean_wait_days"]
    for doubling in found["doublings"]:
        assert list(doubling) == ["n", "day", "duration_days", "papers", "researchers"]


def test_run_json_equals_the_result_of_run(asara):
    found = json.loads(asara("run", "toy-explosion", "--json", "--seed", 5).out)
    result = run(Scenario.load("toy-explosion"), seed=5)
    assert found["digest"] == result.digest
    assert found["ratio_interval"] == [result.pace.low, result.pace.high]
    assert [doubling["day"] for doubling in found["doublings"]] == [doubling.day for doubling in result.doublings]
    assert isinstance(found["papers"], int)
    assert sum(found["time_shares"].values()) == pytest.approx(1)


def test_run_json_has_null_for_numbers_that_are_not_finite(asara):
    # Work at once, all of it deployed: doublings that speed up faster than any finite r makes them.
    found = json.loads(asara("run", "toy-explosion", "--json", "--until", 60).out)
    assert found["pace"] == "undecided"
    assert found["ratio"] is None
    assert found["ratio_interval"] is None
    assert found["r_implied"] is None


def test_run_settings_change_the_scenario(asara):
    settings = ["--set", "run__max_doublings=4", "--set", "researcher__timing=pooled", "--set", "run__sample_days=2"]
    found = json.loads(asara("run", "toy-fizzle", "--json", *settings).out)
    assert [round(doubling["duration_days"] * 12 / 365, 6) for doubling in found["doublings"]] == [2, 3, 4.5, 6.75]
    stopped = json.loads(asara("run", "toy-fizzle", "--json", "--until", 100).out)
    assert (stopped["ending"], stopped["day"]) == ("horizon", 100)


def test_run_without_a_name_uses_the_lab(asara):
    assert json.loads(asara("run", "--until", 1, "--json").out)["scenario"] == "lab"


def test_run_of_a_file_uses_its_scenario(asara, tmp_path):
    (tmp_path / "mine.toml").write_text('description = "Mine."\n[run]\nhorizon_days = 2\n')
    assert json.loads(asara("run", "mine.toml", "--json").out)["scenario"] == "mine"


def test_run_prints_pace_and_long_run_in_words(asara):
    answer = asara("run", "toy-explosion", "--seed", 1)
    assert (answer.code, answer.err) == (0, "")
    words = " ".join(answer.out.split())
    assert "What this run did: speeding up: each doubling took" in words
    assert "Where it leads: singular (explosive): doubling times shrink without limit." in words
    assert "in the long run each doubling takes 0.750 times as long as the one before" in words  # 1.5 / 2
    assert "What limits progress at the margin of doubling" in words
    assert "Researchers' time: thinking and writing 100%, waiting for GPUs and for results 0%" in words
    assert "Duplicates" not in words  # they count in full
    assert "\x1b" not in answer.out


def test_run_table_of_many_doublings_shows_the_first_and_last(asara):
    answer = asara("run", "returns-3", "--set", "run__max_doublings=60", "--set", "growth__r=1.0", "--until", 9999)
    rows = [line.split()[0] for line in answer.out.splitlines() if line.strip()[:1].isdigit() or "..." in line]
    assert len(rows) == MAX_ROWS + 1
    assert rows[MAX_ROWS // 2] == "..."
    assert (rows[0], rows[-1]) == ("1", "60")


def test_scenarios_lists_names_and_sources(asara):
    shown = asara("scenarios").out
    listed = json.loads(asara("scenarios", "--json").out)["scenarios"]
    assert [row["name"] for row in listed] == shipped_scenarios()
    assert all(row["name"] in shown and row["description"] and row["source"] for row in listed)


@pytest.mark.parametrize("name", parameters())
def test_explain_describes_every_parameter(asara, name):
    answer = asara("explain", name)
    words = " ".join(answer.out.split())
    assert answer.code == 0
    for part in ("default", "unit", "allowed", "source", f"--set {name}="):
        assert part in words
    assert parameters()[name].source, "each parameter needs a source"


def test_explain_accepts_a_part_of_the_name(asara):
    assert asara("explain", "first_run_days").out == asara("explain", "training__first_run_days").out
    assert asara("explain", "horizon_days").out == asara("explain", "run__horizon_days").out
    both = asara("explain", "gpus").out
    assert "cluster__gpus" in both
    assert "training__gpus" in both


def test_explain_lists_every_parameter(asara):
    shown = asara("explain").out
    assert all(name in shown for name in parameters())


def test_version_option_prints_the_version(asara):
    assert asara("--version").out.startswith("asara 0.")


def test_help_imports_no_heavy_package():
    script = (
        "import sys; from experiments.cli.app import main; main(['--help']);"
        "print([m for m in ('mesa', 'simpy', 'numpy', 'matplotlib', 'pyarrow', 'pydantic') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    for command in ("run", "replay", "scenarios", "explain"):
        assert command in shown


def test_run_with_an_old_option_and_an_old_parameter_warns_and_runs(asara):
    old = asara("run", "toy-explosion", "--until-researchers", 8, "--set", "run__frame_days=2", "--json")
    new = asara("run", "toy-explosion", "--stop-at-researchers", 8, "--set", "run__sample_days=2", "--json")
    assert (old.code, old.out) == (0, new.out)
    assert old.err.splitlines() == [
        "warning: --until-researchers is deprecated; use --stop-at-researchers",
        "warning: run__frame_days is deprecated; use run__sample_days",
    ]
    assert new.err == ""
