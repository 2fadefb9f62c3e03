"""`asara mc` through the command: tables, files, the same bytes again, and what is wrong with a file of priors."""

import csv
import json
import math
import re
import threading
import tomllib
from pathlib import Path

import pytest
from scipy import stats

from experiments.monte_carlo import runner
from experiments.monte_carlo.priors import load_priors, shipped_priors
from sim import growth

ROOT = Path(__file__).parents[3]
GOOD = """
[law]
doublings_per_year = 8
horizon_months = 48
[inputs.r]
distribution = "lognormal"
ci80 = [0.5, 2]
[inputs.doubling_months]
distribution = "constant"
value = 1
[inputs.limit_years]
distribution = "uniform"
low = 6
high = 16
[[correlations]]
between = ["r", "limit_years"]
rank = 0.5
[[pairs]]
years = 3
months = 12
"""


def broken(old, new):
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


BAD = {
    "no TOML": ("[law]\nhorizon = = 3", ["is not valid TOML"]),
    "unknown section": ("[laws]\n" + GOOD, ["no 'laws'", "did you mean 'law'?"]),
    "no law": ("[inputs]\n", ["[law] is missing"]),
    "law is no table": ("law = 3\n", ["allowed: a table. Write [law]"]),
    "unknown law": (broken("[law]\n", '[law]\nname = "papers"\n'), ["name = 'papers' is unknown; allowed: 'returns'"]),
    "retraining is no rule": (
        broken("[law]\n", "[law]\nretraining = 1\n"),
        ["retraining = 1 is not a rule; allowed: false, 'damped' or 'share'."],
    ),
    "retraining is misspelt": (broken("[law]\n", '[law]\nretraining = "damp"\n'), ["'damp' is not a rule; allowed: "]),
    "share above 1": (
        broken("[law]\n", '[law]\nretraining = "share"\nspeed_share = 1.5\n'),
        ["speed_share = 1.5 is out of bounds; allowed: 0 to 1."],
    ),
    "share is no number": (broken("[law]\n", '[law]\nspeed_share = "all"\n'), ["speed_share", "finite number"]),
    "no horizon": (broken("horizon_months = 48\n", ""), ["'horizon_months' is missing"]),
    "misspelt horizon": (broken("horizon_months", "horizon_month"), ["did you mean 'horizon_months'?"]),
    "horizon of 0": (
        broken("months = 48", "months = 0"),
        ["horizon_months = 0 is out of bounds; allowed: 0.1 to"],
    ),
    "unknown input": (broken("[inputs.r]", "[inputs.speed]"), ["no 'speed'", "did you mean 'speedup'?"]),
    "no r": (broken('[inputs.r]\ndistribution = "lognormal"\nci80 = [0.5, 2]\n', ""), ["'r' is missing", "returns"]),
    "input is no table": (
        broken("[law]\n", "inputs = {r = 2}\n[law]\n").split("[inputs.r]")[0],
        ["[inputs.r]: 2 is not"],
    ),
    "unknown distribution": (broken('"lognormal"', '"lognormol"'), ["'lognormol'", "did you mean 'lognormal'?"]),
    "order": (broken("low = 6", "low = 16"), ["[inputs.limit_years]", "low = 16 is not below high = 16"]),
    "log of 0": (
        broken('"uniform"\nlow = 6', '"log-uniform"\nlow = 0'),
        ["low = 0 is out of bounds; allowed: above 0"],
    ),
    "below 0": (broken('"lognormal"', '"normal"'), ["[inputs.r]", "lowest value is -inf", "'min'"]),
    "p above 1": (GOOD + '[inputs.parallel_penalty]\ndistribution = "constant"\nvalue = 2\n', ["at most 1"]),
    "rank above 1": (broken("rank = 0.5", "rank = 1.5"), ["rank = 1.5 is out of bounds; allowed: from -1 to 1"]),
    "no rank": (broken("rank = 0.5\n", ""), ["rank = None", "finite number"]),
    "rank of an unknown": (broken('["r", "limit', '["R&D", "limit'), ["no 'R&D'"]),
    "rank with itself": (broken('["r", "limit_years"]', '["r", "r"]'), ["Name two inputs"]),
    "rank of a constant": (broken('["r", "limit', '["doubling_months", "limit'), ["a constant cannot be correlated"]),
    "rank of 1": (broken("rank = 0.5", "rank = 1"), ["not positive definite"]),
    "rank twice": (GOOD + '[[correlations]]\nbetween = ["limit_years", "r"]\nrank = 0.1\n', ["is stated twice"]),
    "no pairs": (broken("[[pairs]]\nyears = 3\nmonths = 12\n", ""), ["[[pairs]] is missing"]),
    "pairs are no list": (broken("[[pairs]]", "[pairs]"), ["Write [[pairs]]"]),
    "half a pair": (broken("years = 3\n", ""), ["[[pairs]]: years = None"]),
    "a broken doubling": (broken("years = 3\n", "years = 3.1\n"), ["24.8 doublings", "whole number"]),
    "too many doublings": (broken("years = 3\n", "years = 300\n"), ["2400 doublings", "most_doublings = 300"]),
    "beyond the horizon": (broken("months = 12", "months = 60"), ["up to horizon_months = 48"]),
    "explosion is no table": ("explosion = 3\n" + GOOD, ["[explosion]"]),
}


@pytest.mark.parametrize("case", BAD)
def test_mc_with_an_invalid_file_prints_one_sentence(case, asara, tmp_path):
    content, words = BAD[case]
    (tmp_path / "mine.toml").write_text(content)
    answer = asara("mc", "mine.toml", "--n", 10, "--out", "out")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: mine.toml: ")
    assert answer.err.count("\n") == 1
    assert all(word in answer.err for word in words), answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("mc succesor", ["priors = succesor is unknown", "did you mean 'successor'?"]),
        ("mc absent.toml", ["absent.toml: cannot be read", "No such file"]),
        ("mc successor --n 0", ["--n"]),
        ("mc successor --n 10000001", ["--n"]),
        ("mc successor --n many", ["--n"]),
        ("mc successor --seed -1", ["--seed"]),
        ("mc", ["PRIORS is missing", "asara mc --new my.toml"]),
        ("mc successor --n 10 --out file", ["--out = file is a file; allowed: a folder"]),
    ],
)
def test_mc_with_invalid_options_prints_one_sentence(arguments, words, asara, tmp_path):
    (tmp_path / "file").write_text("")
    answer = asara(*arguments.split())
    assert (answer.code, answer.out) == (2, "")
    assert all(word in answer.err for word in words), answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_mc_with_a_binary_file_is_refused(asara, tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    answer = asara("mc", "mine.toml")
    assert (answer.code, answer.err) == (2, "asara: mine.toml: is not text in UTF-8\n")


def test_mc_prints_the_probability_of_each_outcome(asara):
    answer = asara("mc", "successor", "--n", 20000, "--seed", 1)
    assert answer.code == 0
    assert answer.out.startswith("successor (20,000 worlds, seed 1): The successor study")
    for asked, published in (("explosion: P(r > 1), law without", "about 60%"), ("≥ 3 years in 12 months", "57%")):
        (line,) = [
            line for line in answer.out.splitlines() if line.strip().startswith(f"{asked} ") and published in line
        ]
        share, low, high = (float(figure) for figure in re.findall(r"([\d.]+)%", line)[:3])
        assert low < share < high
        assert share == pytest.approx(57.5, abs=2)
    assert re.search(r"months to the explosion +\d", answer.out)
    assert "A year of progress is 8 doublings" in answer.out


@pytest.mark.slow
def test_mc_json_and_files_are_equal_and_reproducible(asara, tmp_path, monkeypatch):
    first = asara("mc", "successor", "--n", 40000, "--json", "--out", "one")
    assert first.code == 0
    monkeypatch.setattr(runner.os, "cpu_count", lambda: 5)
    again = asara("mc", "successor", "--n", 40000, "--json", "--out", "two")
    assert first == again
    found = json.loads(first.out)
    assert json.loads((tmp_path / "one" / "mc.json").read_text()) == found
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["mc.csv", "mc.json", "mc.png"]
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert (tmp_path / "one" / "mc.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "one" / "mc.csv").open() as file:
        rows = {row["quantity"]: row for row in csv.DictReader(file)}
    assert float(rows["explosion_months"]["50%"]) == found["explosion_months"]["0.5"]
    assert rows.keys() == {"explosion_months", "explosion_years_of_progress", *found["inputs"]}
    other = json.loads(asara("mc", "successor", "--n", 40000, "--json", "--seed", 1).out)
    assert other["explosion"]["worlds"] != found["explosion"]["worlds"]
    assert other["digest"] == found["digest"]


def test_mc_report_with_fixed_hardware_is_within_the_published_range(asara):
    fixed = json.loads(asara("mc", "report-fixed-hardware", "--n", 60000, "--json").out)
    assert fixed["explosion"]["low"] < 0.5 < fixed["explosion"]["high"]
    assert fixed["explosion"]["published"] == "30-60%"
    free = json.loads(asara("mc", "report", "--n", 60000, "--json").out)
    assert free["explosion"]["low"] < 0.9 < free["explosion"]["high"]
    assert free["explosion_years_of_progress"]["0.5"] is None, "nothing ends it"


def test_mc_with_a_custom_file_and_rank_correlations_runs(asara, tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    answer = asara("mc", "mine.toml", "--n", 3000, "--out", "out")
    assert answer.code == 0
    assert "Written to out: mc.json, mc.csv, mc.png." in answer.out


def test_mc_reports_missing_explosions_and_truncated_worlds(asara, tmp_path):
    for r, words in ((0.5, ["months to the explosion - "]), (1.001, ["7 worlds ended at most_doublings"])):
        text = broken("[law]\n", "[law]\nmost_doublings = 30\n").split("[inputs.limit_years]")[0]
        text = text.replace('"lognormal"\nci80 = [0.5, 2]', f'"constant"\nvalue = {r}')
        (tmp_path / "mine.toml").write_text(text + "[[pairs]]\nyears = 3\nmonths = 12\n")
        answer = asara("mc", "mine.toml", "--n", 7, "--out", "out")
        assert answer.code == 0
        assert all(word in re.sub(" +", " ", answer.out) for word in words), answer.out


def test_mc_interrupted_writes_no_file(asara, tmp_path, monkeypatch):
    """Ctrl-C arrives while the threads are waited for; the chunks under way end, and no more begin."""
    begun, doubling_times = [], growth.doubling_times

    def interrupted(threads, timeout):
        raise KeyboardInterrupt

    def count(*arguments, **options):
        begun.append(threading.get_ident())
        return doubling_times(*arguments, **options)

    monkeypatch.setattr(runner, "wait", interrupted)
    monkeypatch.setattr(growth, "doubling_times", count)
    answer = asara("mc", "successor", "--out", "out")
    assert answer.code == 2
    assert "stopped; nothing more was written" in answer.err
    assert not (tmp_path / "out").exists()
    assert len(begun) < 1_000_000 / runner.CHUNK


def test_shipped_priors_load_with_source_and_are_listed_in_the_help(asara):
    help_text = "".join(asara("mc", "--help").out.split())  # it is wrapped within words
    assert len(shipped_priors()) == 4
    for name in shipped_priors():
        study = load_priors(name).study
        assert study.description
        assert study.source
        assert name in help_text


def test_successor_priors_differ_in_retraining_only():
    one, other = (load_priors(name).study for name in ("successor", "successor-retraining"))
    assert (one.retraining, other.retraining) == ("none", "damped")
    assert one.inputs == other.inputs
    assert [pair[:3] for pair in one.pairs] == [pair[:3] for pair in other.pairs]


@pytest.mark.parametrize("value", ["true", '"damped"'])
def test_mc_retraining_true_is_an_alias_of_damped(value, asara, tmp_path):
    (tmp_path / "mine.toml").write_text(broken("[law]\n", f"[law]\nretraining = {value}\n"))
    assert json.loads(asara("mc", "mine.toml", "--n", 100, "--json").out)["retraining"] == "damped"


def test_mc_prints_both_retraining_rules(asara, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    printed = re.sub(r"\s+", " ", asara("mc", "successor", "--n", 50000).out)
    for words in (
        "explosion: P(r > 1), law without retraining (the damping of the successor study does not change it)",
        "explosion when training runs take their share, P(r(1 − phi) > 1), rule of `asara run`",
    ):
        assert words in printed
    found = json.loads(asara("mc", "successor", "--n", 50000, "--json").out)
    free, share = found["explosion_by_rule"]
    for row, exact in ((free, math.log(3.6) / math.log(9)), (share, math.log(3.6 * 0.677) / math.log(9))):
        assert row["low"] < exact < row["high"]
        assert f"{row['probability']:.2%} [" in printed
    assert free["of"] == "r > 1: law without retraining (the damping of the successor study does not change it)"
    assert share["of"] == "r(1 - phi) > 1: training runs take their share, rule of `asara run`"
    assert (free["own"], share["own"]) == (True, False)


def test_mc_json_names_the_event_of_each_probability(asara):
    found = json.loads(asara("mc", "successor-retraining", "--n", 1000, "--json").out)

    def check(value):
        if isinstance(value, dict):
            assert "probability" not in value or len(value["of"]) > 10, value
            for each in value.values():
                check(each)
        elif isinstance(value, list):
            for each in value:
                check(each)

    check(found)
    events = [found["explosion"], found["explosion_within_horizon"], *found["pairs"]]
    assert all(each["of"].endswith("law with the damping of retraining of the successor study") for each in events)


def question(rule, tmp_path):
    """The file of the page's worked table, with another rule of retraining."""
    page = (ROOT / "docs" / "reference" / "monte-carlo.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(# question\.toml\n.*?)```", page, re.DOTALL)
    assert block.count('retraining = "share"') == 1
    (tmp_path / "question.toml").write_text(block.replace('"share"', rule))


def test_mc_page_table_equals_the_figures_of_every_rule(asara, tmp_path):
    """r lognormal, 80% in 0.6 to 2: P(r > 1), P(r(1 - phi) > 1), P(r(1 - s) > 1) from the normal distribution."""
    middle, width = math.log(0.6 * 2) / 2, math.log(2 / 0.6) / (2 * stats.norm.ppf(0.9))
    exact = [stats.norm.sf((math.log(1 / left) - middle) / width) for left in (1, 0.677, 0.5)]
    page = (ROOT / "docs" / "reference" / "monte-carlo.md").read_text(encoding="utf-8")
    table = page.partition("| a lab ")[2].partition("\n\n")[0]
    assert [f"{each:.1%}" in table for each in exact] == [True] * 3, exact
    for rule, own in (("false", 0), ('"damped"', 0), ('"share"', 1)):
        question(rule, tmp_path)
        found = json.loads(asara("mc", "question.toml", "--n", 100_000, "--json").out)
        rows = found["explosion_by_rule"]
        for row, share in zip(rows, exact[:2], strict=True):
            assert row["low"] < share < row["high"], rule
        assert found["explosion"]["worlds"] == rows[own]["worlds"]
        assert [row["own"] for row in rows] == [own == 0, own == 1]
        assert found["explosion_within_horizon"]["worlds"] <= found["explosion"]["worlds"]


def test_mc_page_example_file_runs(asara, tmp_path):
    page = (ROOT / "docs" / "reference" / "monte-carlo.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(description.*?)```", page, re.DOTALL)
    assert tomllib.loads(block)["description"] == "Mine."
    (tmp_path / "mine.toml").write_text(block)
    assert asara("mc", "mine.toml", "--n", 100).code == 0
