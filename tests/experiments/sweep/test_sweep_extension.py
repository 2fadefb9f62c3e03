"""Test extended sweeps: old runs are kept, new ones are added, and the table equals that of a fresh sweep."""

from pathlib import Path

import pytest

from experiments.cli.app import main
from experiments.design.design import Design, load_design
from experiments.errors import InputError
from experiments.sweep import extension
from experiments.sweep.query import manifest, read, series, timings
from experiments.sweep.runner import manifest_of
from experiments.sweep.storage import EXTENDING, MANIFEST
from tests.support.sweep_runs import run_here
from tests.support.sweep_tables import as_bytes

DESIGN = """
base = "toy-explosion"
engine = "{engine}"
sampling = "{sampling}"
{n}
replications = {replications}

[set]
run__max_doublings = 2

[uncertainties.growth__difficulty_growth]
distribution = "uniform"
low = {low}
high = 4.0
{levels}

[levers]
researcher__initial = {initial}
{coupled}
"""
SMALL = {
    "engine": "world",
    "sampling": "sobol",
    "n": "n = 2",
    "replications": 1,
    "low": 1.5,
    "levels": "",
    "initial": [1, 2],
    "coupled": "",
}
COUPLED = """
[levers.clock]
zip = {{ run__horizon_days = {}, run__stop_at_researchers = {} }}
"""


def design_of(folder: Path, **changes: object) -> Design:
    """Return the small design with some changes."""
    path = folder / "small.toml"
    path.write_text(DESIGN.format(**SMALL | changes))
    return load_design(str(path))


def check_extended(tmp_path: Path, old: dict[str, object], new: dict[str, object]) -> None:
    """Extend a sweep, and compare it with a fresh one of the larger design."""
    said, grown = [], tmp_path / "grown"
    small = design_of(tmp_path, **old)
    run_here(small, grown)
    before = {row["run"]: row["seconds"] for row in timings(grown).to_pylist()}
    large = design_of(tmp_path, **old | new)
    run_here(large, grown, said.append)
    assert f"extended from {len(small)} to {len(large)} runs; {len(small)} are kept" in said[0]
    run_here(large, tmp_path / "fresh")
    assert as_bytes(read(grown)) == as_bytes(read(tmp_path / "fresh"))
    assert as_bytes(series(grown)) == as_bytes(series(tmp_path / "fresh"))
    kept = {row["seconds"] for row in timings(grown).to_pylist()} & {*before.values()}
    assert kept == {*before.values()}, "old runs have been run again"
    differs = [key for key, value in manifest(grown).items() if value != manifest_of(large)[key]]
    assert not differs
    assert not (grown / EXTENDING).exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"n": "n = 8"}),
        ({"sampling": "random", "n": "n = 3"}, {"n": "n = 7"}),
        ({}, {"replications": 3}),
        ({}, {"initial": [4, 2, 1, 3]}),
        ({}, {"n": "n = 4", "replications": 2, "initial": [3, 1, 2]}),
        ({"engine": "fluid"}, {"n": "n = 4", "initial": [1, 3, 2]}),
        ({"sampling": "grid", "n": "", "levels": "levels = 3"}, {"replications": 2, "initial": [1, 2, 3]}),
        ({"sampling": "one-at-a-time", "n": ""}, {"replications": 2, "initial": [3, 1, 2]}),
        ({"sampling": "latin-hypercube"}, {"replications": 2}),
        (
            {"coupled": COUPLED.format([500.0, 600.0], [2e6, 3e6])},
            {"n": "n = 4", "coupled": COUPLED.format([400.0, 500.0, 600.0], [3e6, 2e6, 3e6])},
        ),
    ],
)
def test_sweep_extended_equals_a_fresh_sweep_to_the_byte(tmp_path, old, new):
    check_extended(tmp_path, old, new)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ({"n": "n = 4"}, {"n": "n = 2"}, "n was 4, now 2, and a sweep cannot shrink"),
        ({"replications": 2}, {"replications": 1}, "replications was 2, now 1, and a sweep cannot shrink"),
        ({}, {"initial": [1, 3]}, "levers.researcher__initial no longer has 2, and a sweep cannot"),
        (
            {"sampling": "latin-hypercube"},
            {"n": "n = 3"},
            "n was 2, now 3, and all points of sampling = 'latin-hypercube' change with n",
        ),
        ({}, {"n": "n = 4", "low": 1.25}, "uncertainties.growth__difficulty_growth.low was 1.5, now 1.25"),
        ({}, {"sampling": "random", "n": "n = 4"}, 'sampling was "sobol", now "random"'),
        ({}, {"n": "n = 4", "coupled": "run__horizon_days = [500.0]"}, "levers.run__horizon_days was left out, now"),
        (
            {"sampling": "grid", "n": "", "levels": "levels = 2"},
            {"levels": "levels = 3"},
            "uncertainties.growth__difficulty_growth.levels was 2, now 3",
        ),
    ],
)
def test_sweep_that_cannot_be_extended_is_refused_with_the_difference(tmp_path, old, new, sentence):
    folder = tmp_path / "grown"
    run_here(design_of(tmp_path, **old), folder)
    before = read(folder)
    with pytest.raises(InputError) as refusal:
        run_here(design_of(tmp_path, **old | new), folder)
    assert sentence in str(refusal.value)
    assert "Use --fresh to start over, or another --out to keep both." in str(refusal.value)
    assert read(folder).equals(before)


@pytest.mark.parametrize("writes", range(1, 9))
def test_sweep_with_an_interrupted_extension_is_completed_by_the_same_command(tmp_path, monkeypatch, writes):
    folder, expected = tmp_path / "grown", tmp_path / "fresh"
    run_here(design_of(tmp_path), folder)
    large = design_of(tmp_path, n="n = 4", initial=[1, 3, 2])
    run_here(large, expected)
    left = [writes]
    with monkeypatch.context() as patch:
        for name in ("write_whole", "write_tables", "write_manifest"):
            real_one = getattr(extension, name)

            def once(*arguments: object, real_one=real_one) -> None:
                left[0] -= 1
                if left[0] == 0:
                    raise KeyboardInterrupt
                real_one(*arguments)

            patch.setattr(extension, name, once)
        try:
            run_here(large, folder)
        except KeyboardInterrupt:
            if (folder / EXTENDING / MANIFEST).exists():
                assert main(["results", str(folder)]) == 2
            else:
                assert len(read(folder)) == 4
    run_here(large, folder)
    assert as_bytes(read(folder)) == as_bytes(read(expected))
    assert as_bytes(series(folder)) == as_bytes(series(expected))
    assert not (folder / EXTENDING).exists()
