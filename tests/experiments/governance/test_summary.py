"""The sentence on the regulator of a run, and its content in run.json."""

import json

from experiments.cli.run_table import show_result
from experiments.governance.summary import governance_content, governance_sentence
from sim.runner import run
from sim.scenario.model import Scenario

FAST = Scenario.load("toy-explosion").replace(run__horizon_days=120.0, regulator__reading_days=10.0)


def test_sentence_names_the_first_alarm_and_the_days_under_orders(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[rules.stop]\nwhen = "always"\nfrom_day = 35.0\norder = "pause-research"\nlasts_days = 20.0\n')
    result = run(FAST.replace(regulator__policy=str(path)), 0)
    assert governance_sentence(result).endswith(
        "own.toml): 5 alarms, the first on day 40 by stop; orders for 80 days, from day 40 on."
    )
    content = json.loads(json.dumps(governance_content(result)))
    assert [alarm["day"] for alarm in content["alarms"]] == [40, 60, 80, 100, 120]
    assert content["restricted"] == [[40, 120]]


def test_regulator_that_finds_nothing_has_no_alarm_and_no_orders():
    result = run(FAST.replace(regulator__policy="five-times-pause", regulator__times=1000.0), 0)
    assert governance_sentence(result) == "The regulator (five-times-pause): no alarm; no orders."
    assert governance_sentence(run(FAST.replace(run__horizon_days=10.0), 0)) == ""


def test_time_under_a_pause_has_a_label_only_with_a_regulator(capsys):
    show_result(run(FAST.replace(regulator__policy="five-times-pause"), 0))
    show_result(run(FAST, 0))
    regulated, free = [line for line in capsys.readouterr().out.split("\n\n") if "time: thinking" in line]
    assert "without a GPU or held by orders" in " ".join(regulated.split())
    assert "held by orders" not in free
