"""Test values of one lab: ``[labs.NAME.block]`` in files and ``NAME.block__name`` in changes."""

import pytest

from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

FILE = """
[cluster]
gpus_per_node = 4

[labs.alpha.cluster]
gpus = 64

[labs.alpha.growth]
law = "papers"
"""


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "own.toml"
        path.write_text(content)
        return path

    return write


def test_lab_of_a_file_has_its_own_values_and_the_common_ones(write):
    scenario = Scenario.load(write(FILE))
    assert scenario.labs == ("alpha",)
    assert scenario.overrides == (("alpha.cluster__gpus", 64), ("alpha.growth__law", "papers"))
    seen = scenario.lab_scenario("alpha")
    assert (seen.labs, seen.cluster.gpus, seen.cluster.gpus_per_node, seen.growth.law) == ((), 64, 4, "papers")
    assert seen == Scenario(name="own").replace(cluster__gpus=64, cluster__gpus_per_node=4, growth__law="papers")


def test_values_of_the_only_lab_are_those_of_the_run():
    common = Scenario().replace(cluster__gpus=64, training__gpus=16, run__max_doublings=1)
    own = Scenario().replace(**{"a.cluster__gpus": 64, "a.training__gpus": 16}, run__max_doublings=1)
    assert own.flat() == common.flat() and own.digest() == common.digest()
    assert run(own, 3).digest == run(common, 3).digest


def test_lab_without_values_of_its_own_keeps_its_name(write):
    scenario = Scenario.load(write("[labs.alpha]\n"))
    assert (scenario.labs, scenario.overrides) == (("alpha",), ())
    assert scenario.digest() == Scenario().digest()
    assert scenario.replace(cluster__gpus=64).labs == ("alpha",)


def test_scenario_without_labs_names_none():
    assert Scenario().labs == ()
    with pytest.raises(ScenarioError, match="no lab 'alpha', because the scenario names no labs"):
        Scenario().lab_scenario("alpha")


def test_second_change_of_a_lab_keeps_the_first():
    scenario = Scenario().replace(**{"alpha.cluster__gpus": 64}).replace(**{"alpha.training__gpus": 4})
    assert dict(scenario.overrides) == {"alpha.cluster__gpus": 64, "alpha.training__gpus": 4}
    assert (scenario.cluster.gpus, scenario.training.gpus) == (64, 4)
    assert scenario.replace(growth__r=2.0).cluster.gpus == 64


def test_old_name_of_a_parameter_of_a_lab_is_translated():
    with pytest.warns(FutureWarning, match=r"a\.cluster__sharing is deprecated; use a\.cluster__partitioning"):
        scenario = Scenario().replace(**{"a.cluster__sharing": "priority"})
    assert scenario.cluster.partitioning == "priority"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha.cluster__gpu": 64}, "lab 'alpha': no parameter 'cluster__gpu'; did you mean 'cluster__gpus'?"),
        ({"alpha.gpus": 64}, "lab 'alpha': no parameter 'gpus'; did you mean 'cluster__gpus'"),
        ({"alpha.cluster__gpus": 0}, "lab 'alpha': cluster__gpus = 0 GPUs is out of bounds: from 1 to 1,000,000 GPUs"),
        ({"alpha.growth__difficulty_growth": 2.0}, "lab 'alpha': growth__difficulty_growth is not read under"),
        ({"alpha.run__horizon_days": 9.0}, "run__horizon_days is not a parameter of one lab ('alpha'); set it under"),
        ({"alpha.cluster__gpus": 64, "cluster__gpus": 32}, "cluster__gpus is not read, because each lab has its own"),
        ({f"lab{n}.cluster__gpus": 64 for n in range(65)}, "65 labs are too many for one run; allowed: 64"),
        ({"al pha.cluster__gpus": 64}, "'al pha' is not allowed as the name of a lab"),
        ({"alpha.cluster__gpus": 64, "growth__r": 0.0}, "growth__r = 0.0 doublings per doubling is out of bounds"),
    ],
)
def test_bad_value_of_a_lab_is_one_sentence(changes, message):
    with pytest.raises(ScenarioError) as caught:
        Scenario().replace(**changes)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alhpa.cluster__gpus": 32}, "no lab 'alhpa'; did you mean 'alpha'?"),
        ({"beta.cluster__gpus": 32}, "a second lab cannot be added to 'alpha', which has values of its own"),
        (
            {"cluster__gpus": 32},
            "cluster__gpus is not read, because each lab has its own value; set alpha.",
        ),
        ({"growth__law": "papers"}, "lab 'alpha': growth__r is not read under growth__law = 'papers'"),
    ],
)
def test_bad_change_of_a_scenario_with_a_lab_is_one_sentence(changes, message):
    scenario = Scenario().replace(**{"alpha.cluster__gpus": 64, "alpha.growth__r": 2.0})
    with pytest.raises(ScenarioError) as caught:
        scenario.replace(**changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("labs = 3\n", "labs = 3 is not a table; allowed: tables such as [labs.NAME.cluster]"),
        ("[labs]\nalpha = 3\n", "labs.alpha = 3 is not a table; allowed: tables such as [labs.alpha.cluster]"),
        ("[labs.alpha]\ngpus = 3\n", "lab 'alpha': no parameter 'gpus'; did you mean 'cluster__gpus'"),
        ("[labs.alpha.clusters]\ngpus = 3\n", "lab 'alpha': no parameter 'clusters__gpus'; did you mean"),
        ("[labs.a.cluster]\ngpus = 64\n[labs.b.cluster]\ngpus = 0\n", "lab 'b': cluster__gpus = 0 GPUs is out of"),
        ('[labs."a b"]\n', "'a b' is not allowed as the name of a lab"),
    ],
)
def test_bad_labs_of_a_file_are_one_sentence(write, content, message):
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(write(content))
    assert f"own.toml: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shares", "gpus"),
    [
        ({"a": 0.6}, {"a": 1232, "b": 408, "c": 408}),
        ({"a": 0.5, "b": 0.25}, {"a": 1024, "b": 512, "c": 512}),
        ({"a": 0.25, "b": 0.25, "c": 0.25}, {"a": 512, "b": 512, "c": 512}),
        ({"a": 0.99}, {"a": 2024, "b": 8, "c": 8}),
        ({}, {"a": 2048, "b": 2048, "c": 2048}),
    ],
)
def test_shares_divide_the_gpus_in_whole_nodes(shares, gpus):
    three = {"a.entry__day": 0.0, "b.entry__day": 1.0, "c.entry__day": 2.0, "cluster__gpus": 2048}
    scenario = Scenario().replace(**three, **{f"{lab}.entry__gpu_share": share for lab, share in shares.items()})
    assert {lab: scenario.lab_scenario(lab).cluster.gpus for lab in scenario.labs} == gpus


def test_lab_with_a_share_equals_one_with_its_gpus():
    two = {"a.entry__day": 0.0, "b.entry__day": 1.0}
    by_share = Scenario().replace(**two, cluster__gpus=2048, **{"a.entry__gpu_share": 0.75})
    by_number = Scenario().replace(**two, **{"a.cluster__gpus": 1536, "b.cluster__gpus": 512})
    for lab in "ab":
        assert by_share.lab_scenario(lab).digest() == by_number.lab_scenario(lab).digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a.entry__gpu_share": 0.6, "b.entry__gpu_share": 0.5}, r"adds to 1.1 over the labs: 0.6 \(a\) \+ 0.5 \(b\)"),
        ({"entry__gpu_share": 0.6, "a.entry__day": 0.0, "b.entry__day": 1.0}, "adds to 1.2 over the labs"),
        ({"a.entry__gpu_share": 1.0, "b.entry__day": 0.0}, "leaves no GPUs for b; allowed: less than 1 in sum"),
        ({"a.entry__gpu_share": 0.5, "a.cluster__gpus": 64, "b.entry__day": 0.0}, "'a' states both cluster__gpus and"),
        ({"a.entry__gpu_share": 0.001, "b.entry__day": 0.0}, r"a share of 0.001 of cluster__gpus = 1,024 is less than"),
    ],
)
def test_shares_that_cannot_go_together_are_refused(changes, message):
    with pytest.raises(ScenarioError, match=message):
        Scenario().replace(**changes)


@pytest.mark.parametrize("name", ["entry__gpu_share", "a.entry__gpu_share"])
def test_share_of_the_only_lab_cannot_be_run(name):
    with pytest.raises(ScenarioError, match="divides the GPUs of several labs; allowed with fewer than two: 0"):
        World(Scenario().replace(**{name: 0.5}))
