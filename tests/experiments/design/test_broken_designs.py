"""Test design files that cannot be run: each error has the key and the reason in one line."""

import pytest

from experiments.design.design import load_design
from experiments.errors import InputError

GOOD = """
base = "lab"
engine = "world"
sampling = "sobol"
n = 64
replications = 2
[set]
run__max_doublings = 5
[uncertainties.growth__r]
distribution = "lognormal"
ci80 = [0.7, 3.0]
[uncertainties.training__gain]
distribution = "uniform"
low = 1.5
high = 4
[[correlations]]
between = ["growth__r", "training__gain"]
rank = 0.5
[levers]
cluster__gpus = [256, 1024]
"""


def broken(old, new):
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def with_prior(name, *lines):
    return GOOD + "\n".join([f"[uncertainties.{name}]", *lines])


def with_lever(line):
    return GOOD + line


GRID = 'sampling = "grid"\n[levers]\n'
ZIPPED = 'sampling = "grid"\n[levers.{}]\nzip = {{ {} }}\n'

BAD = {
    "no TOML": ("base = = 3", ["is not valid TOML", "line 1"]),
    "unknown key": (broken("replications", "replicates"), ["no 'replicates'", "did you mean 'replications'?"]),
    "no sampling": (broken('sampling = "sobol"\n', ""), ["'sampling' is missing", "latin-hypercube"]),
    "unknown sampling": (broken('"sobol"', '"sobel"'), ["sampling = 'sobel'", "did you mean 'sobol'?"]),
    "sampling is no name": (broken('"sobol"', "[1]"), ["sampling = [1] is not known", "allowed: grid, sobol"]),
    "unknown engine": (broken('"world"', '"word"'), ["engine = 'word'", "did you mean 'world'?"]),
    "fluid replications": (broken('"world"', '"fluid"'), ["replications = 2", "repeat the run", "has no seed"]),
    "fluid of whole papers": (
        broken('"world"\n', '"fluid"\n')
        .replace("replications = 2\n", "")
        .replace("[set]\n", '[set]\nresearcher__timing = "whole"\n'),
        ["the first point cannot be run (growth__r = ", "researcher__timing", "whole"],
    ),
    "no n": (broken("n = 64\n", ""), ["'n' is missing", "whole number from 1 to 10,000,000"]),
    "n of no power": (broken("n = 64", "n = 100"), ["n = 100", "powers of 2. Write 64 or 128"]),
    "n of 0": (broken("n = 64", "n = 0"), ["n = 0 is not allowed", "from 1"]),
    "half an n": (broken("n = 64", "n = 64.5"), ["n = 64.5 is not allowed", "a whole number"]),
    "n is a truth": (broken("n = 64", "n = true"), ["n = True is not allowed"]),
    "replications of 0": (broken("replications = 2", "replications = 0"), ["replications = 0 is not allowed"]),
    "seed below 0": (broken("replications = 2", "seed = -1"), ["seed = -1 is not allowed", "from 0"]),
    "too many runs": (
        broken("replications = 2", "replications = 1000000"),
        [
            "64 points x 2 combinations of levers x 1,000,000 replications are 128,000,000 runs",
            "allowed: at most 10,000,000",
        ],
    ),
    "unknown base": (broken('"lab"', '"lap"'), ["base: no scenario 'lap'", "did you mean 'lab'?"]),
    "base is no text": (broken('"lab"', "3"), ["base = 3 is not a text", "allowed: a text"]),
    "no such file": (broken('"lab"', '"mine.toml"'), ["base: ", "mine.toml: cannot be read"]),
    "set is no table": (broken("[set]\nrun__max_doublings = 5", "set = 5"), ["set = 5 is not a table", "[set]"]),
    "set of an unknown": (broken("run__max_doublings", "run__max_doubling"), ["[set]: no parameter", "did you mean"]),
    "set out of bounds": (
        broken("max_doublings = 5", "max_doublings = 0"),
        ["[set]: run__max_doublings = 0", "from 1"],
    ),
    "set of what nothing reads": (
        broken("run__max_doublings = 5", "growth__difficulty_growth = 2.0"),
        ["[set]: growth__difficulty_growth is not read"],
    ),
    "set of a lever": (broken("run__max_doublings = 5", "cluster__gpus = 64"), ["cluster__gpus is set", "[levers]"]),
    "unknown uncertainty": (
        broken("uncertainties.growth__r", "uncertainties.growth__rr"),
        ["[uncertainties]: no parameter 'growth__rr'", "did you mean 'growth__r'?"],
    ),
    "uncertainty is no table": (
        'sampling = "random"\nn = 4\n[uncertainties]\ngrowth__r = 2.0',
        ["[uncertainties.growth__r]: 2.0 is not a table", "'distribution'"],
    ),
    "uncertainties are no table": (
        'uncertainties = 4\nsampling = "random"\nn = 4',
        ["uncertainties = 4 is not a table"],
    ),
    "uncertain name": (
        with_prior("cluster__queue", 'distribution = "uniform"', "low = 0", "high = 1"),
        ["[uncertainties.cluster__queue]", "not a number", "one of fcfs", "Make it a lever"],
    ),
    "uncertain truth": (
        with_prior("training__required", 'distribution = "uniform"', "low = 0", "high = 1"),
        ["[uncertainties.training__required]", "true or false", "Make it a lever"],
    ),
    "unknown distribution": (broken('"uniform"', '"unifrom"'), ["training__gain]: no distribution", "did you mean"]),
    "distribution is a list": (broken('"uniform"', '["uniform"]'), ["training__gain]: no distribution ['uniform']"]),
    "order": (broken("low = 1.5", "low = 5"), ["[uncertainties.training__gain]", "low = 5 is not below high = 4"]),
    "constant": (
        broken('"uniform"\nlow = 1.5\nhigh = 4', '"constant"\nvalue = 2'),
        ["[uncertainties.training__gain]", "a constant is not uncertain", "[set]"],
    ),
    "below the parameter": (
        broken("low = 1.5", "low = 0.5"),
        ["[uncertainties.training__gain]", "as low as 0.5", "set min = 1.01"],
    ),
    "above the parameter": (
        with_prior("training__speedup_exponent", 'distribution = "lognormal"', "ci80 = [0.1, 0.9]"),
        ["[uncertainties.training__speedup_exponent]", "as high as inf", "set max = 1"],
    ),
    "both": (
        with_prior("training__speedup_exponent", 'distribution = "normal"', "mean = 0.5", "sd = 0.3"),
        ["as low as -inf: set min = 0", "and as high as inf: set max = 1"],
    ),
    "levels of no grid": (
        broken("high = 4\n", "high = 4\nlevels = 3\n"),
        ["levels are read by sampling = 'grid' only"],
    ),
    "grid without levels": (
        'sampling = "grid"\n[uncertainties.growth__r]\ndistribution = "uniform"\nlow = 1\nhigh = 2',
        ["[uncertainties.growth__r]: 'levels' is missing"],
    ),
    "n of a grid": ('sampling = "grid"\nn = 4\n[levers]\ncluster__gpus = [64]', ["n is not read by sampling = 'grid'"]),
    "nothing differs": ('sampling = "one-at-a-time"', ["has neither [uncertainties] nor [levers]"]),
    "nothing to sample": ('sampling = "random"\nn = 4\n[levers]\ncluster__gpus = [64]', ["needs [uncertainties]"]),
    "from nowhere": (
        broken('distribution = "lognormal"\nci80 = [0.7, 3.0]', 'from = "fit.toml"'),
        ["fit.toml: cannot be read"],
    ),
    "from and more": (
        broken('"lognormal"\n', '"lognormal"\nfrom = "fit.toml"\n'),
        ["growth__r]: no 'distribution' here"],
    ),
    "rank above 1": (broken("rank = 0.5", "rank = 1.5"), ["growth__r and training__gain: rank = 1.5 is out of bounds"]),
    "rank of a lever": (broken('"training__gain"]', '"cluster__gpus"]'), ["no 'cluster__gpus' here", "growth__r"]),
    "ranks of a grid": (
        'sampling = "one-at-a-time"\n[levers]\ncluster__gpus = [64]\n[[correlations]]\nrank = 1',
        ["[[correlations]] are not read by sampling = 'one-at-a-time'"],
    ),
    "levers are no table": ('sampling = "grid"\nlevers = [1]', ["levers = [1] is not a table", "[levers]"]),
    "lever is no list": (
        GRID + "cluster__gpus = 64",
        ["[levers]: cluster__gpus = 64 is not a list of values; allowed: a list"],
    ),
    "a date in a lever": (GRID + "cluster__gpus = [2024-05-28]", ["allowed: numbers, texts, true and false"]),
    "a lever of 401 digits": (
        GRID + f"growth__r = [{10**400}]",
        ["[levers]: growth__r: a whole number beyond 1.8e308"],
    ),
    "an end of 401 digits": (
        broken("high = 4\n", f"high = {10**400}\n"),
        ["a whole number beyond 1.8e308 is not allowed"],
    ),
    "a base that no file can be called": ('base = "a\\u0000b.toml"\n' + GRID + "cluster__gpus = [64]", ["base = 'a"]),
    "brackets within brackets": ("n = " + 3000 * "[" + 3000 * "]", ["too many brackets within brackets"]),
    "empty lever": (GRID + "cluster__gpus = []", ["[levers]: cluster__gpus = [] is not a list of values"]),
    "unknown lever": (
        with_lever("cluster__gpu = [1]"),
        ["no parameter 'cluster__gpu'", "did you mean 'cluster__gpus'?"],
    ),
    "coupled levers of unequal lengths": (
        ZIPPED.format("compute", "cluster__gpus = [64, 128, 256], training__gain = [2, 3]"),
        [
            "[levers.compute]: zip has lists of unequal lengths",
            "cluster__gpus has 3, training__gain has 2",
            "one length",
        ],
    ),
    "coupled lever of one": (
        ZIPPED.format("compute", "cluster__gpus = [64, 128]"),
        ["[levers.compute]: zip = {", "at least two parameters"],
    ),
    "coupled lever twice the same step": (
        ZIPPED.format("compute", "cluster__gpus = [64, 64], training__gain = [2, 2]"),
        ["[levers.compute]", "is listed twice"],
    ),
    "coupled lever by the name of a parameter": (
        ZIPPED.format("cluster__gpus", "cluster__gpus = [64, 128], training__gain = [2, 3]"),
        ["[levers.cluster__gpus]: 'cluster__gpus' is not a name for a coupled lever", "Choose another name"],
    ),
    "coupled lever by the name of a result": (
        ZIPPED.format("day", "cluster__gpus = [64, 128], training__gain = [2, 3]"),
        ["[levers.day]: 'day' is not a name for a coupled lever"],
    ),
    "coupled lever of an unknown": (
        ZIPPED.format("compute", "cluster__gpu = [64, 128], training__gain = [2, 3]"),
        ["[levers.compute]: zip: no parameter 'cluster__gpu'", "did you mean 'cluster__gpus'?"],
    ),
    "coupled lever with more than zip": (
        ZIPPED.format("compute", "cluster__gpus = [64, 128], training__gain = [2, 3]") + "count = 2\n",
        ["[levers.compute]", "'count'"],
    ),
    "parameter of two levers": (
        ZIPPED.format("compute", "cluster__gpus = [64, 128], training__gain = [2, 3]")
        + "[levers.other]\nzip = { cluster__gpus = [64, 128], growth__r = [1, 2] }\n",
        ["cluster__gpus is in the levers compute and other"],
    ),
    "parameter set and coupled": (
        ZIPPED.format("compute", "cluster__gpus = [64, 128], training__gain = [2, 3]") + "[set]\ncluster__gpus = 64\n",
        ["cluster__gpus is set for all runs and is in [levers]"],
    ),
    "lever twice": (GRID + "growth__r = [1, 2, 1.0]", ["[levers]: growth__r: 1.0 is listed twice"]),
    "lever of lists": (
        GRID + "cluster__gpus = [[1], [2]]",
        ["[levers]: cluster__gpus", "allowed: numbers, texts, true and false"],
    ),
    "lever out of bounds": (
        GRID + "cluster__gpus = [64, 0]",
        ["[levers]: cluster__gpus = 0 GPUs", "from 1 to 1,000,000"],
    ),
    "lever of another kind": (
        GRID + "cluster__gpus = [64, 64.5]",
        ["cluster__gpus = 64.5 is not allowed", "whole number"],
    ),
    "lever of an unknown name": (
        GRID + 'cluster__queue = ["easy", "fast"]',
        ["cluster__queue = 'fast'", "one of fcfs"],
    ),
    "levers that do not go together": (
        GRID + "cluster__inference_share = [0.5, 0.8]\ncluster__training_share = [0.1, 0.4]",
        ["[levers]: [cluster] inference_share 0.8 and training_share 0.4 add up to 1.2"],
    ),
    "ladder without end": (GRID + "growth__r = { low = 1, count = 3 }", ["[levers]: growth__r: high = None"]),
    "ladder of one": (GRID + "growth__r = { low = 1, high = 2, count = 1 }", ["growth__r: count = 1", "from 2"]),
    "ladder downwards": (GRID + "growth__r = { low = 3, high = 2, count = 2 }", ["low = 3 is not below high = 2"]),
    "ladder from 0": (
        GRID + "growth__limit_doublings = { low = 0, high = 8, count = 3, log = true }",
        ["growth__limit_doublings: low = 0 is too small with log = true; allowed: above 0"],
    ),
    "ladder of names": (
        GRID + "cluster__queue = { low = 1, high = 2, count = 2 }",
        ["cluster__queue", "list its values"],
    ),
    "ladder misspelt": (
        GRID + "growth__r = { low = 1, high = 2, counts = 2 }",
        ["no 'counts'", "did you mean 'count'?"],
    ),
    "uncertain lever": (with_lever("growth__r = [1.0]"), ["growth__r is in [uncertainties] and in [levers]"]),
    "too small a cluster": (
        GRID + "cluster__gpus = [4, 256]",
        ["the first point cannot be run (cluster__gpus = 4)", "researchers need at least 1 GPUs"],
    ),
}


def test_broken_designs_are_at_least_thirty():
    assert len(BAD) >= 30


@pytest.mark.parametrize("case", BAD)
def test_load_design_with_a_broken_file_raises_error_with_key_and_reason(case, tmp_path):
    text, words = BAD[case]
    path = tmp_path / "mine.design.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_design(str(path))
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and "\n" not in said
    for word in words:
        assert word in said


def test_load_design_with_the_unbroken_file_returns_its_runs(tmp_path):
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    assert len(load_design(str(path))) == 64 * 2 * 2


def test_load_design_with_an_unreadable_file_raises_error(tmp_path):
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe")
    for name, words in ((path, "is not text in UTF-8"), (tmp_path / "no.toml", "cannot be read (No such file")):
        with pytest.raises(InputError, match=words.replace("(", r"\(")):
            load_design(str(name))


def test_load_design_with_an_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match=r"no design 'quik'.*did you mean 'quick'"):
        load_design("quik")


def test_load_design_with_bad_changes_raises_error(tmp_path):
    with pytest.raises(InputError, match="did you mean 'run__max_doublings'"):
        load_design("quick", changes={"run__max_doubling": 3})
    with pytest.raises(InputError, match=r"growth__r is set for all runs and is in \[uncertainties\]"):
        load_design("quick", changes={"growth__r": 3.0})
    with pytest.raises(InputError, match=r"engine = 'fuid'.*did you mean 'fluid'"):
        load_design("quick", engine="fuid")


def test_load_design_with_a_change_that_leaves_the_base_unread_raises_error(tmp_path):
    (tmp_path / "own.toml").write_text("[growth]\nr = 3.0\n")
    path = tmp_path / "mine.toml"
    path.write_text(
        'base = "own.toml"\nsampling = "grid"\n[set]\ngrowth__law = "papers"\n[levers]\ncluster__gpus = [64]'
    )
    with pytest.raises(InputError, match=r"\[set\] leaves something of the base unread: growth__r is not read"):
        load_design(str(path))
