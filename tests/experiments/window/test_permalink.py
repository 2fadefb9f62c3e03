"""Links: they restore a frame; hostile links give an error message."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from experiments.errors import InputError
from experiments.window.permalink import (
    MAX_QUERY_LENGTH,
    MAX_SEED,
    BranchPoint,
    Link,
    decode,
    encode,
    link_of,
    restore,
    shipped_scenario,
)
from experiments.window.player import MAX_FRAMES, RunPlayer
from experiments.window.visitor_limits import check_bounds
from sim.interventions import FIXED_AT_START
from sim.scenario.model import Scenario, ScenarioError, parameters, shipped_scenarios
from sim.testing.invariants import small_scenarios, values_of
from tests.support.properties import examples
from tests.support.window_runs import small_lab

_NEEDS_SEVERAL_LABS = "exit__into"
CHANGEABLE = [
    name
    for name in parameters()
    if name not in (*FIXED_AT_START, _NEEDS_SEVERAL_LABS) and not name.startswith("growth__")
]


@st.composite
def links(draw):
    """Draw a link with a drawn scenario, and branches that change drawn parameters."""
    name = draw(st.sampled_from(shipped_scenarios()))
    scenario = draw(small_scenarios(kernels__measurements="xeon-amx"))
    turns, frame = [], 0
    for _ in range(draw(st.integers(0, 3))):
        frame += draw(st.integers(0, 1000))
        changes = {}
        for parameter in draw(st.lists(st.sampled_from(CHANGEABLE), max_size=4, unique=True)):
            changes[parameter] = draw(values_of(parameters()[parameter]))
        turns.append(BranchPoint(frame, changes))
    scenario = scenario.model_copy(update={"name": name, "description": "", "source": ""})
    return Link(name, scenario, draw(st.integers(0, MAX_SEED)), draw(st.integers(0, MAX_FRAMES)), tuple(turns))


@pytest.mark.slow
@given(links())
@examples(20, HealthCheck.filter_too_much)
def test_decode_inverts_encode(link):
    query = encode(link)
    assert query.isascii()
    try:
        found = decode(query)
    except InputError as error:
        assert link.branches, error  # random changes of a branch can contradict each other
        return
    assert found.scenario.flat() == link.scenario.flat()
    assert found._replace(scenario=link.scenario) == link
    check_bounds(found.scenario)


def test_decode_of_an_empty_query_returns_the_defaults():
    assert decode("") == decode("?") == Link("lab", Scenario.load("lab"))
    assert encode(Link("lab", Scenario.load("lab"))) == "scenario=lab&seed=0&frame=0"


def test_restore_of_a_link_reaches_the_same_frame():
    base = Scenario.load("lab")
    scenario = small_lab(cluster__gpu_hours_between_failures=300.0)
    player = RunPlayer(scenario, 4)
    player.step(20)
    player.branch(8, {"cluster__gpus": 64})
    player.seek(14)
    player.branch(11, {"training__gain": 1.5, "cluster__queue": "fcfs", "cluster__preemption": False})
    player.seek(17)
    link = link_of("lab", scenario, player.seed, player.current_frame.number, player.timelines())
    query = encode(link)
    assert (
        "last=20&branch=8-14,cluster__gpus=64"
        "&branch=11,training__gain=1.5,cluster__queue=fcfs,cluster__preemption=false&frame=17" in query
    )
    found = decode(query)
    assert found.scenario.flat() == scenario.flat()
    assert found.scenario.name == base.name
    other = RunPlayer(found.scenario, found.seed)
    moved = restore(found, other)
    assert moved.done
    assert moved.frame == player.current_frame
    assert other.digest() == player.digest()
    assert [timeline.label for timeline in other.timelines()] == [timeline.label for timeline in player.timelines()]


def test_link_of_a_comparison_contains_every_branch() -> None:
    scenario = small_lab(cluster__gpu_hours_between_failures=300.0)
    player = RunPlayer(scenario, 4)
    player.step(20)
    player.branch(8, {"cluster__gpus": 64})
    player.seek(14)
    player.choose(0)
    player.branch(6, {"training__gain": 1.5})
    player.seek(9)
    player.choose(1)
    player.rewind(12)
    link = link_of("lab", scenario, player.seed, player.current_frame.number, player.timelines())
    query = encode(link)
    assert "last=20&branch=8-14,cluster__gpus=64&branch=6-9@A,training__gain=1.5&chosen=B&frame=12" in query
    found = decode(query)
    assert found._replace(scenario=scenario) == link
    other = RunPlayer(found.scenario, found.seed)
    assert restore(found, other).frame == player.current_frame
    assert [timeline.label for timeline in other.timelines()] == [timeline.label for timeline in player.timelines()]
    assert [timeline.columns for timeline in other.timelines()] == [timeline.columns for timeline in player.timelines()]
    assert [timeline.is_chosen for timeline in other.timelines()] == [False, True, False]


def test_link_of_a_chosen_first_timeline_restores_it() -> None:
    player = RunPlayer(small_lab())
    player.step(12)
    player.branch(5, {"cluster__gpus": 64})
    player.choose(0)
    player.rewind(7)
    found = decode(encode(link_of("lab", small_lab(), 0, 7, player.timelines())))
    other = RunPlayer(found.scenario, found.seed)
    assert restore(found, other).frame == player.current_frame
    assert (other.chosen_index, other.last_known_frame, len(other.timelines())) == (0, 12, 2)


def test_restore_of_a_link_beyond_the_end_stops_at_the_end():
    link = decode("scenario=toy-explosion&frame=100000")
    player = RunPlayer(link.scenario, link.seed)
    moved = restore(link, player)
    assert not moved.done
    assert "The run ended" in moved.sentence
    late = decode("scenario=toy-explosion&branch=90000&frame=5")
    moved = restore(late, RunPlayer(late.scenario, late.seed))
    assert not moved.done


def test_restore_of_an_impossible_branch_raises():
    link = decode("scenario=lab&branch=3,cluster__gpus=8")
    with pytest.raises(ScenarioError):
        restore(link, RunPlayer(link.scenario, link.seed))


HOSTILE_QUERIES = [
    ("scenario=/etc/passwd", "there is no scenario"),
    ("scenario=../../x.toml", "there is no scenario"),
    ("scenario=labb", "did you mean 'lab'?"),
    ("scenario=", "there is no scenario"),
    ("scenario=lab%00", "there is no scenario 'lab?'"),
    ("scenario=lab&scenario=toes", "twice"),
    ("nope=1", "not a parameter"),
    ("cluster__gpu=1", "did you mean 'cluster__gpus'?"),
    ("__class__=1", "not a parameter"),
    ("kernels__measurements=/tmp/x.jsonl", "xeon-amx, none"),
    ("kernels__measurements=%2e%2e%2fx.jsonl", "xeon-amx, none"),
    ("kernels__workload=a/b/c", "a workload is written as"),
    ("cluster__gpus=1000000", "from 1 to 100,000 GPUs"),
    ("cluster__gpus=100000&cluster__gpus_per_node=1", "16,384"),
    ("cluster__gpus=4&cluster__gpus=5", "twice"),
    ("researcher__initial=1000000000", "10,000,000"),
    ("run__max_doublings=300", "128 doublings"),
    ("run__horizon_days=1e6", "36,500 days"),
    ("run__max_individuals=1000000", "20,000"),
    ("literature__open_questions=10000000", "100,000"),
    ("researcher__timing=pooled&researcher__initial=20001&run__max_doublings=4", "individual researchers"),
    ("cluster__inference_share=0.9", "more than the whole cluster"),
    ("seed=-1", "seed = '-1' is invalid"),
    ("seed=1e3", "a whole number from 0"),
    (f"seed={MAX_SEED + 1}", "a whole number from 0"),
    ("seed=" + "9" * 5000, "a whole number from 0"),
    ("seed=٣", "a whole number from 0"),
    ("frame=100001", "from 0 to 100,000"),
    ("frame=", "a whole number from 0"),
    ("frame=NaN", "a whole number from 0"),
    ("branch=", "branch = ''"),
    ("branch=5,cluster__gpus", "write NAME=VALUE"),
    ("branch=5,researcher__initial=9", "cannot change within a run"),
    ("branch=5,cluster__gpus=1000000", "100,000"),
    ("branch=5,cluster__gpus=10000000", "1 to 100,000"),
    ("branch=5,kernels__measurements=/x.jsonl", "xeon-amx, none"),
    ("branch=5,growth__papers_first_doubling=3", "not read under"),
    ("branch=5@Z", "branch = 'Z' is not a branch of the link; allowed: A"),
    ("branch=5@", "branch = '' is not a branch"),
    ("branch=5-x", "branch = 'x' is invalid"),
    ("branch=5-6-7@A", "branch = '5-6-7@A' is invalid"),
    ("branch=5&chosen=C", "chosen = 'C' is not a branch of the link; allowed: A, B"),
    ("chosen=AB", "chosen = 'AB' is not a branch"),
    ("last=1e9", "last = '1e9' is invalid"),
    ("branch=9&branch=5", "branches from frame 5 after frame 9"),
    ("branch=1&branch=1&branch=1&branch=1", "at most 3"),
    ("&".join("cluster__gpus=1" for _ in range(200)), "cannot be read"),
    ("scenario", "cannot be read"),
    ("%ff=%fe", "cannot be read"),
    ("=;&&==", "cannot be read"),
    ("scenario=lab&" + "x" * MAX_QUERY_LENGTH, "characters"),
    ("growth__r=" + quote("<script>alert(1)</script>"), "a number from 0.01"),
    ("training__required=1%0a%0dSet-Cookie:x", "true or false"),
]


PIECES = ["scenario=", "lab", "&", "branch=", "3", ",", "=", "cluster__gpus", "%", "%00", "frame=", "seed=", "1e9", "-"]


@pytest.mark.parametrize(("query", "says"), HOSTILE_QUERIES)
def test_decode_of_a_hostile_link_raises_one_sentence(query, says):
    with pytest.raises(InputError, match=r"^[^\n]*$") as error:
        decode(query)
    sentence = str(error.value)
    assert says in sentence
    assert sentence.isprintable()
    assert len(sentence) < 400


@given(st.text(max_size=300) | st.lists(st.sampled_from(PIECES)).map("".join))
@examples(400)
def test_decode_of_any_text_returns_a_link_or_raises(query):
    try:
        link = decode(query)
    except InputError as error:
        assert str(error).isprintable()
        return
    check_bounds(link.scenario)
    assert link.name in shipped_scenarios()
    assert 0 <= link.frame <= MAX_FRAMES


def test_shipped_scenario_reads_no_files(tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text("[cluster]\ngpus = 8\n")
    monkeypatch.chdir(tmp_path)
    for name in ("own.toml", str(tmp_path / "own.toml"), "own"):
        with pytest.raises(InputError, match="there is no scenario"):
            shipped_scenario(name)
